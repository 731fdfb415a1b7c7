"""From a model's logits to spans."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from index.network import Floats
from service.reader.windows import Window

MAX_TOKENS = 40  # of one span
BEST = 12  # starts and ends that are looked at in a window


@dataclass(frozen=True, slots=True)
class Candidate:
    """A slice [start, end) of the text that was read.

    `score` is the log-odds of this span against the window's "no answer": the sum of its two logits less that of the
    first position's (Devlin et al., BERT, 2019), so that scores compare across windows and passages.
    """

    start: int
    end: int
    score: float


def candidates(
    window: Window, starts: Floats, ends: Floats, max_tokens: int = MAX_TOKENS, most: int | None = None
) -> list[Candidate]:
    """The best spans of a window, best first, from its start and end logits, each of shape (tokens,); `most` of them.

    A span begins and ends where words do and has at most `max_tokens` tokens. Logits beyond the window are ignored.
    """
    count = len(window.offsets)
    piece = slice(window.first, window.first + count)
    first = _best(np.where(window.begins, starts[piece], -np.inf))
    last = _best(np.where(window.ends, ends[piece], -np.inf))
    null = float(starts[0]) + float(ends[0])
    scores = starts[piece][first][:, None] + ends[piece][last][None, :] - null
    tokens = last[None, :] - first[:, None] + 1
    allowed = (tokens >= 1) & (tokens <= max_tokens)
    rows, columns = np.nonzero(allowed)
    order = np.lexsort((last[columns], first[rows], -scores[rows, columns]))[:most]
    return [
        Candidate(window.offsets[first[i]][0], window.offsets[last[j]][1], float(scores[i, j]))
        for i, j in zip(rows[order], columns[order], strict=True)
    ]


def _best(logits: Floats) -> NDArray[np.intp]:
    """The positions of the highest finite logits."""
    order = np.argsort(-logits, kind="stable")[:BEST]
    return order[np.isfinite(logits[order])]
