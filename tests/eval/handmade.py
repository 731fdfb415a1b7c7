"""Answers and outcomes made by hand, so that every figure over them can be worked by hand."""

from collections.abc import Sequence

from eval.questions import Gold, Question
from eval.run import Outcome
from index.documents import DocumentRef
from service.answering import Answer, Citation, IndexRef, PassageSlice, Slice, Timings


def cited(quote: str, after: str = " it was.", document: str = "a.txt", score: float = 0.5) -> Citation:
    """A citation of the first words of a document; without `after` it is a whole sentence."""
    text = quote + after
    passage = PassageSlice(f"{document}-0", 0, len(text), text)
    ref = DocumentRef(document, document, document, None, "0" * 64, None)
    return Citation(ref, 0, len(quote), quote, Slice(0, len(text), text), passage, None, None, score)


def answered(
    citations: Sequence[Citation], confidence: float = 0.9, milliseconds: tuple[float, float, float] = (1, 2, 3)
) -> Answer:
    """An answer that cites these, or an abstention if there are none."""
    return Answer(
        id="0" * 24,
        question="",
        status="answered" if citations else "abstained",
        answer=citations[0].quote if citations else None,
        confidence=confidence,
        reason=None if citations else "low_confidence",
        citations=tuple(citations),
        differing=(),
        related=(),
        warnings=(),
        index=IndexRef(1, "hashing", "sentence"),
        timings_ms=Timings(*milliseconds),
    )


def outcome(
    name: str,
    golds: Sequence[str],
    answer: str | None,
    confidence: float = 0.9,
    *,
    forced: str = "",
    fact: str = "",
    question: str = "",
    part: str = "",
    kind: str = "",
    style: str = "",
    document: str = "a.txt",
    further: Sequence[str] = (),
    ranking: tuple[bool, ...] | None = None,
    relevant: int = 0,
    exact: bool = True,
    milliseconds: tuple[float, float, float] = (1, 2, 3),
) -> Outcome:
    """The outcome of a question: its answer with further citations, or None and what was held back."""
    places = tuple(Gold("a.txt", 0, len(gold), gold) for gold in golds)
    citations = [cited(words, document=document) for words in (answer, *further) if words]
    given = answered(citations, confidence, milliseconds)
    held_back = answered([cited(forced, document=document)] if forced else [], confidence, milliseconds)
    return Outcome(
        question=Question(name, question or f"{name}?", places, fact or name, kind, style, part),
        answer=given,
        forced=given if answer else held_back,
        ranking=ranking,
        relevant=relevant,
        exact_citations=exact,
        gold_sentence=(f"{golds[0]} it was.", 0, len(golds[0])) if golds else None,
    )
