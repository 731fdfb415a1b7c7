"""The command line: what it prints, where, and with which exit code."""

import json
import os
import re
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import httpx2
import pytest
from typer.testing import CliRunner, Result

from attest import app
from index.build import build
from index.documents import document_id
from index.embedding import HashingEmbedder
from tests.conftest import ROOT, SEEDS
from tests.service.contract import check_answer, seed_texts

Write = Callable[..., Path]
COMMANDS = ["index", "add", "rm", "ls", "verify", "ask", "serve", "eval", "bench"]
BRIDGES = {
    "a.md": "# Bridges\n\nPublished 3 May 1999\n\n## Opening\n\nIt rained. The [bridge](#) opened in **1932**.\n",
    "b.txt": "The tunnel opened in 1992.",
}
SENTENCE = "The [bridge](#) opened in **1932**."


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("ATTEST_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def bridges(write: Write, hashing: HashingEmbedder) -> Path:
    """The index of two documents."""
    folder = write(BRIDGES)
    build(folder, folder.parent / "index", hashing)
    return folder.parent / "index"


def attest(*words: object, embedder: str | None = "hashing", **variables: str) -> Result:
    """Run a command in this process; a crash is raised again."""
    options = [] if embedder is None else ["--embedder", embedder]
    result = CliRunner().invoke(app, [*map(str, words), *options], env=variables)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def run(*words: object, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own."""
    command = [sys.executable, "-m", "attest", *map(str, words)]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, check=False)


def as_line(text: str) -> str:
    return " ".join(text.split())


def test_index_says_in_one_line_what_it_did(write: Write, tmp_path: Path) -> None:
    folder, index = write({**BRIDGES, "c.txt": "It snowed.", ".attestignore": "c.*\n"}), tmp_path / "index"
    first = attest("index", folder, "--index", index)
    assert (first.exit_code, first.stderr) == (0, "")
    assert re.sub(r"\d\.\d s", "… s", first.stdout) == (
        f"2 documents, 2 passages in {index} (generation 1), … s: 2 read anew, 0 removed, "
        "2 passages embedded, 0 files not read, 1 left out by .attestignore. Dense search: exact.\n"
    )
    (folder / "b.txt").unlink()
    second = attest("index", folder, "--index", index)
    assert re.sub(r"\d\.\d s", "… s", second.stdout) == (
        f"1 documents, 1 passages in {index} (generation 2), … s: 0 read anew, 1 removed, "
        "0 passages embedded, 0 files not read, 1 left out by .attestignore. Dense search: exact.\n"
    )


def test_index_makes_another_kind_of_dense_index_when_told_and_keeps_to_it(write: Write, tmp_path: Path) -> None:
    folder = write({f"{number}.txt": f"The bridge {number} opened in {1_800 + number}." for number in range(80)})
    words = ("index", folder, "--index", tmp_path / "index")
    assert "(generation 1)" in (first := attest(*words).stdout)
    assert "Dense search: exact." in first
    other = attest(*words, "--dense", "ivf").stdout
    assert "(generation 2)" in other
    assert re.search(r"Dense search: approximate, \d+ of 36 lists, recall (0\.99|1\.0)\d+\.", other)
    assert "(generation 2)" in (again := attest(*words).stdout)
    assert "Dense search: approximate" in again
    assert "Dense search: exact." in attest(*words, ATTEST_DENSE="exact").stdout


def test_index_names_each_file_that_it_cannot_read(write: Write, tmp_path: Path) -> None:
    folder = write({
        **BRIDGES,
        "image.png": b"\x89PNG",
        "latin.txt": "Chávez".encode("latin-1"),
        "nothing.txt": " \n",
        "old/zero.txt": b"a\0b",
    })  # fmt: skip
    result = attest("index", folder, "--index", tmp_path / "index")
    assert result.exit_code == 0
    assert "2 documents" in result.stdout
    assert "4 files not read." in result.stdout
    assert result.stderr.splitlines() == [
        "not read: image.png: not a .txt, .md, .html, .htm, .pdf or .docx file",
        "not read: latin.txt: not UTF-8: undecodable byte 0xe1 at 2",
        "not read: nothing.txt: empty",
        "not read: old/zero.txt: binary, not text",
    ]


@pytest.mark.parametrize("files", [{"image.png": b"\x89PNG"}, {"empty.txt": ""}, {"heading.md": "# Bridges\n"}])
def test_index_fails_if_there_is_nothing_to_read(write: Write, tmp_path: Path, files: dict[str, str | bytes]) -> None:
    folder = write(files)
    result = attest("index", folder, "--index", tmp_path / "index")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert f"Nothing in {folder} could be indexed: it needs at least one file with sentences" in result.stderr


@pytest.mark.parametrize("name", ["nowhere", "a.txt"])
def test_index_fails_if_there_is_no_such_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.txt").write_text("The bridge opened in 1932.")
    result = attest("index", tmp_path / name, "--index", tmp_path / "index")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"{tmp_path / name} is not a folder\n"
    assert not (tmp_path / "index").exists()


def test_index_reads_the_folder_that_a_variable_names(write: Write, tmp_path: Path) -> None:
    folder = write(BRIDGES)
    result = attest("index", ATTEST_DOCUMENTS=str(folder), ATTEST_INDEX=str(tmp_path / "index"))
    assert result.exit_code == 0
    assert f"2 documents, 2 passages in {tmp_path / 'index'} " in result.stdout


def test_index_sets_a_damaged_index_aside_and_says_so(bridges: Path) -> None:
    (bridges / "attest.sqlite").write_bytes(b"no database" * 1_000)
    result = attest("index", bridges.parent / "documents", "--index", bridges)
    assert result.exit_code == 0
    assert "The index was damaged; it was set aside as" in result.stderr
    assert "2 documents" in result.stdout
    assert len(list(bridges.glob("attest.sqlite.damaged-*"))) == 1
    assert attest("ask", "When did the bridge open?", "--index", bridges, "--min-confidence", 0).exit_code == 0


@pytest.mark.parametrize("name", ["a [bold] index", "an [/old] index"])
def test_index_prints_the_name_of_its_folder_as_it_is(write: Write, tmp_path: Path, name: str) -> None:
    result = attest("index", write(BRIDGES), "--index", tmp_path / name)
    assert result.exit_code == 0
    assert f"2 documents, 2 passages in {tmp_path / name} " in result.stdout


@pytest.mark.parametrize("name", ["index", "index/attest.sqlite"])
def test_index_fails_in_words_if_something_else_is_where_the_index_should_be(
    write: Write, tmp_path: Path, name: str
) -> None:
    if name == "index":
        (tmp_path / name).write_text("a file")
    else:
        (tmp_path / name).mkdir(parents=True)
    result = attest("index", write(BRIDGES), "--index", tmp_path / "index")
    assert (result.exit_code, result.stdout) == (1, "")
    assert str(tmp_path / "index") in result.stderr


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
    assert result.stdout.splitlines()[:4] == [
        "The bridge opened.",
        "[1] a (a.txt, characters 0–18)",
        "[2] The bridge opened!",
        "[2] b (b.txt, characters 0–18)",
    ]


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
    assert lines[1] == "Related, not an answer:"
    assert any("b.txt, characters 0–26" in line for line in lines[2:])


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


def test_variables_stand_for_options_and_options_beat_them(bridges: Path) -> None:
    variables = {
        "ATTEST_INDEX": str(bridges),
        "ATTEST_EMBEDDER": "hashing",
        "ATTEST_JSON": "1",
        "ATTEST_TOP_K": "1",
        "ATTEST_MIN_CONFIDENCE": "1",
        "ATTEST_DOCUMENT": document_id("b.txt"),
    }
    by_variables = attest("ask", "When did the bridge open?", embedder=None, **variables)
    assert by_variables.exit_code == 3
    (related,) = json.loads(by_variables.stdout)["related"]
    assert related["document"]["uri"] == "b.txt"
    by_option = attest("ask", "When did the bridge open?", "--min-confidence", 0, embedder=None, **variables)
    assert by_option.exit_code == 0


def test_without_an_index_it_says_how_to_make_one(tmp_path: Path) -> None:
    for command in (["ask", "Who?"], ["eval"]):
        result = attest(*command, "--index", tmp_path / "nowhere")
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr == (
            f"There is no index in {tmp_path / 'nowhere'}. "
            f"Make one with: attest index FOLDER --index {tmp_path / 'nowhere'}\n"
        )


@pytest.mark.parametrize("content", [b"", b"no database" * 1_000, b"SQLite format 3\0" + b"\xff" * 5_000])
def test_a_damaged_index_is_named_with_the_command_that_mends_it(bridges: Path, content: bytes) -> None:
    (bridges / "attest.sqlite").write_bytes(content)
    result = attest("ask", "Who?", "--index", bridges)
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"The index in {bridges} is damaged" in result.stderr
    assert "attest index FOLDER" in result.stderr


DAMAGES = [
    "UPDATE meta SET value = '{}'",
    "UPDATE meta SET value = '[]'",
    "UPDATE meta SET value = 'not JSON'",
    "UPDATE passages SET sentences = 'not JSON'",
    "UPDATE passages SET vector = x'00'",
    "UPDATE documents SET sections = 'not JSON'",
    "UPDATE documents SET text = replace(text, '19', '20')",
    "DROP TABLE passages",
    "DROP TABLE meta",
]


def _damage(index: Path, statement: str) -> None:
    with closing(sqlite3.connect(index / "attest.sqlite")) as connection, connection:
        connection.execute(statement)


@pytest.mark.parametrize("statement", DAMAGES)
def test_damage_inside_the_index_is_named_with_the_command_that_mends_it(bridges: Path, statement: str) -> None:
    _damage(bridges, statement)
    result = attest("ask", "When did the bridge open?", "--index", bridges, "--min-confidence", 0)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "damaged" in result.stderr
    assert "attest index FOLDER" in result.stderr


@pytest.mark.parametrize("statement", DAMAGES)
def test_damage_inside_the_index_is_mended_by_indexing_the_folder_again(bridges: Path, statement: str) -> None:
    _damage(bridges, statement)
    assert attest("index", bridges.parent / "documents", "--index", bridges).exit_code == 0
    result = attest("ask", "When did the bridge open?", "--index", bridges, "--min-confidence", 0)
    assert (result.exit_code, result.stdout.splitlines()[0]) == (0, "1932")


def test_an_index_of_another_embedder_is_named_with_the_command_that_mends_it(bridges: Path) -> None:
    result = attest("ask", "Who?", "--index", bridges, embedder=None)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        f"The index in {bridges} was built with hashing (256 dimensions), but ATTEST_EMBEDDER asks for "
        f"all-MiniLM-L6-v2; rebuild it with: attest index {bridges.parent / 'documents'} --index {bridges}\n"
    )


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


def test_serve_will_not_open_the_documents_to_the_network_without_a_key(bridges: Path) -> None:
    result = attest("serve", "--host", "0.0.0.0", "--port", 0, "--index", bridges)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "listening on 0.0.0.0 would open the documents to the network; set ATTEST_API_KEY" in result.stderr


def test_serve_does_not_show_a_key_that_is_too_short(bridges: Path) -> None:
    result = attest("serve", "--port", 0, "--index", bridges, ATTEST_API_KEY="my-secret")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "ATTEST_API_KEY" in result.stderr
    assert "at least 32" in result.stderr
    assert "my-secret" not in result.stderr


def test_serve_without_an_index_says_how_to_make_one_and_waits_for_it(tmp_path: Path) -> None:
    command = ["-m", "attest", "serve", "--port", "0", "--index", str(tmp_path / "nowhere"), "--embedder", "hashing"]
    with subprocess.Popen(
        [sys.executable, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout
            assert "Attest is at" in process.stdout.readline()
        finally:
            process.terminate()
        assert process.stderr
        said = process.stderr.read()
    assert "There is no index in" in said
    assert "attest index FOLDER" in said
    assert "Traceback" not in said


def test_serve_on_a_port_in_use_says_so(bridges: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = run("serve", "--port", port, "--index", bridges, "--embedder", "hashing")
    assert (result.returncode, result.stdout) == (1, "")
    assert f"Cannot listen on 127.0.0.1 port {port}: Address already in use" in result.stderr
    assert "ATTEST_PORT" in result.stderr
    assert "Traceback" not in result.stderr


def test_serve_listens_when_it_prints_its_address_and_stops_when_told(bridges: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "attest", "serve", "--port", "0", "--index", bridges, "--embedder", "hashing"],
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout
        found = re.search(r"http://127\.0\.0\.1:(\d+)/", process.stdout.readline())
        assert found
        with socket.create_connection(("127.0.0.1", int(found[1])), timeout=20) as connection:
            connection.sendall(b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            assert connection.recv(100).startswith(b"HTTP/1.1 200 OK\r\n")
    finally:
        process.terminate()
        _, errors = process.communicate(timeout=20)
    assert errors == ""


def test_importing_the_front_door_imports_none_of_the_heavy_packages() -> None:
    heavy = ["torch", "faiss", "fastapi", "uvicorn", "sentence_transformers", "transformers", "tantivy", "sklearn"]
    program = f"import attest, sys; print([name for name in {heavy} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"


def test_help_names_every_command() -> None:
    result = attest("--help", embedder=None)
    assert result.exit_code == 0
    for command in COMMANDS:
        assert re.search(rf"^  {command}  ", result.stdout, re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_names_the_variable_of_every_option(command: str) -> None:
    result = attest(command, "--help", embedder=None)
    assert result.exit_code == 0
    _, *options = re.split(r"\n  --(?!help)", result.stdout)
    described = {option.split()[0]: as_line(option) for option in options}
    assert described
    missing = [
        name for name, words in described.items() if f"[env var: ATTEST_{name.upper().replace('-', '_')}" not in words
    ]
    assert missing == []


def test_eval_without_questions_says_so(bridges: Path, tmp_path: Path) -> None:
    result = attest("eval", "--index", bridges, "--questions", tmp_path / "nowhere.jsonl")
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"{tmp_path / 'nowhere.jsonl'} cannot be read" in result.stderr


def test_the_commands_work_on_the_seeds_from_another_folder(tmp_path: Path) -> None:
    indexed = attest("index", SEEDS, "--index", tmp_path / "index")
    assert indexed.stdout.startswith("2 documents, ")
    asked = attest("ask", "When did the Soviet Union establish diplomatic relations?", "--index", tmp_path / "index")
    assert "March 3, 1945" in asked.stdout


def test_bench_measures_and_writes_its_figures(tmp_path: Path) -> None:
    words = ("bench", "--passages", 100, "--sample", 10, "--vectors-only", 1_000, "--report", tmp_path / "reports")
    result = attest(*words, embedder=None)
    assert (result.exit_code, result.stderr) == (0, "")
    for figure in ("read, ms", "/ask, 32 clients, ms", "first right answer after", "recall@10"):
        assert figure in result.stdout
    assert f"All figures: {tmp_path / 'reports' / 'bench.json'}" in result.stdout
    data = json.loads((tmp_path / "reports" / "bench.json").read_text())
    assert (len(data["sizes"]), data["vectors_only"][0]["recall"]) == (1, 1.0)


def test_bench_says_in_words_where_it_cannot_write(tmp_path: Path) -> None:
    (tmp_path / "reports").write_text("in the way")
    result = attest("bench", "--report", tmp_path / "reports", "--passages", 100, "--sample", 10, embedder=None)
    assert result.exit_code == 1
    assert f"{tmp_path / 'reports'} cannot be written" in result.stderr


def test_files_are_added_listed_and_removed(bridges: Path, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "c.txt").write_text("The canal was dug in 1825.")
    added = attest("add", tmp_path / "new" / "c.txt", "--index", bridges)
    canal = document_id("c.txt")
    assert (added.exit_code, added.stderr) == (0, "")
    assert added.stdout == (f"{canal}  c.txt  (1 passages)\n1 documents added to {bridges} (generation 2).\n")
    assert attest("ask", "When was the canal dug?", "--index", bridges, "--min-confidence", 0).stdout.startswith("1825")
    listed = attest("ls", "--index", bridges, embedder=None).stdout.splitlines()
    assert [re.sub(r"^\w{16}  ", "", line) for line in listed] == [
        "a.md  (1 passages)",
        "b.txt  (1 passages)",
        "c.txt  (1 passages)  added",
    ]
    as_json = json.loads(attest("ls", "--json", "--index", bridges, embedder=None).stdout)
    assert [(each["ref"]["uri"], each["added"]) for each in as_json][2] == ("c.txt", True)
    removed = attest("rm", "c.txt", document_id("b.txt"), "--index", bridges)
    assert removed.stdout == f"2 documents removed from {bridges} (generation 3).\n"
    assert "b.txt" not in attest("ls", "--index", bridges, embedder=None).stdout


def test_files_that_cannot_be_added_are_named(bridges: Path, tmp_path: Path) -> None:
    (tmp_path / "c.txt").write_text("Oil.")
    (tmp_path / "d.exe").write_text("MZ")
    refused = attest("add", tmp_path / "c.txt", tmp_path / "d.exe", tmp_path / "none.txt", "--index", bridges)
    assert refused.exit_code == 1
    assert refused.stderr == (
        f"not read: {tmp_path}/d.exe: not a .txt, .md, .html, .htm, .pdf or .docx file\n"
        f"not read: {tmp_path}/none.txt: a link to nothing, or removed just now\nNothing was added.\n"
    )
    assert "c.txt" not in attest("ls", "--index", bridges, embedder=None).stdout


def test_a_document_that_is_not_there_is_not_removed(bridges: Path) -> None:
    refused = attest("rm", "a.md", "none.txt", "--index", bridges)
    assert (refused.exit_code, refused.stderr) == (2, "There is no document with the name or id 'none.txt'.\n")
    assert "a.md" in attest("ls", "--index", bridges, embedder=None).stdout


def test_verify_reads_everything_and_names_what_is_damaged(bridges: Path) -> None:
    whole = attest("verify", "--index", bridges, embedder=None)
    assert (whole.exit_code, whole.stdout) == (0, "2 documents, 2 passages: 0 problems.\n")
    with closing(sqlite3.connect(bridges / "attest.sqlite")) as connection:
        connection.execute("UPDATE documents SET text = replace(text, '1992', '1993')")
        connection.commit()
    damaged = attest("verify", "--index", bridges, embedder=None)
    assert damaged.exit_code == 1
    assert "b.txt: The index in" in damaged.stderr
    assert damaged.stdout == "2 documents, 2 passages: 1 problems.\n"


def test_verify_holds_an_answer_against_the_documents(bridges: Path, tmp_path: Path) -> None:
    saved = tmp_path / "answer.json"
    given = attest("ask", "When did the tunnel open?", "--json", "--index", bridges, "--min-confidence", 0).stdout
    saved.write_text(given)
    right = attest("verify", saved, "--index", bridges, embedder=None)
    assert right.exit_code == 0
    assert right.stdout.splitlines()[0] == "citations 1: it stands there: '1992'"
    saved.write_text(given.replace("1992", "1993"))
    wrong = attest("verify", saved, "--index", bridges, embedder=None)
    assert wrong.exit_code == 1
    assert "citations 1: its quote is not what stands at 21–25: '1992'" in wrong.stdout
    for content in ("nothing", "[]", '{"citations": [7]}', '{"citations": [{}]}', '{"citations": 5}'):
        saved.write_text(content)
        refused = attest("verify", saved, "--index", bridges, embedder=None)
        assert refused.exit_code == 2
        assert f"{saved} cannot be verified: " in refused.stderr
