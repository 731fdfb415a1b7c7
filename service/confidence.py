"""From scores to a probability that the answer is right, and the rule for abstaining."""

import json
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from index.errors import in_words
from index.retrieval import Hit
from service.reader import ReaderError, Span

log = logging.getLogger(__name__)
FILE = Path(__file__).with_name("confidence.json")
PROMISED = "threshold.json"  # in an index's directory
RELEVANT_COSINE = 0.25  # of 1,200 SQuAD training questions, 3 had no passage this near among the five retrieved


@dataclass(frozen=True, slots=True)
class Features:
    """What the probability rests on.

    `score` is the best span's, `lead` its distance to the next; `cosine` is its passage's.
    """

    score: float
    lead: float
    cosine: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """A logistic regression over Features (Platt scaling); `threshold` is the least probability to answer with.

    `reader` is the fingerprint of the reader whose spans it was fitted on; `provenance` says on what, by which
    command, and how well it holds there.
    """

    weights: Features
    intercept: float
    threshold: float
    provenance: str
    reader: str = ""

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


def percent(confidence: float) -> int:
    """A confidence as people read it; a half goes up, as in the page's Math.round."""
    return math.floor(100 * confidence + 0.5)


def load(kind: str, path: Path = FILE) -> Calibration:
    """Read the calibration for a kind of reader: `span`, `sentence`, or `fallback` for sentences behind spans.

    Raises FileNotFoundError, KeyError and ValueError.
    """
    fields = json.loads(path.read_bytes())
    try:
        found = fields[kind]
        return Calibration(**{**found, "weights": Features(**found["weights"])})
    except TypeError as error:
        raise ValueError(f"{path} holds no calibration: {error}") from error


def promise(directory: Path, threshold: float, models: str, provenance: str, contents: str = "") -> None:
    """Store the threshold that an index is to answer with from now on, and what it rests on.

    `contents` is the fingerprint of the index that it was fitted on.
    """
    fields = {"threshold": threshold, "provenance": provenance, "models": models, "contents": contents}
    written = directory / f"{PROMISED}.new"
    written.write_text(json.dumps(fields, indent=1) + "\n", encoding="utf-8")
    written.replace(directory / PROMISED)


def promised(directory: Path, models: str) -> float | None:
    """The threshold that was stored for an index, unless it was fitted with other models. Raises ReaderError."""
    if (stored := _stored(directory)) is None:
        return None
    threshold, fitted_with, _ = stored
    if fitted_with != models:
        path = directory / PROMISED
        log.warning("The threshold in %s was fitted with other models and is not used; fit it anew or remove it", path)
        return None
    return threshold


def is_outdated(directory: Path, models: str, contents: str) -> bool:
    """Whether an index answers by a threshold that was fitted for other contents of it. Raises ReaderError."""
    stored = _stored(directory)
    return stored is not None and stored[1] == models and stored[2] != contents


def _stored(directory: Path) -> tuple[float, str, str | None] | None:
    """The threshold, the models and the contents that were stored by `promise`. Raises ReaderError."""
    path = directory / PROMISED
    if not path.exists():
        return None
    try:
        fields = json.loads(path.read_bytes())
        threshold, models = float(fields["threshold"]), fields["models"]
        if not 0 <= threshold <= 1:
            raise ValueError(f"{threshold} is no probability")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ReaderError(f"{path} holds no threshold ({in_words(error)}); remove it, or fit it anew") from error
    return threshold, models, fields.get("contents")
