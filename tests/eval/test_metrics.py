"""Each figure against numbers worked by hand."""

import pytest

from eval.metrics import exact_match, expected_calibration_error, percentile, sentence_hit, token_f1
from eval.questions import Gold, Question

DATE = Question("q1", "When?", (Gold("a.txt", 10, 23, "March 3, 1945"), Gold("a.txt", 19, 23, "1945")))
NOTHING = Question("q2", "Why?", ())


@pytest.mark.parametrize(("answer", "expected"), [("march 3 1945", 1.0), ("In 1945", 0.0), ("1945.", 1.0), (None, 0.0)])
def test_exact_match_takes_any_gold(answer: str | None, expected: float) -> None:
    assert exact_match(DATE, answer) == expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("on March 3, 1945", 6 / 7),  # 3 shared of 3 gold and 4 given
        ("in 1945", 2 / 3),  # against the second gold: 1 of 1 and 2
        ("March March", 2 / 5),  # a repeated word counts once: 1 of 3 and 2
        ("April", 0.0),
        (None, 0.0),
    ],
)
def test_token_f1_is_the_best_over_the_golds(answer: str | None, expected: float) -> None:
    assert token_f1(DATE, answer) == pytest.approx(expected)


def test_silence_is_right_exactly_when_there_is_no_gold() -> None:
    assert (exact_match(NOTHING, None), token_f1(NOTHING, None)) == (1.0, 1.0)
    assert (exact_match(NOTHING, "1945"), token_f1(NOTHING, "1945")) == (0.0, 0.0)


def test_a_sentence_hits_when_it_overlaps_a_gold_in_the_same_document() -> None:
    assert sentence_hit(DATE, "a.txt", 22, 40)
    assert not sentence_hit(DATE, "a.txt", 23, 40)
    assert not sentence_hit(DATE, "b.txt", 10, 23)
    assert not sentence_hit(NOTHING, "a.txt", 0, 100)


def test_calibration_error_weighs_each_bin_by_its_share() -> None:
    # bin 0.9–1.0: mean confidence 0.95, accuracy 0.5, share 2/4; bin 0.1–0.2: 0.1 against 0, share 2/4
    assert expected_calibration_error([0.95, 0.95, 0.1, 0.1], [1, 0, 0, 0]) == pytest.approx(0.5 * 0.45 + 0.5 * 0.1)
    assert expected_calibration_error([1.0, 0.0], [1, 0]) == 0.0


def test_percentiles_are_interpolated() -> None:
    assert percentile([1.0, 2.0, 3.0, 4.0], 50) == 2.5
    assert percentile([1.0, 2.0, 3.0, 4.0, 5.0], 95) == pytest.approx(4.8)
