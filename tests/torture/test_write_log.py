"""In which order an index is written: what a power cut could lose is on the disk before anything counts on it.

Killing a process loses nothing that it gave to the system, so the order is read from a log of what it asked for.
"""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from index import derived, originals, store
from index.build import add
from index.embedding import HashingEmbedder
from index.store import Store

Event = tuple[str, Path]
FILES = [("a.txt", b"The bridge opened in 1932.")]


def logged(directory: Path, monkeypatch: pytest.MonkeyPatch) -> list[Event]:
    """What a change asks of the system, in order: (sync, path), (rename, new path) and (commit, index)."""
    log: list[Event] = []
    fsync, rename, replace, rows = os.fsync, Path.rename, Path.replace, Store._rows

    def logging_fsync(descriptor: int) -> None:
        log.append(("sync", Path(f"/proc/self/fd/{descriptor}").readlink()))
        fsync(descriptor)

    def logging_rename(self: Path, target: Path) -> Path:
        log.append(("rename", target))
        return rename(self, target)

    def logging_replace(self: Path, target: Path) -> Path:
        log.append(("rename", target))
        return replace(self, target)

    def logging_rows(self: Store, query: str, *others: tuple[object, ...]) -> list[object]:
        if query == "COMMIT":
            ((level,),) = rows(self, "PRAGMA synchronous")
            log.append((f"commit, synchronous {level}", self.directory))
        return rows(self, query, *others)

    monkeypatch.setattr(os, "fsync", logging_fsync)
    monkeypatch.setattr(Path, "rename", logging_rename)
    monkeypatch.setattr(Path, "replace", logging_replace)
    monkeypatch.setattr(Store, "_rows", logging_rows)
    add(directory, FILES, HashingEmbedder())
    return log


def mistakes(log: list[Event], directory: Path) -> list[str]:
    """What a power cut could lose of a change."""
    commit = max(at for at, (kind, _) in enumerate(log) if kind.startswith("commit"))
    found = [] if log[commit][0] == "commit, synchronous 2" else ["the commit does not wait for the disk"]
    (published,) = (at for at, event in enumerate(log) if event == ("rename", directory / derived.FOLDER_NAME / "1"))
    if published > commit:
        found.append("the change counts before its search indexes are there")
    before = [path.name for kind, path in log[:published] if kind == "sync"]
    files = [path for path in (directory / derived.FOLDER_NAME / "1").rglob("*") if path.is_file()]
    late = [path.name for path in files if path.suffix != ".lock" and path.name not in before]
    found.extend(f"{name} is renamed before it is on the disk" for name in late)
    if ("sync", directory / derived.FOLDER_NAME) not in log[published:commit]:
        found.append("the new name of the search indexes is not on the disk")
    (known,) = (path for kind, path in log if kind == "rename" and originals.FOLDER_NAME in path.parts)
    if ("sync", known.with_name(f".{known.name}")) not in log[:commit]:
        found.append("the change counts before its file is on the disk")
    if ("sync", known.parent) not in log[:commit]:
        found.append("the change counts before the name of its file is on the disk")
    if ("sync", directory) not in log[:commit]:
        found.append("the folder does not know the index")
    return found


def nothing(_: Path) -> None:
    """A sync that does nothing."""


def test_everything_is_on_the_disk_before_anything_counts_on_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert mistakes(logged(tmp_path / "index", monkeypatch), tmp_path / "index") == []


def lazily(monkeypatch: pytest.MonkeyPatch) -> None:
    connect = store._connect

    def lazy(path: Path, to_read: bool = False) -> object:
        connection = connect(path, to_read)
        connection.execute("PRAGMA synchronous = OFF")
        return connection

    monkeypatch.setattr(store, "_connect", lazy)


@pytest.mark.parametrize(
    ("mistake", "words"),
    [
        (lazily, "the commit does not wait for the disk"),
        (lambda patch: patch.setattr(derived, "sync", nothing), "is renamed before it is on the disk"),
        (lambda patch: patch.setattr(originals, "sync", nothing), "the change counts before its file is on the disk"),
        (lambda patch: patch.setattr(store, "sync", nothing), "the folder does not know the index"),
    ],
)
def test_a_skipped_sync_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mistake: Callable[[pytest.MonkeyPatch], None], words: str
) -> None:
    mistake(monkeypatch)
    assert words in str(mistakes(logged(tmp_path / "index", monkeypatch), tmp_path / "index"))
