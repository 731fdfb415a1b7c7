"""What in a text is markup and what is words.

Models read the words; the stored text keeps both, so every offset stays true. Recognised are Markdown and
wiki links, emphasis, inline code, references, templates, comments and the inline HTML tags of such texts.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

_WORDS = r"(?:[^\[\]\n]|\n(?!\s*\n)){1,500}?"
_TAGS = "b|i|u|s|em|strong|small|sub|sup|span|br|code|nowiki|blockquote|cite|q"
Kind = Literal["link", "strong", "emphasis", "code", "note", "tag"]
_PATTERNS: list[tuple[Kind, str]] = [
    ("link", rf"!?\[(?P<inner>{_WORDS})\]\((?:[^()\s]|\([^()\s]*\))*(?:\s+\"[^\"\n]*\")?\)"),  # [words](address)
    ("link", r"\[\[(?:[^\[\]|\n]{1,500}\|)?(?P<inner>[^\[\]|\n]{1,500})\]\]"),  # [[page|words]]
    ("link", r"\[https?://[^\s\[\]]+ (?P<inner>[^\[\]\n]{1,500})\]"),  # [address words]
    # What opens another ends the search, else signs that open and never close are searched a thousand times as long.
    ("strong", r"\*\*(?=\S)(?P<inner>(?:(?!\s\*\*\S)[^\n]){1,1000}?)(?<=\S)\*\*"),
    ("strong", r"(?<!\w)__(?=\S)(?P<inner>(?:(?!\s__\S|\W__\w)[^\n]){1,1000}?)(?<=\S)__(?!\w)"),
    ("emphasis", r"(?<![\w*])\*(?=[^\s*])(?P<inner>[^*\n]{1,1000}?)(?<=[^\s*])\*(?![\w*])"),
    ("emphasis", r"(?<![\w_])_(?=[^\s_])(?P<inner>[^_\n]{1,1000}?)(?<=[^\s_])_(?![\w_])"),
    ("strong", r"(?<!')'''(?!')(?P<inner>[^\n]{1,1000}?)'''(?!')"),
    ("emphasis", r"(?<!')''(?!')(?P<inner>[^'\n]{1,1000}?)''(?!')"),
    ("code", r"`(?P<inner>[^`\n]{1,500})`"),
    ("link", r"<(?P<inner>https?://[^<>\s]+)>"),
    ("note", r"<ref[^<>]{0,500}/>(?P<inner>)"),
    ("note", r"<ref[^<>/]{0,500}>[^<>]{0,500}</ref>(?P<inner>)"),
    ("note", r"\{\{[^{}]{0,1000}\}\}(?P<inner>)"),
    ("note", r"<!--(?:(?!<!--).){0,1000}?-->(?P<inner>)"),
    ("tag", rf"</?(?:{_TAGS})(?:\s[^<>\n]{{0,200}})?/?>(?P<inner>)"),
]
_CONSTRUCTS = [(kind, re.compile(pattern, re.IGNORECASE)) for kind, pattern in _PATTERNS]
_MARKUP_CHARACTERS = re.compile(r"[\[*_'`<{]")
_WORD = re.compile(r"\S+")
_LINE_PREFIX = re.compile(r"\s*(?:[-*+•]|\d{1,3}[.)]|#{1,6}|>)\s+")


@dataclass(frozen=True, slots=True)
class Construct:
    """One piece of markup, [start, end), around the words it marks, [inner_start, inner_end)."""

    kind: Kind
    start: int
    inner_start: int
    inner_end: int
    end: int


@dataclass(frozen=True, slots=True)
class Plain:
    """The words of a slice, with white space folded; `offsets[i]` is where character i stands in the source."""

    text: str
    offsets: tuple[int, ...]

    def source(self, start: int, end: int) -> tuple[int, int]:
        """Map [start, end) of these words, not empty, back to offsets in the source."""
        return self.offsets[start], self.offsets[end - 1] + 1


def constructs(text: str, start: int, end: int) -> Iterator[Construct]:
    """Yield the markup that lies wholly inside text[start:end], with offsets into `text`."""
    slice_ = text[start:end]
    if not _MARKUP_CHARACTERS.search(slice_):
        return
    for kind, pattern in _CONSTRUCTS:
        for match in pattern.finditer(slice_):
            inner_start, inner_end = match.span("inner")
            yield Construct(kind, start + match.start(), start + inner_start, start + inner_end, start + match.end())


def marker_end(text: str, start: int, end: int) -> int:
    """Where the words of text[start:end] begin, behind a list bullet or number, a quotation or a heading sign."""
    marker = _LINE_PREFIX.match(text, start, end)
    return marker.end() if marker else start


def plain(text: str, start: int, end: int, base: int = 0) -> Plain:
    """Take the words of text[start:end] without markup, list bullets and repeated white space.

    `base` is where the text itself stands in the source.
    """
    shown, places = _shown(text, start, end, base)
    folded = " ".join(shown.split())
    if folded == shown:
        return Plain(shown, tuple(places))
    offsets: list[int] = []
    space = 0
    for word in _WORD.finditer(shown):
        if offsets:
            offsets.append(places[space])
        offsets.extend(places[word.start() : word.end()])
        space = word.end()
    return Plain(folded, tuple(offsets))


def joined(text: str, slices: Sequence[tuple[int, int]], base: int = 0) -> Plain:
    """Take the words of several slices in order, one space between them."""
    words: list[str] = []
    offsets: list[int] = []
    after = 0
    for start, end in slices:
        found = plain(text, start, end, base)
        if not found.text:
            continue
        if words:
            offsets.append(min(after, found.offsets[0]))  # the white space between them, unless they touch
        words.append(found.text)
        offsets.extend(found.offsets)
        after = end + base
    return Plain(" ".join(words), tuple(offsets))


def words(text: str, slices: Sequence[tuple[int, int]]) -> str:
    """The text of `joined`, which is found sooner without the offsets."""
    return " ".join(filter(None, (" ".join(_shown(text, *each)[0].split()) for each in slices)))


def _shown(text: str, start: int, end: int, base: int = 0) -> tuple[str, Sequence[int]]:
    """What text[start:end] shows, markup and list bullets left out, and where each character stands in the source."""
    begin = marker_end(text, start, end)
    found = list(constructs(text, start, end))
    if not found:
        return text[begin:end], range(begin + base, end + base)
    hidden = bytearray(end - start)
    for each in found:
        for left, right in ((each.start, each.inner_start), (each.inner_end, each.end)):
            hidden[left - start : right - start] = b"\1" * (right - left)
    places = [place for place in range(begin, end) if not hidden[place - start]]
    return "".join(text[place] for place in places), [place + base for place in places]


def widen(text: str, span: tuple[int, int], within: tuple[int, int]) -> tuple[int, int]:
    """Widen a span so that it cuts through no markup: whole constructs, or words inside one.

    `within` bounds the search for markup; the result stays inside it.
    """
    found = list(constructs(text, *within))
    start, end = span
    while True:
        cut = [
            c
            for c in found
            if c.start < end
            and start < c.end
            and not (c.inner_start <= start and end <= c.inner_end)
            and not (start <= c.start and c.end <= end)
        ]
        if not cut:
            return start, end
        start = min(start, *(c.start for c in cut))
        end = max(end, *(c.end for c in cut))
