"""The truth: documents, passages and vectors in one SQLite file.

One connection at a time writes, that of the process that holds the index's lock, and only it moves what is in the
write-ahead log into the file. Readers open the file read-only, so that none of them can: SQLite before 3.51.3 may
damage a file when a log is started anew while several connections do so. The log is started anew by the change after
all of it was moved, unless somebody reads from it: a reader that stays does so from the file, once it was `folded`.
"""

import hashlib
import json
import os
import shlex
import sqlite3
import threading
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from index.documents import Document, DocumentRef, Section
from index.embedding import DEFAULT_EMBEDDER, Embedder, Vectors
from index.errors import (
    DamagedStoreError,
    FullStoreError,
    MissingStoreError,
    OutdatedStoreError,
    StoreError,
    not_written,
)
from index.passages import Passage, context

FILE_NAME = "attest.sqlite"
DEFAULT_DIRECTORY = ".attest"
# Raise it whenever the tables change, or the same files would give other documents, sections or passages than before.
FORMAT = 4
Kind = Literal["auto", "exact", "ivf"]  # of dense index
BATCH = 4_096  # vectors
MAX_UNREAD = 1_000  # files that are remembered as not read
MAX_LOG = 1_000_000  # bytes that the write-ahead log keeps when it is started anew

_OUT_OF_REACH = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_NOMEM,
}
_DOCUMENT = "id, title, uri, date, sha256, lang, url, sections, pages, added, text"
_PASSAGE = 'id, document_id, start, "end", section, sentences, input_sha256, vector'
_SCHEMA = """
CREATE TABLE meta (value TEXT NOT NULL);
CREATE TABLE documents (
    id TEXT PRIMARY KEY, title TEXT NOT NULL, uri TEXT NOT NULL UNIQUE, date TEXT, sha256 TEXT NOT NULL,
    lang TEXT, url TEXT, sections TEXT NOT NULL, pages TEXT NOT NULL, added INTEGER NOT NULL, text TEXT NOT NULL,
    digest TEXT NOT NULL
);
CREATE TABLE passages (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
    document_id TEXT NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
    start INTEGER NOT NULL, "end" INTEGER NOT NULL, section TEXT, sentences TEXT NOT NULL,
    input_sha256 TEXT NOT NULL, vector BLOB NOT NULL, digest TEXT NOT NULL
);
CREATE INDEX passages_by_document ON passages (document_id);
CREATE INDEX passages_by_input ON passages (input_sha256);
"""


@dataclass(frozen=True, slots=True)
class Meta:
    """What an index was made with. `generation` counts its changes; `fingerprint` is a sha256 over its contents.

    `folder` is empty while documents were only added by themselves. `unread` holds (path, reason) of the first
    MAX_UNREAD files that the last build could not read; `more_unread` counts those beyond. `dense` is the kind of
    dense index that was asked for.
    """

    format: int
    generation: int
    fingerprint: str
    folder: str
    embedder: str
    embedder_sha256: str
    dimensions: int
    suggestions: tuple[str, ...]
    unread: tuple[tuple[str, str], ...]
    more_unread: int = 0
    dense: Kind = "auto"

    @classmethod
    def of(cls, embedder: Embedder) -> "Meta":
        """That of an index before its first generation."""
        return cls(FORMAT, 0, "", "", embedder.name, embedder.fingerprint, embedder.dimensions, (), ())


@dataclass(frozen=True, slots=True)
class Listing:
    """One row of the list of documents; `characters` counts code points.

    `added` tells a document that was added by itself from one of the folder's.
    """

    ref: DocumentRef
    url: str | None
    added: bool
    characters: int
    passages: int


def model_input(title: str, passage: Passage) -> str:
    """The text that is embedded for a passage: its words after what they leave unsaid."""
    return f"{context(title, passage.section)}. {passage.plain_text}"


def model_input_sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class Store:
    """A connection to the SQLite file of an index directory, closed by leaving a `with` block.

    Opened to read, it sees the generation it was opened on until it is closed, whatever is written meanwhile,
    and may be used from several threads.
    """

    def __init__(self, directory: Path, connection: sqlite3.Connection) -> None:
        self.directory = directory
        self._connection = connection
        self._lock = threading.Lock()
        self.document = lru_cache(maxsize=16)(self._document)

    @classmethod
    def open(cls, directory: Path) -> "Store":
        """Open to read. Raises StoreError: MissingStoreError, DamagedStoreError and OutdatedStoreError among them."""
        path = directory / FILE_NAME
        if not path.is_file():
            raise MissingStoreError(f"There is no index in {directory}. Make one with: {command(directory)}")
        store = cls(directory, _connect(path, to_read=True))
        try:
            store._begin()
            (found,) = store._rows("PRAGMA quick_check(1)")[0]
            if found != "ok":
                raise _damaged(directory, found)
            if not store._has_tables():  # whoever began to make it was killed
                raise MissingStoreError(f"There is no index in {directory}. Make one with: {command(directory)}")
            store.meta()
            store.counts()
        except BaseException:
            store.close()
            raise
        return store

    @classmethod
    def generation(cls, directory: Path) -> tuple[int, str] | None:
        """The number and the fingerprint of the newest generation, found without a look at the rest.

        None if there is no index. Raises StoreError.
        """
        path = directory / FILE_NAME
        if not path.is_file():
            return None
        store = cls(directory, _connect(path, to_read=True))
        try:
            meta = store.meta() if store._has_tables() else None
            return (meta.generation, meta.fingerprint) if meta else None
        finally:
            store.close()

    @classmethod
    def create(cls, directory: Path) -> "Store":
        """Open to write, for the process that holds the index's lock; make an empty store if there is none.

        Raises StoreError.
        """
        make_directory(directory)
        path = directory / FILE_NAME
        if path.is_file() and path.stat().st_size:
            with suppress(MissingStoreError):
                cls.open(directory).close()
        store = cls(directory, _connect(path))
        try:
            if not store._has_tables():
                with store.transaction():
                    for statement in _SCHEMA.split(";"):
                        store._rows(statement)
                sync(directory)
        except BaseException:
            store.close()
            raise
        return store

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.document.cache_clear()  # it holds this store, and so would keep its texts for a while
        with self._lock:
            self._connection.close()

    def _has_tables(self) -> bool:
        return bool(self._rows("SELECT 1 FROM sqlite_master LIMIT 1"))

    def _rows(self, query: str, parameters: Sequence[Any] = ()) -> list[Any]:
        try:
            with self._lock:
                return self._connection.execute(query, parameters).fetchall()
        except UnicodeEncodeError:  # a parameter that is no text is like nothing that is stored
            return []
        except sqlite3.Error as error:
            raise _unusable(self.directory, error) from error

    def meta(self) -> Meta | None:
        """What the index was made with, or None while it has never been filled.

        Raises OutdatedStoreError if that was another version, whose tables may have other columns.
        """
        rows = self._rows("SELECT value FROM meta")
        if not rows:
            return None
        try:
            fields = json.loads(rows[0][0])
            if fields["format"] != FORMAT:
                raise _outdated(self.directory, fields)
            unread = tuple((path, reason) for path, reason in fields["unread"])
            return Meta(**{**fields, "suggestions": tuple(fields["suggestions"]), "unread": unread})
        except (ValueError, TypeError, KeyError) as error:
            raise _damaged(self.directory, "its description cannot be read") from error

    def listing(self, document_id: str | None = None) -> list[Listing]:
        """All documents, or the one with this id, in the order of their paths and without their texts."""
        rows = self._rows(
            "SELECT id, title, uri, date, sha256, lang, url, added, length(text), (SELECT count(*) FROM passages "
            "WHERE document_id = documents.id) FROM documents WHERE ?1 IS NULL OR id = ?1 ORDER BY uri",
            (document_id,),
        )
        return [Listing(DocumentRef(*row[:6]), row[6], bool(row[7]), *row[8:]) for row in rows]

    def _document(self, document_id: str) -> Document:
        """The document with this id, whole. Raises KeyError, and DamagedStoreError if it is not what was stored."""
        rows = self._rows(f"SELECT {_DOCUMENT}, digest FROM documents WHERE id = ?", (document_id,))
        if not rows:
            raise KeyError(document_id)
        (row,) = rows
        self._verify(row, f"the document {document_id}")
        *ref, url, sections, pages, added, text, _ = row
        named = tuple(Section(*fields) for fields in json.loads(sections))
        return Document(DocumentRef(*ref), text, url, named, tuple(json.loads(pages)), bool(added))

    def has_document(self, document_id: str) -> bool:
        return bool(self._rows("SELECT 1 FROM documents WHERE id = ?", (document_id,)))

    def candidates(self, numbers: Collection[int]) -> dict[int, tuple[str, Vectors]]:
        """The ids and vectors of the passages with these numbers. Raises DamagedStoreError, also if one is missing."""
        query = f"SELECT {_PASSAGE}, digest, number FROM passages WHERE number IN (SELECT value FROM json_each(?))"
        found = {}
        for *row, number in self._rows(query, (json.dumps(list(numbers)),)):
            self._verify(row, f"the passage {row[0]}")
            found[number] = (row[0], np.frombuffer(row[7], dtype="<f4"))
        if missing := set(numbers) - set(found):
            raise _damaged(self.directory, f"the passage with the number {min(missing)} is missing")
        return found

    def passage(self, number: int) -> tuple[Passage, DocumentRef]:
        """The passage with this number and its document. Raises KeyError and DamagedStoreError."""
        rows = self._rows(f"SELECT {_PASSAGE}, digest FROM passages WHERE number = ?", (number,))
        if not rows:
            raise KeyError(number)
        return self._passage(rows[0])

    def numbers(self, document_ids: Iterable[str]) -> list[int]:
        """The numbers of all passages of these documents."""
        return [
            row[0]
            for document_id in document_ids
            for row in self._rows("SELECT number FROM passages WHERE document_id = ?", (document_id,))
        ]

    def all_passages(self) -> Iterator[tuple[int, Passage, DocumentRef, Vectors]]:
        """Every passage with its number, document by document, read as it is asked for. Raises DamagedStoreError.

        The order is that of the documents' ids, whatever was indexed first.
        """
        query = f"SELECT {_PASSAGE}, digest, number FROM passages ORDER BY document_id, start"
        try:
            for *row, number in self._connection.execute(query):
                yield number, *self._passage(row), np.frombuffer(row[7], dtype="<f4")
        except sqlite3.Error as error:
            raise _unusable(self.directory, error) from error

    def vectors(self) -> Iterator[tuple[NDArray[np.int64], Vectors]]:
        """The numbers and the vectors of all passages, in batches and unverified, in the order of `all_passages`."""
        query = "SELECT number, vector FROM passages ORDER BY document_id, start"
        try:
            rows = self._connection.execute(query)
            while batch := rows.fetchmany(BATCH):
                numbers = np.array([number for number, _ in batch], dtype=np.int64)
                yield numbers, np.frombuffer(b"".join(vector for _, vector in batch), "<f4").reshape(len(batch), -1)
        except sqlite3.Error as error:
            raise _unusable(self.directory, error) from error

    def folded(self) -> bool:
        """Move the log into the file, and read the same generation from there; for who holds the index's lock.

        Whether all of it is there: not while somebody else reads an older generation. Raises StoreError.
        """
        path = self.directory / FILE_NAME
        with Store(self.directory, _connect(path)) as writing:
            ((busy, logged, moved),) = writing._rows("PRAGMA wal_checkpoint(PASSIVE)")
        if busy or logged != moved:
            return False
        with Store(self.directory, _connect(path, to_read=True)) as again:
            again._begin()
            if again.meta() != self.meta():  # it is another index by now
                return False
            with self._lock:
                self._connection, again._connection = again._connection, self._connection
        return True

    def _begin(self) -> None:
        """See one generation from here on: a transaction begins with what it first reads."""
        self._rows("BEGIN")
        self._rows("SELECT 1 FROM sqlite_master")

    def check(self) -> None:
        """Read everything once. Raises DamagedStoreError."""
        for listing in self.listing():
            self._document(listing.ref.id)
        for _ in self.all_passages():
            pass
        self.check_contents()

    def check_contents(self) -> None:
        """Whether nothing is missing, and nothing too much. Raises DamagedStoreError."""
        meta = self.meta()
        try:
            found = _fingerprint(self._connection, meta.embedder_sha256) if meta else ""
        except sqlite3.Error as error:
            raise _unusable(self.directory, error) from error
        if meta and meta.fingerprint != found:
            raise _damaged(self.directory, "documents or passages are missing, or too many")

    def _passage(self, row: Sequence[Any]) -> tuple[Passage, DocumentRef]:
        self._verify(row, f"the passage {row[0]}")
        id_, document_id, start, end, section, sentences, *_ = row
        try:
            document = self.document(document_id)
        except KeyError:
            raise _damaged(self.directory, f"the document {document_id} is missing") from None
        slices = tuple((left, right) for left, right in json.loads(sentences))
        return Passage(id_, document_id, start, end, section, slices, document.text[start:end]), document.ref

    def _verify(self, row: Sequence[Any], what: str) -> None:
        """Compare a row with the digest at its end."""
        if row[-1] != _digest(row[:-1]):
            raise _damaged(self.directory, f"{what} is not what was stored")

    def counts(self) -> tuple[int, int]:
        """How many documents and passages there are."""
        row = self._rows("SELECT (SELECT count(*) FROM documents), (SELECT count(*) FROM passages)")[0]
        return row[0], row[1]

    @contextmanager
    def transaction(self) -> Iterator["Writer"]:
        """Change the store: all of it is on the disk when the block has ended, nothing if it raises.

        Raises StoreError if it is in use or cannot be written.
        """
        self._rows("BEGIN IMMEDIATE")
        self.document.cache_clear()
        try:
            yield Writer(self._connection)
            self._rows("COMMIT")
        except sqlite3.Error as error:
            self._connection.rollback()
            raise _unusable(self.directory, error) from error
        except BaseException:
            self._connection.rollback()
            raise
        with suppress(StoreError):  # it is in the log, and waits for no reader: what they need stays there
            self._rows("PRAGMA wal_checkpoint(PASSIVE)")


class Writer:
    """The changes of one transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def delete(self, document_id: str) -> None:
        self._connection.execute("DELETE FROM documents WHERE id = ?", (document_id,))

    def put(self, document: Document, passages: Sequence[Passage], vectors: Vectors) -> None:
        """Add a document or replace it, with its passages and their vectors, shape (len(passages), dimensions)."""
        self.delete(document.id)
        ref = document.ref
        sections = json.dumps([[s.title, s.start, s.end] for s in document.sections], ensure_ascii=False)
        pages = json.dumps(document.pages)
        identity = (ref.id, ref.title, ref.uri, ref.date, ref.sha256, ref.lang)
        row = (*identity, document.url, sections, pages, int(document.added), document.text)
        self._insert("documents", _DOCUMENT, row)
        for passage, vector in zip(passages, vectors, strict=True):
            row_of_passage = (
                passage.id,
                passage.document_id,
                passage.start,
                passage.end,
                passage.section,
                json.dumps(passage.sentences),
                model_input_sha256(model_input(ref.title, passage)),
                vector.astype("<f4").tobytes(),
            )
            self._insert("passages", _PASSAGE, row_of_passage)

    def _insert(self, table: str, columns: str, row: Sequence[Any]) -> None:
        """Add a row with its digest."""
        places = ", ".join("?" * (len(row) + 1))
        self._connection.execute(f"INSERT INTO {table} ({columns}, digest) VALUES ({places})", (*row, _digest(row)))

    def vector(self, input_sha256: str) -> Vectors | None:
        """The vector of a passage that was embedded from the same input, if there is one, as it was stored."""
        query = f"SELECT {_PASSAGE}, digest FROM passages WHERE input_sha256 = ? LIMIT 1"
        row = self._connection.execute(query, (input_sha256,)).fetchone()
        return np.frombuffer(row[7], dtype="<f4") if row and row[-1] == _digest(row[:-1]) else None

    def finish(self, meta: Meta) -> None:
        """Record what this generation is made with; its fingerprint is found here."""
        beyond = len(meta.unread[MAX_UNREAD:])
        made = replace(
            meta,
            fingerprint=_fingerprint(self._connection, meta.embedder_sha256),
            unread=meta.unread[:MAX_UNREAD],
            more_unread=meta.more_unread + beyond,
        )
        self._connection.execute("DELETE FROM meta")
        self._connection.execute("INSERT INTO meta VALUES (?)", (json.dumps(asdict(made), ensure_ascii=False),))


def sync(path: Path) -> None:
    """Have the system write a file or a folder's names to the disk. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_directory(directory: Path) -> None:
    """Make a folder of an index, unless it is there, so that a power cut does not lose it. Raises StoreError."""
    missing = [path for path in (directory, *directory.absolute().parents) if not path.exists()]
    try:
        for path in reversed(missing):
            path.mkdir(exist_ok=True)
            sync(path.absolute().parent)
        directory.mkdir(exist_ok=True)  # an error if it is a file
    except (FileNotFoundError, FileExistsError, NotADirectoryError, PermissionError) as error:
        raise StoreError(f"{directory} is no folder, and cannot be made one: {error.strerror}.") from error
    except OSError as error:
        raise not_written(directory, error) from error


def _fingerprint(connection: sqlite3.Connection, embedder_sha256: str) -> str:
    """A sha256 over all documents and passages and what made their vectors, whatever was indexed first."""
    contents = hashlib.sha256(f"{FORMAT} {embedder_sha256}\n".encode())
    for query in (
        "SELECT digest FROM documents ORDER BY id",
        "SELECT digest FROM passages ORDER BY document_id, start",
    ):
        contents.update(b"\n")
        for row in connection.execute(query):
            contents.update(f"{row[0]}\n".encode())
    return contents.hexdigest()


def _digest(row: Sequence[Any]) -> str:
    """A sha256 over the fields of a row, each with its type and length."""
    parts: list[bytes] = []
    for field in row:
        data = field if isinstance(field, bytes) else str(field).encode()
        parts += f"{type(field).__name__} {len(data)} ".encode(), data
    return hashlib.sha256(b"".join(parts)).hexdigest()


def command(directory: Path, folder: str = "FOLDER", embedder: str = DEFAULT_EMBEDDER) -> str:
    """The command that makes an index, as a person can type it here."""
    place = Path(folder or "FOLDER")
    if place.is_absolute() and place.is_relative_to(Path.cwd()):
        folder = str(place.relative_to(Path.cwd()))
    option = "" if str(directory) == DEFAULT_DIRECTORY else f" --index {shlex.quote(str(directory))}"
    model = "" if embedder == DEFAULT_EMBEDDER else f" --embedder {shlex.quote(embedder)}"
    return f"attest index {shlex.quote(folder or 'FOLDER')}{option}{model}"


def check_embedder(meta: Meta, directory: Path, embedder: Embedder) -> None:
    """Refuse an index whose vectors were made by another model. Raises StoreError."""
    if meta.embedder_sha256 == embedder.fingerprint:
        return
    asked = f"ATTEST_EMBEDDER asks for {embedder.name}"
    if meta.embedder == embedder.name:
        asked = f"the weights of {embedder.name} have changed since"
    raise StoreError(
        f"The index in {directory} was built with {meta.embedder} ({meta.dimensions} dimensions), but {asked}; "
        f"rebuild it with: {command(directory, meta.folder, embedder.name)}"
    )


def _connect(path: Path, to_read: bool = False) -> sqlite3.Connection:
    connection = None
    address = f"{path.absolute().as_uri()}?mode={'ro' if to_read else 'rwc'}"
    settings = (
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
        "secure_delete = ON",
        "wal_autocheckpoint = 0",
        f"journal_size_limit = {MAX_LOG}",
    )
    try:
        connection = sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False, timeout=30)
        for setting in () if to_read else settings:
            connection.execute(f"PRAGMA {setting}")
    except sqlite3.Error as error:
        if connection:
            connection.close()
        raise _unusable(path.parent, error) from error
    return connection


def _unusable(directory: Path, error: sqlite3.Error) -> StoreError:
    """Tell an index that cannot be reached from one that is damaged."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is not None and code & 0xFF == sqlite3.SQLITE_FULL:
        return FullStoreError(f"The disk with {directory} is full; the index stays as it was.")
    if code is not None and code & 0xFF in _OUT_OF_REACH:
        return StoreError(f"The index in {directory} cannot be used now ({FILE_NAME}: {error}).")
    return _damaged(directory, str(error))


def _outdated(directory: Path, fields: dict[str, Any]) -> OutdatedStoreError:
    """Whatever another version described its index with, tell how to make it again."""
    made = command(directory, fields.get("folder", "FOLDER"), fields.get("embedder", DEFAULT_EMBEDDER))
    return OutdatedStoreError(
        f"The index in {directory} was made by another version of Attest; rebuild it with: {made}"
    )


def _damaged(directory: Path, what: str) -> DamagedStoreError:
    return DamagedStoreError(
        f"The index in {directory} is damaged ({FILE_NAME}: {what.splitlines()[0]}). "
        f"Make it again from the documents with: {command(directory)}"
    )
