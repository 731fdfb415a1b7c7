"""What is measured, each on one question or over all."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from eval.questions import Question
from service.reader import squad


def exact_match(question: Question, answer: str | None) -> float:
    """1 if the answer is a gold answer after normalisation; for an unanswerable question, if there is no answer."""
    if not question.answers or answer is None:
        return float(not question.answers and answer is None)
    return squad.exact_match([gold.text for gold in question.answers], answer)


def token_f1(question: Question, answer: str | None) -> float:
    """The best harmonic mean of token precision and recall over the gold answers (Rajpurkar et al. 2016)."""
    if not question.answers or answer is None:
        return float(not question.answers and answer is None)
    return squad.token_f1([gold.text for gold in question.answers], answer)


def sentence_hit(question: Question, document: str, start: int, end: int) -> bool:
    """Whether the slice [start, end) of a document overlaps a gold answer."""
    return any(gold.document == document and gold.start < end and start < gold.end for gold in question.answers)


def expected_calibration_error(probabilities: ArrayLike, right: ArrayLike, bins: int = 10) -> float:
    """The mean distance of confidence and accuracy over equally wide bins, by their share (Naeini et al. 2015)."""
    p, r = np.asarray(probabilities, dtype=float), np.asarray(right, dtype=float)
    places = np.minimum((p * bins).astype(int), bins - 1)
    gaps = [abs((p[places == b] - r[places == b]).sum()) for b in range(bins)]
    return float(sum(gaps) / len(p))


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` percent of the values do not exceed, interpolated linearly."""
    return float(np.percentile(values, share))
