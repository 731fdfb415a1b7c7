"""SQuAD's measures on pairs of texts (Rajpurkar et al. 2016, 2018)."""

import re
import string
from collections import Counter
from collections.abc import Sequence
from itertools import groupby

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalised(text: str) -> list[str]:
    """Lower case, no punctuation, no articles: SQuAD's words."""
    return _ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split()


def exact_match(golds: Sequence[str], answer: str) -> float:
    """1 if the answer is one of the gold answers after normalisation."""
    return float(any(normalised(gold) == normalised(answer) for gold in golds))


def token_f1(golds: Sequence[str], answer: str) -> float:
    """The best harmonic mean of token precision and recall over the gold answers."""
    return max(_f1(normalised(gold), normalised(answer)) for gold in golds)


def _f1(gold: Sequence[str], answer: Sequence[str]) -> float:
    if not gold or not answer:
        return float(gold == answer)
    shared = (Counter(gold) & Counter(answer)).total()
    return 2 * shared / (len(gold) + len(answer))


def best_threshold(scored: Sequence[tuple[float, float | None]]) -> tuple[float, float]:
    """The highest mean that a threshold can reach, and that threshold.

    Each question gives its answer's score and its worth, such as F1, or None if it has no answer. Answers below the
    threshold are withheld: worth 1 where there is none, else 0.
    """
    worth = float(sum(value is None for _, value in scored))
    best, threshold = worth, float("inf")
    ranked = sorted(scored, key=lambda pair: -pair[0])
    for score, tied in groupby(ranked, key=lambda pair: pair[0]):  # a threshold cannot part equal scores
        worth += sum(-1.0 if value is None else value for _, value in tied)
        if worth > best:
            best, threshold = worth, score
    return best / len(scored), threshold
