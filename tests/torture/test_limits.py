"""Writing that fails: the harness in its short form, and a full disk in all its ways."""

import errno
import os
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx2
import pytest

from index import dense, derived, lexical, originals, store
from index.build import add
from index.embedding import HashingEmbedder
from index.errors import FullStoreError, StoreError
from index.store import Store
from index.verification import problems
from tests.service.test_changes import play, upload
from tests.torture.limits import torture

Break = Callable[[pytest.MonkeyPatch], None]


def test_a_change_that_cannot_be_written_is_refused_and_changes_nothing() -> None:
    tally = torture(step=6)
    assert tally.failures == []
    assert tally.made > 15
    assert tally.refused["StoreError"] > 10


def full(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def full_for_folders(path: Path, **_: Any) -> None:
    if not path.exists():
        full()


def full_for_faiss(*_: object) -> None:
    raise RuntimeError(f"Error in FileIOWriter: could not open dense.faiss for writing: {os.strerror(errno.ENOSPC)}")


def full_for_tantivy(*_: object) -> None:
    raise ValueError(f"An IO error occurred: '{os.strerror(errno.ENOSPC)}'")


def full_for_sqlite(patch: pytest.MonkeyPatch) -> None:
    connect = store._connect

    def small(path: Path, to_read: bool = False) -> sqlite3.Connection:
        connection = connect(path, to_read)
        connection.execute("PRAGMA max_page_count = 12")
        return connection

    patch.setattr(store, "_connect", small)


def full_at_the_end(patch: pytest.MonkeyPatch) -> None:
    rows = Store._rows

    def all_but_the_last(self: Store, query: str, parameters: Sequence[Any] = ()) -> list[Any]:
        if query == "COMMIT":
            raise FullStoreError("The disk with it is full; the index stays as it was.")
        return rows(self, query, parameters)

    patch.setattr(Store, "_rows", all_but_the_last)


@pytest.mark.parametrize(
    "fill_disk",
    [
        lambda patch: patch.setattr(Path, "mkdir", full_for_folders),
        lambda patch: patch.setattr(Path, "write_bytes", full),
        lambda patch: patch.setattr(originals, "sync", full),
        lambda patch: patch.setattr(derived, "sync", full),
        lambda patch: patch.setattr(Path, "rename", full),
        lambda patch: patch.setattr(dense.DenseIndex, "write", full_for_faiss),
        lambda patch: patch.setattr(lexical.LexicalIndex, "build", full_for_tantivy),
        full_for_sqlite,
        full_at_the_end,
    ],
)
def test_a_full_disk_is_named_and_the_generation_before_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hashing: HashingEmbedder, fill_disk: Break
) -> None:
    add(tmp_path, [("a.txt", b"The bridge opened in 1932.")], hashing)
    with monkeypatch.context() as patch:
        fill_disk(patch)
        with pytest.raises(FullStoreError, match=r"The disk with .* is full; the index stays as it was\."):
            add(tmp_path, [("b.txt", b"The tunnel opened in 1992. " * 2_000)], hashing)
    with Store.open(tmp_path) as opened:
        assert [each.ref.uri for each in opened.listing()] == ["a.txt"]
    add(tmp_path, [("b.txt", b"The tunnel opened in 1992.")], hashing)


def broken(*_: object) -> None:
    raise OSError(errno.EIO, os.strerror(errno.EIO))


def broken_for_a_library(*_: object) -> None:
    raise RuntimeError(f"Error in FileIOWriter: {os.strerror(errno.EIO)}")


def broken_for_sqlite(*_: object) -> None:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR
    raise error


@pytest.mark.parametrize(
    ("place", "fail"),
    [
        ("index.originals.Path.write_bytes", broken),
        ("index.originals.sync", broken),
        ("index.derived.sync", broken),
        ("index.derived.Path.write_bytes", broken),
        ("index.derived.Path.rename", broken),
        ("index.dense.DenseIndex.write", broken_for_a_library),
        ("index.lexical.LexicalIndex.build", broken_for_a_library),
        ("index.store.Writer._insert", broken_for_sqlite),
        ("index.store.Writer.finish", broken_for_sqlite),
    ],
)
def test_an_error_of_the_disk_at_any_write_is_told_and_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hashing: HashingEmbedder, place: str, fail: Callable[..., None]
) -> None:
    add(tmp_path, [("a.txt", b"The bridge opened in 1932.")], hashing)
    with monkeypatch.context() as patch:
        patch.setattr(place, fail)
        with pytest.raises(StoreError, match=r"Input/output error|disk I/O error"):
            add(tmp_path, [("b.txt", b"The tunnel opened in 1992.")], hashing)
    with Store.open(tmp_path) as opened:
        assert [each.ref.uri for each in opened.listing()] == ["a.txt"]
        assert list(problems(opened)) == []
    add(tmp_path, [("b.txt", b"The tunnel opened in 1992.")], hashing)


def out_of_files(*_: object) -> None:
    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


@pytest.mark.parametrize("place", ["index.originals.sync", "index.derived.sync", "index.store.sync"])
@pytest.mark.parametrize(
    ("fail", "status", "kind"),
    [
        (full, 507, "disk-full"),
        (broken, 503, "index-unavailable"),
        (out_of_files, 503, "index-unavailable"),
    ],
)
def test_what_cannot_be_written_is_told_over_http_and_questions_are_answered_on(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    hashing: HashingEmbedder,
    place: str,
    fail: Callable[..., None],
    status: int,
    kind: str,
) -> None:
    add(tmp_path, [("a.txt", b"The bridge opened in 1932.")], hashing)

    async def scene(_: object, client: httpx2.AsyncClient) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(place, fail)
            refused = await client.post("/documents", files=upload(("b.txt", "The tunnel opened in 1992.")))
        assert (refused.status_code, refused.json()["type"]) == (status, f"urn:attest:problem:{kind}")
        assert refused.headers.get("retry-after") == ("5" if status == 503 else None)
        asked = await client.post("/ask", json={"question": "When did the bridge open?", "min_confidence": 0})
        assert asked.json()["answer"] == "1932"
        added = await client.post("/documents", files=upload(("b.txt", "The tunnel opened in 1992.")))
        assert added.status_code == 201

    play(tmp_path, scene)
