"""From a folder of files to an index: what changed is read, split, embedded and published."""

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout

from index.dense import Search
from index.derived import publish_if_needed
from index.documents import (
    Document,
    OutOfReachError,
    UnreadableFileError,
    document,
    document_id,
    find_files,
    read_bytes,
)
from index.embedding import Embedder, EmbedderError
from index.passages import MAX_TOKENS, Passage, split
from index.store import (
    FILE_NAME,
    DamagedStoreError,
    Kind,
    OutdatedStoreError,
    Store,
    Writer,
    make_directory,
    model_input,
    model_input_sha256,
)

LOCK = "build.lock"
SUGGESTIONS = ".attestsuggestions"
CONTEXT_TOKENS = 48  # of the embedder's tokens, kept free for title and section
LEAST_TOKENS = 16  # of a passage: an embedder that takes fewer is of no use
BATCH_PASSAGES = 512


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a build is: files read of all files, and passages embedded so far.

    When everything `is_read`, the search indexes are built.
    """

    files: int
    of_files: int
    passages: int
    is_read: bool = False


Watch = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Report:
    """What a build did. `unread` holds (path, reason); `set_aside` is a store that was replaced.

    It was damaged or made by another version of Attest: its name says which.
    """

    generation: int
    dense: Search | None
    documents: int
    passages: int
    changed_documents: int
    removed_documents: int
    embedded_passages: int
    ignored_files: int
    unread: tuple[tuple[str, str], ...]
    set_aside: Path | None
    seconds: float


def build(
    folder: Path, directory: Path, embedder: Embedder, watch: Watch = lambda _: None, dense: Kind | None = None
) -> Report:
    """Bring the index in `directory` up to date with the files of `folder`, in one transaction.

    Only what changed is embedded, and files that are gone are removed; one that is there but out of reach keeps its
    document, unless its vectors are another embedder's. If no file can be read, the index stays as it was; if nothing
    changed, its generation does. `watch` is told of each step. `dense` is the kind of dense index, by default that of
    the index as it was, or `auto` for a new one. Raises NotADirectoryError, StoreError and EmbedderError.
    """
    began = time.monotonic()
    found = find_files(folder)
    suggestions = _suggestions(folder)
    kept: set[str] = set()
    unread = list(found.unread)
    with _writer(directory) as (store, set_aside):
        with store.transaction() as writer:
            before = store.meta()
            stored = {listing.ref.id: listing.ref.sha256 for listing in store.listing()}
            current = before is not None and before.embedder_sha256 == embedder.fingerprint
            batch = _Batch(writer, embedder, current, len(found.files), watch)
            for uri, path in found.files:
                try:
                    data = read_bytes(uri, path)
                    if not current or stored.get(document_id(uri)) != hashlib.sha256(data).hexdigest():
                        batch.add(uri, data)
                    kept.add(document_id(uri))
                except UnreadableFileError as error:
                    if current and isinstance(error, OutOfReachError) and document_id(uri) in stored:
                        kept.add(document_id(uri))
                    unread.append((os.fsencode(uri).decode("utf-8", "replace"), str(error)))
                batch.file_done()
            batch.read()
            gone = stored.keys() - kept if kept else set()
            for missing in gone:
                writer.delete(missing)
            asked = (str(folder.resolve()), tuple(suggestions))
            same = before is not None and (before.folder, before.suggestions) == asked
            if kept:
                kind = dense or (before.dense if before else "auto")
                same = same and before is not None and before.dense == kind
                changed = bool(batch.documents or gone or not same)
                generation = (before.generation if before else 0) + changed
                writer.finish(embedder, folder, suggestions, unread, generation, kind)
        meta = store.meta()
        return Report(
            generation=meta.generation if meta else 0,
            dense=publish_if_needed(store, meta) if meta else None,
            documents=len(kept),
            passages=store.counts()[1],
            changed_documents=batch.documents,
            removed_documents=len(gone),
            embedded_passages=batch.embedded,
            ignored_files=found.ignored,
            unread=tuple(unread),
            set_aside=set_aside,
            seconds=time.monotonic() - began,
        )


class _Batch:
    """Documents that wait until there are enough passages to embed together."""

    def __init__(self, writer: Writer, embedder: Embedder, reuse_vectors: bool, files: int, watch: Watch) -> None:
        self.documents = self.embedded = 0
        self._writer = writer
        self._embedder = embedder
        self._reuse = reuse_vectors
        self._files, self._done, self._watch = files, 0, watch
        self._waiting: list[tuple[Document, list[Passage]]] = []

    def file_done(self) -> None:
        self._done += 1
        self._tell()

    def read(self) -> None:
        """Everything is read."""
        self.flush()
        self._tell(is_read=True)

    def _tell(self, is_read: bool = False) -> None:
        self._watch(Progress(self._done, self._files, self.embedded, is_read))

    def add(self, uri: str, data: bytes) -> None:
        """Read and split one file. Raises UnreadableFileError."""
        read, structure = document(uri, data)
        limit = min(MAX_TOKENS, self._embedder.max_tokens - CONTEXT_TOKENS)
        if limit < LEAST_TOKENS:
            raise EmbedderError(
                f"{self._embedder.name} takes {self._embedder.max_tokens} tokens of a text; "
                f"at least {LEAST_TOKENS + CONTEXT_TOKENS} are needed."
            )
        passages = split(read, structure, self._embedder.count_tokens, limit)
        if not any(passage.plain_text for passage in passages):
            raise UnreadableFileError("no sentences, only headings or captions")
        self._waiting.append((read, passages))
        if sum(len(waiting) for _, waiting in self._waiting) >= BATCH_PASSAGES:
            self.flush()

    def flush(self) -> None:
        """Embed what waits, where no passage with the same words has a vector already, and write it."""
        if not self._waiting:
            return
        inputs = [model_input(read.ref.title, passage) for read, passages in self._waiting for passage in passages]
        vectors = np.empty((len(inputs), self._embedder.dimensions), dtype=np.float32)
        known = [self._writer.vector(model_input_sha256(words)) if self._reuse else None for words in inputs]
        new = [row for row, vector in enumerate(known) if vector is None]
        for row, vector in enumerate(known):
            if vector is not None:
                vectors[row] = vector
        if new:
            vectors[new] = self._embedder.encode([inputs[row] for row in new], self._advance)
        begin = 0
        for read, passages in self._waiting:
            self._writer.put(read, passages, vectors[begin : begin + len(passages)])
            begin += len(passages)
        self.documents += len(self._waiting)
        self._waiting = []

    def _advance(self, passages: int) -> None:
        self.embedded += passages
        self._tell()


def _suggestions(folder: Path) -> list[str]:
    """The questions that a folder offers, one a line of its `.attestsuggestions`; most folders have none."""
    try:
        lines = (folder / SUGGESTIONS).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
    return [line.strip() for line in lines if line.strip()]


def is_building(directory: Path) -> bool:
    """Whether a build is under way in an index directory."""
    if not (directory / LOCK).exists():
        return False
    try:
        with FileLock(directory / LOCK, timeout=0):
            return False
    except Timeout:
        return True


@contextmanager
def _writer(directory: Path) -> Iterator[tuple[Store, Path | None]]:
    """Open the store for the one process that may build at a time; the others wait."""
    make_directory(directory)
    with FileLock(directory / LOCK):
        store, set_aside = _writable(directory)
        with store:
            yield store, set_aside


def _writable(directory: Path) -> tuple[Store, Path | None]:
    """Open the store to write; one damaged or of another version is renamed, and its new name returned."""
    try:
        return Store.create(directory), None
    except (DamagedStoreError, OutdatedStoreError) as error:
        path = directory / FILE_NAME
        kind = "older" if isinstance(error, OutdatedStoreError) else "damaged"
        aside = path.with_name(f"{FILE_NAME}.{kind}-{time.time_ns()}")
        for suffix in ("", "-wal", "-shm"):
            beside = path.with_name(FILE_NAME + suffix)
            if beside.exists():
                beside.rename(aside.with_name(aside.name + suffix))
        return Store.create(directory), aside
