"""Changes to what is written between < and >, in HTML and in the members of a DOCX."""

import random
import re

from tests.awkward import PAYLOADS
from tests.torture.inputs.octets import NUMBERS, Change, span

_TOKEN = re.compile(rb"<[^>]*>|[^<]+|<")
FRAGMENTS = [
    *(payload.encode("utf-8", "replace") for payload in PAYLOADS),
    *(b"<td colspan=%b rowspan=%b>" % (n.encode(), n.encode()) for n in NUMBERS),
    *(b"&#%b;" % n.encode() for n in NUMBERS),
    *(b"<![CDATA[", b"]]>", b"<!--", b"-->", b"<?xml version='1.0' encoding='utf-7'?>", b"&lt;b&gt;", b"&nosuch;"),
    *(
        b"&#0;",
        b"&#xD800;",
        b"&#x110000;",
        b"&amp",
        b"<a:b xmlns:a='x'>",
        b"</p>",
        b"</td>",
        b"<table>",
        b"<tr>",
        b"<td>",
    ),
    *(b"<meta charset=utf-16>", b"<meta charset=x-user-defined>", b"<base href=x>", b"<plaintext>", b"<html lang=xx>"),
    *(
        b"<title>A",
        b"<h1>",
        b"<li>",
        b"<pre>",
        b"<br>",
        b"<link rel=canonical href='https://e.org/%b'>" % (b"x" * 3_000),
    ),
    *(
        b"<meta name=date content='2024-99-99T'>",
        b"<!DOCTYPE a SYSTEM 'file:///etc/passwd'>",
        b"<svg><p>",
        b"<math><mi>",
    ),
]


def token_moved(data: bytes, chance: random.Random) -> bytes:
    tokens = _TOKEN.findall(data)
    tokens.insert(chance.randrange(len(tokens) + 1), tokens.pop(chance.randrange(len(tokens))) if tokens else b"<p>")
    return b"".join(tokens)


def token_dropped(data: bytes, chance: random.Random) -> bytes:
    tokens = _TOKEN.findall(data) or [b""]
    del tokens[chance.randrange(len(tokens))]
    return b"".join(tokens)


def token_repeated(data: bytes, chance: random.Random) -> bytes:
    tokens = _TOKEN.findall(data) or [b""]
    at = chance.randrange(len(tokens))
    return b"".join([*tokens[:at], tokens[at] * chance.choice((2, 3, 100)), *tokens[at:]])


def tags_swapped(data: bytes, chance: random.Random) -> bytes:
    """The names of two elements change places."""
    names = sorted(set(re.findall(rb"</?([\w:]+)", data)))
    if len(names) < 2:
        return data
    one, other = chance.sample(names, 2)
    return re.sub(
        rb"(</?)(%b|%b)\b" % (re.escape(one), re.escape(other)),
        lambda found: found[1] + (other if found[2] == one else one),
        data,
    )


def attribute_changed(data: bytes, chance: random.Random) -> bytes:
    found = list(re.finditer(rb"=\"([^\"]*)\"", data))
    if not found:
        return data
    one = chance.choice(found)
    value = chance.choice([*(n.encode() for n in NUMBERS), b"x" * 5_000, b"&a;", one[1] * 2, b"../../x", b"\xff"])
    return data[: one.start(1)] + value + data[one.end(1) :]


def nested(data: bytes, chance: random.Random) -> bytes:
    """A part of it stands in many elements."""
    names = re.findall(rb"<([\w:]+)", data) or [b"div"]
    name, depth = chance.choice(names), chance.choice((2, 10, 100, 300))
    start, end = span(len(data), chance)
    return data[:start] + b"<%b>" % name * depth + data[start:end] + b"</%b>" % name * depth + data[end:]


def fragment_put_in(data: bytes, chance: random.Random) -> bytes:
    at = chance.choice([found.end() for found in _TOKEN.finditer(data)] or [0])
    return data[:at] + chance.choice(FRAGMENTS) + data[at:]


OF_TAGS: list[Change] = [token_moved, token_dropped, token_repeated, tags_swapped, attribute_changed, nested]
OF_TAGS += [fragment_put_in, fragment_put_in]
