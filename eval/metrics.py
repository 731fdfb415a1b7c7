"""What is measured, each on one question or over all."""

import re
import string
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from eval.questions import Question

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalised(text: str) -> list[str]:
    """Lower case, no punctuation, no articles: SQuAD's words (Rajpurkar et al. 2016)."""
    return _ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split()


def exact_match(question: Question, answer: str | None) -> float:
    """1 if the answer is a gold answer after normalisation; for an unanswerable question, if there is no answer."""
    if not question.answers or answer is None:
        return float(not question.answers and answer is None)
    return float(any(normalised(gold.text) == normalised(answer) for gold in question.answers))


def token_f1(question: Question, answer: str | None) -> float:
    """The best harmonic mean of token precision and recall over the gold answers (Rajpurkar et al. 2016)."""
    if not question.answers or answer is None:
        return float(not question.answers and answer is None)
    return max(_f1(normalised(gold.text), normalised(answer)) for gold in question.answers)


def _f1(gold: Sequence[str], answer: Sequence[str]) -> float:
    if not gold or not answer:
        return float(gold == answer)
    shared = (Counter(gold) & Counter(answer)).total()
    return 2 * shared / (len(gold) + len(answer))


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
