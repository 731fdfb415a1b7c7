"""Small files that ask for a lot: of memory, of time, or of what is not theirs; each of about so many characters."""

import io
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

from tests import files
from tests.torture.inputs.docx import with_body
from tests.torture.inputs.examples import PROSE, Kind, valid
from tests.torture.inputs.octets import NUMBERS
from tests.torture.inputs.parts import packed, page, pdf, stream, unpacked

Bomb = Callable[[int], bytes]
SECRET = "what no document may say 0451"  # in a file that entities of documents name
ENTITIES = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
DOCTYPE = f'<!DOCTYPE a [<!ENTITY e0 "lol"><!ENTITY s SYSTEM "{{place}}">{ENTITIES}]>'

# --- texts: what costs a regular expression, or the splitting, the square of its length


def _repeated(unit: str, before: str = "", name: str = "") -> Bomb:
    def bomb(size: int) -> bytes:
        return (before + unit * (size // len(unit) + 1))[:size].encode()

    bomb.__name__ = f"{before!r} and then {name or repr(unit)}"
    return bomb


_UNITS = [
    "“",
    "‘",
    "«",
    "`",
    "(",
    "[",
    "[a](",
    "[[",
    "[[a|",
    "![",
    "[http://a ",
    "**a ",
    "__a ",
    ".__a",
    "*a ",
    "_a ",
    "'''",
]
_UNITS += ["''a ", "<", "<ref", "<ref>", "<b ", "<!--", "<!-- ", "{{", "{{a ", "https://a ", '[a](b "', "x", "x ", "\n"]
_UNITS += ["\r", "\t", " \n", "# ", "# a\n", "= = ", "==a==\n", "- ", "-\n", "a\n---\n", "```\n", "1. ", "1) a\n", "> "]
_UNITS += [
    "Infobox\n",
    "Infobox\n\na\n\n",
    "a:\n",
    "key: value\n",
    "related: [",
    "url:\n",
    "http://a\n",
    "**A / ",
    "* / ",
]
_UNITS += [
    "**A / B**\n",
    "! ",
    "? ",
    "... ",
    "Mr. ",
    "No. 1 ",
    "U.S. ",
    "a.b. ",
    "|",
    "| a: ",
    "\u2028",
    "\u0301",
    "😀",
    "a\nb",
]
_UNITS += ["a b\n\n", "May 1, 2020\n", "99.99.9999\n", "1234\n", "“a. ", "<!-- --> ", "{{a}}. ", "#\n", "\u200b ", "中"]
TEXT: list[Bomb] = [
    *(_repeated(unit) for unit in _UNITS),
    *(_repeated(unit.replace("\n", " "), "A b. ") for unit in _UNITS[:40]),
    _repeated("a: b\n", "---\n"),
    _repeated("x", "---\ntitle: "),
    _repeated("**x", "---\ntitle: "),
    _repeated("(a)", "[a]("),
    _repeated("-", "a\n"),
    _repeated(" ", "a b."),
    _repeated("Infobox\n\na\n\n", "http://a\n" * 20_000, "infoboxes"),
    _repeated("[" + "a" * 499, name="[ and 499 letters"),
    _repeated("<ref>" + "a" * 499, name="<ref> and 499 letters"),
    _repeated("![" + "[" * 590 + "\n", name="lines of ["),
    _repeated("| " + "a:" * 290 + "\n", name="lines of a:"),
    _repeated("**a / " * 50 + "\n", name="lines of **a /"),
    _repeated(f"{PROSE}\n\n", name="prose"),
]

# --- pages


def deep(size: int) -> bytes:
    return b"<div>" * (size // 5) + b"deep"


def deep_inline(size: int) -> bytes:
    return b"<b>" * 2_000 + b"deep"


def deep_tables(size: int) -> bytes:
    return b"<table><tr><td>" * 200 + b"deep" + b"</td></tr></table>" * 200


def wide_table(size: int) -> bytes:
    return b"<table><tr>" + b"<td>1</td>" * (size // 10) + b"</tr></table>"


def long_table(size: int) -> bytes:
    return b"<table>" + b"<tr><td>1<td>2</tr>" * (size // 19) + b"</table>"


def rows_in_cells(size: int) -> bytes:
    return b"<table><tr><td>" + b"<tr><td><b>" * (size // 11) + b"1"


def huge_spans(size: int) -> bytes:
    cells = "".join(f"<td colspan={n} rowspan={n} width={n}>1932</td>" for n in NUMBERS)
    return f"<table><tr>{cells}</tr></table><ol start={'9' * 1_000}><li value={'9' * 1_000}>x</ol>".encode()


def many_attributes(size: int) -> bytes:
    return b"<p " + b" ".join(b"a%d=1" % number for number in range(size // 20)) + b">It rained.</p>"


def huge_attribute(size: int) -> bytes:
    return b'<p title="' + b"x" * size + b'">It rained.</p>'


def huge_title(size: int) -> bytes:
    return b"<html lang='" + b"x" * size + b"'><title>" + b"x" * size + b"</title><p>It rained."


def huge_about(size: int) -> bytes:
    meta = b"<link rel=canonical href='https://e.org/%b'><meta name=date content='2024-02-31%b'>" % (
        b"y" * size,
        b"9" * size,
    )
    return meta + b"<p>It rained."


def expanding_page(size: int) -> bytes:
    return f"{DOCTYPE}<html><body><p>It rained. &e11; &s;</p></body></html>".encode()


def expanding_xhtml(size: int) -> bytes:
    return b'<?xml version="1.0"?>' + expanding_page(size)


def references(size: int) -> bytes:
    return b"<p>" + b"&lt;&#60;&#x1F600;" * (size // 18)


def breaks(size: int) -> bytes:
    return b"a<br>" * (size // 5)


def many_paragraphs(size: int) -> bytes:
    return b"<p>a" * (size // 4)


def unclosed_comment(size: int) -> bytes:
    return b"<p>It rained.</p>" + b"<!--" * (size // 4)


def unclosed_tags(size: int) -> bytes:
    return b"<p>It rained.</p>" + b"<a <" * (size // 4)


def script(size: int) -> bytes:
    return b"<script>" + b"x" * size + b"</script><p>It rained."


def quotes(size: int) -> bytes:
    return b"<p>" + "“".encode() * (size // 3)


HTML: list[Bomb] = [deep, deep_inline, deep_tables, wide_table, long_table, rows_in_cells, huge_spans, many_attributes]
HTML += [huge_attribute, huge_title, huge_about, expanding_page, expanding_xhtml, references, breaks, many_paragraphs]
HTML += [unclosed_comment, unclosed_tags, script, quotes]

# --- PDFs

_TREE = [b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [2 0 R 2 0 R] /Count 2147483647 >>"]


def tables_in_a_ring(size: int) -> bytes:
    data = valid("pdf")[0]
    at = data.rindex(b"xref\n", 0, data.rindex(b"startxref"))
    return data.replace(b"/Root 1 0 R", b"/Root 1 0 R /Prev %d" % at)


def tables_all_over(size: int) -> bytes:
    return valid("pdf")[0] + b"".join(b"startxref\n%d\n%%%%EOF\n" % at for at in range(0, size, 37))


def pages_in_a_ring(size: int) -> bytes:
    return pdf(_TREE)


def many_pages(size: int) -> bytes:
    return valid("pdf")[0].replace(b"/Count 2", b"/Count 2147483647")


def one_page_often(size: int) -> bytes:
    return valid("pdf")[1].replace(b"/Kids [4 0 R] /Count 1", b"/Kids [%b] /Count %d" % (b"4 0 R " * 20_000, 20_000))


def deep_array(size: int) -> bytes:
    return pdf([*_TREE, b"[" * size])


def deep_tree(size: int) -> bytes:
    depth = size // 60
    kids = [b"<< /Type /Pages /Kids [%d 0 R] /Count 1 >>" % number for number in range(3, depth + 3)]
    return pdf([_TREE[0], *kids, b"<< /Type /Page /MediaBox [0 0 9 9] >>"])


def packed_text(size: int) -> bytes:
    return page(b"BT /F1 12 Tf 72 720 Td (It rained.) Tj ET", b"", [stream(b"")]).replace(
        stream(b"BT /F1 12 Tf 72 720 Td (It rained.) Tj ET"),
        stream(b"BT /F1 12 Tf 72 720 Td " + b"(It rained.) Tj " * (size // 4) + b"ET", packed=1),
    )


def packed_many_times(size: int) -> bytes:
    return page(b"").replace(stream(b""), stream(b"BT /F1 12 Tf (It rained.) Tj ET " * size, packed=6))


def forms_in_a_ring(size: int) -> bytes:
    form = b"/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /X1 6 0 R >> >>"
    return page(b"/X1 Do " * 100, b"/XObject << /X1 6 0 R >>", [stream(b"/X1 Do /X1 Do", about=form)])


def forms_twice_each(size: int) -> bytes:
    """Each draws the next one twice: 2 to the power of 30 pieces of text."""
    forms = [
        stream(
            b"/X Do /X Do" if number < 35 else b"BT /F1 9 Tf (It rained.) Tj ET",
            about=b"/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources "
            b"<< /Font << /F1 3 0 R >> /XObject << /X %d 0 R >> >>" % (number + 1),
        )
        for number in range(6, 36)
    ]
    return page(b"/X Do", b"/XObject << /X 6 0 R >>", forms)


def huge_numbers(size: int) -> bytes:
    return page(b"BT /F1 %b Tf %b %b Td (It rained.) Tj ET" % ((b"9" * 300,) * 3)).replace(b"612", b"9" * 300)


def huge_length(size: int) -> bytes:
    return valid("pdf")[1].replace(b"/Length ", b"/Length 9999999999")


def objects_in_themselves(size: int) -> bytes:
    """A stream of objects that is one of its own objects."""
    content = zlib.compress(b"3 0 1 20 << /Type /Catalog >>")
    holder = b"<< /Type /ObjStm /N 2 /First 8 /Extends 3 0 R /Filter /FlateDecode /Length 3 0 R >>\nstream\n"
    return pdf([*_TREE, holder + content + b"\nendstream"])


def many_letters(size: int) -> bytes:
    """A map of letters that gives one of them very many."""
    letters = b"0041" * 10_000
    cmap = b"begincmap 1 beginbfchar <41> <%b> endbfchar endcmap" % letters
    made = page(b"BT /F1 12 Tf 72 720 Td (%b) Tj ET" % (b"A" * (size // 100)), b"", [stream(cmap)])
    return made.replace(b"/BaseFont /Helvetica", b"/BaseFont /Helvetica /ToUnicode 6 0 R")


def letters_everywhere(size: int) -> bytes:
    """Each letter stands by itself, in no order."""
    shown = b" ".join(b"1 0 0 1 %d %d Tm (a) Tj" % (n * 7919 % 600, n * 104_729 % 790) for n in range(size // 30))
    return page(b"BT /F1 1 Tf " + shown + b" ET")


PDF: list[Bomb] = [
    tables_in_a_ring,
    tables_all_over,
    pages_in_a_ring,
    many_pages,
    one_page_often,
    deep_array,
    deep_tree,
]
PDF += [packed_text, packed_many_times, forms_in_a_ring, forms_twice_each, huge_numbers, huge_length]
PDF += [objects_in_themselves, many_letters, letters_everywhere]

# --- documents of word processors

_CELL = b"<w:tc>%b<w:p><w:r><w:t>1932</w:t></w:r></w:p></w:tc>"


def zip_bomb(size: int) -> bytes:
    return files.zip_bomb(size // 10_000)


def zip_bomb_of_bombs(size: int) -> bytes:
    return files.zip_bomb(size // 500)


def expanding_word(size: int) -> bytes:
    members = unpacked(valid("docx")[0])
    body = members["word/document.xml"].replace(b">Two<", b">&e11; &s;<")
    return packed(members | {"word/document.xml": body.replace(b"?>", b"?>" + DOCTYPE.encode(), 1)})


def deep_word(size: int) -> bytes:
    return with_body(b"<w:sdt><w:sdtContent>" * (size // 40) + b"<w:p/>")


def tables_in_tables(size: int) -> bytes:
    return with_body(b"<w:tbl><w:tr><w:tc>" * 80 + b"<w:p/>" + b"</w:tc></w:tr></w:tbl>" * 80)


def huge_span(size: int) -> bytes:
    spans = (b"<w:tcPr><w:gridSpan w:val='%b'/></w:tcPr>" % n.encode() for n in NUMBERS)
    return with_body(b"<w:tbl><w:tr>%b</w:tr></w:tbl>" % b"".join(_CELL % span for span in spans))


def span_of_a_billion(size: int) -> bytes:
    return with_body(b"<w:tbl><w:tr>%b</w:tr></w:tbl>" % (_CELL % b"<w:tcPr><w:gridSpan w:val='999999999'/></w:tcPr>"))


def merged_rows(size: int) -> bytes:
    row = b"<w:tr>%b</w:tr>" % (_CELL % b"<w:tcPr><w:vMerge/></w:tcPr>" * 10)
    return with_body(b"<w:tbl>%b</w:tbl>" % (row * (size // 10_000)))


def large_table(size: int) -> bytes:
    row = b"<w:tr>%b</w:tr>" % (_CELL % b"" * 50)
    return with_body(b"<w:tbl>%b</w:tbl>" % (row * (size // 20_000)))


def many_words(size: int) -> bytes:
    return with_body(b"<w:p><w:r><w:t>It rained.</w:t></w:r></w:p>" * (size // 200))


def many_members(size: int) -> bytes:
    return packed(unpacked(valid("docx")[0]) | {f"word/{number}.xml": b"<a/>" for number in range(size // 100)})


def members_elsewhere(size: int) -> bytes:
    elsewhere = ["../../../tmp/attest", "/etc/passwd", "C:\\x", "word/../../x", "x\0y", "word/" + "d/" * 3_000]
    return packed(unpacked(valid("docx")[0]) | dict.fromkeys(elsewhere, b"x"))


def members_over_each_other(size: int) -> bytes:
    """Every member is the same packed megabytes, of which the file holds one copy."""
    data = packed({"a": b"x" * size * 10})
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        end = archive.start_dir
    entry = data[end : data.index(b"PK\5\6", end)]
    count = 5_000
    closing = b"PK\5\6\0\0\0\0" + count.to_bytes(2, "little") * 2
    return (
        data[:end]
        + entry * count
        + closing
        + (len(entry) * count).to_bytes(4, "little")
        + end.to_bytes(4, "little")
        + b"\0\0"
    )


def other_files(size: int) -> bytes:
    """Its parts are said to be files of the machine."""
    members = unpacked(valid("docx")[0])
    relations = members["word/_rels/document.xml.rels"].replace(b"styles.xml", b"{place}")
    return packed(members | {"word/_rels/document.xml.rels": relations})


DOCX: list[Bomb] = [
    zip_bomb,
    zip_bomb_of_bombs,
    expanding_word,
    deep_word,
    tables_in_tables,
    huge_span,
    span_of_a_billion,
]
DOCX += [merged_rows, large_table, many_words, many_members, members_elsewhere, members_over_each_other, other_files]

BOMBS: dict[Kind, list[Bomb]] = {"text": TEXT, "html": HTML, "pdf": PDF, "docx": DOCX}


def made(bomb: Bomb, size: int, secret: Path) -> bytes:
    """A bomb; where it names a file of the machine, it is the one with the secret."""
    data = bomb(size)
    place = secret.as_uri().encode()
    if b"{place}" in data:
        return data.replace(b"{place}", place)
    members = unpacked(data) if bomb in (expanding_word, other_files) else {}
    return packed({name: each.replace(b"{place}", place) for name, each in members.items()}) if members else data
