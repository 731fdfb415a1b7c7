"""Documents: files read into text whose offsets never change."""

import fnmatch
import hashlib
import os
import stat
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from index.extraction import MAX_TEXT, MAX_TITLE, Extracted, ExtractionError, Extractor, address
from index.extraction import SUFFIXES as EXTRACTED
from index.language import language
from index.markup import plain
from index.structure import Block, Structure, parse, parse_date, stated_language

TEXTS = (".txt", ".md")
SUFFIXES = (*TEXTS, *EXTRACTED)
NOT_READ = f"not a {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]} file"
MAX_BYTES = 20_000_000
MAX_NAME = 200  # bytes
_LONGEST_LINE = 10_000  # code points of a title with its markup
LANGUAGE_SAMPLE = 5_000  # code points: more of them would not make the language surer
IGNORE_FILE = ".attestignore"


class UnreadableFileError(Exception):
    """A file that cannot become a document; the message says why."""


class OutOfReachError(UnreadableFileError):
    """A file that the system would not give us this time."""


@dataclass(frozen=True, slots=True)
class DocumentRef:
    """What a citation says of its document. `uri` is the file's path in its folder, `sha256` that of its bytes.

    `lang` is the language it states or is surely written in, as a BCP 47 tag such as "en".
    """

    id: str
    title: str
    uri: str
    date: str | None
    sha256: str
    lang: str | None


@dataclass(frozen=True, slots=True)
class Section:
    """The slice [start, end) below one heading; `title` is None before the first heading."""

    title: str | None
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Document:
    """One source: `text` is the file decoded, or what was taken out of it, and never edited.

    All offsets are code points in it. `pages` are where its pages begin, if it has pages; it was `added` by itself,
    or found in the folder.
    """

    ref: DocumentRef
    text: str
    url: str | None
    sections: tuple[Section, ...]
    pages: tuple[int, ...] = ()
    added: bool = False

    @property
    def id(self) -> str:
        return self.ref.id

    def page(self, place: int) -> int | None:
        """The number of the page that holds this code point, if there are pages."""
        return bisect_right(self.pages, place) or None


def document_id(uri: str) -> str:
    """Name a document by where it is, so that it keeps its id when its words change."""
    return hashlib.sha256(uri.encode()).hexdigest()[:16]


def decode(data: bytes) -> str:
    """Decode a file's bytes as UTF-8. A byte-order mark belongs to the encoding, not to the text; line ends stay.

    Raises UnreadableFileError for binary, undecodable, empty and over-long data.
    """
    _check_size(len(data))
    if len(data) > MAX_TEXT:
        raise UnreadableFileError(f"more than {MAX_TEXT // 1_000_000} MB of text")
    if b"\0" in data:
        raise UnreadableFileError("binary, not text")
    try:
        text = data.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise UnreadableFileError(f"not UTF-8: undecodable byte 0x{data[error.start]:02x} at {error.start}") from None
    if not text.strip():
        raise UnreadableFileError("empty")
    return text


def file_name(name: str) -> str:
    """A name under which a file can be added: that of a file alone, of a kind that is read.

    Raises UnreadableFileError.
    """
    if not name.isprintable() or name.startswith(".") or "/" in name or "\\" in name:
        raise UnreadableFileError("its name is not that of a file alone")
    if len(name.replace("%", "%25").encode(errors="replace")) > MAX_NAME:  # as its file is named
        raise UnreadableFileError(f"its name has more than {MAX_NAME} bytes")
    if PurePosixPath(name).suffix.lower() not in SUFFIXES:
        raise UnreadableFileError(NOT_READ)
    return name


def document(
    uri: str, data: bytes, added: bool = False, extractor: Extractor | None = None
) -> tuple[Document, Structure]:
    """Read a file's bytes into a Document and the structure of its text. Raises UnreadableFileError."""
    return structured(uri, data, taken_out(uri, data, extractor), added)


def structured(uri: str, data: bytes, found: Extracted, added: bool = False) -> tuple[Document, Structure]:
    """A Document and the structure of its text, once that was taken out of its file."""
    structure = parse(found.text)
    title = _words(found.title or structure.title or "") or PurePosixPath(uri).stem
    lang = structure.lang or stated_language(found.lang or "") or language(_beginning(found.text, structure.blocks))
    published = structure.date or parse_date(found.date or "")
    ref = DocumentRef(document_id(uri), title, uri, published, hashlib.sha256(data).hexdigest(), lang)
    sections = tuple(_sections(structure.blocks, title, len(found.text)))
    return Document(ref, found.text, found.url or address(structure.url or ""), sections, found.pages, added), structure


def taken_out(uri: str, data: bytes, extractor: Extractor | None = None) -> Extracted:
    """The text of a file. Raises UnreadableFileError."""
    if not uri.lower().endswith(EXTRACTED):
        return Extracted(decode(data))
    _check_size(len(data))
    try:
        if extractor:
            return extractor.extract(uri, data)
        with Extractor() as alone:
            return alone.extract(uri, data)
    except ExtractionError as error:
        raise UnreadableFileError(str(error)) from error


def _check_size(size: int) -> None:
    if size > MAX_BYTES:
        raise UnreadableFileError(f"larger than {MAX_BYTES // 1_000_000} MB ({size / 1e6:.1f} MB)")


def _words(line: str) -> str:
    """The words of a title, without markup."""
    return plain(line, 0, min(len(line), _LONGEST_LINE)).text[:MAX_TITLE]


def _beginning(text: str, blocks: tuple[Block, ...]) -> str:
    """The words of the first paragraphs and items, as many as tell the language."""
    words, room = [], LANGUAGE_SAMPLE
    for block in blocks:
        if room > 0 and block.kind in ("paragraph", "item"):
            words.append(plain(text, block.start, min(block.end, block.start + room)).text)
            room -= len(words[-1])
    return " ".join(words)


def _sections(blocks: tuple[Block, ...], title: str, length: int) -> Iterator[Section]:
    name: str | None
    name, start, filled = None, 0, False
    for block in (*blocks, Block("heading", length, length)):
        if block.kind == "heading":
            if filled:
                yield Section(name, start, block.start)
            name = _words(block.title) or None
            name = None if name == title else name
            start, filled = block.end, False
        else:
            filled = filled or block.kind in ("paragraph", "item")


@dataclass(frozen=True, slots=True)
class Folder:
    """The files found below a folder: `files` to read, as (uri, path), and how many `.attestignore` left out.

    `unread` holds the folders that could not be looked into and the links that were not followed, as (uri, reason).
    """

    path: Path
    files: tuple[tuple[str, Path], ...]
    ignored: int
    unread: tuple[tuple[str, str], ...]


def find_files(folder: Path, index: Path | None = None) -> Folder:
    """List the files below a folder in the order of their paths; hidden ones and those of its index are not looked at.

    An `.attestignore` in the folder holds one shell pattern a line for files to leave out.
    Raises NotADirectoryError.
    """
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is not a folder")
    listed = folder / IGNORE_FILE
    lines = listed.read_text(encoding="utf-8-sig", errors="replace").splitlines() if listed.is_file() else []
    patterns = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    files, ignored = [], 0
    unread: list[tuple[str, str]] = []
    whole, own = folder.resolve(), index.resolve() if index else None

    def refuse(path: Path, reason: str) -> None:
        unread.append((os.fsencode(path.relative_to(folder)).decode("utf-8", "replace") + "/", reason))

    def failed(error: OSError) -> None:
        refuse(Path(error.filename), error.strerror or str(error))

    for directory, names, file_names in os.walk(folder, onerror=failed):
        for name in names:
            if not name.startswith(".") and Path(directory, name).is_symlink():
                refuse(Path(directory, name), "a link to another folder")
        visible = (name for name in names if not name.startswith("."))
        names[:] = sorted(name for name in visible if Path(directory, name).resolve() != own)
        for name in sorted(file_names):
            if name.startswith("."):
                continue
            path = Path(directory, name)
            uri = path.relative_to(folder).as_posix()
            if any(fnmatch.fnmatchcase(uri, pattern) for pattern in patterns):
                ignored += 1
            elif path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(whole):  # which allows for loops
                unread.append((os.fsencode(uri).decode("utf-8", "replace"), "a link that leads out of the folder"))
            else:
                files.append((uri, path))
    return Folder(folder, tuple(sorted(files)), ignored, tuple(unread))


def read_bytes(uri: str, path: Path) -> bytes:
    """Read one file. Raises UnreadableFileError, also for a format that is not read and a name that is not UTF-8."""
    try:
        uri.encode()
    except UnicodeEncodeError:
        raise UnreadableFileError("its name is not UTF-8") from None
    if path.suffix.lower() not in SUFFIXES:
        raise UnreadableFileError(NOT_READ)
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):
            raise UnreadableFileError("not a regular file")
        _check_size(about.st_size)
        return path.read_bytes()
    except FileNotFoundError:
        raise UnreadableFileError("a link to nothing, or removed just now") from None
    except OSError as error:
        raise OutOfReachError(error.strerror or str(error)) from None
