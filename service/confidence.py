"""From scores to a probability that the answer is right, and the rule for abstaining."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from index.retrieval import Hit
from service.reader import Span

FILE = Path(__file__).with_name("confidence.json")
RELEVANT_COSINE = 0.25  # of 1,200 SQuAD training questions, 3 had no passage this near among the five retrieved


@dataclass(frozen=True, slots=True)
class Features:
    """What the probability rests on: the best span's score, its lead over the next, its passage's cosine."""

    score: float
    lead: float
    cosine: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """A logistic regression over Features (Platt scaling); `threshold` is the least probability to answer with.

    `provenance` says on what it was fitted, by which command, and how well it holds there.
    """

    weights: Features
    intercept: float
    threshold: float
    provenance: str

    def probability(self, features: Features) -> float:
        """The probability, 0 to 1, that an answer with these features is right."""
        total = self.intercept
        for name in Features.__slots__:
            total += getattr(self.weights, name) * getattr(features, name)
        return round((1 + math.tanh(total / 2)) / 2, 4)  # the logistic function, without overflow


def features(spans: Sequence[Span]) -> Features:
    """The features of the first of these spans, which are in order and not empty."""
    best, *others = spans
    lead = best.score - others[0].score if others else best.score
    return Features(best.score, round(lead, 5), best.hit.scores.dense)


def is_relevant(hits: Sequence[Hit]) -> bool:
    """Whether any passage is near the question at all."""
    return any(hit.scores.dense >= RELEVANT_COSINE for hit in hits)


def load(path: Path = FILE) -> Calibration:
    """Read a calibration. Raises FileNotFoundError, KeyError and ValueError."""
    fields = json.loads(path.read_bytes())
    try:
        return Calibration(**{**fields, "weights": Features(**fields["weights"])})
    except TypeError as error:
        raise ValueError(f"{path} holds no calibration: {error}") from error
