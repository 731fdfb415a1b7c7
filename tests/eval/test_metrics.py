"""Each measure against numbers worked by hand, and SQuAD's two against an independent implementation."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torchmetrics.functional.text import squad

from eval.metrics import (
    area_under_risk,
    brier_score,
    corroborations,
    exact_match,
    expected_calibration_error,
    is_right,
    reliability,
    risk_coverage,
    says,
    sentence_hit,
    threshold_at,
    token_f1,
)
from eval.questions import Gold, Question
from service.answering import Slice
from tests.eval.handmade import answered, cited

DATE = Question("q1", "When?", (Gold("a.txt", 10, 23, "March 3, 1945"), Gold("a.txt", 19, 23, "1945")))
WHOLE_DATE = Question("q3", "When?", (Gold("a.txt", 10, 23, "March 3, 1945"),))
NOTHING = Question("q2", "Why?", ())
# words that the normalisation folds into each other, takes away or leaves, beside anything at all
WORDS = st.lists(st.sampled_from("the The a an A. bridge BRIDGE bridge, 1945 1,945 the-a über — “won” ' -".split()))
TEXTS = WORDS.map(" ".join) | WORDS.map("\u00a0\n".join) | st.text(max_size=12)


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


@settings(deadline=None)
@given(golds=st.lists(TEXTS, min_size=1, max_size=3), answer=TEXTS)
def test_both_measures_are_those_of_an_independent_implementation(golds: list[str], answer: str) -> None:
    question = Question("q", "?", tuple(Gold("a.txt", 0, len(gold), gold) for gold in golds))
    theirs = squad(
        {"prediction_text": answer, "id": "q"},
        {"answers": {"answer_start": [0] * len(golds), "text": golds}, "id": "q"},
    )
    assert 100 * exact_match(question, answer) == float(theirs["exact_match"])
    assert 100 * token_f1(question, answer) == pytest.approx(float(theirs["f1"]), abs=1e-4)


def test_a_sentence_hits_when_it_overlaps_a_gold_in_the_same_document() -> None:
    assert sentence_hit(DATE, "a.txt", 22, 40)
    assert not sentence_hit(DATE, "a.txt", 23, 40)
    assert sentence_hit(DATE, "a.txt", 0, 11)
    assert not sentence_hit(DATE, "a.txt", 0, 10)
    assert not sentence_hit(DATE, "b.txt", 10, 23)
    assert not sentence_hit(NOTHING, "a.txt", 0, 100)


@pytest.mark.parametrize(
    ("quote", "right"),
    [
        ("March 3, 1945", True),
        ("1945", True),  # 2 · 1 / (3 + 1) = 0.5 is enough
        ("in 1945", False),  # 2 · 1 / (3 + 2) = 0.4
        ("1946", False),
    ],
)
@pytest.mark.parametrize("document", ["a.txt", "b.txt"])
def test_a_quoted_span_is_right_by_its_words_wherever_it_stands(quote: str, right: bool, document: str) -> None:
    assert is_right(WHOLE_DATE, cited(quote, document=document)) is right
    assert not is_right(NOTHING, cited(quote, document=document))


@pytest.mark.parametrize(
    ("gold", "answer", "right"),
    [
        ("March 3, 1945", "March 5, 1945", False),  # though two of three words are shared
        ("March 3, 1945", "on 3 March 1945", True),
        ("March 3, 1945", "March 1945", True),  # a part of it
        ("$4 billion", "$2 billion", False),
        ("$4 billion", "4 billion dollars", True),
        ("44.2%", "4.42%", False),  # without punctuation they are the same
        ("44.2%", "44.2% of the vote", True),
        ("44.2% of the vote", "4.42% of the vote", False),
        ("$4 billion", "some $4 billion a year", True),  # 2 · 2 / (2 + 4)
        ("US", "U.S.", True),  # as names they share no word, but for SQuAD they are the same
        ("Nicolás Maduro", "President Nicolás Maduro", True),
        ("[Putin](https://example.org/a)", "Putin", True),
    ],
)
def test_a_shared_word_does_not_make_another_date_or_amount_right(gold: str, answer: str, right: bool) -> None:
    question = Question("q", "?", (Gold("a.txt", 0, len(gold), gold),))
    assert is_right(question, cited(answer)) is right
    assert says(question, "a.txt", 0, len(answer), answer) is right


def test_one_gold_answer_that_agrees_is_enough() -> None:
    golds = (Gold("a.txt", 0, 5, "44.2%"), Gold("a.txt", 0, 5, "4.42%"))
    assert is_right(Question("q", "?", golds), cited("4.42%"))


def test_a_link_around_an_answer_is_none_of_its_words() -> None:
    assert is_right(WHOLE_DATE, cited("[March 3, 1945](https://example.org/a_long_address)"))


@pytest.mark.parametrize(
    ("words", "document", "right"),
    [
        ("In those days nobody knew that it was March 3, 1945, or so.", "a.txt", True),
        ("In those days nobody knew that it was March 3, 1945, or so.", "b.txt", False),
        ("It rained.", "a.txt", False),  # before the gold answer, which begins at 10
        ("March 3, 1945", "b.txt", False),
    ],
)
def test_a_whole_sentence_is_right_if_it_overlaps_a_gold_answer(words: str, document: str, right: bool) -> None:
    assert is_right(WHOLE_DATE, cited(words, after="", document=document)) is right


def test_the_first_words_of_a_sentence_are_no_whole_sentence() -> None:
    sentence = cited("1945, March 3", after="")
    part = replace(sentence, sentence=Slice(0, 20, "1945, March 3, or so"))
    assert not is_right(replace(WHOLE_DATE, answers=(Gold("a.txt", 0, 13, "some thing"),)), part)
    assert is_right(replace(WHOLE_DATE, answers=(Gold("a.txt", 0, 13, "some thing"),)), sentence)


def test_what_words_say_does_not_depend_on_their_place_but_a_sentence_without_them_does() -> None:
    assert says(WHOLE_DATE, "b.txt", 900, 913, "3 March 1945")
    assert not says(WHOLE_DATE, "b.txt", 900, 913, None)
    assert says(WHOLE_DATE, "a.txt", 0, 100, None)
    assert not says(NOTHING, "a.txt", 0, 100, None)
    assert not says(NOTHING, "a.txt", 0, 100, "")


def test_calibration_error_weighs_each_bin_by_its_share() -> None:
    # bin 0.9–1.0: mean confidence 0.95, accuracy 0.5, share 2/4; bin 0.1–0.2: 0.1 against 0, share 2/4
    assert expected_calibration_error([0.95, 0.95, 0.1, 0.1], [1, 0, 0, 0]) == pytest.approx(0.5 * 0.45 + 0.5 * 0.1)
    assert expected_calibration_error([1.0, 0.0], [1, 0]) == 0.0


def test_errors_of_one_bin_cancel_and_those_of_two_do_not() -> None:
    assert expected_calibration_error([0.2, 0.29], [1, 0]) == pytest.approx(abs(0.49 - 1) / 2)
    assert expected_calibration_error([0.19, 0.2], [1, 0]) == pytest.approx((0.81 + 0.2) / 2)
    assert expected_calibration_error([0.19, 0.2], [1, 0], bins=5) == pytest.approx((0.81 + 0.2) / 2)
    assert expected_calibration_error([0.19, 0.2], [1, 0], bins=4) == pytest.approx(abs(0.39 - 1) / 2)


def test_full_confidence_is_in_the_last_bin() -> None:
    assert expected_calibration_error([0.9, 1.0], [0, 1]) == pytest.approx(0.9 / 2)


def test_reliability_leaves_empty_bins_out() -> None:
    assert reliability([0.95, 0.91, 0.3, 1.0], [1, 0, 0, 1]) == [
        (0.3, 0.0, 1),
        (pytest.approx(2.86 / 3), pytest.approx(2 / 3), 3),
    ]
    assert reliability([0.2, 0.8], [0, 1], bins=1) == [(0.5, 0.5, 2)]


def test_the_brier_score_is_the_mean_squared_distance() -> None:
    assert brier_score([0.8, 0.3], [1, 0]) == pytest.approx((0.04 + 0.09) / 2)
    assert brier_score([1.0, 0.0], [0, 1]) == 1.0


TIED = ([0.8, 0.1, 0.9, 0.8], [True, False, True, False])


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (1, 3, 0, 2)])
def test_equal_confidences_are_answered_together_in_any_order(order: tuple[int, ...]) -> None:
    confidences, right = ([column[at] for at in order] for column in TIED)
    coverage, risk = risk_coverage(confidences, right)
    assert coverage.tolist() == [0.25, 0.75, 1.0]
    assert risk.tolist() == [0.0, pytest.approx(1 / 3), 0.5]


def test_the_area_under_risk_is_its_mean_over_the_coverage() -> None:
    assert area_under_risk(*TIED) == pytest.approx(0.25 * 0 + 0.5 / 3 + 0.25 * 0.5)
    assert area_under_risk([0.9, 0.8, 0.7], [1, 1, 1]) == 0.0
    assert area_under_risk([0.9, 0.8, 0.7, 0.6], [0, 1, 1, 1]) == pytest.approx((1 + 1 / 2 + 1 / 3 + 1 / 4) / 4)
    assert area_under_risk([0.5] * 8, [1, 0, 0, 1, 1, 0, 1, 1]) == pytest.approx(3 / 8)


@pytest.mark.parametrize(
    ("accuracy", "expected"),
    [
        (0.8, 0.5),  # four of five are right, though only one of the first two is
        (0.81, 0.9),
        (1.0, 0.9),
        (0.5, 0.5),
    ],
)
def test_the_threshold_is_the_least_with_this_accuracy(accuracy: float, expected: float) -> None:
    assert threshold_at(accuracy, [0.9, 0.8, 0.7, 0.6, 0.5], [1, 0, 1, 1, 1]) == expected
    assert threshold_at(accuracy, [0.5, 0.6, 0.7, 0.8, 0.9], [1, 1, 1, 0, 1]) == expected


def test_a_threshold_cannot_part_equal_confidences() -> None:
    assert threshold_at(0.8, [0.9, 0.5, 0.5, 0.1], [1, 1, 0, 0]) == 0.9


def test_no_threshold_is_accurate_enough_where_the_surest_answer_is_wrong() -> None:
    assert threshold_at(0.8, [0.9, 0.8], [0, 1]) == math.inf
    assert threshold_at(0.8, [0.9, 0.9], [1, 0]) == math.inf


def test_a_further_citation_is_right_by_value_whatever_its_words() -> None:
    further = ["3 March 1945", "March 1945", "on March 3rd, 1945", "1945"]
    answer = answered([cited("something else"), *(cited(words, document="b.txt") for words in further)])
    assert list(corroborations(WHOLE_DATE, answer)) == [True, False, True, False]
    assert list(corroborations(DATE, answer)) == [True, False, True, True]
    assert list(corroborations(NOTHING, answer)) == [False] * 4


def test_markup_is_no_part_of_a_value() -> None:
    question = Question("q", "When?", (Gold("a.txt", 0, 17, "**March 3, 1945**"),))
    answer = answered([cited("1945"), cited("[March](#m) 3, 1945"), cited("*3 March 1946*")])
    assert list(corroborations(question, answer)) == [True, False]


@pytest.mark.parametrize("citations", [0, 1])
def test_without_further_citations_there_is_nothing_to_corroborate(citations: int) -> None:
    assert list(corroborations(WHOLE_DATE, answered([cited("March 3, 1945")] * citations))) == []
