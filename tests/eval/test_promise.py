"""A threshold with a promised precision: how it is fitted, stored, used and refused."""

import contextlib
import json
import logging
import time
from pathlib import Path

import pytest

from index.build import build
from index.embedding import HashingEmbedder
from service import confidence
from service.answering import Answerer
from service.problems import ProblemError
from service.reader import SENTENCES, ReaderError
from service.settings import Settings
from service.state import State
from tests.eval.evaluating import BRIDGE, NAMES, Write, evaluate


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
