"""PDFs that no writer made: changed at their objects, or generated of any operators."""

import random
import re
import zlib

from tests.torture.inputs.examples import PROSE
from tests.torture.inputs.octets import NUMBERS, OF_BYTES, Change, cut, flipped, junk, renumbered, repeated
from tests.torture.inputs.parts import OBJECT, page, pdf

_VALUES = [b"null", b"true", b"[]", b"<<>>", b"()", b"/X", b"<FEFFD800>", b"(\\000)", b"1 0 R", b"2 0 R", b"99 0 R"]
_VALUES += [b"[1 0 R 1 0 R]", *(number.encode() for number in NUMBERS)]


def _objects(data: bytes) -> list[bytes]:
    return [found[2] for found in OBJECT.finditer(data)]


def object_changed(data: bytes, chance: random.Random) -> bytes:
    objects = _objects(data)
    if not objects:
        return data
    at = chance.randrange(len(objects))
    objects[at] = chance.choice(OF_BYTES)(objects[at] or b" ", chance)
    return pdf(objects)


def value_changed(data: bytes, chance: random.Random) -> bytes:
    """What a key stands before is something else."""
    objects = _objects(data)
    places = [(at, key) for at, each in enumerate(objects) for key in re.finditer(rb"/\w+ ((?:\d+ \d+ R)|\S+)", each)]
    if not places:
        return data
    at, key = chance.choice(places)
    objects[at] = objects[at][: key.start(1)] + chance.choice(_VALUES) + objects[at][key.end(1) :]
    return pdf(objects)


def object_moved(data: bytes, chance: random.Random) -> bytes:
    objects = _objects(data)
    if not objects:
        return data
    objects.insert(chance.randrange(len(objects)), objects.pop(chance.randrange(len(objects))))
    return pdf(objects)


def stream_changed(data: bytes, chance: random.Random) -> bytes:
    """What a stream holds is changed and packed again."""
    objects = _objects(data)
    streams = [at for at, each in enumerate(objects) if b"stream\n" in each]
    if not streams:
        return data
    at = chance.choice(streams)
    head, _, rest = objects[at].partition(b"stream\n")
    content = rest.rpartition(b"\nendstream")[0]
    if b"FlateDecode" in head:
        try:
            content = zlib.decompress(content)
        except zlib.error:
            head = b"<< "
    changed = content or b" "
    for _ in range(chance.randint(1, 4)):
        changed = chance.choice([flipped, cut, repeated, junk, renumbered])(changed, chance) or b" "
    if b"FlateDecode" in head:
        changed = zlib.compress(changed)
    head = re.sub(rb"/Length \d+", b"/Length %d" % len(changed), head)
    objects[at] = head + b"stream\n" + changed + b"\nendstream"
    return pdf(objects)


def table_changed(data: bytes, chance: random.Random) -> bytes:
    """The table of objects says something else."""
    at = data.rfind(b"xref\n", 0, max(0, data.rfind(b"startxref")))
    return data[: max(0, at)] + chance.choice(OF_BYTES)(data[max(0, at) :] or b" ", chance)


def generated(chance: random.Random) -> bytes:
    """A page with any operators on it."""
    operators = [
        "BT",
        "ET",
        "/F1 12 Tf",
        "(word) Tj",
        "[(a) -900 (b)] TJ",
        "0 -14 Td",
        "T*",
        "q",
        "Q",
        "1 0 0 1 9 9 cm",
    ]
    operators += ["(\\377\\000) Tj", "<0041> Tj", "/X1 Do", "3 Tr", "BI /W 9 ID", "EI", "72 720 Td", "1e9 0 Td", "0 Tf"]
    content = f"BT /F1 12 Tf 72 720 Td ({PROSE}) Tj ET {' '.join(chance.choices(operators, k=40))}".encode()
    return page(content)


CHANGES: list[Change] = [object_changed, value_changed, value_changed, object_moved, stream_changed, stream_changed]
CHANGES += [table_changed]
