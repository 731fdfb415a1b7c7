"""Files of each kind that are read, to be changed."""

import io
import re
from collections.abc import Sequence
from functools import cache
from typing import Literal

from tests import files
from tests.awkward import DOCUMENTS
from tests.torture.inputs.parts import OBJECT, packed, page, pdf, unpacked

Kind = Literal["text", "html", "pdf", "docx"]
KINDS: tuple[Kind, ...] = ("text", "html", "pdf", "docx")
SUFFIX = {"text": ".md", "html": ".html", "pdf": ".pdf", "docx": ".docx"}
PROSE = "The bridge opened in 1932. It cost $4 million, and 5,000 cars crossed it. Who built it? “Smith,” he said. "


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
    found = {int(one[1]): one[2] for one in OBJECT.finditer(data)}
    return [found.get(number, b"null") for number in range(1, max(found) + 1)]
