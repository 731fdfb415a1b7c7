"""`attest eval` and `attest bench`: where questions come from, what is written, and with which exit code."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from attest import app
from eval import diff
from tests.commands.running import attest
from tests.eval.evaluating import BRIDGE, MILL, PARAGRAPHS, evaluate


def test_questions_in_lines_are_asked_and_a_figure_below_the_wished_one_fails(tmp_path: Path, index: Path) -> None:
    gold = {"document": "a.txt", "start": 0, "end": 26, "text": BRIDGE}
    path = tmp_path / "questions.jsonl"
    path.write_text(json.dumps({"id": "q1", "question": "The bridge opened in 1901?", "answers": [gold]}))
    passed = evaluate(tmp_path, "--questions", path, "--min-f1", "1.0", "--min-em", "1", "--min-recall-at-5", "1")
    assert (passed.exit_code, passed.stderr) == (0, "")
    assert f"Every question with its answer: {tmp_path / 'report' / 'report.html'}\n" in passed.stdout
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert (report["title"], report["figures"]["token F1"]["value"]) == ("questions.jsonl", 1.0)
    path.write_text(json.dumps({"id": "q1", "question": "Quux zyzzyva?", "answers": [gold]}))
    failed = evaluate(tmp_path, "--questions", path, "--min-f1", "0.9", "--min-abstained", "0.5")
    assert failed.exit_code == 1
    assert failed.stderr == "token F1 is 0.000, not 0.9; unanswerable, abstained is –, not 0.5\n"


def test_a_table_of_questions_is_asked_of_the_index(tmp_path: Path, index: Path) -> None:
    path = tmp_path / "Questions.CSV"
    path.write_text(f"question,answer,document\nThe bridge opened in 1901?,{BRIDGE},a.txt\nQuux zyzzyva?,,\n")
    result = evaluate(tmp_path, "--questions", path, "--min-em", "1", "--min-abstained", "1")
    assert (result.exit_code, result.stderr) == (0, "")
    rows = diff.read(tmp_path / "report")
    assert [(row["verdict"], row["answer"], row["gold_rank"]) for row in rows.values()] == [
        ("answered rightly", BRIDGE, 1),
        ("abstained rightly", None, None),
    ]


@pytest.mark.parametrize("setting", ["open", "reading"])
def test_paragraphs_are_asked_in_an_index_of_their_own_found_or_given(tmp_path: Path, setting: str) -> None:
    path = tmp_path / "squad.json"
    path.write_text(json.dumps(PARAGRAPHS))
    result = evaluate(tmp_path, "--squad", path, "--setting", setting)
    assert (result.exit_code, result.stderr) == (0, "")
    assert not (tmp_path / "index").exists()
    assert json.loads((tmp_path / "report" / "report.json").read_text())["title"] == f"squad.json, {setting} setting"
    first, second, third = diff.read(tmp_path / "report").values()
    # the first asks the paragraph on the bridge in the words of the one on the mill
    assert (first["forced"]["answer"], first["gold_rank"]) == ((MILL, 2) if setting == "open" else (BRIDGE, None))
    assert (second["forced"]["answer"], second["forced"]["right"]) == (MILL, True)
    assert (third["verdict"], third["gold"]) == ("abstained rightly", [])


def test_a_comparison_prints_a_table_and_writes_nothing(tmp_path: Path, index: Path) -> None:
    path = tmp_path / "questions.csv"
    path.write_text(f"question,answer\nThe bridge opened?,{BRIDGE}\n")
    result = evaluate(tmp_path, "--questions", path, "--compare")
    assert result.exit_code == 0
    assert re.findall(r"^\| (\w+) \| sentence \| 1.000 ", result.stdout, re.MULTILINE) == ["dense", "lexical", "fused"]
    made_by = re.match(r"20\d\d-\d\d-\d\d, `(.*)`: 1 question, 1 of them answerable\n\n", result.stdout)
    assert made_by
    options = f"--questions={path} --index={index} --embedder=hashing --reader=sentence"
    assert made_by[1] == f"attest eval --compare {options}"
    assert not (tmp_path / "report").exists()


@pytest.mark.parametrize(
    "options",
    [
        ["--setting", "reading"],
        ["--setting", "reading", "--squad", "squad.json", "--compare"],
        ["--setting", "closed", "--squad", "squad.json"],
        ["--squad", "squad.json", "--questions", "questions.csv"],
        ["--compare", "--min-f1", "0.1"],
        ["--compare", "--min-abstained", "1"],
        ["--compare", "--target-precision", "0.8"],
        ["--target-precision", "0"],
        ["--target-precision", "1"],
        ["--min-f1", "1.1"],
        ["--nonsense"],
    ],
)
def test_a_command_that_makes_no_sense_is_refused(tmp_path: Path, index: Path, options: list[str]) -> None:
    result = evaluate(tmp_path, *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert options[0] in result.stderr
    assert not (tmp_path / "report").exists()


@pytest.mark.parametrize(
    ("option", "name", "content", "reason"),
    [
        ("--questions", "q.csv", "question,answer\nWhen?,1902\n", "line 2: '1902' does not stand in any document"),
        ("--questions", "q.jsonl", "{}", "line 1 is not a question"),
        ("--questions", "q.jsonl", '{"id": "q1", "question": " ", "answers": []}', "q1 cannot be asked"),
        ("--squad", "q.json", "{}", "is not in SQuAD's form"),
        (
            "--squad",
            "q.json",
            json.dumps(PARAGRAPHS).replace(": 21", ": 20"),
            "the answer '1901' of s1 does not stand at 20 of its context",
        ),
        ("--questions", "q.csv", None, "q.csv cannot be read: No such file or directory\n"),
        ("--questions", "q.jsonl", None, "q.jsonl cannot be read: No such file or directory\n"),
        ("--squad", "q.json", None, "q.json cannot be read: No such file or directory\n"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(
    tmp_path: Path, index: Path, option: str, name: str, content: str | None, reason: str
) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    result = evaluate(tmp_path, option, tmp_path / name)
    assert (result.exit_code, result.stdout) == (1, "")
    assert reason in result.stderr
    assert not list((tmp_path / "report").glob("*"))


@pytest.mark.parametrize(
    ("folder", "reason"),
    [("file", "it is no folder"), ("file/report", "Not a directory"), ("/proc", "No such file or directory")],
)
def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, index: Path, folder: str, reason: str) -> None:
    path = tmp_path / "questions.csv"
    path.write_text(f"question,answer\nThe bridge opened?,{BRIDGE}\n")
    (tmp_path / "file").write_text("in the way")
    result = evaluate(tmp_path, "--questions", path, "--report", tmp_path / folder)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"{tmp_path / folder} cannot be written: {reason}\n"


@pytest.mark.parametrize("option", ["--questions", "--squad"])
def test_two_evaluations_of_the_command_have_no_difference(tmp_path: Path, index: Path, option: str) -> None:
    path = tmp_path / ("questions.csv" if option == "--questions" else "squad.json")
    table = f"question,answer\nThe bridge opened?,{BRIDGE}\nWhen did the mill burn?,{MILL}\nQuux?,\n"
    path.write_text(table if option == "--questions" else json.dumps(PARAGRAPHS))
    folders = [str(tmp_path / "first"), str(tmp_path / "second")]
    for folder in folders:
        assert evaluate(tmp_path, option, path, "--report", folder).exit_code == 0
    result = CliRunner().invoke(app, ["eval", "diff", *folders, "--exact"])
    assert (result.exit_code, result.stdout) == (0, "No question is answered differently.\n")


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
