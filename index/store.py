"""The truth: documents, passages and vectors in one SQLite file."""

import hashlib
import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from index.documents import Document, DocumentRef, Section
from index.embedding import Embedder, Vectors
from index.passages import Passage, context

FILE_NAME = "attest.sqlite"
# Raise it whenever the same files would give other documents, sections or passages than before.
FORMAT = 1

_SCHEMA = """
CREATE TABLE meta (value TEXT NOT NULL);
CREATE TABLE documents (
    id TEXT PRIMARY KEY, title TEXT NOT NULL, uri TEXT NOT NULL UNIQUE, date TEXT, sha256 TEXT NOT NULL,
    url TEXT, sections TEXT NOT NULL, text TEXT NOT NULL, text_sha256 TEXT NOT NULL
);
CREATE TABLE passages (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
    document_id TEXT NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
    start INTEGER NOT NULL, "end" INTEGER NOT NULL, section TEXT, sentences TEXT NOT NULL,
    input_sha256 TEXT NOT NULL, vector BLOB NOT NULL
);
CREATE INDEX passages_by_document ON passages (document_id);
CREATE INDEX passages_by_input ON passages (input_sha256);
"""


class StoreError(Exception):
    """An index that cannot be used as it is; the message says what is wrong and how to mend it."""


class MissingStoreError(StoreError):
    """There is no index where one was expected."""


class DamagedStoreError(StoreError):
    """The SQLite file is damaged or holds something else."""


@dataclass(frozen=True, slots=True)
class Meta:
    """What an index was made with. `generation` counts its changes; `fingerprint` is a sha256 over its contents."""

    format: int
    generation: int
    fingerprint: str
    folder: str
    embedder: str
    embedder_sha256: str
    dimensions: int
    suggestions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """One row of the list of documents; `characters` counts code points."""

    ref: DocumentRef
    url: str | None
    characters: int
    passages: int


def model_input(title: str, passage: Passage) -> str:
    """The text that is embedded for a passage: its words after what they leave unsaid."""
    return f"{context(title, passage.section)}. {passage.words.text}"


def model_input_sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class Store:
    """A connection to the SQLite file of an index directory, closed by leaving a `with` block.

    Opened to read, it sees the generation it was opened on until it is closed, whatever is written meanwhile,
    and may be used from several threads.
    """

    def __init__(self, directory: Path, connection: sqlite3.Connection) -> None:
        self.directory = directory
        self._connection = connection
        self._lock = threading.Lock()
        self.document = lru_cache(maxsize=64)(self._document)

    @classmethod
    def open(cls, directory: Path) -> "Store":
        """Open to read. Raises MissingStoreError and DamagedStoreError."""
        path = directory / FILE_NAME
        if not path.is_file():
            raise MissingStoreError(f"There is no index in {directory}. Make one with: attest index FOLDER")
        store = cls(directory, _connect(path))
        try:
            store._connection.execute("BEGIN")
            found = store._connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            if found != "ok":
                raise sqlite3.DatabaseError(found)
            store.meta()
        except (sqlite3.DatabaseError, ValueError, TypeError) as error:
            store.close()
            raise DamagedStoreError(
                f"The index in {directory} is damaged ({path.name}: {str(error).splitlines()[0]}). "
                "Make it again from the documents with: attest index FOLDER"
            ) from error
        return store

    @classmethod
    def create(cls, directory: Path) -> "Store":
        """Open to write; make an empty store if there is none. Raises DamagedStoreError."""
        directory.mkdir(parents=True, exist_ok=True)
        path = directory / FILE_NAME
        if path.is_file():
            Store.open(directory).close()
        connection = _connect(path)
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone():
            connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")
        return cls(directory, connection)

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()

    def _rows(self, query: str, parameters: Sequence[Any] = ()) -> list[Any]:
        with self._lock:
            return self._connection.execute(query, parameters).fetchall()

    def meta(self) -> Meta | None:
        """What the index was made with, or None while it has never been filled."""
        rows = self._rows("SELECT value FROM meta")
        if not rows:
            return None
        fields = json.loads(rows[0][0])
        return Meta(**{**fields, "suggestions": tuple(fields["suggestions"])})

    def listing(self) -> list[Listing]:
        """All documents in the order of their paths, without their texts."""
        rows = self._rows(
            "SELECT id, title, uri, date, sha256, url, length(text), (SELECT count(*) FROM passages "
            "WHERE document_id = documents.id) FROM documents ORDER BY uri"
        )
        return [Listing(DocumentRef(*row[:5]), *row[5:]) for row in rows]

    def _document(self, document_id: str) -> Document:
        """The document with this id, whole. Raises KeyError, and DamagedStoreError if its text has changed."""
        rows = self._rows(
            "SELECT id, title, uri, date, sha256, text, url, sections, text_sha256 FROM documents WHERE id = ?",
            (document_id,),
        )
        if not rows:
            raise KeyError(document_id)
        *ref, text, url, sections, text_sha256 = rows[0]
        if hashlib.sha256(text.encode()).hexdigest() != text_sha256:
            raise DamagedStoreError(
                f"The stored text of {ref[2]} is damaged. Make the index again with: attest index FOLDER"
            )
        return Document(DocumentRef(*ref), text, url, tuple(Section(*fields) for fields in json.loads(sections)))

    def has_document(self, document_id: str) -> bool:
        return bool(self._rows("SELECT 1 FROM documents WHERE id = ?", (document_id,)))

    def passages(self, numbers: Iterable[int]) -> dict[int, tuple[Passage, DocumentRef, Vectors]]:
        """The passages with these numbers, each with its document and its vector."""
        found = {}
        for number in numbers:
            for row in self._rows(_PASSAGE_QUERY + "WHERE passages.number = ?", (number,)):
                found[number] = _passage(row)
        return found

    def numbers(self, document_ids: Iterable[str]) -> list[int]:
        """The numbers of all passages of these documents."""
        return [
            row[0]
            for document_id in document_ids
            for row in self._rows("SELECT number FROM passages WHERE document_id = ?", (document_id,))
        ]

    def all_passages(self) -> Iterator[tuple[int, Passage, DocumentRef, Vectors]]:
        """Every passage in the order of its number, read as it is asked for."""
        cursor = self._connection.execute(_PASSAGE_QUERY + "ORDER BY passages.number")
        for row in cursor:
            yield row[0], *_passage(row)

    def counts(self) -> tuple[int, int]:
        """How many documents and passages there are."""
        row = self._rows("SELECT (SELECT count(*) FROM documents), (SELECT count(*) FROM passages)")[0]
        return row[0], row[1]

    @contextmanager
    def transaction(self) -> Iterator["Writer"]:
        """Change the store: all of it when the block ends, nothing if it raises."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield Writer(self._connection)
        except BaseException:
            self._connection.rollback()
            raise
        self._connection.commit()


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
        text_sha256 = hashlib.sha256(document.text.encode()).hexdigest()
        self._connection.execute(
            "INSERT INTO documents VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (ref.id, ref.title, ref.uri, ref.date, ref.sha256, document.url, sections, document.text, text_sha256),
        )
        self._connection.executemany(
            'INSERT INTO passages (id, document_id, start, "end", section, sentences, input_sha256, vector) '
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    passage.id,
                    passage.document_id,
                    passage.start,
                    passage.end,
                    passage.section,
                    json.dumps(passage.sentences),
                    model_input_sha256(model_input(ref.title, passage)),
                    vector.astype("<f4").tobytes(),
                )
                for passage, vector in zip(passages, vectors, strict=True)
            ],
        )

    def vector(self, input_sha256: str) -> Vectors | None:
        """The vector of a passage that was embedded from the same input, if there is one."""
        query = "SELECT vector FROM passages WHERE input_sha256 = ? LIMIT 1"
        row = self._connection.execute(query, (input_sha256,)).fetchone()
        return np.frombuffer(row[0], dtype="<f4") if row else None

    def finish(self, embedder: Embedder, folder: Path, suggestions: Sequence[str], generation: int) -> None:
        """Record what this generation was made with."""
        contents = hashlib.sha256(f"{FORMAT} {embedder.fingerprint}\n".encode())
        for row in self._connection.execute("SELECT id, sha256, text_sha256 FROM documents ORDER BY id"):
            contents.update(" ".join(row).encode() + b"\n")
        meta = Meta(
            format=FORMAT,
            generation=generation,
            fingerprint=contents.hexdigest(),
            folder=str(folder),
            embedder=embedder.name,
            embedder_sha256=embedder.fingerprint,
            dimensions=embedder.dimensions,
            suggestions=tuple(suggestions),
        )
        self._connection.execute("DELETE FROM meta")
        self._connection.execute("INSERT INTO meta VALUES (?)", (json.dumps(asdict(meta), ensure_ascii=False),))


_PASSAGE_QUERY = """
SELECT passages.number, passages.id, document_id, start, "end", section, sentences,
       substr(text, start + 1, "end" - start), vector, title, uri, date, sha256
FROM passages JOIN documents ON documents.id = document_id
"""


def _passage(row: Sequence[Any]) -> tuple[Passage, DocumentRef, Vectors]:
    _, id_, document_id, start, end, section, sentences, text, vector, title, uri, date, sha256 = row
    slices = tuple((left, right) for left, right in json.loads(sentences))
    passage = Passage(id_, document_id, start, end, section, slices, text)
    return passage, DocumentRef(document_id, title, uri, date, sha256), np.frombuffer(vector, dtype="<f4")


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
    except sqlite3.DatabaseError as error:
        connection.close()
        raise DamagedStoreError(
            f"The index in {path.parent} is damaged ({path.name}: {error}). "
            "Make it again from the documents with: attest index FOLDER"
        ) from error
    return connection
