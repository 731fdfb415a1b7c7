"""All figures over six outcomes, worked by hand, and their intervals."""

import math
from collections.abc import Sequence

import pytest

from eval.figures import FIGURES, Value, measure
from eval.run import Outcome
from tests.eval.handmade import outcome

FIVE_MISSES = (False,) * 5
OUTCOMES = [
    outcome(
        "q1", ["March 3, 1945"], "March 3, 1945", 0.9, fact="a", ranking=(True, False), relevant=1,
        further=["3 March 1945", "1946"], milliseconds=(1, 9, 10),
    ),
    outcome("q2", ["1945"], "in 1945", 0.8, fact="a", ranking=(False, True), relevant=2, milliseconds=(2, 18, 20)),
    outcome(
        "q3", ["the mill"], None, 0.4, forced="mill", fact="b", ranking=(*FIVE_MISSES, True), relevant=1,
        milliseconds=(3, 27, 30),
    ),
    outcome("q4", [], "1901", 0.7, fact="c", further=["1901"], ranking=(False,), milliseconds=(4, 36, 40)),
    outcome("q5", [], None, 0.2, forced="1902", fact="d", ranking=(False,), exact=False, milliseconds=(5, 45, 50)),
    outcome(
        "q6", ["grey"], "red", 0.6, fact="e", document="b.txt", ranking=(True, True, False), relevant=2,
        milliseconds=(6, 54, 60),
    ),
]  # fmt: skip
HALF_FOUND = (1 / math.log2(3)) / (1 + 1 / math.log2(3))  # one passage at rank 2, another not found
WORKED = {
    "exact match": ((1 + 0 + 0 + 0) / 4, 4),
    "token F1": ((1 + 2 / 3 + 0 + 0) / 4, 4),
    "exact match, forced": ((1 + 0 + 1 + 0) / 4, 4),
    "token F1, forced": ((1 + 2 / 3 + 1 + 0) / 4, 4),
    "exact match or refusal": ((1 + 0 + 0 + 0 + 1 + 0) / 6, 6),
    "token F1 or refusal": ((1 + 2 / 3 + 0 + 0 + 1 + 0) / 6, 6),
    "token F1 or refusal, best threshold": ((1 + 2 / 3 + 0 + 1 + 1 + 0) / 6, 6),  # at 0.8: q4 is refused
    "sentence hit": (2 / 4, 4),
    "right, of those answered": (2 / 4, 4),
    "answerable, answered": (3 / 4, 4),
    "unanswerable, abstained": (1 / 2, 2),
    "abstained, unanswerable": (1 / 2, 2),
    "recall@1": (2 / 4, 4),
    "recall@5": (3 / 4, 4),
    "MRR@10": ((1 + 1 / 2 + 1 / 6 + 1) / 4, 4),
    "nDCG@10": ((1 + HALF_FOUND + 1 / math.log2(7) + 1) / 4, 4),
    "coverage at 80% accuracy": (2 / 4, 4),  # of 0.9, 0.8 and 0.7 the third is wrong, since it has no answer
    "coverage at 80% accuracy, answerable only": (2 / 4, 4),  # of 0.9, 0.8, 0.6 and 0.4 the third is wrong
    "area under risk–coverage": ((0 + 0 + 1 / 3 + 2 / 4 + 2 / 5 + 3 / 6) / 6, 6),
    "expected calibration error": ((0.1 + 0.2 + 0.6 + 0.7 + 0.2 + 0.6) / 6, 6),  # each in a bin of its own
    "Brier score": ((0.01 + 0.04 + 0.36 + 0.49 + 0.04 + 0.36) / 6, 6),
    "citations exact": (5 / 6, 6),
    "corroborations right": (1 / 3, 3),
    "retrieve p50, ms": (3.5, 6),
    "retrieve p95, ms": (5.75, 6),
    "retrieve p99, ms": (5.95, 6),
    "read p50, ms": (31.5, 6),
    "read p95, ms": (51.75, 6),
    "read p99, ms": (53.55, 6),
    "total p50, ms": (35.0, 6),
    "total p95, ms": (57.5, 6),
    "total p99, ms": (59.5, 6),
}


def values(outcomes: Sequence[Outcome]) -> dict[str, tuple[float, int]]:
    return {name: (value.value, value.n) for name, value in measure(outcomes, resamples=0).items()}


def test_every_figure_has_the_value_worked_by_hand() -> None:
    found = values(OUTCOMES)
    assert found.keys() == WORKED.keys()
    for name, (value, n) in WORKED.items():
        assert found[name] == pytest.approx((value, n)), name


def test_the_order_of_the_questions_makes_no_difference() -> None:
    found = values(OUTCOMES[::-1])
    for name, (value, n) in WORKED.items():
        assert found[name] == pytest.approx((value, n)), name


def test_no_two_figures_have_the_same_name() -> None:
    assert len({figure.name for figure in FIGURES}) == len(FIGURES)


@pytest.mark.parametrize(
    ("outcomes", "empty"),
    [
        (
            [outcome("q1", [], "1901", 0.7), outcome("q2", [], "1902", 0.6)],
            {
                "exact match", "token F1", "exact match, forced", "token F1, forced", "sentence hit",
                "answerable, answered", "abstained, unanswerable", "recall@1", "recall@5", "MRR@10", "nDCG@10",
                "coverage at 80% accuracy", "coverage at 80% accuracy, answerable only", "corroborations right",
            },
        ),
        (
            [outcome("q1", ["grey"], None, 0.2, forced="grey", relevant=1)],
            {
                "right, of those answered", "unanswerable, abstained", "recall@1", "recall@5", "MRR@10", "nDCG@10",
                "corroborations right",
            },
        ),
    ],
)  # fmt: skip
def test_a_figure_over_no_question_is_no_number(outcomes: list[Outcome], empty: set[str]) -> None:
    found = measure(outcomes, resamples=50)
    assert {name for name, value in found.items() if math.isnan(value.value)} == empty
    assert {name for name, value in found.items() if value.n == 0} == empty
    assert all(math.isnan(found[name].low) and math.isnan(found[name].high) for name in empty)


@pytest.mark.parametrize(
    ("ranking", "relevant", "expected"),
    [
        ((True, False), 1, 1.0),
        ((True, False), 2, 1 / (1 + 1 / math.log2(3))),
        ((True, True), 3, (1 + 1 / math.log2(3)) / (1 + 1 / math.log2(3) + 1 / 2)),
        ((False, False), 2, 0.0),
    ],
)
def test_the_gain_counts_relevant_passages_that_were_not_found(
    ranking: tuple[bool, ...], relevant: int, expected: float
) -> None:
    found = values([outcome("q1", ["grey"], "grey", ranking=ranking, relevant=relevant)])
    assert found["nDCG@10"] == pytest.approx((expected, 1))


@pytest.mark.parametrize(("ranking", "relevant"), [((False, False), 0), ((False, False), 1), ((), 1)])
def test_an_answerable_question_for_which_no_relevant_passage_is_found_counts_nothing(
    ranking: tuple[bool, ...], relevant: int
) -> None:
    found = values([outcome("q1", ["grey"], "grey", ranking=ranking, relevant=relevant)])
    assert [found[name] for name in ("recall@1", "recall@5", "MRR@10", "nDCG@10")] == [(0.0, 1)] * 4


def test_the_intervals_are_the_same_twice_and_contain_the_value() -> None:
    found = measure(OUTCOMES, resamples=200)
    assert repr(measure(OUTCOMES, resamples=200)) == repr(found)
    assert math.isnan(found["total p50, ms"].low)
    for name, value in found.items():
        if math.isnan(value.low):
            assert math.isnan(value.low)
            assert math.isnan(value.high)
        else:
            assert value.low <= value.value <= value.high, name
            assert value.low < value.high, name
    assert found["exact match or refusal"].low < found["exact match or refusal"].high


def test_questions_about_one_fact_are_drawn_together() -> None:
    right = [outcome(f"q{number}", ["grey"], "grey", fact="a") for number in range(3)]
    wrong = outcome("q4", ["grey"], "red", fact="b")
    # Of two draws from the two facts, both are of the wrong one with the probability 1/4. Of four draws from the four
    # questions all would be wrong with 1/256, which is beyond the interval.
    together = measure([*right, wrong])["exact match"]
    assert (together.value, together.low, together.high) == (0.75, 0.0, 1.0)
    apart = measure([outcome(f"q{number}", ["grey"], "grey") for number in range(3)] + [outcome("q4", ["grey"], "red")])
    assert apart["exact match"] == Value(0.75, 4, 0.25, 1.0)


def has_interval(outcomes: Sequence[Outcome], name: str) -> bool:
    return not math.isnan(measure(outcomes, resamples=20)[name].low)


def test_where_all_resamples_agree_there_is_no_interval() -> None:
    one_fact = [outcome("q1", ["grey"], "grey", fact="a"), outcome("q2", ["grey"], "red", fact="a")]
    assert not has_interval(one_fact, "exact match")
    all_right = [outcome(f"q{number}", ["grey"], "grey") for number in range(10)]
    assert not has_interval(all_right, "exact match")
    thirds = [outcome(f"q{number}", ["1945"], "in 1945", 0.1 * number) for number in range(10)]  # each 2 / 3
    assert not has_interval(thirds, "token F1")
    assert has_interval([*all_right, outcome("q10", ["grey"], "red")], "exact match")


def test_an_answer_where_there_is_none_lowers_the_coverage_but_not_that_of_the_answerable_alone() -> None:
    answerable = [outcome(f"q{number}", ["grey"], "grey", 0.5 + number / 10) for number in range(4)]
    found = values([*answerable, *(outcome(f"n{number}", [], "red", 0.65) for number in range(2))])
    # 0.8 and 0.7 are right; at 0.6 three of five are, at 0.5 four of six
    assert found["coverage at 80% accuracy"] == (2 / 4, 4)
    assert found["coverage at 80% accuracy, answerable only"] == (1.0, 4)
