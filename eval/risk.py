"""Risk-controlled abstention: a threshold on the confidence whose precision is promised, and then checked.

The threshold is the least of ten, one for each tenth of the facts by confidence, at which the share of wrong
answers is below the wished one with 95% confidence, by the bound of Clopper and Pearson (1934) at a tenth of the
error, since ten are looked at (Bonferroni; Angelopoulos et al., Learn then Test, 2021). The bound is about independent
answers, which those to questions on one fact are not: one question of each fact takes part. The threshold is fitted on
some of the facts and verified on the others. The promise is about questions on facts drawn as these were.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import beta

from eval.run import Outcome
from service.console import counted

CONFIDENCE = 0.95
STEPS = 10
ERROR = 1 - CONFIDENCE  # of the promise
STEP_ERROR = ERROR / STEPS  # of each threshold that is looked at


class RiskError(ValueError):
    """A precision that cannot be promised; the message says why."""


@dataclass(frozen=True, slots=True)
class Half:
    """Of `facts`, on how many a question is answered, and on how many of these wrongly."""

    facts: int
    answered: int
    wrong: int

    @property
    def precision(self) -> float:
        return 1 - self.wrong / self.answered if self.answered else 0.0

    def promised(self, error: float) -> float:
        """The precision that is exceeded with the confidence 1 - `error`."""
        return 1 - most_wrong(self.wrong, self.answered, error)

    def __str__(self) -> str:
        return f"{self.answered} of {counted(self.facts, 'fact')} answered, {self.precision:.3f} of them rightly"


@dataclass(frozen=True, slots=True)
class Control:
    """A threshold, and how it does on the half that it was fitted on and on the other."""

    precision: float
    threshold: float
    fitted: Half
    verified: Half

    def __str__(self) -> str:
        fitted, verified = self.fitted.promised(STEP_ERROR), self.verified.promised(ERROR)
        return (
            f"threshold {self.threshold:.4f} for a precision of at least {_percent(self.precision)} with "
            f"{_percent(CONFIDENCE)} confidence; fitted: {self.fitted} (at least {fitted:.3f}); verified on other "
            f"facts: {self.verified} (at least {verified:.3f})"
        )


def control(outcomes: Sequence[Outcome], precision: float) -> Control:
    """Fit on one half, verify on the other. Raises RiskError where the precision cannot be promised."""
    fitting, verifying = halves(outcomes)
    to_fit, to_verify = least_answers(precision, STEP_ERROR), least_answers(precision, ERROR)
    refusal = f"A precision of {_percent(precision)} cannot be promised"
    if len(fitting) < to_fit or len(verifying) < to_verify:
        raise RiskError(
            f"{refusal}: the questions are on {counted(len(fitting), 'fact')} to fit the threshold and on "
            f"{len(verifying)} to verify it; even without a mistake, answers on {to_fit} are needed to fit it and on "
            f"{to_verify} to verify it."
        )
    confidences = [outcome.forced.confidence for outcome in fitting]
    steps = np.quantile(confidences, np.arange(STEPS) / STEPS, method="higher").tolist()
    fitted = {threshold: _half(fitting, threshold) for threshold in steps}
    kept = [threshold for threshold, half in fitted.items() if half.promised(STEP_ERROR) >= precision]
    if not kept:
        raise RiskError(f"{refusal}: at no threshold are so few answers wrong. {_most(list(fitted.values()))}")
    found = Control(precision, kept[0], fitted[kept[0]], _half(verifying, kept[0]))
    if found.verified.answered < to_verify:
        raise RiskError(f"{refusal}: answers on {to_verify} facts are needed to verify it; {found}.")
    if found.verified.precision < precision:
        raise RiskError(f"The promise did not hold on the other half: {found}.")
    return found


def halves(outcomes: Sequence[Outcome]) -> tuple[list[Outcome], list[Outcome]]:
    """One question of each fact, chosen by hash: those to fit on, and those to verify on.

    The latter are those of the part `test`, if there is one, so that nothing is ever fitted on it; else half of them.
    """
    of_fact: dict[str, Outcome] = {}
    for outcome in sorted(outcomes, key=lambda outcome: _hash(outcome.question.id)):
        of_fact.setdefault(outcome.question.fact, outcome)
    if any(outcome.question.part == "test" for outcome in outcomes):
        verifying = {fact for fact, outcome in of_fact.items() if outcome.question.part == "test"}
    else:
        verifying = {fact for fact in of_fact if _hash(f"half {fact}")[0] % 2}
    return (
        [outcome for fact, outcome in of_fact.items() if fact not in verifying],
        [outcome for fact, outcome in of_fact.items() if fact in verifying],
    )


def most_wrong(wrong: int, answered: int, error: float) -> float:
    """The upper bound of Clopper and Pearson on the share of wrong answers, exceeded with the probability `error`."""
    return 1.0 if wrong >= answered else float(beta.ppf(1 - error, wrong + 1, answered - wrong))


def least_answers(precision: float, error: float) -> int:
    """How many answers without a mistake a promise of this precision needs; 0 < precision < 1."""
    return math.ceil(math.log(error) / math.log(precision))


def _most(fitted: Sequence[Half]) -> str:
    """What can be promised instead, rounded down so that it can."""
    best = max(fitted, key=lambda half: half.promised(STEP_ERROR))
    percent = math.floor(100 * best.promised(STEP_ERROR))
    return f"The most that this half can promise is {percent}%: {best}." if percent else "It can promise nothing."


def _half(outcomes: Sequence[Outcome], threshold: float) -> Half:
    given = [outcome.forced_right for outcome in outcomes if outcome.forced.confidence >= threshold]
    return Half(len(outcomes), len(given), given.count(False))


def _percent(share: float) -> str:
    return f"{100 * share:.3g}%"


def _hash(words: str) -> bytes:
    return hashlib.sha256(words.encode()).digest()
