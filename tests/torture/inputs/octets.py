"""Changes to the bytes of any file."""

import random
import re
from collections.abc import Callable

from tests.torture.inputs.examples import KINDS, valid

Change = Callable[[bytes, random.Random], bytes]
NUMBERS = (
    *("0", "-1", "1", "65535", "65536", "2147483647", "2147483648", "-2147483648", "4294967296", "9" * 40, "1e309"),
    *("NaN", "0x41", "1.5", "", " ", "1000000000", "00", "+1", "١"),
)
_JUNK = (
    b"\0",
    b"\xff",
    b"\xfe\xff",
    b"\xef\xbb\xbf",
    b"\xed\xa0\x80",
    b"\xc0\x80",
    b"\xf4\x90\x80\x80",
    b"\x1b[31m",
    b"\r",
)


def flipped(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.randint(1, 8)):
        changed[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def cut(data: bytes, chance: random.Random) -> bytes:
    start, end = span(len(data), chance)
    return data[:start] + data[end:] if chance.random() < 0.7 else data[:start]


def repeated(data: bytes, chance: random.Random) -> bytes:
    start, end = span(len(data), chance)
    return data[:end] + data[start:end] * chance.choice((1, 2, 30)) + data[end:]


def spliced(data: bytes, chance: random.Random) -> bytes:
    other = chance.choice([one for kind in KINDS for one in valid(kind)])
    start, end = span(len(data), chance)
    return data[:start] + other[slice(*span(len(other), chance))] + data[end:]


def junk(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data) + 1)
    return data[:at] + chance.choice(_JUNK) + data[at:]


def renumbered(data: bytes, chance: random.Random) -> bytes:
    """One number is another one."""
    found = list(re.finditer(rb"\d+", data))
    if not found:
        return data
    one = chance.choice(found)
    return data[: one.start()] + chance.choice(NUMBERS).encode() + data[one.end() :]


def span(length: int, chance: random.Random) -> tuple[int, int]:
    start = chance.randrange(length + 1)
    return start, min(length, start + chance.choice((1, 4, 30, 300)))


OF_BYTES: list[Change] = [flipped, flipped, cut, repeated, spliced, junk, renumbered]
