"""The derived indexes of one generation: built from the store, checked by hash before they are opened."""

import hashlib
import json
import logging
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

from filelock import FileLock, Timeout

from index.dense import DenseIndex, Search
from index.errors import StoreError, in_words, not_written
from index.lexical import LexicalIndex
from index.models import file_sha256
from index.passages import context
from index.store import Meta, Store, sync

FOLDER_NAME = "generations"
MANIFEST = "manifest.json"
FORMAT = 3  # raise it whenever the same store would give other derived files
log = logging.getLogger(__name__)


class DerivedIndexError(Exception):
    """A derived index that does not fit the store; the message says how."""


class SupersededError(Exception):
    """The derived indexes of a generation are gone, because there is a newer one."""


def open_derived(store: Store, meta: Meta) -> tuple[DenseIndex, LexicalIndex, bool]:
    """Open the derived indexes of the store's generation, and tell whether they had to be built anew.

    They are if they are missing, damaged or stale. Raises SupersededError if they are those of an older generation,
    and StoreError if they can be neither opened nor built.
    """
    directory = store.directory / FOLDER_NAME / str(meta.generation)
    is_rebuilt = False
    try:
        with _alone(directory):
            try:
                search = check(directory, meta)
            except DerivedIndexError as error:
                if Store.generation(store.directory) != (meta.generation, meta.fingerprint):
                    raise SupersededError from error
                log.warning("%s; rebuilding the search indexes of generation %d", error, meta.generation)
                _publish(store, meta)
                search, is_rebuilt = check(directory, meta), True
            return DenseIndex.read(directory, search), LexicalIndex.read(directory), is_rebuilt
    except (OSError, RuntimeError, ValueError, DerivedIndexError) as error:  # RuntimeError: FAISS, ValueError: tantivy
        raise StoreError(
            f"The search indexes in {directory} cannot be opened ({in_words(error)}); the folder must be writable."
        ) from error


def publish_if_needed(store: Store, meta: Meta) -> Search:
    """Build the derived indexes of the store's generation unless they are there and whole; tell how they search.

    Raises StoreError.
    """
    directory = store.directory / FOLDER_NAME / str(meta.generation)
    try:
        with _alone(directory):
            try:
                return check(directory, meta)
            except DerivedIndexError:
                _publish(store, meta)
                return check(directory, meta)
    except (OSError, RuntimeError, ValueError, DerivedIndexError) as error:  # as above
        raise not_written(store.directory, error) from error


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Let one process at a time look at or build the derived indexes of a generation; others' readers do not wait."""
    directory.parent.mkdir(exist_ok=True)
    with FileLock(directory.with_suffix(".lock")):
        yield


def check(directory: Path, meta: Meta) -> Search:
    """Compare every file with the manifest, and the manifest with the store; tell how the dense index searches.

    The manifest holds a sha256 of itself. Raises DerivedIndexError.
    """
    try:
        written = (directory / MANIFEST).read_bytes()
        manifest = json.loads(written)
        if manifest["made_for"] != _made_for(meta):
            raise DerivedIndexError("the search indexes belong to other contents")
        if written != _manifest(manifest["made_for"], manifest["dense"], manifest["files"]):
            raise ValueError("it is not what was written")
        files, search = manifest["files"], Search(**manifest["dense"])
    except FileNotFoundError:
        raise DerivedIndexError("the search indexes are missing") from None
    except (OSError, ValueError, KeyError, TypeError):
        raise DerivedIndexError("the manifest of the search indexes is damaged") from None
    if files != _hashes(directory):
        raise DerivedIndexError("the search indexes are damaged")
    return search


def _publish(store: Store, meta: Meta) -> None:
    """Build the derived indexes beside the old ones and switch to them by one rename."""
    parent = store.directory / FOLDER_NAME
    building = Path(tempfile.mkdtemp(prefix=f"building-{meta.generation}-", dir=parent))
    try:
        search = _build(store, building, meta)
        (building / MANIFEST).write_bytes(_manifest(_made_for(meta), asdict(search), _hashes(building)))
        for path in [*_files(building), building / MANIFEST, building]:
            sync(path)
        target = parent / str(meta.generation)
        if target.exists():
            target.rename(building.with_name(building.name + "-replaced"))
        building.rename(target)
        sync(parent)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise


def clear(directory: Path, generation: int) -> None:
    """Remove what belongs to a generation before this, and what a killed process left; for the one that writes.

    What a reader has open stays with it, and what one opens or builds just now stays for the next time.
    """
    parent = directory / FOLDER_NAME
    for old in parent.glob("*"):
        number = old.stem.removeprefix("building-").partition("-")[0]
        is_lock = old.suffix == ".lock"
        if not number.isdigit():
            shutil.rmtree(old, ignore_errors=True)
        elif int(number) < generation or (not is_lock and old.name != number):
            with suppress(Timeout), FileLock(parent / f"{number}.lock", timeout=0):
                old.unlink() if is_lock else shutil.rmtree(old, ignore_errors=True)


def _build(store: Store, directory: Path, meta: Meta) -> Search:
    _, passages = store.counts()
    dense = DenseIndex.build(passages, meta.dimensions, store.vectors, meta.dense)
    dense.write(directory)
    how = dense.how
    del dense  # it may be large
    LexicalIndex.build(
        directory,
        (
            (number, document.id, context(document.title, passage.section), passage.plain_text)
            for number, passage, document, _ in store.all_passages()
        ),
    )
    return how


def _made_for(meta: Meta) -> dict[str, object]:
    return {"format": FORMAT, "generation": meta.generation, "fingerprint": meta.fingerprint, "dense": meta.dense}


def _manifest(made_for: object, dense: object, files: object) -> bytes:
    """The manifest as it is written, with its own sha256 at the end."""
    about = {"made_for": made_for, "dense": dense, "files": files}
    digest = hashlib.sha256(json.dumps(about).encode()).hexdigest()
    return json.dumps(about | {"sha256": digest}, indent=1).encode()


def _files(directory: Path) -> list[Path]:
    return sorted(p for p in directory.rglob("*") if p.is_file() and p.name != MANIFEST and p.suffix != ".lock")


def _hashes(directory: Path) -> dict[str, str]:
    return {path.relative_to(directory).as_posix(): file_sha256(path) for path in _files(directory)}
