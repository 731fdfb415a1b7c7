"""Documents added and removed by themselves: all or nothing, on the disk, and beside those of a folder."""

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from index import build as build_module
from index import documents, originals
from index.build import UnreadableFilesError, add, build, remove
from index.documents import document_id
from index.embedding import HashingEmbedder
from index.errors import DamagedStoreError, StoreError
from index.retrieval import Retriever
from index.store import FILE_NAME, Store
from index.verification import problems
from index.writing import LOCK, BusyError, is_being_written, writing

BRIDGE, TUNNEL = b"It rained. The bridge opened in 1932.", b"The tunnel opened in 1992."


def found(directory: Path, question: str) -> list[tuple[str, str]]:
    """The documents and texts of the passages that are found, best first."""
    retriever = Retriever.open(directory, HashingEmbedder())
    try:
        return [(hit.document.uri, hit.passage.text) for hit in retriever.search(question, 5)]
    finally:
        retriever.close()


def uris(directory: Path) -> list[str]:
    with Store.open(directory) as store:
        assert list(problems(store)) == []
        return [listing.ref.uri for listing in store.listing()]


def test_a_file_is_added_and_found(tmp_path: Path, hashing: HashingEmbedder) -> None:
    change = add(tmp_path, [("a.txt", BRIDGE)], hashing)
    assert change.generation == 1
    (listing,) = change.documents
    assert (listing.ref.uri, listing.ref.id, listing.added) == ("a.txt", document_id("a.txt"), True)
    assert found(tmp_path, "When did the bridge open?") == [("a.txt", BRIDGE.decode())]
    assert originals.path(tmp_path, listing.ref.sha256, "a.txt").read_bytes() == BRIDGE
    assert uris(tmp_path) == ["a.txt"]


def test_files_of_the_folder_and_added_ones_live_side_by_side(
    write: Callable[..., Path], tmp_path: Path, hashing: HashingEmbedder
) -> None:
    directory = tmp_path / "index"
    build(write({"a.txt": BRIDGE}), directory, hashing)
    assert add(directory, [("b.txt", TUNNEL)], hashing).generation == 2
    report = build(write({"c.txt": "Oil."}), directory, hashing)
    assert (report.generation, report.removed_documents, report.embedded_passages) == (3, 0, 1)
    assert uris(directory) == ["a.txt", "b.txt", "c.txt"]
    (tmp_path / "documents" / "a.txt").unlink()
    assert build(tmp_path / "documents", directory, hashing).removed_documents == 1
    assert uris(directory) == ["b.txt", "c.txt"]


def test_a_file_with_the_name_of_a_document_replaces_it(
    write: Callable[..., Path], tmp_path: Path, hashing: HashingEmbedder
) -> None:
    directory = tmp_path / "index"
    folder = write({"deep/a.txt": BRIDGE})
    build(folder, directory, hashing)
    add(directory, [("deep/a.txt", TUNNEL)], hashing, must_exist=True)
    assert found(directory, "opened") == [("deep/a.txt", TUNNEL.decode())]
    assert [name for name, _ in originals.every(directory)] == ["deep/a.txt"]
    build(folder, directory, hashing)  # makes the folder's documents what the folder holds
    assert found(directory, "opened") == [("deep/a.txt", BRIDGE.decode())]
    assert list(originals.every(directory)) == []


def test_a_path_too_long_for_the_name_of_a_file_is_refused_in_words(
    write: Callable[..., Path], tmp_path: Path, hashing: HashingEmbedder
) -> None:
    uri = "/".join(["folder" * 20] * 2) + "/%%%%%%%%.txt"
    build(write({uri: BRIDGE}), tmp_path / "index", hashing)
    with pytest.raises(UnreadableFilesError, match="its path is too long to be kept by itself: more than 255 bytes"):
        add(tmp_path / "index", [(uri, TUNNEL)], hashing, must_exist=True)
    assert found(tmp_path / "index", "opened") == [(uri, BRIDGE.decode())]


def test_a_file_is_read_before_other_writers_have_to_wait(
    tmp_path: Path, hashing: HashingEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_out = documents.taken_out

    def taking_out(uri: str, data: bytes, *others: Any) -> Any:
        assert not is_being_written(tmp_path)
        return take_out(uri, data, *others)

    monkeypatch.setattr("index.build.taken_out", taking_out)
    add(tmp_path, [("a.txt", BRIDGE)], hashing)
    assert found(tmp_path, "opened") == [("a.txt", BRIDGE.decode())]


def test_the_same_file_again_changes_nothing(tmp_path: Path, hashing: HashingEmbedder) -> None:
    first = add(tmp_path, [("a.txt", BRIDGE)], hashing)
    assert add(tmp_path, [("a.txt", BRIDGE)], hashing) == first


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("b.txt", b"\xff\xfe", "not UTF-8"),
        ("b.exe", b"MZ", r"not a \.txt, \.md, \.html, \.htm, \.pdf or \.docx file"),
        ("../b.txt", TUNNEL, "its name is not that of a file alone"),
        ("..\\b.txt", TUNNEL, "its name is not that of a file alone"),
        ("/etc/b.txt", TUNNEL, "its name is not that of a file alone"),
        (".b.txt", TUNNEL, "its name is not that of a file alone"),
        ("b\0.txt", TUNNEL, "its name is not that of a file alone"),
        ("b\u202etxt.md", TUNNEL, "its name is not that of a file alone"),
        ("\udcff.txt", TUNNEL, "its name is not that of a file alone"),
        (f"{'b' * 200}.txt", TUNNEL, "its name has more than 200 bytes"),
        ("", TUNNEL, r"not a \.txt, \.md, \.html, \.htm, \.pdf or \.docx file"),
    ],
)
def test_a_file_that_cannot_be_added_is_named_and_none_is_added(
    tmp_path: Path, hashing: HashingEmbedder, name: str, data: bytes, reason: str
) -> None:
    add(tmp_path / "index", [("a.txt", BRIDGE)], hashing)
    kept = sorted(tmp_path.rglob("originals/*"))
    with pytest.raises(UnreadableFilesError, match=reason) as raised:
        add(tmp_path / "index", [("c.txt", TUNNEL), (name, data)], hashing)
    assert [unread for unread, _ in raised.value.unread] == [name]
    assert uris(tmp_path / "index") == ["a.txt"]
    assert sorted(tmp_path.rglob("originals/*")) == kept


def test_two_files_of_one_name_are_refused(tmp_path: Path, hashing: HashingEmbedder) -> None:
    with pytest.raises(UnreadableFilesError, match=r"a\.txt: another file has the same name"):
        add(tmp_path, [("a.txt", BRIDGE), ("b.txt", TUNNEL), ("a.txt", TUNNEL)], hashing)
    assert not (tmp_path / "originals").exists()


def test_a_document_that_is_gone_is_not_replaced(tmp_path: Path, hashing: HashingEmbedder) -> None:
    add(tmp_path, [("a.txt", BRIDGE)], hashing)
    with pytest.raises(KeyError, match=document_id("b.txt")):
        add(tmp_path, [("b.txt", TUNNEL)], hashing, must_exist=True)
    assert uris(tmp_path) == ["a.txt"]


def test_what_cannot_be_cleared_away_does_not_undo_a_change(
    tmp_path: Path, hashing: HashingEmbedder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise OSError("the disk is at its end")

    add(tmp_path, [("a.txt", BRIDGE), ("b.txt", TUNNEL)], hashing)
    with monkeypatch.context() as patch:
        patch.setattr(originals, "settle", broken)
        assert remove(tmp_path, [document_id("a.txt")], hashing).generation == 2
    assert "Not all that is out of date could be removed" in caplog.text
    assert uris(tmp_path) == ["b.txt"]
    build_again = HashingEmbedder(64)
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents" / "c.txt").write_bytes(b"Oil.")
    build(tmp_path / "documents", tmp_path, build_again)  # what was removed does not come back
    assert uris(tmp_path) == ["b.txt", "c.txt"]


def test_the_lock_is_free_once_a_change_is_made(tmp_path: Path, hashing: HashingEmbedder) -> None:
    held = writing(tmp_path)
    with held:
        pass
    with FileLock(tmp_path / LOCK, timeout=0):
        assert held


def test_what_is_removed_is_gone_with_its_file(tmp_path: Path, hashing: HashingEmbedder) -> None:
    add(tmp_path, [("a.txt", BRIDGE), ("b.txt", TUNNEL)], hashing)
    assert remove(tmp_path, [document_id("a.txt")], hashing).generation == 2
    assert uris(tmp_path) == ["b.txt"]
    assert "bridge" not in str(found(tmp_path, "When did the bridge open?"))
    assert [name for name, _ in originals.every(tmp_path)] == ["b.txt"]
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and BRIDGE in path.read_bytes()]


def test_an_unknown_document_is_not_removed_nor_any_beside_it(tmp_path: Path, hashing: HashingEmbedder) -> None:
    add(tmp_path, [("a.txt", BRIDGE)], hashing)
    with pytest.raises(KeyError, match="none"):
        remove(tmp_path, [document_id("a.txt"), "none"], hashing)
    assert uris(tmp_path) == ["a.txt"]


def test_an_index_without_documents_finds_nothing_and_can_be_filled_again(
    tmp_path: Path, hashing: HashingEmbedder
) -> None:
    add(tmp_path, [("a.txt", BRIDGE)], hashing)
    remove(tmp_path, [document_id("a.txt")], hashing)
    assert found(tmp_path, "When did the bridge open?") == []
    assert add(tmp_path, [("b.txt", TUNNEL)], hashing).generation == 3
    assert uris(tmp_path) == ["b.txt"]


def test_another_embedder_cannot_add(tmp_path: Path, hashing: HashingEmbedder) -> None:
    add(tmp_path, [("a.txt", BRIDGE)], hashing)
    with pytest.raises(StoreError, match="was built with hashing"):
        add(tmp_path, [("b.txt", TUNNEL)], HashingEmbedder(64))
    assert uris(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("content", [None, b"", b"no database"])
def test_added_documents_outlive_a_store_that_is_lost(
    write: Callable[..., Path], tmp_path: Path, hashing: HashingEmbedder, content: bytes | None
) -> None:
    directory = tmp_path / "index"
    folder = write({"a.txt": BRIDGE})
    build(folder, directory, hashing)
    add(directory, [("b.txt", TUNNEL)], hashing)
    (directory / FILE_NAME).unlink()
    if content is not None:
        (directory / FILE_NAME).write_bytes(content)
    if content == b"no database":
        with pytest.raises(DamagedStoreError):
            add(directory, [("c.txt", b"Oil.")], hashing)
    build(folder, directory, hashing)
    assert uris(directory) == ["a.txt", "b.txt"]


def test_added_documents_outlive_a_store_that_is_lost_where_there_is_no_folder(
    tmp_path: Path, hashing: HashingEmbedder
) -> None:
    add(tmp_path, [("a.txt", BRIDGE)], hashing)
    (tmp_path / FILE_NAME).unlink()
    add(tmp_path, [("b.txt", TUNNEL)], hashing)
    assert uris(tmp_path) == ["a.txt", "b.txt"]


def test_another_embedder_embeds_what_was_added_too_or_says_why_it_cannot(
    write: Callable[..., Path], tmp_path: Path, hashing: HashingEmbedder
) -> None:
    directory = tmp_path / "index"
    folder = write({"a.txt": BRIDGE})
    build(folder, directory, hashing)
    listing = add(directory, [("b.txt", TUNNEL)], hashing).documents[0]
    kept = originals.path(directory, listing.ref.sha256, "b.txt")
    kept.unlink()
    with pytest.raises(StoreError, match=r"b\.txt, which was added, cannot be read any more from .* No such file"):
        build(folder, directory, HashingEmbedder(64))
    assert len(found(directory, "opened")) == 2
    kept.write_bytes(TUNNEL)
    build(folder, directory, HashingEmbedder(64))
    assert uris(directory) == ["a.txt", "b.txt"]


def test_another_writer_is_waited_for_and_named(tmp_path: Path, hashing: HashingEmbedder) -> None:
    add(tmp_path, [("a.txt", BRIDGE)], hashing)
    told: list[str] = []
    with FileLock(tmp_path / LOCK):
        with pytest.raises(BusyError, match=r"is being written to by another process; try again later"):
            add(tmp_path, [("b.txt", TUNNEL)], hashing, patience=0.1, waiting=told.append)
        (tmp_path / "writer.json").write_text('{"process": 4711, "command": "attest", "since": "12:03:11"}')
        waiting = threading.Thread(target=add, args=(tmp_path, [("b.txt", TUNNEL)], hashing, -1, told.append))
        waiting.start()
        waiting.join(timeout=0.3)
        assert waiting.is_alive()
        assert told[1] == (
            f"Waiting for process 4711 (attest, since 12:03:11), which is writing to the index in {tmp_path}."
        )
    waiting.join(timeout=20)
    assert uris(tmp_path) == ["a.txt", "b.txt"]
    assert not (tmp_path / "writer.json").exists()


def test_a_file_of_a_lost_store_that_is_damaged_is_named_and_not_lost(tmp_path: Path, hashing: HashingEmbedder) -> None:
    add(tmp_path, [("a.txt", BRIDGE), ("b.txt", TUNNEL)], hashing)
    damaged = next(path for name, path in originals.every(tmp_path) if name == "b.txt")
    damaged.write_bytes(TUNNEL.replace(b"2", b"3"))
    (tmp_path / FILE_NAME).unlink()
    with pytest.raises(
        StoreError, match=r"b\.txt, which was added, cannot be read any more .*it is not what was added"
    ):
        add(tmp_path, [("c.txt", b"The quay opened in 2001.")], hashing)
    damaged.write_bytes(TUNNEL)
    add(tmp_path, [("c.txt", b"The quay opened in 2001.")], hashing)
    assert {name for name, _ in found(tmp_path, "opened")} == {"a.txt", "b.txt", "c.txt"}


def test_a_refused_change_leaves_no_files(
    tmp_path: Path, hashing: HashingEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(tmp_path, [("a.txt", BRIDGE)], hashing)
    before = sorted(tmp_path.rglob("*"))

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("index.build.publish_if_needed", refuse)
    with pytest.raises(StoreError):
        add(tmp_path, [("b.txt", TUNNEL)], hashing)
    assert sorted(tmp_path.rglob("*")) == before


def test_too_much_text_at_once_is_refused(
    tmp_path: Path, hashing: HashingEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build_module, "MAX_TEXTS", 60)
    with pytest.raises(UnreadableFilesError, match=r"c\.txt: more than 0 million characters together; add fewer"):
        add(tmp_path, [("a.txt", BRIDGE), ("c.txt", BRIDGE)], hashing)


def test_a_parser_that_cannot_be_started_is_the_systems_fault_and_not_the_files(
    tmp_path: Path, hashing: HashingEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("index.extraction.socket.socketpair", refuse)
    with pytest.raises(StoreError, match="Too many open files"):
        add(tmp_path, [("a.html", b"<p>It rained. The bridge opened in 1932.")], hashing)


def test_a_change_does_not_make_it_right_that_a_document_is_missing(tmp_path: Path, hashing: HashingEmbedder) -> None:
    add(tmp_path, [("a.txt", BRIDGE), ("b.txt", TUNNEL)], hashing)
    with closing(sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("DELETE FROM documents WHERE uri = 'b.txt'")
    with pytest.raises(DamagedStoreError, match="documents or passages are missing"):
        add(tmp_path, [("c.txt", b"The quay opened in 2001.")], hashing)
    with pytest.raises(DamagedStoreError, match="documents or passages are missing"):
        remove(tmp_path, [document_id("a.txt")], hashing)
    assert [name for name, _ in originals.every(tmp_path)] == ["a.txt", "b.txt"]
