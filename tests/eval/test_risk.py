"""A threshold with a promised precision: the bound against known values, and when it is given or refused."""

import random
import re
from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import binom

from eval.risk import ERROR, STEP_ERROR, Control, Half, RiskError, control, halves, least_answers, most_wrong
from eval.run import Outcome
from tests.eval.handmade import outcome


@pytest.mark.parametrize(
    ("wrong", "answered", "error", "expected"),
    [
        (0, 10, 0.05, 1 - 0.05 ** (1 / 10)),
        (0, 100, 0.05, 1 - 0.05 ** (1 / 100)),  # 0.0295, of which the rule of three makes 0.03
        (0, 1, 0.05, 0.95),
        (9, 10, 0.05, 0.95 ** (1 / 10)),  # all wrong but one: 1 - x^10 = 0.05
        (1, 10, 0.05, 0.3942),  # tables of the one-sided bound
        (1, 10, 0.025, 0.4450),  # and of the two-sided interval, 0.0025 to 0.4450
        (5, 10, 0.025, 0.8129),
        (10, 100, 0.025, 0.1762),
        (10, 10, 0.05, 1.0),
        (0, 0, 0.05, 1.0),
    ],
)
def test_the_bound_is_that_of_clopper_and_pearson(wrong: int, answered: int, error: float, expected: float) -> None:
    assert most_wrong(wrong, answered, error) == pytest.approx(expected, abs=5e-5)


@pytest.mark.parametrize(("wrong", "answered", "error"), [(0, 24, 0.005), (3, 40, 0.05), (17, 200, 0.005)])
def test_with_as_many_wrong_as_the_bound_so_few_are_as_improbable_as_the_error(
    wrong: int, answered: int, error: float
) -> None:
    assert binom.cdf(wrong, answered, most_wrong(wrong, answered, error)) == pytest.approx(error)


@pytest.mark.parametrize(
    ("precision", "to_fit", "to_verify"),
    [
        (0.5, 8, 5),  # 0.5^8 = 0.0039, 0.5^7 = 0.0078; 0.5^5 = 0.0313, 0.5^4 = 0.0625
        (0.8, 24, 14),  # 0.8^24 = 0.0047, 0.8^23 = 0.0059; 0.8^14 = 0.0440, 0.8^13 = 0.0550
        (0.9, 51, 29),
        (0.99, 528, 299),
    ],
)
def test_a_promise_needs_as_many_answers_without_a_mistake(precision: float, to_fit: int, to_verify: int) -> None:
    for expected, error in ((to_fit, STEP_ERROR), (to_verify, ERROR)):
        assert least_answers(precision, error) == expected
        assert most_wrong(0, expected, error) <= 1 - precision < most_wrong(0, expected - 1, error)


def test_a_half_says_how_precise_it_is_and_what_can_be_promised() -> None:
    half = Half(facts=50, answered=40, wrong=4)
    assert half.precision == pytest.approx(0.9)
    assert half.promised(0.05) == pytest.approx(0.7856, abs=5e-5)
    assert str(half) == "40 of 50 facts answered, 0.900 of them rightly"
    assert (Half(50, 0, 0).precision, Half(50, 0, 0).promised(0.05)) == (0.0, 0.0)


Behaviour = Callable[[int], tuple[float, bool]]


def answers(count: int, behaviour: Behaviour, first: int = 0) -> list[Outcome]:
    """As many questions, each of a fact of its own, answered with a confidence, rightly or not."""
    found = [(f"q{number}", *behaviour(number)) for number in range(first, first + count)]
    return [outcome(name, ["grey"], "grey" if right else "red", confidence) for name, confidence, right in found]


SURE = answers(100, lambda number: (0.9, True), first=1_000)


def fits(number: int) -> bool:
    """Whether the threshold is fitted on this question of `answers`, and not verified: its mistake is seen there."""
    return control([*SURE, *answers(1, lambda _: (0.5, False), number)], 0.8).fitted.wrong == 1


def test_where_all_answers_are_right_all_are_given() -> None:
    found = control(SURE, 0.8)
    assert (found.precision, found.threshold) == (0.8, 0.9)
    assert found.fitted.facts + found.verified.facts == 100
    for half in (found.fitted, found.verified):
        assert (half.answered, half.wrong) == (half.facts, 0)
        assert half.facts >= 30


def test_the_threshold_lies_above_the_wrong_answers() -> None:
    # every answer below 0.5 is wrong; the tenths of the confidences lie about 0.1 apart
    found = control(answers(400, lambda number: (number / 400, number >= 200)), 0.9)
    assert 0.45 < found.threshold <= 0.6
    assert found.fitted.precision >= 0.9
    assert found.fitted.promised(0.005) >= 0.9
    assert found.verified.precision >= 0.9


def test_what_is_said_of_a_control_has_its_numbers() -> None:
    found = Control(0.9, 0.51234, Half(100, 60, 0), Half(110, 70, 3))
    assert str(found) == (
        "threshold 0.5123 for a precision of at least 90% with 95% confidence; fitted: 60 of 100 facts answered, "
        "1.000 of them rightly (at least 0.915); verified on other facts: 70 of 110 facts answered, 0.957 of them "
        f"rightly (at least {1 - most_wrong(3, 70, 0.05):.3f})"
    )


def test_a_question_without_an_answer_is_wrong_if_it_is_answered() -> None:
    nonsense = [outcome(f"n{number}", [], "1901", 0.2) for number in range(100)]
    found = control([*SURE, *nonsense], 0.9)
    assert found.threshold == 0.9
    assert (found.fitted.wrong, found.verified.wrong) == (0, 0)


def test_an_answer_that_was_held_back_counts_as_it_would_have_been_given() -> None:
    held_back = [outcome(f"q{number}", ["grey"], None, 0.3, forced="grey") for number in range(1_000, 1_100)]
    found = control(held_back, 0.8)
    assert (found.threshold, found.fitted.wrong + found.verified.wrong) == (0.3, 0)


def test_many_questions_on_a_fact_promise_no_more_than_one() -> None:
    def asked(times: int) -> list[Outcome]:
        """Questions on 400 facts, on each all answered alike; those with a confidence below 0.5 are wrong."""
        return [
            outcome(f"q{fact} {n}", ["grey"], "grey" if fact >= 200 else "red", fact / 400, fact=f"f{fact}")
            for fact in range(400)
            for n in range(times)
        ]

    assert control(asked(10), 0.9) == control(asked(1), 0.9)


def test_few_facts_are_refused_however_often_they_are_asked_about() -> None:
    clustered = [outcome(f"q{number}", ["grey"], "grey", 0.9, fact=f"f{number % 40}") for number in range(600)]
    with pytest.raises(RiskError, match=r"on (\d+) facts to fit .*? and on (\d+) to verify it") as raised:
        control(clustered, 0.8)
    found = re.search(r"on (\d+) facts to fit .*? and on (\d+) to verify it", str(raised.value))
    assert found
    assert int(found[1]) + int(found[2]) == 40


def test_of_each_fact_one_question_counts_whatever_their_order() -> None:
    outcomes = [outcome(f"q{number}", ["grey"], "grey", fact=f"f{number // 3}") for number in range(300)]
    fitting, verifying = halves(outcomes)
    assert sorted(o.question.fact for o in [*fitting, *verifying]) == sorted(f"f{number}" for number in range(100))
    assert len({int(o.question.id[1:]) % 3 for o in fitting}) == 3  # and not always the first of them
    for half, other in zip(halves(outcomes[::-1]), (fitting, verifying), strict=True):
        assert {o.question.id for o in half} == {o.question.id for o in other}


def test_nothing_is_fitted_on_the_part_test() -> None:
    parts = ["tune", "test", ""]
    outcomes = [outcome(f"q{number}", ["grey"], "grey", part=parts[number % 3]) for number in range(90)]
    fitting, verifying = halves(outcomes)
    assert {o.question.part for o in fitting} == {"tune", ""}
    assert {o.question.part for o in verifying} == {"test"}
    assert (len(fitting), len(verifying)) == (60, 30)


def test_the_part_tune_alone_is_halved_as_others_are() -> None:
    plain, parted = (
        halves([outcome(f"q{number}", ["grey"], "grey", part=part) for number in range(90)]) for part in ("", "tune")
    )
    assert [[o.question.id for o in half] for half in plain] == [[o.question.id for o in half] for half in parted]
    assert all(len(half) > 20 for half in parted)


def test_a_mistake_in_the_part_test_changes_no_threshold() -> None:
    tune = [outcome(f"q{n}", ["grey"], "grey", 0.5 + n / 1_000, part="tune") for n in range(100)]
    test = [outcome(f"t{n}", ["grey"], "red" if n < 2 else "grey", 0.9 - n / 1_000, part="test") for n in range(40)]
    found = control([*tune, *test], 0.9)
    assert (found.threshold, found.fitted, found.verified) == (0.5, Half(100, 100, 0), Half(40, 40, 2))


def test_the_halves_do_not_depend_on_the_order_of_the_questions() -> None:
    outcomes = answers(200, lambda number: (number / 200, number >= 60))
    assert control(outcomes, 0.7) == control(outcomes[::-1], 0.7)


@pytest.mark.parametrize("count", [0, 1, 10])
def test_too_few_questions_are_refused(count: int) -> None:
    with pytest.raises(RiskError, match=r"80% cannot be promised: .* answers on 24 .* fit it and on 14 to verify"):
        control(SURE[:count], 0.8)


def verified_on(count: int, confidence: float) -> list[Outcome]:
    """Answers on a hundred facts to fit on, and on as many as given, with this confidence, to verify on."""
    tune = [outcome(f"q{number}", ["grey"], "grey", 0.9, part="tune") for number in range(100)]
    return tune + [outcome(f"t{number}", ["grey"], "grey", confidence, part="test") for number in range(count)]


def test_too_few_facts_to_verify_on_are_refused() -> None:
    assert control(verified_on(14, 0.9), 0.8).verified == Half(14, 14, 0)
    with pytest.raises(RiskError, match=r"on 100 facts to fit the threshold and on 13 to verify it"):
        control(verified_on(13, 0.9), 0.8)


def test_too_few_answers_to_verify_on_are_refused() -> None:
    with pytest.raises(RiskError, match=r"answers on 14 facts are needed to verify it; .* 0 of 20 facts answered"):
        control(verified_on(20, 0.8), 0.8)


def test_a_precision_is_said_as_it_was_asked_for() -> None:
    with pytest.raises(RiskError, match=r"A precision of 99\.9% cannot be promised"):
        control(SURE, 0.999)


def test_questions_about_a_single_fact_are_refused() -> None:
    with pytest.raises(RiskError, match="cannot be promised"):
        control([outcome(f"q{number}", ["grey"], "grey", fact="a") for number in range(200)], 0.8)


def test_answers_of_which_too_many_are_wrong_everywhere_are_refused_with_what_could_be_promised() -> None:
    half_right = answers(200, lambda number: (0.5 + number / 1_000, number % 2 == 0))
    with pytest.raises(RiskError, match="at no threshold are so few answers wrong") as raised:
        control(half_right, 0.9)
    found = re.search(r"The most that this half can promise is (\d+)%: (\d+) of (\d+) facts", str(raised.value))
    assert found
    assert 20 <= int(found[1]) < 60
    assert control(half_right, int(found[1]) / 100).fitted.facts == int(found[3])
    with pytest.raises(RiskError, match="at no threshold"):
        control(half_right, int(found[1]) / 100 + 0.01)


def test_where_every_answer_is_wrong_nothing_can_be_promised() -> None:
    with pytest.raises(RiskError, match="It can promise nothing"):
        control(answers(200, lambda _: (0.9, False)), 0.9)


def test_a_promise_that_the_other_half_breaks_is_refused() -> None:
    fitting = {number for number in range(100) if fits(number)}
    assert 30 <= len(fitting) <= 70
    assert control(answers(100, lambda number: (0.9, True)), 0.8).fitted.facts == len(fitting)
    with pytest.raises(
        RiskError, match=r"The promise did not hold on the other half: threshold 0.9000.* 0.000 of them"
    ):
        control(answers(100, lambda number: (0.9, number in fitting)), 0.8)


@pytest.mark.parametrize("precision", [0.86, 0.89])  # a little above what two of the ten thresholds truly have
def test_on_well_behaved_answers_the_promise_holds(precision: float) -> None:
    """Of answers that are right as often as their confidence says, the true precision is known at any threshold."""
    chance = random.Random(7)

    def behaviour(_: int) -> tuple[float, bool]:
        confidence = chance.random() ** (1 / 6)
        return confidence, chance.random() < confidence

    truths = []
    for _ in range(30):
        threshold = control(answers(1_000, behaviour), precision).threshold
        truths.append(6 / 7 * (1 - threshold**7) / (1 - threshold**6))  # the mean confidence above the threshold
    assert sum(truth < precision for truth in truths) <= 2  # five in a hundred
    assert np.mean(truths) < precision + 0.06  # and no more is refused than has to be


def test_the_threshold_is_the_least_of_ten() -> None:
    found = control(answers(400, lambda number: (number / 400, number >= 200)), 0.9)
    fitted = np.array([number / 400 for number in range(400) if fits(number)])
    below = [at for at in np.quantile(fitted, np.arange(10) / 10, method="higher") if at < found.threshold]
    assert below
    for threshold in below:
        given = fitted >= threshold
        assert 1 - most_wrong(int((fitted[given] < 0.5).sum()), int(given.sum()), 0.005) < 0.9
