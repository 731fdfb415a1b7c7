"""The evaluation on a few documents whose figures are known."""

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from attest import app
from eval import squad
from eval.questions import Gold, Question
from eval.report import as_json, by
from eval.run import Outcome, measure, run
from index.build import build
from index.embedding import HashingEmbedder
from index.retrieval import Retriever
from service.answering import Answerer
from service.confidence import Calibration, Features
from service.reader.sentence import SentenceReader

BRIDGE = "The bridge opened in 1901.\n"
MILL = "The mill burned down in 1920.\n"
QUESTIONS = [
    Question(
        "q1", "When was the bridge opened in 1901?", (Gold("a.txt", 0, 26, BRIDGE.strip()),), "a", "date", "plain"
    ),
    Question("q2", "The mill burned", (Gold("b.txt", 24, 28, "1920"),), "b", "date", "telegraphic"),
    Question("q3", "Did the bridge sing?", (), "a", "near_topic", "plain"),
    Question("q4", "Quux zyzzyva", (), "c", "off_topic", "plain"),
    Question("q5", "Quux frobnicated", (Gold("b.txt", 4, 8, "mill"),), "b", "what", "plain"),
]


@pytest.fixture
def answerer(write: Callable[..., Path], tmp_path: Path) -> Iterator[Answerer]:
    """Answers when a sentence holds about half of the question's words."""
    embedder = HashingEmbedder()
    build(write({"a.txt": BRIDGE, "b.txt": MILL}), tmp_path / "index", embedder)
    calibration = Calibration(Features(20.0, 0.0, 0.0, 0.0), -8.0, 0.5, "made for this test")
    answerer = Answerer(Retriever.open(tmp_path / "index", embedder), (SentenceReader(embedder), calibration))
    yield answerer
    answerer.close()


@pytest.fixture
def outcomes(answerer: Answerer) -> list[Outcome]:
    return run(answerer, QUESTIONS)


def test_every_question_has_a_verdict(outcomes: list[Outcome]) -> None:
    assert [outcome.verdict for outcome in outcomes] == [
        "answered rightly",
        "answered rightly",
        "answered wrongly",
        "abstained rightly",
        "abstained wrongly",
    ]


def test_every_mean_counts_the_questions_it_is_over(outcomes: list[Outcome]) -> None:
    figures = {name: (round(figure.value, 4), figure.n) for name, figure in measure(outcomes).items()}
    assert figures["exact match"] == (0.3333, 3)
    # q1 word for word; q2: 1920 in "mill burned down in 1920": 2 * 1 / (1 + 5); q5, refused: 0; so 1.3333 / 3
    assert figures["token F1"] == (0.4444, 3)
    assert figures["sentence hit"] == (0.6667, 3)
    assert figures["sentence hit, of those answered"] == (1.0, 2)
    assert figures["answerable, answered"] == (0.6667, 3)
    assert figures["unanswerable, abstained"] == (0.5, 2)
    assert figures["answered wrongly"] == (0.2, 5)
    assert figures["citations exact"] == (1.0, 5)
    assert figures["recall@5"][1] == 3


def test_groups_partition_the_questions(outcomes: list[Outcome]) -> None:
    groups = by(outcomes, "kind")
    assert {kind: len(members) for kind, members in groups.items()} == {
        "date": 2,
        "near_topic": 1,
        "off_topic": 1,
        "what": 1,
    }


def test_the_json_report_has_a_row_for_every_question(outcomes: list[Outcome]) -> None:
    report = json.loads(json.dumps(as_json(outcomes)))
    assert [row["id"] for row in report["questions"]] == ["q1", "q2", "q3", "q4", "q5"]
    assert report["questions"][0]["citations"] == [
        {"document": "a.txt", "start": 0, "end": 26, "quote": "The bridge opened in 1901."}
    ]
    assert report["figures"]["token F1"]["n"] == 3
    assert report["by_kind"]["date"]["exact match"] == {"value": 0.5, "n": 2}


def test_the_command_writes_the_report_and_fails_below_a_wished_figure(
    write: Callable[..., Path], tmp_path: Path
) -> None:
    build(write({"a.txt": BRIDGE, "b.txt": MILL}), tmp_path / "index", HashingEmbedder())
    questions = tmp_path / "questions.jsonl"
    row = {"id": "q1", "question": "The bridge opened in 1901?", "kind": "date", "style": "plain", "fact": "a"}
    gold = {"document": "a.txt", "start": 0, "end": 26, "text": BRIDGE.strip()}
    questions.write_text(json.dumps({**row, "answers": [gold]}))
    arguments = ["eval", "--questions", str(questions), "--index", str(tmp_path / "index"), "--embedder", "hashing"]
    arguments += ["--report", str(tmp_path / "report")]
    passed = CliRunner().invoke(app, [*arguments, "--min-f1", "1.0"])
    assert passed.exit_code == 0, passed.output
    assert json.loads((tmp_path / "report" / "report.json").read_text())["figures"]["token F1"]["value"] == 1.0
    row["question"] = "Quux zyzzyva?"
    questions.write_text(json.dumps({**row, "answers": [gold]}))
    failed = CliRunner().invoke(app, [*arguments, "--min-f1", "0.9"])
    assert failed.exit_code == 1
    assert "token F1 is 0.000, not 0.9" in failed.output


def test_paragraphs_of_squad_become_documents_that_the_golds_slice(tmp_path: Path) -> None:
    context = "Caf\u00e9 \U0001f600 opened in 1901."
    row = {"id": "s1", "source": "squad2", "title": "The_Caf\u00e9", "context": context, "question": "When?"}
    answered = {**row, "answers": [{"text": "1901", "answer_start": 17}], "is_impossible": False}
    refused = {**row, "id": "s2", "answers": [{"text": "1901", "answer_start": 17}], "is_impossible": True}
    path = tmp_path / "squad.jsonl.gz"
    with gzip.open(path, "wt", encoding="utf-8") as lines:
        lines.write(json.dumps(answered) + "\n" + json.dumps(refused) + "\n")
    squad.write_paragraphs(path, tmp_path / "documents")
    first, second = squad.read(path)
    (gold,) = first.answers
    assert (tmp_path / "documents" / gold.document).read_bytes().decode()[gold.start : gold.end] == "1901"
    assert second.answers == ()
    assert len(list((tmp_path / "documents").iterdir())) == 1
