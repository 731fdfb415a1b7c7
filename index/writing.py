"""Changing an index: one process at a time, and all of a change or nothing."""

import json
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from index import derived, originals
from index.errors import DamagedStoreError, OutdatedStoreError, StoreError, not_written
from index.store import FILE_NAME, Store, make_directory

LOCK, HOLDER = "build.lock", "writer.json"
PATIENCE = 0.5  # seconds that what can be left to the next time waits
log = logging.getLogger(__name__)
Tell = Callable[[str], None]


class BusyError(StoreError):
    """Another process is writing to the index; the message names it."""


@contextmanager
def writing(directory: Path, patience: float = -1, waiting: Tell = log.warning) -> Iterator[Store]:
    """Open the store for the one process that may write; the others wait so many seconds, or for as long as it takes.

    Raises StoreError, BusyError among it.
    """
    make_directory(directory)
    try:
        with alone(directory, patience, waiting), Store.create(directory) as store:
            store.check_contents()  # else the change would make it right that something is missing
            try:
                yield store
            finally:
                clear(store)  # after a failure, of what it had kept
    except OSError as error:
        raise not_written(directory, error) from error


def clear(store: Store) -> None:
    """Remove the files that no document and no generation needs any more, if there is a generation.

    The change counts by now, so what cannot be removed is left to the next one.
    """
    try:
        if meta := store.meta():
            derived.clear(store.directory, meta.generation)
            needed = [(each.ref.sha256, each.ref.uri) for each in store.listing() if each.added]
            originals.settle(store.directory, needed)
    except (OSError, StoreError) as error:
        log.warning("Not all that is out of date could be removed from %s: %s", store.directory, error)


def fold(store: Store) -> bool:
    """Keep the write-ahead log from growing while this store is read, if no process writes; whether that is done."""
    if not (store.directory / FILE_NAME).exists():
        return False
    try:
        with alone(store.directory, PATIENCE, waiting=lambda _: None):
            return store.folded()
    except (OSError, StoreError):  # the log goes on growing until the next time
        return False


def is_being_written(directory: Path) -> bool:
    """Whether a process is writing to an index."""
    if not (directory / LOCK).exists():
        return False
    try:
        with FileLock(directory / LOCK, timeout=0):
            return False
    except Timeout:
        return True
    except OSError:  # who cannot even look is told by what it tries next
        return False


@contextmanager
def alone(directory: Path, patience: float = -1, waiting: Tell = log.warning) -> Iterator[None]:
    """Hold the lock that names its holder."""
    lock = FileLock(directory / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        waiting(f"Waiting for {_holder(directory)}, which is writing to the index in {directory}.")
        try:
            lock.acquire(timeout=patience)
        except Timeout:
            raise BusyError(
                f"The index in {directory} is being written to by {_holder(directory)}; try again later."
            ) from None
    try:
        about = {"process": os.getpid(), "command": Path(sys.argv[0]).name, "since": f"{datetime.now():%H:%M:%S}"}
        with suppress(OSError):  # it is only told to those who wait
            (directory / HOLDER).write_text(json.dumps(about), encoding="utf-8")
        yield
    finally:
        (directory / HOLDER).unlink(missing_ok=True)
        lock.release()


def _holder(directory: Path) -> str:
    try:
        about = json.loads((directory / HOLDER).read_bytes())
        return f"process {about['process']} ({about['command']}, since {about['since']})"
    except (OSError, ValueError, KeyError, TypeError):  # it has just come or gone
        return "another process"


def opened_or_anew(directory: Path) -> tuple[Store, Path | None]:
    """Open the store to write after everything in it was read once.

    One that is damaged or of another version is given another name, which says so and is returned, and a new one made.
    """
    try:
        store = Store.create(directory)
        try:
            store.check()
        except BaseException:
            store.close()
            raise
    except (DamagedStoreError, OutdatedStoreError) as error:
        aside = _set_aside(directory, "older" if isinstance(error, OutdatedStoreError) else "damaged")
        return Store.create(directory), aside
    return store, None


def _set_aside(directory: Path, kind: str) -> Path:
    path = directory / FILE_NAME
    aside = path.with_name(f"{FILE_NAME}.{kind}-{time.time_ns()}")
    for suffix in ("", "-wal", "-shm"):
        beside = path.with_name(FILE_NAME + suffix)
        if beside.exists():
            beside.rename(aside.with_name(aside.name + suffix))
    return aside
