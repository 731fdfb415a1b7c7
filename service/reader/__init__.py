"""Readers: from a question and its hits to the spans that may answer it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from index.retrieval import Hit

SENTENCES = "sentence"
SHIPPED_READER = "attest-minilm-l6"
DEFAULT_READER = SHIPPED_READER


class ReaderError(Exception):
    """A reader that cannot be loaded; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Span:
    """A slice [start, end) of a document, inside the passage of a hit; scores compare across hits."""

    hit: "Hit"
    start: int
    end: int
    score: float


class Reader(Protocol):
    """Points at spans. `name` and `fingerprint` identify the model and its settings."""

    name: str

    @property
    def fingerprint(self) -> str: ...

    def read(self, question: str, hits: "Sequence[Hit]") -> list[Span]:
        """The spans that may answer, best first, no two the same; empty if there is none."""

    def unread(self, question: str) -> str | None:
        """What of a question is too long to be read, in words; None if all of it is read."""
