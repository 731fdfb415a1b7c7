"""`attest ask`: what it prints, where, and with which exit code."""

import json
import os
import re
from pathlib import Path

import httpx2
import pytest

from index.documents import document_id
from tests.commands.running import BRIDGES, SENTENCE, Write, as_line, attest, run
from tests.service.contract import check_answer, seed_texts


def test_ask_prints_the_quote_and_its_source(bridges: Path) -> None:
    result = attest("ask", "When did the bridge open?", "--index", bridges, "--min-confidence", 0)
    assert (result.exit_code, result.stderr) == (0, "")
    quote, sentence, source, *_others, confidence = result.stdout.splitlines()
    start = BRIDGES["a.md"].index("1932")
    assert (quote, sentence) == ("1932", f"[1] {SENTENCE}")
    assert source == f"[1] Bridges, Opening, 1999-05-03 (a.md, characters {start}–{start + 4})"
    assert re.fullmatch(r"Confidence \d{1,3}%", confidence)


def test_ask_searches_a_document_by_its_file_name(bridges: Path) -> None:
    for name in ("a.md", "b.txt"):
        question = ["When did the bridge open?", "--document", name, "--min-confidence", 0]
        answer = json.loads(attest("ask", *question, "--json", "--index", bridges).stdout)
        assert {cited["document"]["uri"] for cited in (*answer["citations"], *answer["related"])} == {name}


def test_ask_prints_a_long_quote_on_one_line(write: Write, tmp_path: Path) -> None:
    sentence = f"The bridge opened {'and opened ' * 30}in 1932."
    attest("index", write({"a.txt": sentence}), "--index", tmp_path / "index")
    result = attest("ask", "When did the bridge open?", "--index", tmp_path / "index", "--min-confidence", 0)
    assert result.stdout.splitlines()[:2] == ["1932", f"[1] {sentence}"]


def test_ask_prints_further_citations_with_their_numbers(write: Write, tmp_path: Path) -> None:
    folder = write({"a.txt": "The bridge opened.", "b.txt": "The bridge opened! Trains ran on it until 1990."})
    attest("index", folder, "--index", tmp_path / "index")
    options = ("--index", tmp_path / "index", "--min-confidence", 0, "--reader", "sentence")
    result = attest("ask", "Which bridge opened?", *options)
    *lines, confidence = result.stdout.splitlines()
    assert lines == [
        "The bridge opened.",
        "",
        "[1] a (a.txt, characters 0–18)",
        "",
        "[2] The bridge opened!",
        "[2] b (b.txt, characters 0–18)",
        "",
    ]
    assert confidence.startswith("Confidence ")


def test_ask_for_json_prints_the_answer_of_the_contract(bridges: Path) -> None:
    result = attest("ask", "When did the bridge open?", "--json", "--index", bridges, "--min-confidence", 0)
    assert (result.exit_code, result.stderr) == (0, "")
    answer = json.loads(result.stdout)
    check_answer(answer, BRIDGES)
    assert (answer["status"], answer["answer"]) == ("answered", "1932")
    assert answer["index"] == {"generation": 1, "embedder": "hashing", "reader": "attest-minilm-l6"}


def test_ask_gives_the_same_answer_as_the_server(server: str, seeds_index: Path) -> None:
    question = "Who won the special presidential election held after Chávez died?"
    result = attest("ask", question, "--json", "--index", seeds_index, embedder=None)
    served = httpx2.post(f"{server}/ask", json={"question": question}, timeout=60).json()
    answer = json.loads(result.stdout)
    check_answer(answer, seed_texts())
    assert {**answer, "timings_ms": None} == {**served, "timings_ms": None}


def test_ask_abstains_with_exit_code_3_and_says_so(bridges: Path) -> None:
    result = attest("ask", "How do I bake sourdough bread?", "--index", bridges)
    assert (result.exit_code, result.stderr) == (3, "")
    lines = result.stdout.splitlines()
    assert lines[0] == "No answer found. No passage of these documents is about this."
    assert lines[1:4] == ["", "Related, not an answer:", ""]
    place = next(number for number, line in enumerate(lines) if "b.txt, characters 0–26" in line)
    assert re.fullmatch(r"\[\d\] b \(b\.txt, characters 0–26\)", lines[place])
    assert lines[place + 1] == "    The tunnel opened in 1992."


def test_ask_says_how_sure_it_would_have_been(bridges: Path) -> None:
    result = attest("ask", "When did the bridge open?", "--index", bridges, "--min-confidence", 1)
    assert result.exit_code == 3
    words = r"No answer found\. Nothing here answers it surely enough \(\d+%; 100% needed\)\."
    assert re.fullmatch(words, result.stdout.splitlines()[0])


def test_ask_for_json_abstains_with_exit_code_3_too(bridges: Path) -> None:
    result = attest("ask", "How do I bake sourdough bread?", "--json", "--index", bridges)
    assert result.exit_code == 3
    answer = json.loads(result.stdout)
    check_answer(answer, BRIDGES)
    assert (answer["status"], answer["answer"]) == ("abstained", None)


def test_ask_searches_only_the_documents_it_is_told(bridges: Path) -> None:
    words = ["ask", "When did the bridge open?", "--json", "--index", bridges, "--min-confidence", 0]
    answer = json.loads(attest(*words, "--document", document_id("b.txt")).stdout)
    assert answer["answer"] == "1992"
    both = attest(*words, "--document", document_id("b.txt"), "--document", document_id("a.md"))
    assert json.loads(both.stdout)["answer"] == "1932"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["é" * 1_001], "The question has 1,001 characters; at most 1,000 are read."),
        ([""], "The question is empty."),
        ([" \n"], "The question is empty."),
        (["Who?", "--document", "0123456789abcdef"], "There is no document with the name or id '0123456789abcdef'"),
        (["Who?", "--top-k", "0"], "--top-k"),
        (["Who?", "--top-k", "51"], "--top-k"),
        (["Who?", "--min-confidence", "1.1"], "--min-confidence"),
        (["Who?", "--min-confidence", "nan"], "--min-confidence"),
        (["Who?", "--topk", "5"], "--topk"),
        ([], "question"),
    ],
)
def test_a_wrong_use_of_ask_has_exit_code_2(bridges: Path, words: list[str], message: str) -> None:
    result = attest("ask", *words, "--index", bridges)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in as_line(result.stderr)


def test_a_question_that_is_no_unicode_text_has_exit_code_2(bridges: Path) -> None:
    result = attest("ask", os.fsdecode(b"When did the bridge open in 19\xff?"), "--index", bridges)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "question" in result.stderr


def test_a_wrong_use_in_a_process_of_its_own_shows_no_traceback(bridges: Path) -> None:
    result = run("ask", "é" * 1_001, "--index", bridges, "--embedder", "hashing")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == "The question has 1,001 characters; at most 1,000 are read.\n"
