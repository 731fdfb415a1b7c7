"""`attest eval`: where the questions come from, what is written, what is promised, and with which exit code."""

import contextlib
import json
import logging
import os
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from attest import app
from eval import diff
from index.build import build
from index.embedding import HashingEmbedder
from service import confidence
from service.answering import Answerer
from service.problems import ProblemError
from service.reader import SENTENCES, ReaderError
from service.settings import Settings
from service.state import State

Write = Callable[..., Path]
BRIDGE = "The bridge opened in 1901."
MILL = "The mill burned down in 1920."
NAMES = [f"zorb{number}" for number in range(60)]  # a document, a question and a fact each
PARAGRAPHS = {
    "version": "1.1",
    "data": [
        {"title": "A_Bridge", "paragraphs": [{"context": BRIDGE, "qas": [
            {"id": "s1", "question": "The mill burned down", "answers": [{"text": "1901", "answer_start": 21}]},
        ]}]},
        {"title": "A_Mill", "paragraphs": [{"context": MILL, "qas": [
            {"id": "s2", "question": "When did the mill burn?", "answers": [{"text": "1920", "answer_start": 24}]},
            {"id": "s3", "question": "Quux zyzzyva", "answers": [], "is_impossible": True},
        ]}]},
    ],
}  # fmt: skip


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("ATTEST_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def index(write: Write, tmp_path: Path, hashing: HashingEmbedder) -> Path:
    build(write({"a.txt": BRIDGE, "b.txt": MILL}), tmp_path / "index", hashing)
    return tmp_path / "index"


@pytest.fixture
def many(write: Write, tmp_path: Path, hashing: HashingEmbedder) -> Path:
    build(write({f"{name}.txt": f"The {name} opened early." for name in NAMES}), tmp_path / "index", hashing)
    return tmp_path / "index"


@pytest.fixture
def asked(tmp_path: Path) -> Path:
    """A question on each of the many documents, and 24 that no document answers."""
    lines = [f"The {name} opened,The {name} opened early.\n" for name in NAMES]
    lines += [f"The frobnicated quux{number},\n" for number in range(24)]
    (tmp_path / "asked.csv").write_text("question,answer\n" + "".join(lines))
    return tmp_path / "asked.csv"


def evaluate(folder: Path, *options: object) -> Result:
    """Run `attest eval` in this process; a crash is raised again."""
    words = [
        "eval",
        "--embedder",
        "hashing",
        "--reader",
        SENTENCES,
        "--index",
        folder / "index",
        "--report",
        folder / "report",
        *options,
    ]
    result = CliRunner().invoke(app, [str(word) for word in words])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


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


def test_a_threshold_with_a_promised_precision_is_stored_and_used_from_then_on(
    tmp_path: Path, many: Path, asked: Path, hashing: HashingEmbedder
) -> None:
    before = Answerer.open(many, hashing, SENTENCES)
    plain = [before.ask(f"The {name} opened", min_confidence=0.0) for name in NAMES]
    nonsense = before.ask("The frobnicated quux0", min_confidence=0.0)
    before.close()
    result = evaluate(tmp_path, "--questions", asked, "--target-precision", "0.8")
    assert (result.exit_code, result.stderr) == (0, "")
    stored = json.loads((many / "threshold.json").read_text())
    assert f"Promised: threshold {stored['threshold']:.4f} for a precision of at least 80%" in result.stdout
    assert f"From now on the index in {many} answers with this threshold.\n" in result.stdout
    assert stored["provenance"].startswith("attest eval --target-precision 0.8, asked.csv, 20")
    assert "verified on other facts: " in stored["provenance"]
    assert stored["contents"] == before.retriever.meta.fingerprint
    after = Answerer.open(many, hashing, SENTENCES)
    assert nonsense.confidence < stored["threshold"]
    assert after.ask("The frobnicated quux0").status == "abstained"
    for answer in plain:
        given = answer.confidence >= stored["threshold"]
        assert after.ask(answer.question).status == ("answered" if given else "abstained")
    # some of these are surer than the calibration asks for, and not as sure as was promised
    assert 0.5 < min(answer.confidence for answer in plain) < stored["threshold"]
    assert max(answer.confidence for answer in plain) >= stored["threshold"]
    after.close()
    again = evaluate(tmp_path, "--questions", asked, "--target-precision", "0.8")
    assert again.exit_code == 0
    assert json.loads((many / "threshold.json").read_text())["threshold"] == stored["threshold"]


def test_a_promise_on_other_paragraphs_is_said_but_not_stored(tmp_path: Path) -> None:
    lines = []
    for name in NAMES:
        answers = [{"text": "early", "answer_start": len(f"The {name} opened ")}]
        fields = {"id": name, "title": name, "question": f"The {name} opened", "answers": answers}
        lines.append(json.dumps({**fields, "context": f"The {name} opened early."}))
    path = tmp_path / "squad.jsonl"
    path.write_text("\n".join(lines))
    result = evaluate(tmp_path, "--squad", path, "--target-precision", "0.8")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "Promised: threshold" in result.stdout
    assert "From now on" not in result.stdout
    assert list(tmp_path.rglob("threshold.json")) == []


def test_a_precision_that_cannot_be_promised_fails_but_the_report_is_written(tmp_path: Path, index: Path) -> None:
    path = tmp_path / "questions.csv"
    path.write_text(f"question,answer\nThe bridge opened?,{BRIDGE}\n")
    result = evaluate(tmp_path, "--questions", path, "--target-precision", "0.8", "--min-f1", "1")
    assert result.exit_code == 1
    assert "A precision of 80% cannot be promised" in result.stderr
    assert (tmp_path / "report" / "report.html").exists()
    assert "stays in force" not in result.stderr
    assert not (index / "threshold.json").exists()
    answerer = Answerer.open(index, HashingEmbedder(), SENTENCES)
    answerer.close()
    confidence.promise(index, 0.25, answerer.models, "made for this test")
    again = evaluate(tmp_path, "--questions", path, "--target-precision", "0.8")
    assert again.exit_code == 1
    assert "cannot be promised" in again.stderr
    assert "The threshold promised before, 0.25, stays in force." in again.stderr


@pytest.mark.parametrize("threshold", [0.0, 1.0])
def test_the_stored_threshold_decides_and_a_wished_one_goes_before_it(
    index: Path, hashing: HashingEmbedder, threshold: float
) -> None:
    answerer = Answerer.open(index, hashing, SENTENCES)
    models = answerer.models
    answerer.close()
    confidence.promise(index, threshold, models, "made for this test")
    answerer = Answerer.open(index, hashing, SENTENCES)
    for question in ("The bridge opened", "Quux zyzzyva"):
        assert answerer.ask(question).status == ("abstained" if threshold else "answered")
        assert answerer.ask(question, min_confidence=1.0).status == "abstained"
        assert answerer.ask(question, min_confidence=0.0).status == "answered"
    answerer.close()


def test_a_threshold_of_other_models_is_not_used_and_that_is_logged(
    index: Path, hashing: HashingEmbedder, caplog: pytest.LogCaptureFixture
) -> None:
    confidence.promise(index, 0.0, "other models", "made for this test")
    with caplog.at_level(logging.WARNING):
        answerer = Answerer.open(index, hashing, SENTENCES)
    assert answerer.ask("Quux zyzzyva").status == "abstained"
    answerer.close()
    assert [record.getMessage() for record in caplog.records] == [
        f"The threshold in {index / 'threshold.json'} was fitted with other models and is not used; "
        "fit it anew or remove it"
    ]


def test_a_service_that_answers_by_a_threshold_for_other_contents_warns(
    write: Write, index: Path, hashing: HashingEmbedder, caplog: pytest.LogCaptureFixture
) -> None:
    answerer = Answerer.open(index, hashing, SENTENCES)
    contents = answerer.retriever.meta.fingerprint
    answerer.close()
    confidence.promise(index, 0.25, answerer.models, "made for this test", contents)

    def warnings() -> list[str]:
        caplog.clear()
        state = State(Settings(index=index, embedder="hashing", reader=SENTENCES), HashingEmbedder())
        state.start()
        answered = False
        while not answered:
            with contextlib.suppress(ProblemError):  # until it is loaded
                answered = state.take().answerer.ask("The bridge opened").status == "answered"
            time.sleep(0.01)
        state.close()
        return caplog.messages

    assert warnings() == []
    build(write({"c.txt": "It rained."}), index, hashing)
    assert warnings() == [f"The threshold of {index} was fitted for other contents; fit it anew"]


def test_a_damaged_threshold_is_refused_by_its_name(tmp_path: Path, index: Path, hashing: HashingEmbedder) -> None:
    (index / "threshold.json").write_text('{"threshold": 0.')
    with pytest.raises(ReaderError, match=r"threshold\.json holds no threshold"):
        Answerer.open(index, hashing, SENTENCES)
    path = tmp_path / "questions.csv"
    path.write_text(f"question,answer\nThe bridge opened?,{BRIDGE}\n")
    result = evaluate(tmp_path, "--questions", path)
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"{index / 'threshold.json'} holds no threshold" in result.stderr


@pytest.mark.parametrize(
    "options",
    [
        ["--setting", "reading"],
        ["--setting", "reading", "--squad", "squad.json", "--compare"],
        ["--setting", "closed", "--squad", "squad.json"],
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
