"""Risk-controlled abstention: a threshold on the confidence whose precision is promised, and then checked.

The threshold is the least of ten, one for each tenth of the questions by confidence, at which the share of wrong
answers is below the wished one with 95% confidence, by the bound of Clopper and Pearson (1934) at a tenth of the
error, since ten are looked at (Bonferroni; Angelopoulos et al., Learn then Test, 2021). It is fitted on half of the
facts and verified on the other half. The promise is about questions like these, drawn as these were.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import beta

from eval.figures import Table
from eval.run import Outcome

CONFIDENCE = 0.95
STEPS = 10


class RiskError(ValueError):
    """A precision that cannot be promised; the message says why."""


@dataclass(frozen=True, slots=True)
class Half:
    """Of `questions`, how many are answered, and how many of these wrongly."""

    questions: int
    answered: int
    wrong: int

    @property
    def precision(self) -> float:
        return 1 - self.wrong / self.answered if self.answered else 0.0

    def promised(self, error: float) -> float:
        """The precision that is exceeded with the confidence 1 - `error`."""
        return 1 - most_wrong(self.wrong, self.answered, error)

    def __str__(self) -> str:
        return f"{self.answered} of {self.questions} questions answered, {self.precision:.3f} of them rightly"


@dataclass(frozen=True, slots=True)
class Control:
    """A threshold, and how it does on the half that it was fitted on and on the other."""

    precision: float
    threshold: float
    fitted: Half
    verified: Half

    def __str__(self) -> str:
        return (
            f"threshold {self.threshold:.4f} for a precision of at least {self.precision:.0%} with {CONFIDENCE:.0%} "
            f"confidence; fitted: {self.fitted} (at least {self.fitted.promised((1 - CONFIDENCE) / STEPS):.3f}); "
            f"verified on other facts: {self.verified} (at least {self.verified.promised(1 - CONFIDENCE):.3f})"
        )


def control(outcomes: Sequence[Outcome], precision: float) -> Control:
    """Fit on one half, verify on the other. Raises RiskError where the precision cannot be promised."""
    halves = [[o for o in outcomes if _is_first(o.question.fact) is first] for first in (True, False)]
    fitting, verifying = (Table.of(half) for half in halves if half) if all(halves) else (None, None)
    needed = least_answers(precision)
    if fitting is None or verifying is None or len(fitting.forced_right) < needed:
        raise RiskError(
            f"A precision of {precision:.0%} cannot be promised: of the questions, halved by fact, {len(halves[0])} "
            f"are there to fit the threshold and {len(halves[1])} to verify it; even without a mistake, {needed} "
            "answers are needed to fit it."
        )
    error = (1 - CONFIDENCE) / STEPS
    best: tuple[float, Half] | None = None
    for share in np.linspace(0, 1, STEPS, endpoint=False):
        threshold = float(np.quantile(fitting.confidence, share, method="higher"))
        half = _half(fitting, threshold)
        if half.answered and half.promised(error) >= precision:
            best = threshold, half
            break
    if best is None:
        raise RiskError(
            f"A precision of {precision:.0%} cannot be promised: at no threshold are so few answers wrong, by the "
            f"{len(fitting.forced_right)} questions of the half that fits it. {_nearest(fitting, error)}"
        )
    found = Control(precision, best[0], best[1], _half(verifying, best[0]))
    if found.verified.precision < precision:
        raise RiskError(f"The promise did not hold on the other half: {found}.")
    return found


def most_wrong(wrong: int, answered: int, error: float) -> float:
    """The upper bound of Clopper and Pearson on the share of wrong answers, exceeded with the probability `error`."""
    return 1.0 if wrong >= answered else float(beta.ppf(1 - error, wrong + 1, answered - wrong))


def least_answers(precision: float) -> int:
    """How many answers without a mistake a promise of this precision needs; 0 < precision < 1."""
    return int(np.ceil(np.log((1 - CONFIDENCE) / STEPS) / np.log(precision)))


def _nearest(table: Table, error: float) -> str:
    halves = [_half(table, float(threshold)) for threshold in np.unique(table.confidence)]
    best = max(halves, key=lambda half: half.promised(error))
    return f"The most that can be promised from them is about {best.promised(error):.0%}: {best}."


def _half(table: Table, threshold: float) -> Half:
    given = table.confidence >= threshold
    return Half(len(given), int(given.sum()), int((~table.forced_right[given]).sum()))


def _is_first(fact: str) -> bool:
    return hashlib.sha256(f"half {fact}".encode()).digest()[0] % 2 == 0
