"""From scores to a probability, by hand-worked numbers."""

import json
import logging
import math
from pathlib import Path

import pytest

from service import confidence
from service.confidence import Calibration, Features
from service.reader import ReaderError, Span
from tests.service.tiny import hit

NOTHING = Features(0.0, 0.0, 0.0)
WORKED = Calibration(Features(score=2.0, lead=1.0, cosine=-1.0), -0.5, 0.5, "worked by hand")


def test_the_probability_is_the_logistic_of_the_weighted_sum() -> None:
    # 2 · 1 + 1 · 0.5 - 1 · 1 - 0.5 = 1, and 1 / (1 + e^-1) = 0.73105…
    assert WORKED.probability(Features(score=1.0, lead=0.5, cosine=1.0)) == 0.7311


@pytest.mark.parametrize(("intercept", "probability"), [(0.0, 0.5), (math.log(3), 0.75), (-math.log(3), 0.25)])
def test_without_features_the_intercept_decides(intercept: float, probability: float) -> None:
    assert Calibration(NOTHING, intercept, 0.5, "").probability(Features(9.0, 9.0, 9.0)) == probability


@pytest.mark.parametrize(("score", "probability"), [(1e6, 1.0), (-1e6, 0.0)])
def test_a_score_far_out_is_certain(score: float, probability: float) -> None:
    assert WORKED.probability(Features(score, 0.0, 0.0)) == probability


def test_the_features_are_of_the_best_span_beside_the_others() -> None:
    best, second = hit("The bridge opened.", cosine=0.625), hit("The tunnel opened.", "b", cosine=0.875)
    spans = [Span(best, 0, 18, math.log(6)), Span(second, 0, 18, math.log(2)), Span(second, 0, 3, 0.0)]
    found = confidence.features(spans)
    assert found == Features(math.log(6), round(math.log(3), 5), 0.625)


def test_a_single_span_leads_by_its_whole_score() -> None:
    only = Span(hit("The bridge opened.", cosine=0.625), 0, 18, 0.0)
    assert confidence.features([only]) == Features(0.0, 0.0, 0.625)


@pytest.mark.parametrize(
    ("cosines", "relevant"), [([0.25], True), ([0.2499], False), ([0.1, 0.6], True), ([-1.0, 0.0], False), ([], False)]
)
def test_hits_are_relevant_if_one_is_near(cosines: list[float], relevant: bool) -> None:
    assert confidence.is_relevant([hit("The bridge opened.", cosine=cosine) for cosine in cosines]) is relevant


@pytest.mark.parametrize("kind", ["span", "sentence", "fallback"])
def test_a_calibration_of_the_product_grows_with_every_feature_and_says_where_it_comes_from(kind: str) -> None:
    calibration = confidence.load(kind)
    weights = [getattr(calibration.weights, name) for name in Features.__slots__]
    assert min(weights) >= 0
    assert max(weights) > 0
    assert 0 < calibration.threshold <= 1
    assert len(calibration.reader) == 64
    for words in ("eval.calibrate squad-dev.jsonl.gz", "n=", "risk of 30%", "expected calibration error"):
        assert words in calibration.provenance


ONE = '"intercept": -0.5, "threshold": 0.5, "provenance": "worked by hand"'


def test_a_calibration_is_read_as_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "confidence.json"
    path.write_text('{"span": {"weights": {"score": 2.0, "lead": 1.0, "cosine": -1.0}, ' + ONE + "}}")
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
        '{"span": {"weights": {"score": 1, "lead": 1, "cosine": 1, "luck": 1}, ' + ONE + "}}",
        '{"sentence": {"weights": {"score": 1, "lead": 1, "cosine": 1}, ' + ONE + "}}",
    ],
)
def test_a_broken_calibration_is_not_read(tmp_path: Path, text: str) -> None:
    path = tmp_path / "confidence.json"
    path.write_text(text)
    with pytest.raises((ValueError, KeyError)):
        confidence.load("span", path)


def test_an_index_without_a_stored_threshold_promises_none(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert confidence.promised(tmp_path, "models") is None
    assert caplog.records == []


@pytest.mark.parametrize("threshold", [0.0, 0.1 + 0.2, 1.0])
def test_a_promised_threshold_is_read_as_it_was_stored(tmp_path: Path, threshold: float) -> None:
    confidence.promise(tmp_path, 0.7, "other models", "fitted before")
    confidence.promise(tmp_path, threshold, "models", "fitted on “these”")
    assert confidence.promised(tmp_path, "models") == threshold
    assert json.loads((tmp_path / "threshold.json").read_text())["provenance"] == "fitted on “these”"


def test_a_threshold_that_was_fitted_with_other_models_is_not_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    confidence.promise(tmp_path, 0.7, "other models", "worked by hand")
    with caplog.at_level(logging.WARNING):
        assert confidence.promised(tmp_path, "models") is None
    (record,) = caplog.records
    assert f"{tmp_path / 'threshold.json'} was fitted with other models" in record.getMessage()


@pytest.mark.parametrize(
    ("models", "contents", "outdated"),
    [("models", "these", False), ("models", "others", True), ("other models", "others", False)],
)
def test_a_threshold_that_is_used_is_outdated_once_the_contents_are_others(
    tmp_path: Path, models: str, contents: str, outdated: bool
) -> None:
    assert not confidence.is_outdated(tmp_path, models, contents)
    confidence.promise(tmp_path, 0.7, "models", "fitted before", "these")
    assert confidence.is_outdated(tmp_path, models, contents) is outdated


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not JSON",
        "[]",
        "{}",
        "null",
        '{"threshold": 0.5}',
        '{"models": "models"}',
        '{"threshold": "high", "models": "models"}',
        '{"threshold": null, "models": "models"}',
        '{"threshold": [0.5], "models": "models"}',
    ],
)
def test_a_damaged_threshold_is_refused_by_its_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "threshold.json").write_text(text)
    with pytest.raises(ReaderError, match=r"threshold\.json holds no threshold .* remove it, or fit it anew") as raised:
        confidence.promised(tmp_path, "models")
    assert str(tmp_path) in str(raised.value)


@pytest.mark.parametrize(
    ("share", "expected"), [(0.0, 0), (0.0049, 0), (0.725, 73), (0.735, 74), (0.7249, 72), (0.9949, 99), (1.0, 100)]
)
def test_a_confidence_is_read_in_whole_percent_and_a_half_goes_up(share: float, expected: int) -> None:
    assert confidence.percent(share) == expected
