"""Tiny hits, a reader that points where it is told, and a calibration that is always sure."""

from collections.abc import Sequence

from index.documents import DocumentRef
from index.passages import Passage
from index.retrieval import Hit, Scores
from index.sentences import sentences
from service.confidence import Calibration, Features
from service.reader import Span

NEVER = Calibration(Features(0.0, 0.0, 0.0), -1.0, 0.5, "always 0.2689, which is not enough")
SURE = Calibration(Features(0.0, 0.0, 0.0), 0.0, 0.5, "always 0.5, which is enough")


def hit(text: str, document: str = "a", start: int = 0, cosine: float = 0.5, section: str | None = None) -> Hit:
    """A hit on a passage that is the whole of `text`, which begins at `start` of its document."""
    found = tuple((start + left, start + right) for left, right in sentences(text, 0, len(text)))
    end = start + len(text)
    passage = Passage(f"{document}-{start}-{end}", document, start, end, section, found, text)
    ref = DocumentRef(document, document, f"{document}.txt", None, "0" * 64, None)
    return Hit(passage, ref, Scores(cosine, 1.0, 0.1))


def quotes(spans: Sequence[Span]) -> list[str]:
    """The words at each span, as they stand in its passage."""
    return [
        span.hit.passage.text[span.start - span.hit.passage.start : span.end - span.hit.passage.start] for span in spans
    ]


class PointingReader:
    """Points at the given words wherever a hit has them, whatever the question."""

    name = "pointing"
    fingerprint = "pointing"

    def __init__(self, words: str) -> None:
        self.words = words

    def unread(self, question: str) -> str | None:
        return None

    def read(self, question: str, hits: Sequence[Hit]) -> list[Span]:
        starts = [(hit, hit.passage.text.find(self.words)) for hit in hits]
        return [
            Span(hit, hit.passage.start + at, hit.passage.start + at + len(self.words), 0.9)
            for hit, at in starts
            if at >= 0
        ]
