"""Files that no writer made: valid ones changed at their bytes and at their structure, and generated ones."""

import io
import random
import re
import zipfile
import zlib
from collections.abc import Callable, Sequence
from copy import deepcopy
from functools import cache
from typing import Literal

from lxml import etree

from tests import files
from tests.awkward import DOCUMENTS, PAYLOADS

Kind = Literal["text", "html", "pdf", "docx"]
Change = Callable[[bytes, random.Random], bytes]
KINDS: tuple[Kind, ...] = ("text", "html", "pdf", "docx")
SUFFIX = {"text": ".md", "html": ".html", "pdf": ".pdf", "docx": ".docx"}
PROSE = "The bridge opened in 1932. It cost $4 million, and 5,000 cars crossed it. Who built it? “Smith,” he said. "
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


# --- bytes


def flipped(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.randint(1, 8)):
        changed[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def cut(data: bytes, chance: random.Random) -> bytes:
    start, end = _slice(len(data), chance)
    return data[:start] + data[end:] if chance.random() < 0.7 else data[:start]


def repeated(data: bytes, chance: random.Random) -> bytes:
    start, end = _slice(len(data), chance)
    return data[:end] + data[start:end] * chance.choice((1, 2, 30)) + data[end:]


def spliced(data: bytes, chance: random.Random) -> bytes:
    other = chance.choice([one for kind in KINDS for one in valid(kind)])
    start, end = _slice(len(data), chance)
    return data[:start] + other[slice(*_slice(len(other), chance))] + data[end:]


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


def _slice(length: int, chance: random.Random) -> tuple[int, int]:
    start = chance.randrange(length + 1)
    return start, min(length, start + chance.choice((1, 4, 30, 300)))


OF_BYTES: list[Change] = [flipped, flipped, cut, repeated, spliced, junk, renumbered]

# --- what is written between < and >, for HTML and the members of a DOCX

_TOKEN = re.compile(rb"<[^>]*>|[^<]+|<")
_FRAGMENTS = [
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
    start, end = _slice(len(data), chance)
    return data[:start] + b"<%b>" % name * depth + data[start:end] + b"</%b>" % name * depth + data[end:]


def fragment_put_in(data: bytes, chance: random.Random) -> bytes:
    at = chance.choice([found.end() for found in _TOKEN.finditer(data)] or [0])
    return data[:at] + chance.choice(_FRAGMENTS) + data[at:]


OF_TAGS: list[Change] = [token_moved, token_dropped, token_repeated, tags_swapped, attribute_changed, nested]
OF_TAGS += [fragment_put_in, fragment_put_in]

# --- the members of a DOCX


def member_changed(data: bytes, chance: random.Random) -> bytes:
    """A member, mostly the document's own, is changed and packed again."""
    members = unpacked(data)
    if not members:
        return data
    own = [name for name in members if name == "word/document.xml"]
    name = chance.choice(own if own and chance.random() < 0.7 else sorted(members))
    change = element_changed if chance.random() < 0.8 else chance.choice([*OF_TAGS, *OF_BYTES])
    return packed(members | {name: change(members[name] or b"<a/>", chance)})


def element_changed(data: bytes, chance: random.Random) -> bytes:
    """One element is moved, repeated, dropped or wrapped, or its name, its words or an attribute is something else."""
    try:
        root = etree.fromstring(data)
    except etree.XMLSyntaxError:  # it was changed before
        return data
    elements = [each for each in root.iter() if isinstance(each.tag, str)]
    one, other = chance.choice(elements), chance.choice(elements)
    what = chance.choice(["move", "repeat", "drop", "wrap", "name", "words", "attribute", "attribute"])
    if what == "words":
        one.text = chance.choice(["", " ", "x" * 5_000, "1932", "\u202e", "<b>", *NUMBERS])
    elif what == "attribute":
        name = chance.choice([*one.attrib, *other.attrib, "val"])
        one.set(name, chance.choice([*NUMBERS, "x" * 5_000, "true", "continue", "restart", "Heading1", "rId1", "../x"]))
    elif what == "name":
        one.tag = other.tag
    elif one is not root and one not in other.iterancestors() and one is not other:
        copied = deepcopy(one)
        if what != "repeat":
            one.getparent().remove(one)
        for _ in range({"move": 1, "repeat": chance.choice((1, 3, 100)), "wrap": 1, "drop": 0}[what]):
            other.append(deepcopy(copied))
        if what == "wrap":
            for _ in range(chance.choice((1, 30, 200))):
                outer = etree.SubElement(other, copied.tag)
                outer.append(other[-2])
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8", standalone=True))


def member_dropped(data: bytes, chance: random.Random) -> bytes:
    members = unpacked(data)
    if not members:
        return data
    del members[chance.choice(sorted(members))]
    return packed(members)


def member_renamed(data: bytes, chance: random.Random) -> bytes:
    members = unpacked(data)
    if not members:
        return data
    name = chance.choice(sorted(members))
    other = chance.choice([*members, "../../x", "/etc/x", "word\\document.xml", " ", "x" * 300, "\u202e", name.upper()])
    return packed({other if each == name else each: content for each, content in members.items()})


def unpacked(data: bytes) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return {item.filename: archive.read(item) for item in archive.infolist()}
    except Exception:  # it was changed at its bytes before
        return {}


def packed(members: dict[str, bytes], level: int = 1) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


# --- the objects of a PDF

_OBJECT = re.compile(rb"(\d+) 0 obj\n(.*?)\nendobj\n", re.DOTALL)
_VALUES = [b"null", b"true", b"[]", b"<<>>", b"()", b"/X", b"<FEFFD800>", b"(\\000)", b"1 0 R", b"2 0 R", b"99 0 R"]
_VALUES += [b"[1 0 R 1 0 R]", *(number.encode() for number in NUMBERS)]


def _objects(data: bytes) -> list[bytes]:
    return [found[2] for found in _OBJECT.finditer(data)]


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


def pdf(objects: Sequence[bytes], trailer: bytes = b"/Root 1 0 R", version: bytes = b"1.5") -> bytes:
    """A PDF of these objects, the first of which is the catalogue."""
    out, places = bytearray(b"%%PDF-%b\n" % version), []
    for number, body in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer\n<< /Size %d %b >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, trailer, table)
    return bytes(out)


# --- texts


def lines_shuffled(data: bytes, chance: random.Random) -> bytes:
    lines = data.splitlines(keepends=True)
    chance.shuffle(lines)
    return b"".join(lines)


def line_ends_changed(data: bytes, chance: random.Random) -> bytes:
    ends = [b"\r", b"\r\n", b"\n\n", b" ", "\u2028".encode(), "\u0085".encode(), b"\n\t", b"\v", b"\f"]
    return data.replace(b"\n", chance.choice(ends))


def encoded_otherwise(data: bytes, chance: random.Random) -> bytes:
    encoding = chance.choice(["utf-16", "utf-32", "latin-1", "utf-8-sig", "utf-7", "cp037", "shift_jis"])
    return data.decode(errors="replace").encode(encoding, "replace")


def signs_put_in(data: bytes, chance: random.Random) -> bytes:
    text = data.decode(errors="replace")
    for _ in range(chance.randint(1, 20)):
        at = chance.randrange(len(text) + 1)
        text = text[:at] + chance.choice(SIGNS) * chance.choice((1, 1, 1, 3, 50)) + text[at:]
    return text.encode()


def letters_put_in(data: bytes, chance: random.Random) -> bytes:
    """Any code points, control characters and noncharacters among them."""
    text = data.decode(errors="replace")
    at = chance.randrange(len(text) + 1)
    most = chance.choice((0x20, 0x100, 0xD7FF, 0x10FFFF))
    letters = "".join(chr(chance.randint(1, most)) for _ in range(chance.randint(1, 40)))
    return (text[:at] + letters + text[at:]).encode(errors="replace")


def headed(data: bytes, chance: random.Random) -> bytes:
    """It begins with front matter."""
    keys = ["title", "date", "url", "lang", "language", "x", "", "TITLE"]
    values = [*NUMBERS, *PAYLOADS, "x" * 100_000, "https://e.org/" + "y" * 3_000, "2024-02-30", "2024-02-29", "pt-BR"]
    fields = "".join(f"{chance.choice(keys)}: {chance.choice(values)}\n" for _ in range(chance.randint(0, 70)))
    return f"---\n{fields}{chance.choice(['---', '...', '', '----'])}\n".encode() + data


SIGNS = (
    *(
        "#",
        "# ",
        "\n# ",
        "= ",
        " =",
        "==",
        "\n---\n",
        "\n===\n",
        "- ",
        "\n1. ",
        "> ",
        "*",
        "**",
        "***",
        "_",
        "__",
        "''",
    ),
    *(
        "'''",
        "`",
        "\n```\n",
        "\n~~~\n",
        "[",
        "]",
        "](",
        "](#)",
        "![",
        "[[",
        "]]",
        "|",
        "<",
        ">",
        "<b>",
        "</b>",
        "<ref>",
    ),
    *(
        "</ref>",
        "<ref/>",
        "<!--",
        "-->",
        "{{",
        "}}",
        "https://e.org",
        "<https://e.org>",
        "\nInfobox\n",
        "July 29, 2024",
    ),
    *(
        "&amp;",
        "\n",
        "\n\n",
        "\r\n",
        "\r",
        "\t",
        " ",
        "“",
        "”",
        "‘",
        "«",
        "「",
        "(",
        ")",
        "...",
        "!",
        "?",
        "No. ",
        "Mr. ",
    ),
    *(
        "a.b.",
        "1,000",
        "。",
        "\u0301",
        "\u202e",
        "\u2028",
        "\ufeff",
        "\u00a0",
        "\u200b",
        "\U0010ffff",
        "😀",
        "x" * 3_000,
    ),
    *(
        "\nread more: [a](b)\n",
        "\nurl:\n",
        "\n**A / B**\n",
        "\n- a: b.svg\n",
        "[[File:a|b]]",
        "\nPublished: 1 May 2020\n",
    ),
)

# --- all that


def _text(chance: random.Random) -> bytes:
    parts = [*SIGNS, PROSE, "word ", "The end. "]
    return "".join(chance.choices(parts, k=chance.choice((3, 30, 300)))).encode()


def _html(chance: random.Random) -> bytes:
    tags = "p div table tr td th ul li h1 h2 pre b i a span br script style title form select noscript svg math".split()
    parts = [*(f"<{tag}>" for tag in tags), *(f"</{tag}>" for tag in tags), PROSE, "word ", "\n", "&nbsp;", "&lt;"]
    return "".join(chance.choices(parts, k=chance.choice((3, 30, 300)))).encode() + chance.choice(_FRAGMENTS)


def _pdf(chance: random.Random) -> bytes:
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


def _docx(chance: random.Random) -> bytes:
    """A document with any elements in its body."""
    parts = [
        "<w:p>",
        "</w:p>",
        "<w:r><w:t>",
        "</w:t></w:r>",
        "<w:tbl>",
        "</w:tbl>",
        "<w:tr>",
        "</w:tr>",
        "<w:tc>",
        "</w:tc>",
    ]
    parts += ["<w:br/>", "<w:tab/>", "<w:pPr><w:pStyle w:val='Heading1'/></w:pPr>", "<w:sdt>", "</w:sdt>", "<w:tcPr/>"]
    parts += [f"<w:tcPr><w:gridSpan w:val='{number}'/></w:tcPr>" for number in NUMBERS]
    whole = [
        f"<w:p><w:r><w:t>{PROSE}</w:t></w:r></w:p>",
        "<w:tbl><w:tr><w:tc><w:p><w:r><w:t>1932</w:t></w:r></w:p></w:tc></w:tr></w:tbl>",
        "<w:tbl><w:tr><w:tc><w:tcPr><w:vMerge/></w:tcPr><w:p/></w:tc></w:tr></w:tbl>",
    ]
    body = "".join(chance.choices(whole, k=5) if chance.random() < 0.7 else chance.choices(parts, k=20))
    return with_body(body.encode())


def page(content: bytes, more: bytes = b"", others: Sequence[bytes] = ()) -> bytes:
    """A PDF of one page with these operators; `more` is of its resources, `others` are objects 6 and on."""
    return pdf(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [4 0 R] /Count 1 >>",
            b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources << /Font << /F1 3 0 R >> %b >> "
            b"/Contents 5 0 R >>" % more,
            stream(content),
            *others,
        ]
    )


def stream(content: bytes, packed: int = 0, about: bytes = b"") -> bytes:
    """A stream, packed so many times."""
    for _ in range(packed):
        content = zlib.compress(content)
    filters = b"/Filter [%b] " % b" ".join([b"/FlateDecode"] * packed) if packed else b""
    return b"<< %b%b /Length %d >>\nstream\n%b\nendstream" % (filters, about, len(content), content)


def with_body(body: bytes) -> bytes:
    members = dict(unpacked(valid("docx")[0]))
    members["word/document.xml"] = re.sub(
        rb"(<w:body>).*?(<w:sectPr|</w:body>)",
        lambda found: found[1] + body + found[2],
        members["word/document.xml"],
        flags=re.DOTALL,
    )
    return packed(members)


@cache
def valid(kind: Kind) -> list[bytes]:
    """Files that are read."""
    sentences = PROSE * 3
    if kind == "text":
        return [
            *(text.encode() for text in DOCUMENTS.values()),
            f"Bridges\nMay 3, 1999\n\n{sentences}\n\nSecond\n------\n\n- One\n- Two\n\n{sentences}\n".encode(),
            f"---\ntitle: Bridges\ndate: 1999-05-03\nurl: https://e.org/\nlang: en\n---\n# One\n\n{sentences}".encode(),
            f"= Bridges =\n\nInfobox\n- Span: 9 m\n\n{sentences}\n\n== Cost ==\n\n[[a|b]] {{{{c}}}} {PROSE}".encode(),
        ]
    if kind == "html":
        head = '<title>Bridges</title><meta property="article:published_time" content="1999-05-03T10:00:00Z">'
        head += '<link rel="canonical" href="https://times.example/b">'
        table = '<table><tr><th colspan="2">Year</th></tr><tr><td>1932</td><td>5,000</td></tr></table>'
        body = f'<h1>Bridge <i>opens</i></h1><p lang="en">{sentences}</p><ul><li>Two</li><li>One</li></ul>{table}'
        return [
            files.html(f"{body}<h2>Cost</h2><div>It cost $4&nbsp;million.<p>{sentences}</p>tail</div>", head),
            files.html(f"<article>{sentences}<br>{sentences}<pre>a\n b</pre></article><!-- no -->", head),
            f'<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><body>{body}</body></html>'.encode(),
            f'<meta charset="iso-8859-1"><p>Él vino. {sentences}</p>'.encode("latin-1", "replace"),
        ]
    if kind == "pdf":
        lines = re.split(r"(?<=\.) ", PROSE.replace("“", "").replace("”", ""))
        return [
            files.pdf([lines, lines], title="Bridges"),
            page(b"BT /F1 12 Tf 72 720 Td (It rained. The bridge opened in 1932.) Tj ET").replace(b"1932", b"1933"),
            *_drawn(),
        ]
    styles = [("Title", "Bridges"), ("Heading 1", "Opening"), ("Normal", sentences), ("List Bullet", "Two")]
    return [
        small_word([*styles, ("Normal", sentences)], [["Year", "Cars"], ["1932", "5,000"]]),
        small_word([("Normal", sentences)] * 3),
        files.word(styles),
    ]


def small_word(blocks: Sequence[tuple[str, str]], table: Sequence[Sequence[str]] = ()) -> bytes:
    """A DOCX without the parts and the styles that it does not need."""
    needed = {"[Content_Types].xml", "_rels/.rels", "docProps/core.xml", "word/document.xml", "word/styles.xml"}
    needed |= {"word/_rels/document.xml.rels"}
    members = {name: each for name, each in unpacked(files.word(blocks, table)).items() if name in needed}
    for name in ("_rels/.rels", "word/_rels/document.xml.rels"):
        kept = rb'(?:(?!/>).)*"(?:styles.xml|word/document.xml|docProps/core.xml)"'
        members[name] = re.sub(rb"<Relationship (?!%b)[^>]*/>" % kept, b"", members[name])
    used = rb'w:styleId="(?:Normal|Title|Heading1|ListBullet)"'
    members["word/styles.xml"] = re.sub(
        rb"<w:style (?![^>]*%b).*?</w:style>" % used, b"", members["word/styles.xml"], flags=re.DOTALL
    )
    return packed(members)


def _drawn() -> list[bytes]:
    """PDFs with embedded fonts and packed streams, as a plotting library writes them."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    made = []
    for font in (3, 42):
        with mpl.rc_context({"pdf.fonttype": font}):
            figure, out = Figure(figsize=(4, 3)), io.BytesIO()
            figure.text(0.1, 0.5, "It rained. The bridge opened in 1932.")
            figure.text(0.1, 0.3, "Él cost $4 million.")
            figure.savefig(out, format="pdf")
        data = out.getvalue()
        made.append(pdf(_renumbered_objects(data)))
    return made


def _renumbered_objects(data: bytes) -> list[bytes]:
    """The objects of a PDF under their own numbers, empty ones where a number is free."""
    found = {int(one[1]): one[2] for one in _OBJECT.finditer(data)}
    return [found.get(number, b"null") for number in range(1, max(found) + 1)]


GENERATED: dict[Kind, Callable[[random.Random], bytes]] = {"text": _text, "html": _html, "pdf": _pdf, "docx": _docx}
CHANGES: dict[Kind, list[Change]] = {
    "text": [signs_put_in, signs_put_in, letters_put_in, lines_shuffled, line_ends_changed, encoded_otherwise, headed],
    "html": [*OF_TAGS, encoded_otherwise],
    "pdf": [object_changed, value_changed, value_changed, object_moved, stream_changed, stream_changed, table_changed],
    "docx": [*[member_changed] * 8, member_dropped, member_renamed],
}
