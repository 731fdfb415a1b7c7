"""Web pages that no writer made: changed at their tags, or generated of any tags."""

import random

from tests.torture.inputs.examples import PROSE
from tests.torture.inputs.markup import FRAGMENTS, OF_TAGS
from tests.torture.inputs.octets import Change
from tests.torture.inputs.text import encoded_otherwise


def generated(chance: random.Random) -> bytes:
    tags = "p div table tr td th ul li h1 h2 pre b i a span br script style title form select noscript svg math".split()
    parts = [*(f"<{tag}>" for tag in tags), *(f"</{tag}>" for tag in tags), PROSE, "word ", "\n", "&nbsp;", "&lt;"]
    return "".join(chance.choices(parts, k=chance.choice((3, 30, 300)))).encode() + chance.choice(FRAGMENTS)


CHANGES: list[Change] = [*OF_TAGS, encoded_otherwise]
