"""From scores to a probability, by hand-worked numbers."""

import math
from pathlib import Path

import pytest

from service import confidence
from service.confidence import Calibration, Features
from service.reader import Span
from tests.service.tiny import hit

NOTHING = Features(0.0, 0.0, 0.0, 0.0)
WORKED = Calibration(Features(score=2.0, lead=1.0, share=3.0, cosine=-1.0), -0.5, 0.5, "worked by hand")


def test_the_probability_is_the_logistic_of_the_weighted_sum() -> None:
    # 2 · 1 + 1 · 0.5 - 3 · 0.25 - 1 · 0.25 - 0.5 = 1, and 1 / (1 + e^-1) = 0.73105…
    assert WORKED.probability(Features(score=1.0, lead=0.5, share=-0.25, cosine=0.25)) == 0.7311


@pytest.mark.parametrize(("intercept", "probability"), [(0.0, 0.5), (math.log(3), 0.75), (-math.log(3), 0.25)])
def test_without_features_the_intercept_decides(intercept: float, probability: float) -> None:
    assert Calibration(NOTHING, intercept, 0.5, "").probability(Features(9.0, 9.0, 9.0, 9.0)) == probability


@pytest.mark.parametrize(("score", "probability"), [(1e6, 1.0), (-1e6, 0.0)])
def test_a_score_far_out_is_certain(score: float, probability: float) -> None:
    assert WORKED.probability(Features(score, 0.0, 0.0, 0.0)) == probability


def test_the_features_are_of_the_best_span_beside_the_others() -> None:
    best, second = hit("The bridge opened.", cosine=0.625), hit("The tunnel opened.", "b", cosine=0.875)
    spans = [Span(best, 0, 18, math.log(6)), Span(second, 0, 18, math.log(2)), Span(second, 0, 3, 0.0)]
    found = confidence.features(spans)
    # of "no answer", with weight 1, and of 6 + 2 + 1 the best span has 6 / 10
    assert found == Features(math.log(6), round(math.log(3), 5), round(math.log(0.6), 5), 0.625)


def test_a_single_span_leads_by_its_whole_score() -> None:
    only = Span(hit("The bridge opened.", cosine=0.625), 0, 18, 0.0)
    assert confidence.features([only]) == Features(0.0, 0.0, round(math.log(0.5), 5), 0.625)


@pytest.mark.parametrize(("score", "share"), [(-900.0, -900.0), (900.0, 0.0)])
def test_a_score_far_out_overflows_nothing(score: float, share: float) -> None:
    assert confidence.features([Span(hit("The bridge opened."), 0, 18, score)]).share == share


@pytest.mark.parametrize(
    ("cosines", "relevant"), [([0.25], True), ([0.2499], False), ([0.1, 0.6], True), ([-1.0, 0.0], False), ([], False)]
)
def test_hits_are_relevant_if_one_is_near(cosines: list[float], relevant: bool) -> None:
    assert confidence.is_relevant([hit("The bridge opened.", cosine=cosine) for cosine in cosines]) is relevant


def test_the_calibration_of_the_product_grows_with_every_feature_and_says_where_it_comes_from() -> None:
    calibration = confidence.load("sentence")
    weights = [getattr(calibration.weights, name) for name in Features.__slots__]
    assert min(weights) >= 0
    assert max(weights) > 0
    assert 0 < calibration.threshold <= 1
    assert "eval.calibrate" in calibration.provenance
    assert "n=" in calibration.provenance


ONE = '"intercept": -0.5, "threshold": 0.5, "provenance": "worked by hand"'


def test_a_calibration_is_read_as_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "confidence.json"
    path.write_text('{"span": {"weights": {"score": 2.0, "lead": 1.0, "share": 3.0, "cosine": -1.0}, ' + ONE + "}}")
    assert confidence.load("span", path) == WORKED


def test_a_calibration_that_is_not_there_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        confidence.load("span", tmp_path / "confidence.json")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not JSON",
        "[]",
        "{}",
        '{"span": {}}',
        '{"span": {"weights": {"score": 1}, ' + ONE + "}}",
        '{"span": {"weights": {"score": 1, "lead": 1, "share": 1, "cosine": 1, "luck": 1}, ' + ONE + "}}",
        '{"sentence": {"weights": {"score": 1, "lead": 1, "share": 1, "cosine": 1}, ' + ONE + "}}",
    ],
)
def test_a_broken_calibration_is_not_read(tmp_path: Path, text: str) -> None:
    path = tmp_path / "confidence.json"
    path.write_text(text)
    with pytest.raises((ValueError, KeyError)):
        confidence.load("span", path)
