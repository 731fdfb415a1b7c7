"""From files to an index: what changed is read, split, embedded and published."""

import hashlib
import logging
import os
import time
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from index import originals
from index.batch import Batch, Watch
from index.dense import Search
from index.derived import publish_if_needed
from index.documents import (
    Folder,
    OutOfReachError,
    UnreadableFileError,
    document_id,
    file_name,
    find_files,
    read_bytes,
    taken_out,
)
from index.embedding import Embedder
from index.errors import StoreError, in_words, not_written
from index.extraction import Extracted, Extractor
from index.store import Kind, Listing, Meta, Store, Writer, check_embedder, make_directory
from index.writing import Tell, alone, clear, opened_or_anew, writing

log = logging.getLogger(__name__)
MAX_TEXTS = 100_000_000  # code points of files that are added together
SUGGESTIONS = ".attestsuggestions"


@dataclass(frozen=True, slots=True)
class Change:
    """The generation after documents were added or removed, and those that were added."""

    generation: int
    documents: tuple[Listing, ...]


class UnreadableFilesError(Exception):
    """Files that were not added, and with them none; `unread` holds (name, reason)."""

    def __init__(self, unread: Sequence[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{name}: {reason}" for name, reason in unread))
        self.unread = tuple(unread)


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
    folder: Path,
    directory: Path,
    embedder: Embedder,
    watch: Watch = lambda _: None,
    dense: Kind | None = None,
    waiting: Tell = log.warning,
) -> Report:
    """Bring the index in `directory` up to date with the files of `folder`, in one transaction.

    Only what changed is embedded, and files that are gone are removed; one that is there but out of reach keeps its
    document, unless its vectors are another embedder's. Documents that were added by themselves stay. If no file can
    be read, the index stays as it was; if nothing changed, its generation does. `watch` is told of each step, and
    `waiting` of another process that writes. `dense` is the kind of dense index, by default that of the index as it
    was, or `auto` for a new one. Raises NotADirectoryError, StoreError, EmbedderError and OSError.
    """
    began = time.monotonic()
    found = find_files(folder, directory)
    make_directory(directory)
    with alone(directory, waiting=waiting), Extractor() as extractor:
        store, set_aside = opened_or_anew(directory)
        with store:
            with store.transaction() as writer:
                before = store.meta()
                is_current = before is not None and before.embedder_sha256 == embedder.fingerprint
                listed = store.listing()
                batch = Batch(writer, embedder, is_current, len(found.files), watch)
                kept, unread = _read(batch, extractor, found, listed if is_current else [])
                gone = [each.ref.id for each in listed if kept and not each.added and each.ref.id not in kept]
                if kept:
                    if not is_current:  # those that were added, by another embedder or lost with a damaged store
                        _add_again(batch, extractor, directory, kept, listed if before else None)
                    batch.read()
                    for missing in gone:
                        writer.delete(missing)
                    made = replace(
                        before if before and is_current else Meta.of(embedder),
                        folder=str(folder.resolve()),
                        suggestions=tuple(_suggestions(folder)),
                        dense=dense or (before.dense if before else "auto"),
                    )
                    generation = before.generation if before else 0
                    generation += bool(batch.documents or gone or made != before)
                    writer.finish(replace(made, generation=generation, unread=unread, more_unread=0))
                meta = store.meta()
                search = publish_if_needed(store, meta) if meta else None
            clear(store)
            documents, passages = store.counts()
            return Report(
                generation=meta.generation if meta else 0,
                dense=search,
                documents=documents if kept else 0,
                passages=passages,
                changed_documents=batch.documents,
                removed_documents=len(gone),
                embedded_passages=batch.embedded,
                ignored_files=found.ignored,
                unread=unread,
                set_aside=set_aside,
                seconds=time.monotonic() - began,
            )


def _read(
    batch: Batch, extractor: Extractor, found: Folder, listed: Sequence[Listing]
) -> tuple[set[str], tuple[tuple[str, str], ...]]:
    """Read the files that are not `listed` as they are; the ids of what the index has then, and what was not read."""
    stored = {listing.ref.id: listing for listing in listed}
    kept: set[str] = set()
    unread = list(found.unread)
    for uri, path in found.files:
        try:
            data = read_bytes(uri, path)
            if not _is_stored(stored.get(document_id(uri)), data):
                batch.add(uri, data, taken_out(uri, data, extractor))
            kept.add(document_id(uri))
        except UnreadableFileError as error:
            if isinstance(error, OutOfReachError) and document_id(uri) in stored:
                kept.add(document_id(uri))
            unread.append((os.fsencode(uri).decode("utf-8", "replace"), str(error)))
        batch.file_done()
    return kept, tuple(unread)


def _add_again(
    batch: Batch, extractor: Extractor, directory: Path, kept: Collection[str], listed: Sequence[Listing] | None
) -> None:
    """Read the files of documents that were added anew, but for those whose names the folder has now.

    Where the store is lost, and with it what was `listed`, all files count. Raises StoreError rather than lose one.
    """
    files, mend = dict(originals.every(directory)), "Put it back, or remove that file to go on without it."
    if listed is not None:
        mend = "Remove it with: attest rm"
        refs = [listing.ref for listing in listed if listing.added]
        files = {ref.uri: originals.path(directory, ref.sha256, ref.uri) for ref in refs}
    for uri, path in files.items():
        if document_id(uri) in kept:
            continue
        try:
            data = path.read_bytes()
            if hashlib.sha256(data).hexdigest() != path.parent.name:
                raise UnreadableFileError("it is not what was added")
            batch.add(uri, data, taken_out(uri, data, extractor), added=True)
        except (UnreadableFileError, OSError) as error:
            raise StoreError(
                f"{uri}, which was added, cannot be read any more from {path} ({in_words(error)}). {mend}"
            ) from error


def _is_stored(listing: Listing | None, data: bytes) -> bool:
    return listing is not None and not listing.added and listing.ref.sha256 == hashlib.sha256(data).hexdigest()


def add(
    directory: Path,
    files: Sequence[tuple[str, bytes]],
    embedder: Embedder,
    patience: float = -1,
    waiting: Tell = log.warning,
    must_exist: bool = False,
) -> Change:
    """Add files by their names, or replace the documents that have these names; all of them or none.

    When this returns, they are on the disk. Raises UnreadableFilesError if any cannot be read, StoreError, BusyError
    among it, and EmbedderError; and KeyError with the id of a document that is not there, if it `must_exist`.
    """
    with Extractor() as extractor:
        texts = _texts(directory, files, extractor, must_exist)  # others need not wait for that
        with writing(directory, patience, waiting) as store, store.transaction() as writer:
            before = store.meta() or Meta.of(embedder)
            check_embedder(before, directory, embedder)
            batch = Batch(writer, embedder, reuse_vectors=True)
            ids = [document_id(uri) for uri, _ in files]
            if not before.generation:  # what a store that is lost had, comes back
                _add_again(batch, extractor, directory, ids, None)
            stored = {listing.ref.id: listing for listing in store.listing()}
            unread = []
            for id_, (uri, data), text in zip(ids, files, texts, strict=True):
                listing = stored.get(id_)
                if must_exist and not listing:
                    raise KeyError(id_)
                try:
                    if not (listing and listing.added and listing.ref.sha256 == hashlib.sha256(data).hexdigest()):
                        batch.add(uri, data, text, added=True)
                except UnreadableFileError as error:
                    unread.append((uri, str(error)))
            if unread:
                raise UnreadableFilesError(unread)
            batch.read()
            for uri, data in files:
                originals.keep(directory, uri, data)
            if not batch.documents:
                return Change(before.generation, tuple(store.listing(id_)[0] for id_ in ids))
            return _changed(store, writer, before, ids)


def _texts(
    directory: Path, files: Sequence[tuple[str, bytes]], extractor: Extractor, are_indexed: bool
) -> list[Extracted]:
    """The texts of files that are added by themselves. Raises UnreadableFilesError and StoreError."""
    texts, unread = [], []
    given = Counter(uri for uri, _ in files)
    room = MAX_TEXTS
    for uri, data in files:
        try:
            if given[uri] > 1:
                raise UnreadableFileError("another file has the same name")
            if not are_indexed:
                file_name(uri)
            originals.check_name(uri)
            found = taken_out(uri, data, extractor)
            room -= len(found.text)
            if room < 0:
                raise UnreadableFileError(f"more than {MAX_TEXTS // 1_000_000} million characters together; add fewer")
            texts.append(found)
        except UnreadableFileError as error:
            unread.append((uri, str(error)))
        except OSError as error:  # of the process that takes it out
            raise not_written(directory, error) from error
    if unread:
        raise UnreadableFilesError(unread)
    return texts


def remove(
    directory: Path, ids: Sequence[str], embedder: Embedder, patience: float = -1, waiting: Tell = log.warning
) -> Change:
    """Remove the documents with these ids; all of them or none.

    When this returns, none of them answers again. Raises KeyError with an id that is not there, and as `add`.
    """
    with writing(directory, patience, waiting) as store, store.transaction() as writer:
        before = store.meta() or Meta.of(embedder)
        check_embedder(before, directory, embedder)
        for id_ in dict.fromkeys(ids):
            if not store.has_document(id_):
                raise KeyError(id_)
            writer.delete(id_)
        return _changed(store, writer, before, [])


def _changed(store: Store, writer: Writer, before: Meta, ids: Sequence[str]) -> Change:
    """Make the next generation of what a writer has changed, and whatever searches it, before it counts."""
    writer.finish(replace(before, generation=before.generation + 1))
    meta = store.meta() or before
    publish_if_needed(store, meta)
    return Change(meta.generation, tuple(store.listing(id_)[0] for id_ in ids))


def _suggestions(folder: Path) -> list[str]:
    """The questions that a folder offers, one a line of its `.attestsuggestions`; most folders have none."""
    try:
        lines = (folder / SUGGESTIONS).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
    return [line.strip() for line in lines if line.strip()]
