"""Fitting the confidence: which answers are right, which threshold follows, and what cannot be fitted."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from eval import metrics
from eval.calibrate import SENTENCE, SPAN, Case, calibrations, cases, fit, is_right, weighing
from eval.questions import Gold, Question, QuestionsError
from index.embedding import HashingEmbedder
from service.confidence import Features
from service.reader import Span
from service.reader.sentence import SentenceReader
from tests.conftest import ROOT
from tests.service.tiny import PointingReader, hit


def case(score: float, right: bool, article: str, cosine: float = 0.5) -> Case:
    return Case(Features(score, score / 2, cosine), right, True, article)


def well_behaved(articles: int) -> list[Case]:
    """Of each article twelve cases, of which those with the higher scores are right, with exceptions.

    From the highest score down the last share of wrong ones within three tenths is 3 of 10; then come a wrong and a
    right one.
    """
    right = [True, False, True, False, False, True, True, True, True, False, True, True]
    return [case(at - 5.5, right[at], f"a{number}", at / 12) for number in range(articles) for at in range(12)]


def test_what_is_fitted_answers_with_a_risk_of_three_tenths_at_most() -> None:
    found = well_behaved(5)
    fitted, left_out = fit(found, SPAN, "the reader", "made for this test")
    assert fitted["reader"] == "the reader"
    assert fitted["weights"]["score"] > 0
    assert [fitted["weights"][name] for name in ("lead", "cosine")] == [0.0, 0.0]
    right = np.array([one.right for one in found])
    assert fitted["threshold"] == metrics.threshold_at(0.7, left_out, right)
    assert fitted["provenance"].startswith("made for this test; n=60, 0.67 right. With each article left out in turn: ")
    assert f"Brier score {metrics.brier_score(left_out, right):.3f}, " in fitted["provenance"]


def test_equal_probabilities_are_answered_together() -> None:
    """Ten cases alike in each article, six right and four wrong: no threshold parts them, whatever their order."""
    found = [case(1.0, number < 6, article) for article in ("a", "b") for number in range(10)]
    fitted, _ = fit(found, SPAN, "", "")
    assert fitted["threshold"] == 1.0
    assert (
        "With the threshold, the least for a risk of 30% if 25% of the questions have no answer, 0 are answered"
        in fitted["provenance"]
    )
    found = [case(1.0, number < 7, article) for article in ("a", "b") for number in range(10)]
    fitted, left_out = fit(found, SPAN, "", "")
    assert fitted["threshold"] == left_out[0] < 1
    assert "20 are answered, 0.30 wrongly" in fitted["provenance"]


def test_a_threshold_is_for_a_quarter_without_an_answer_whatever_their_share_in_the_data() -> None:
    """Of ten answerable cases 8 are right; of ten without an answer some look as good.

    There are as many of both, so they count 0.75 / 0.5 = 1.5 and 0.25 / 0.5 = 0.5. With four that look as good,
    (2 * 1.5 + 4 * 0.5) / (10 * 1.5 + 4 * 0.5) = 0.29 of the answers are wrong, with five 0.31.
    """
    answerable = [case(2.0, number < 8, article) for article in ("a", "b") for number in range(10)]
    for alike, answered in ((4, 28), (5, 0)):
        others = [
            replace(case(2.0 if number < alike else 1.0, False, article), answerable=False)
            for article in ("a", "b")
            for number in range(10)
        ]
        fitted, _ = fit(answerable + others, SPAN, "", "", weighing(answerable + others))
        assert f"{answered} are answered" in fitted["provenance"]


@pytest.mark.parametrize("articles", [2, 3, 4, 5])
def test_two_articles_are_enough(articles: int) -> None:
    _, left_out = fit(well_behaved(articles), SENTENCE, "", "")
    assert len(left_out) == 12 * articles


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        ([], "made here: a confidence needs cases of at least two articles; there are 0"),
        (well_behaved(1), "made here: a confidence needs cases of at least two articles; there are 1"),
        ([case(1.0, True, article) for article in "abc"], "of 3 answers, 3 are right"),
        ([case(1.0, False, article) for article in "abc"], "of 3 answers, 0 are right"),
        ([case(1.0, article == "a", article) for article in "ab"], "of 2 answers, 1 are right"),
    ],
)
def test_what_cannot_be_fitted_is_said(found: list[Case], reason: str) -> None:
    with pytest.raises(QuestionsError, match=reason):
        fit(found, SPAN, "", "made here")


def test_sentences_are_fitted_a_second_time_where_no_span_is_sure_enough() -> None:
    pairs = [[one, one] for one in well_behaved(4)]
    fitted = calibrations(pairs, ("spans", "sentences"), "here")
    assert {kind: calibration["reader"] for kind, calibration in fitted.items()} == {
        "span": "spans",
        "sentence": "sentences",
        "fallback": "sentences",
    }
    _, sure = fit([one for one, _ in pairs], SPAN, "", "")
    unsure = int((sure < fitted["span"]["threshold"]).sum())
    assert unsure == 8  # of 4 articles, the two cases with the lowest scores
    assert fitted["fallback"]["provenance"].startswith(f"here, where no span was sure enough; n={unsure}, ")


BURNED = "It burned on March 3, 1945. Nobody was hurt."


@pytest.mark.parametrize(
    ("quote", "right"),
    [("March 3, 1945", True), ("March 1945", True), ("burned", False), ("It burned on March 3, 1945.", True)],
)
def test_a_span_is_right_as_an_answer_of_the_evaluation_is(quote: str, right: bool) -> None:
    question = Question("q", "When?", (Gold("a.txt", 13, 26, "March 3, 1945"),))
    text = BURNED.replace("3, ", "") if quote == "March 1945" else BURNED
    start = text.index(quote)
    assert is_right(question, Span(hit(text), start, start + len(quote), 1.0)) is right


def test_a_span_with_another_date_is_wrong_though_it_shares_words() -> None:
    question = Question("q", "When?", (Gold("b.txt", 0, 13, "March 5, 1945"),))
    assert not is_right(question, Span(hit(BURNED), 13, 26, 1.0))


def test_every_question_is_read_as_it_is_when_it_is_asked(tmp_path: Path) -> None:
    contexts = {"A_Bridge": "The bridge opened in 1901.", "A_Mill": "The mill burned in 1920."}
    questions = [
        ("s1", "A_Bridge", "  When did\n the bridge  open? ", [{"text": "1901", "answer_start": 21}]),
        ("s2", "A_Mill", "When did the bridge open?", []),
        ("s3", "A_Mill", "When did the mill burn?", [{"text": "1920", "answer_start": 19}]),
    ]
    lines = [
        json.dumps({"id": name, "title": title, "context": contexts[title], "question": asked, "answers": answers})
        for name, title, asked, answers in questions
    ]
    path = tmp_path / "squad.jsonl"
    path.write_text("\n".join(lines))
    embedder = HashingEmbedder()
    found = cases(path, embedder, [PointingReader("1901"), SentenceReader(embedder)])
    assert [[one.right for one in both] for both in found] == [[True, True], [False, False], [False, True]]
    assert [both[0].article for both in found] == ["A_Bridge", "A_Mill", "A_Mill"]
    assert found[0][1].features == found[1][1].features  # white space apart, it is the same question


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [([], 2, "the following arguments are required: data"), (["nowhere.jsonl"], 1, "nowhere.jsonl cannot be read")],
)
def test_the_command_says_what_it_lacks(arguments: list[str], code: int, reason: str) -> None:
    command = [sys.executable, "-m", "eval.calibrate", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert reason in done.stderr
    assert "Traceback" not in done.stderr
