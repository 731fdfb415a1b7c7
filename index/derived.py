"""The derived indexes of one generation: built from the store, checked by hash before they are opened."""

import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from filelock import FileLock

from index.dense import DenseIndex
from index.lexical import LexicalIndex
from index.passages import context
from index.store import Meta, Store, StoreError

FOLDER_NAME = "generations"
MANIFEST = "manifest.json"
FORMAT = 1  # raise it whenever the same store would give other derived files
log = logging.getLogger(__name__)


class DerivedIndexError(Exception):
    """A derived index that does not fit the store; the message says how."""


def open_derived(store: Store, meta: Meta) -> tuple[DenseIndex, LexicalIndex]:
    """Open the derived indexes of the store's generation; build them anew if they are missing, damaged or stale.

    Raises StoreError if they can be neither opened nor built.
    """
    directory = store.directory / FOLDER_NAME / str(meta.generation)
    try:
        with _alone(store.directory):
            try:
                check(directory, meta)
            except DerivedIndexError as error:
                log.warning("%s; rebuilding the search indexes of generation %d", error, meta.generation)
                _publish(store, meta)
                check(directory, meta)
            return DenseIndex.read(directory), LexicalIndex.read(directory)
    except (OSError, RuntimeError, ValueError, DerivedIndexError) as error:  # RuntimeError: FAISS, ValueError: tantivy
        raise StoreError(
            f"The search indexes in {directory} cannot be opened ({error}); the folder must be writable."
        ) from error


def publish_if_needed(store: Store, meta: Meta) -> None:
    """Build the derived indexes of the store's generation unless they are there and whole."""
    with _alone(store.directory):
        try:
            check(store.directory / FOLDER_NAME / str(meta.generation), meta)
        except DerivedIndexError:
            _publish(store, meta)


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Let one process at a time look at, build and clear derived indexes."""
    (directory / FOLDER_NAME).mkdir(exist_ok=True)
    with FileLock(directory / f"{FOLDER_NAME}.lock"):
        yield


def check(directory: Path, meta: Meta) -> None:
    """Compare every file with the manifest, and the manifest with the store. Raises DerivedIndexError."""
    try:
        manifest = json.loads((directory / MANIFEST).read_bytes())
        made_for, files = manifest["made_for"], manifest["files"]
    except FileNotFoundError:
        raise DerivedIndexError("the search indexes are missing") from None
    except (OSError, ValueError, KeyError, TypeError):
        raise DerivedIndexError("the manifest of the search indexes is damaged") from None
    if made_for != _made_for(meta):
        raise DerivedIndexError("the search indexes belong to other contents")
    if files != _hashes(directory):
        raise DerivedIndexError("the search indexes are damaged")


def _publish(store: Store, meta: Meta) -> None:
    """Build the derived indexes beside the old ones and switch to them by one rename."""
    parent = store.directory / FOLDER_NAME
    building = Path(tempfile.mkdtemp(prefix="building-", dir=parent))
    try:
        _build(store, building, meta.dimensions)
        manifest = {"made_for": _made_for(meta), "files": _hashes(building)}
        (building / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
        for path in [*_files(building), building / MANIFEST, building]:
            _sync(path)
        target = parent / str(meta.generation)
        if target.exists():
            target.rename(building.with_name(building.name + "-replaced"))
        building.rename(target)
        _sync(parent)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise
    for old in parent.iterdir():
        if old.is_dir() and not (old.name.isdigit() and int(old.name) >= meta.generation):
            shutil.rmtree(old, ignore_errors=True)


def _build(store: Store, directory: Path, dimensions: int) -> None:
    _, passages = store.counts()
    numbers = np.empty(passages, dtype=np.int64)
    vectors = np.empty((passages, dimensions), dtype=np.float32)
    entries = []
    for row, (number, passage, document, vector) in enumerate(store.all_passages()):
        numbers[row], vectors[row] = number, vector
        entries.append((number, document.id, context(document.title, passage.section), passage.words.text))
    DenseIndex.build(numbers, vectors).write(directory)
    LexicalIndex.build(directory, entries)


def _made_for(meta: Meta) -> dict[str, object]:
    return {"format": FORMAT, "generation": meta.generation, "fingerprint": meta.fingerprint}


def _files(directory: Path) -> list[Path]:
    return sorted(p for p in directory.rglob("*") if p.is_file() and p.name != MANIFEST and p.suffix != ".lock")


def _hashes(directory: Path) -> dict[str, str]:
    hashes = {}
    for path in _files(directory):
        with path.open("rb") as opened:
            hashes[path.relative_to(directory).as_posix()] = hashlib.file_digest(opened, "sha256").hexdigest()
    return hashes


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
