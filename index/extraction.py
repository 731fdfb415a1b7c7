"""Text out of HTML, PDF and DOCX files, taken out by a process of its own with limits on memory, time and output.

The text that comes out is what offsets refer to: paragraphs between blank lines, headings after `#`, items after `-`,
the cells of a row between `|`. What a file makes its parser do, it does in the other process, which is ended for it.
That process writes no files and its answer is checked, but it is the same user's: whoever takes it over by a fault of
a parser can still read what that user can read, and reach the network.
"""

import ctypes
import io
import json
import math
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date
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
MAX_TITLE = 300  # code points
MAX_URL = 2_000
MAX_LANG = 35  # as RFC 5646 advises
_MAX_REASON = 300
_MAX_ANSWER = 8 * MAX_TEXT  # bytes: JSON writes some letters in six and more
_SPACE = re.compile(r"\s+")
_URL = re.compile(rf"(?=.{{1,{MAX_URL}}}$)https?://\S+")
_SKIPPED = frozenset(
    """aside audio button canvas dialog footer head iframe input math nav noscript object option script select style svg
    template textarea video""".split()
)
_INLINE = frozenset(
    """a abbr b bdi bdo cite code data del dfn em font i ins kbd label mark q rp rt ruby s samp small span strike strong
    sub sup time tt u var wbr""".split()
)
# In a cell, they show that a table is there for the layout.
_BLOCKS = frozenset("article blockquote div dl h1 h2 h3 h4 h5 h6 ol p pre section table ul".split())


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
            return _read(connection.recv_bytes(_MAX_ANSWER))
        except (EOFError, OSError) as error:
            self.close()
            if late.is_set() or process.returncode == -signal.SIGXCPU:
                raise ExtractionError(f"its text was not out after {self._seconds:.0f} seconds") from error
            raise ExtractionError("its parser crashed, or needed too much memory") from error
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            self.close()
            raise ExtractionError("its parser gave something else than a text") from error
        finally:
            watch.cancel()
            watch.join()
            if late.is_set():  # just after the answer: the next file needs another process
                self.close()

    def _started(self) -> tuple[subprocess.Popen[bytes], Connection]:
        if self._process and self._connection and self._process.poll() is None:
            return self._process, self._connection
        self.close()
        ours, theirs = socket.socketpair()
        with theirs:
            arguments = theirs.fileno(), self._memory, self._seconds
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                [sys.executable, "-P", "-m", "index.extraction", *map(str, arguments)],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={name: value for name, value in os.environ.items() if not name.startswith("ATTEST_")},
            )
        self._connection = Connection(ours.detach())
        return self._process, self._connection


def _read(answer: bytes) -> Extracted:
    """The answer of a process that a file may have taken over.

    Raises ExtractionError for one that says why there is no text, and whatever it may for another, which it cannot
    have given by itself.
    """
    given = json.loads(answer)
    if "error" in given:
        reason = given["error"][:_MAX_REASON]  # may hold words of the file, and is shown on terminals
        raise ExtractionError("".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in reason))
    found = Extracted(**given | {"pages": tuple(given["pages"])})
    words = (found.text, found.title or "", found.url or "", found.lang or "")
    if any(_clean(each) != each for each in words) or len(found.text.encode()) > MAX_TEXT or not found.text.strip():
        raise ValueError("no text")
    if not all(type(place) is int and 0 <= place <= len(found.text) for place in found.pages) or list(
        found.pages
    ) != sorted(found.pages):
        raise ValueError("no pages")
    if _about(found) != found:
        raise ValueError("no title, date, address or language")
    return found


def _clean(words: str) -> str:
    """As many code points, all of which a file of text could hold."""
    return words.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()


def _about(found: Extracted) -> Extracted:
    """Cut short what a file says of itself, and leave out what is no date, no address and no language."""
    return replace(
        found,
        title=_clean(found.title or "")[:MAX_TITLE].strip() or None,
        date=_day(found.date or ""),
        url=address(found.url or ""),
        lang=found.lang if found.lang and len(found.lang) <= MAX_LANG and found.lang.isascii() else None,
    )


def address(words: str) -> str | None:
    """Words that are an address to follow, else nothing."""
    return words if _URL.fullmatch(words) and words.isprintable() else None


def _day(words: str) -> str | None:
    try:
        return date.fromisoformat(words).isoformat() if len(words) == 10 else None
    except ValueError:
        return None


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
        date=next((found for stated in dates if stated and (found := _day(stated[:10]))), None),
        url=next(filter(address, filter(None, canonical)), None),
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
    styles = {style.style_id: style.name or "" for style in document.styles}  # to look for each anew takes long
    blocks: list[str] = []
    for block in document.iter_inner_content():
        if isinstance(block, Table):
            blocks += _rows(block)
        else:
            blocks.append(_paragraph(block, styles))
    about = document.core_properties
    return Extracted(
        "\n\n".join(filter(None, blocks)),
        title=_folded(about.title or "") or None,
        date=about.created.date().isoformat() if about.created else None,
        lang=about.language or None,
    )


def _rows(table: "Table") -> Iterator[str]:
    """The cells of each row; one over several columns once, and one over several rows in each of them."""
    from docx.table import _Cell

    above: dict[int, str] = {}  # by column
    for row in table.rows:
        here, column = {}, row.grid_cols_before
        for cell in row._tr.tc_lst:  # `row.cells` holds a cell as often as it says that it is wide
            is_above = cell.vMerge == "continue"
            here[column] = above.get(column, "") if is_above else _folded(_Cell(cell, table).text)
            column += max(1, cell.grid_span)
        yield " | ".join(here.values())
        above = here


def _paragraph(paragraph: "Paragraph", styles: Mapping[str, str]) -> str:
    words = _folded(paragraph.text)
    style = styles.get(paragraph._p.style or "", "")
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


def main(descriptor: int, memory: int, seconds: float) -> None:
    """Answer with the text of one file after the other."""
    for limit, value in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 64),
    ):
        resource.setrlimit(limit, (value, value))
    if sys.platform == "linux":
        system = ctypes.CDLL(None)
        system.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: it ends with the process that asks
        system.prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS: no program that it starts may do more than it
    connection = Connection(descriptor)
    while True:
        try:
            kind = connection.recv_bytes().decode()
            data = connection.recv_bytes()
        except EOFError:
            return
        most = math.ceil(time.process_time() + seconds) + 1  # also if who asks cannot end it
        resource.setrlimit(resource.RLIMIT_CPU, (most, resource.RLIM_INFINITY))
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
    text = _clean(found.text)
    if len(text.encode()) > MAX_TEXT:
        return {"error": f"more than {MAX_TEXT // 1_000_000} MB of text"}
    if not text.strip():
        return {"error": "no text in it"}
    return asdict(_about(replace(found, text=text)))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
