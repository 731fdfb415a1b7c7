"""Which spans say the same as the best one, somewhere else, and which say otherwise."""

import re
from collections.abc import Callable, Sequence

from index.markup import plain
from service.reader import Span
from service.values import differ, value

# Both are of the span reader's scores: log-odds, less what speaks against a passage that was found further down.
SUPPORTED = 0.0  # the least score
CLOSE = 2.0  # below the best span, within which another value is a rival and no slip of the reader
SHINGLE = 4  # words
NEAR_DUPLICATE = 0.5  # of the shingles of two texts in common (Broder, On the resemblance of documents, 1997)
TELLING = 5  # shingles that a sentence needs, to be told from one that others might write as well

Shingles = set[tuple[str, ...]]


def supporting(spans: Sequence[Span]) -> list[Span]:
    """The first span, then those of other passages that give the same value, each source once.

    Passages, or sentences of some length, that are copies of one another up to a few words are one source.
    """
    best, *others = spans
    wanted = value(words(best))
    found = [best]
    for span in others:
        if span.score >= SUPPORTED and value(words(span)) == wanted and all(_apart(span, kept) for kept in found):
            found.append(span)
    return found


def differing(spans: Sequence[Span], is_sure: Callable[[Sequence[Span]], bool]) -> list[Span]:
    """Of each other document its best span, if that is sure by itself, near the best of all, and another value."""
    best = spans[0]
    of_document: dict[str, list[Span]] = {}
    for span in spans:
        of_document.setdefault(span.hit.document.id, []).append(span)
    return [
        found[0]
        for document, found in of_document.items()
        if document != best.hit.document.id
        and found[0].score >= best.score - CLOSE
        and differ(words(best), words(found[0]))
        and is_sure(found)
    ]


def words(span: Span) -> str:
    """The words of a span, without markup."""
    begin = span.hit.passage.start
    return plain(span.hit.passage.text, span.start - begin, span.end - begin).text


def _apart(one: Span, other: Span) -> bool:
    if one.hit.passage.id == other.hit.passage.id:
        return False
    if one.hit.document.id == other.hit.document.id and one.start < other.end and other.start < one.end:
        return False
    sentences = _shingles(_sentence(one)), _shingles(_sentence(other))
    if min(map(len, sentences)) >= TELLING and _are_copies(*sentences):
        return False
    return not _are_copies(_shingles(one.hit.passage.text), _shingles(other.hit.passage.text))


def _are_copies(one: Shingles, other: Shingles) -> bool:
    return len(one & other) >= NEAR_DUPLICATE * len(one | other)


def _shingles(text: str) -> Shingles:
    found = re.findall(r"\w+", text.casefold())
    return {tuple(found[at : at + SHINGLE]) for at in range(max(1, len(found) - SHINGLE + 1))}


def _sentence(span: Span) -> str:
    start, end = span.hit.passage.around(span.start, span.end)
    return span.hit.passage.text[start - span.hit.passage.start : end - span.hit.passage.start]
