"""Sentence boundaries as offsets, by Wikimedia's sentencex."""

import re
from collections.abc import Iterator

import sentencex

from index.markup import constructs, marker_end

_WORD = re.compile(r"\w")
_SPACE = re.compile(r"\s")
# sentencex closes a sentence at these although they announce a name, a number or an amount.
_ANNOUNCES = re.compile(r"(?:\b(?:vs|approx|nos?|vol|pp|fig|ca|cf)\.)\s*$", re.IGNORECASE)
_WINDOW = 3_000  # code points given to sentencex at once: signs such as “ take it the square of their number
_LONGEST_UNCUT = 300  # code points; a longer piece of markup is a whole emphasised paragraph, not a phrase
_CONTINUES = re.compile(r"[\d$€£]|No\.")


def sentences(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """Split text[start:end] into sentences, (start, end) in `text`, without the white space around them.

    Together they hold every character that is not white space, once and in order. No list number, no link and no
    other short piece of markup is cut, and a line break ends no sentence.
    """
    folded = _SPACE.sub(" ", text[start:end])
    if not folded.strip():
        return []
    starts = list(_starts(folded))
    inside = bytearray(len(folded) + 1)
    marker = marker_end(text, start, end) - start
    inside[: marker + 1] = b"\1" * (marker + 1)
    for construct in constructs(text, start, end):
        length = construct.end - construct.start
        if length <= _LONGEST_UNCUT:
            left = construct.start - start
            inside[left + 1 : left + length] = b"\1" * (length - 1)
    kept = [0]
    for at in starts[1:]:
        before = folded[:at] if at < 20 else folded[at - 20 : at]
        announced = _ANNOUNCES.search(before) and _CONTINUES.match(folded, at)
        if not announced and not inside[at]:
            kept.append(at)
    found: list[tuple[int, int]] = []
    for left, right in zip(kept, [*kept[1:], len(folded)], strict=True):
        words = folded[left:right]
        if stripped := words.strip():
            first = start + left + len(words) - len(words.lstrip())
            if found and not (_WORD.search(stripped) and _WORD.search(text, *found[-1])):
                first = found.pop()[0]  # signs alone, such as a closing emphasis, are no sentence
            found.append((first, start + left + len(words.rstrip())))
    return found


def _starts(folded: str) -> Iterator[int]:
    """Yield where sentences begin. A window begins where the last sentence of the one before does, as it may go on."""
    yield 0
    at = 0
    while at < len(folded):
        window = folded[at : at + _WINDOW]
        is_last = at + _WINDOW >= len(folded)
        found = [each["start_index"] for each in sentencex.get_sentence_boundaries("en", window)][1:]
        yield from (at + start for start in found)
        if is_last:
            return
        if found:
            at += found[-1]
        else:  # a sentence that is longer
            at += window.rfind(" ") + 1 or len(window)
