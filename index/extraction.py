"""Text out of HTML, PDF and DOCX files, taken out by a process of its own with limits on memory, time and output.

The text that comes out is what offsets refer to: paragraphs between blank lines, headings after `#`, items after `-`,
the cells of a row between `|`. What a file makes its parser do, it does in the other process, which is ended for it.
"""

import ctypes
import io
import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from docx.table import Table
    from docx.text.paragraph import Paragraph
    from lxml.html import HtmlElement

SUFFIXES = (".html", ".htm", ".pdf", ".docx")
SECONDS = 60.0  # for one file
MEMORY = 1_500_000_000  # bytes of addresses, of which the libraries take 300 MB
MAX_TEXT = 10_000_000  # bytes of text, as UTF-8
_MAX_ANSWER = 8 * MAX_TEXT  # bytes: JSON writes some letters in six and more
_SPACE = re.compile(r"\s+")
_SKIPPED = frozenset(
    """aside audio button canvas dialog footer head iframe input math nav noscript object option script select style svg
    template textarea video""".split()
)
_INLINE = frozenset(
    """a abbr b bdi bdo cite code data del dfn em font i ins kbd label mark q rp rt ruby s samp small span strike strong
    sub sup time tt u var wbr""".split()
)

# In a cell, they show that a table is there for the layout.
_BLOCKS = frozenset(
    "article blockquote div dl h1 h2 h3 h4 h5 h6 ol p pre section table ul".split()
)  # in a cell: layout


class ExtractionError(Exception):
    """A file whose text cannot be taken out; the message says why."""


@dataclass(frozen=True, slots=True)
class Extracted:
    """The text of a file, where its pages begin in it if it has pages, and what the file says of itself."""

    text: str
    pages: tuple[int, ...] = ()
    title: str | None = None
    date: str | None = None
    url: str | None = None
    lang: str | None = None


class Extractor:
    """Owns the process, which is started when it is first needed and again when it was ended. For one thread."""

    def __init__(self, seconds: float = SECONDS, memory: int = MEMORY) -> None:
        self._seconds, self._memory = seconds, memory
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None

    def __enter__(self) -> "Extractor":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self._process and self._connection:
            self._connection.close()
            self._process.kill()
            self._process.wait()
        self._process = self._connection = None

    def extract(self, name: str, data: bytes) -> Extracted:
        """The text of a file, of a kind that its name tells. Raises ExtractionError."""
        process, connection = self._started()
        late = threading.Event()

        def end() -> None:
            late.set()
            process.kill()

        watch = threading.Timer(self._seconds, end)
        watch.start()
        try:
            connection.send_bytes(PurePosixPath(name).suffix.lower().encode())
            connection.send_bytes(data)
            answer = json.loads(connection.recv_bytes(_MAX_ANSWER))
        except (EOFError, OSError) as error:
            self.close()
            if late.is_set():
                raise ExtractionError(f"its text was not out after {self._seconds:.0f} seconds") from error
            raise ExtractionError("its parser crashed, or needed too much memory") from error
        finally:
            watch.cancel()
        if "error" in answer:
            raise ExtractionError(answer["error"])
        return Extracted(**answer | {"pages": tuple(answer["pages"])})

    def _started(self) -> tuple[subprocess.Popen[bytes], Connection]:
        if self._process and self._connection and self._process.poll() is None:
            return self._process, self._connection
        self.close()
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                [sys.executable, "-P", "-m", "index.extraction", str(theirs.fileno()), str(self._memory)],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={name: value for name, value in os.environ.items() if not name.startswith("ATTEST_")},
            )
        self._connection = Connection(ours.detach())
        return self._process, self._connection


def html(data: bytes) -> Extracted:
    """What is read of a page, without what leads to other pages."""
    from lxml import html as lxml_html

    try:
        data.decode()
        encoding = "utf-8"
    except UnicodeDecodeError:
        encoding = None  # as the page says
    parser = lxml_html.HTMLParser(encoding=encoding, no_network=True, huge_tree=True)
    root = lxml_html.document_fromstring(data, parser=parser)
    if any(entry.type_name == "ERR_RESOURCE_LIMIT" for entry in parser.error_log):  # what comes then is left out
        raise ExtractionError("its elements are nested too deeply")
    blocks = [block for block in _blocks(root) if block.strip("#- |")]
    fields = {str(meta.get("property") or meta.get("name")).lower(): meta.get("content") for meta in root.iter("meta")}
    dates = (fields.get(name) for name in ("article:published_time", "date", "dc.date", "datepublished"))
    canonical = [link.get("href") for link in root.iter("link") if link.get("rel") == "canonical"]
    title = _folded(fields.get("og:title") or root.findtext(".//title") or "")
    return Extracted(
        "\n\n".join(blocks),
        title=title or None,
        date=next((date[:10] for date in dates if date), None),
        url=next((url for url in canonical if url and url.startswith(("http://", "https://"))), None),
        lang=root.get("lang"),
    )


def _blocks(element: "HtmlElement") -> Iterator[str]:
    """The blocks of an element, in order; words that stand between blocks are a block too."""
    loose: list[str] = []

    def flushed() -> Iterator[str]:
        words = "\n".join(filter(None, map(_folded, "".join(loose).split("\v"))))
        loose.clear()
        if words:
            yield words

    stack: list[tuple[Any, str]] = [(element, "")]
    while stack:
        node, prefix = stack.pop()
        if isinstance(node, str):
            loose.append(node)
            continue
        if node is None:  # the end of a block
            yield from (prefix + block for block in flushed())
            continue
        tag = node.tag if isinstance(node.tag, str) else "script"  # a comment
        after: list[tuple[Any, str]] = [(node.tail, "")] if node.tail and node is not element else []
        if tag in _SKIPPED:
            stack += after
            continue
        if tag == "br":
            stack += after
            loose.append("\v")
            continue
        inner = ([(node.text, "")] if node.text else []) + [(child, "") for child in node]
        if tag == "tr" and not any(each.tag in _BLOCKS for each in node.iter()):
            inner = [(" | ".join(" ".join(_blocks(cell)) for cell in node if isinstance(cell.tag, str)), "")]
        if tag in _INLINE:
            stack += [*after, *reversed(inner)]
            continue
        yield from flushed()
        stack += [*after, (None, _prefix(tag)), *reversed(inner)]
    yield from flushed()


def _prefix(tag: str) -> str:
    if len(tag) == 2 and tag[0] == "h" and tag[1] in "123456":
        return "#" * int(tag[1]) + " "
    return "- " if tag == "li" else ""


def pdf(data: bytes) -> Extracted:
    """The text of each page, as PDFium puts it in order."""
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        protected = "password" in str(error).lower()
        raise ExtractionError(
            "protected by a password" if protected else f"no PDF that can be read: {error}"
        ) from error
    parts, pages, length = [], [], 0
    for page in document:
        words = page.get_textpage().get_text_range()
        words = re.sub(
            r"[\ufffe\x02]\s*\n", "", words.replace("\r\n", "\n").replace("\r", "\n")
        )  # hyphens at line ends
        pages.append(length)
        parts.append(words.strip())
        length += len(parts[-1]) + 2
        if length > MAX_TEXT:
            break
    if not any(parts):
        raise ExtractionError("no text in it, only images; it has to be recognised (OCR) first")
    about = document.get_metadata_dict()
    made = re.match(r"D:(\d{4})(\d\d)(\d\d)", about.get("CreationDate") or "")
    return Extracted(
        "\n\n".join(parts),
        tuple(pages),
        title=_folded(about.get("Title") or "") or None,
        date="-".join(made.groups()) if made else None,
    )


def docx(data: bytes) -> Extracted:
    """The paragraphs and tables of a document, without headers, footers, notes and comments."""
    import docx as python_docx
    from docx.table import Table

    document = python_docx.Document(io.BytesIO(data))
    blocks: list[str] = []
    for block in document.iter_inner_content():
        if isinstance(block, Table):
            blocks += _rows(block)
        else:
            blocks.append(_paragraph(block))
    about = document.core_properties
    return Extracted(
        "\n\n".join(filter(None, blocks)),
        title=_folded(about.title or "") or None,
        date=about.created.date().isoformat() if about.created else None,
        lang=about.language or None,
    )


def _rows(table: "Table") -> Iterator[str]:
    for row in table.rows:
        cells = dict.fromkeys(row.cells)  # a cell over several columns is given several times
        yield " | ".join(_folded(cell.text) for cell in cells)


def _paragraph(paragraph: "Paragraph") -> str:
    words = _folded(paragraph.text)
    style = (paragraph.style.name or "") if paragraph.style else ""
    if not words:
        return ""
    if style == "Title":
        return f"# {words}"
    if level := re.fullmatch(r"Heading ([1-6])", style):
        return f"{'#' * int(level[1])} {words}"
    return f"- {words}" if style.startswith("List") else words


def _folded(words: str) -> str:
    return _SPACE.sub(" ", words).strip()


_KINDS = {".html": html, ".htm": html, ".pdf": pdf, ".docx": docx}


def main(descriptor: int, memory: int) -> None:
    """Answer with the text of one file after the other."""
    for limit, value in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 64),
    ):
        resource.setrlimit(limit, (value, value))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: it ends with the process that asks
    connection = Connection(descriptor)
    while True:
        try:
            kind = connection.recv_bytes().decode()
            data = connection.recv_bytes()
        except EOFError:
            return
        connection.send_bytes(json.dumps(_answer(kind, data)).encode())


def _answer(kind: str, data: bytes) -> dict[str, Any]:
    try:
        found = _KINDS[kind](data)
    except ExtractionError as error:
        return {"error": str(error)}
    except (MemoryError, RecursionError):
        return {"error": "its parser needed too much memory"}
    except Exception as error:  # the libraries raise whatever they meet
        return {"error": f"no {kind} file that can be read ({type(error).__name__}: {str(error)[:200]})"}
    text = found.text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace")
    if len(text) > MAX_TEXT:
        return {"error": f"more than {MAX_TEXT // 1_000_000} MB of text"}
    if not text.strip():
        return {"error": "no text in it"}
    return asdict(found) | {"text": text.decode()}


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
