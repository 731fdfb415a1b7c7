"""How a text's markup is shown: what is a heading, emphasis or a link, and what is only a sign of it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from index.markup import constructs
from index.structure import parse

Style = Literal["heading", "strong", "emphasis", "code", "link", "sign"]
_STYLES: tuple[Style, ...] = ("heading", "strong", "emphasis", "code", "link", "sign")
_BIT = {style: 1 << place for place, style in enumerate(_STYLES)}
_ALIKE = re.compile(rb"([^\0])\1*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Run:
    """A slice [start, end) of one look. A `sign` is markup alone: it stays in the text, and is only shown fainter."""

    start: int
    end: int
    styles: tuple[Style, ...]


def runs(text: str) -> Iterator[Run]:
    """Yield the slices of a text that are not plain words, in order; they do not overlap."""
    looks = bytearray(len(text))

    def add(style: Style, start: int, end: int) -> None:
        bit = _BIT[style]
        looks[start:end] = bytes(look | bit for look in looks[start:end])

    for block in parse(text).blocks:
        if block.kind == "heading" and (title := text.find(block.title, block.start, block.end)) >= 0:
            add("heading", block.start, block.end)
            add("sign", block.start, title)
            add("sign", title + len(block.title), block.end)
        for found in constructs(text, block.start, block.end):
            if found.kind in _BIT:
                add(found.kind, found.inner_start, found.inner_end)
            add("sign", found.start, found.inner_start)
            add("sign", found.inner_end, found.end)
    for alike in _ALIKE.finditer(bytes(looks)):
        look = looks[alike.start()]
        yield Run(*alike.span(), tuple(style for style in _STYLES if look & _BIT[style]))
