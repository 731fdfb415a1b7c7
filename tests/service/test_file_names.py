"""File names that lead elsewhere: over HTTP and by `attest add`, nothing is written but where it belongs."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from index import originals
from index.build import add
from index.derived import FOLDER_NAME
from index.documents import document_id
from index.embedding import HashingEmbedder
from index.store import FILE_NAME, Store
from index.writing import LOCK
from tests.service.test_changes import play

TUNNEL = b"The tunnel opened in 1992."
REFUSED = [  # as a client sends them, in a header that no library has cleaned
    *(b"../b.txt", b"../../../../../../../../tmp/b.txt", b"/tmp/b.txt", b"//tmp/b.txt", b"a/b.txt", b"./b.txt", b".."),
    *(b"..\\\\b.txt", b".", b"", b" ", b".b.txt", b"....txt", b"..%2fb.txt", b"b\0.txt", b"../b\0.txt", b"b.txt\0"),
    *(
        b"b\x1b[31m.txt",
        b"b\x7f.txt",
        b"b\xe2\x80\xaetxt.md",
        b".attestignore",
        b".attestsuggestions",
        b"-rf",
        b"b.txt/",
    ),
    *(b"attest.sqlite", b"b.txt.", b"b.txt ", b"b.exe", b"b.txt:x", b"x" * 197 + b".txt", b"x" * 251 + b".txt"),
    *(b"x" * 296 + b".txt", "é".encode() * 99 + b".txt", b"%" * 66 + b".txt"),
]
TAKEN = {
    name: name.decode()
    for name in (
        *(b"%2e%2e%2fb.txt", b"%00.txt", b"CON.txt", b"NUL.md", b"-rf.txt", b"--help.txt", b"~.txt", b"$HOME.txt"),
        *(
            b"b..txt",
            b"a b.txt",
            b"b;c.txt",
            b"`b`.txt",
            b"*.txt",
            b"<b>.txt",
            "é.txt".encode(),
            "e\u0301.txt".encode(),
        ),
        *(b"x" * 196 + b".txt", "桥".encode() * 65 + b".txt", b"b.TXT", b"originals.txt", b"b.txt.md", b"%2F.txt"),
        b"%252F.txt",
    )
} | {  # the parser of forms takes the last part of a name with a drive, and what is not UTF-8 as Latin-1
    b"C:\\\\d.txt": "d.txt",
    b"\\\\\\\\host\\\\share\\\\e.txt": "e.txt",
    b"b\xff.txt": "bÿ.txt",
    b"b\xc0\xaf.txt": "bÀ¯.txt",
}


def multipart(name: bytes) -> dict[str, Any]:
    """A request with a file of this name, written by hand: clients clean names."""
    head = b'--x\r\nContent-Disposition: form-data; name="files"; filename="%b"\r\n\r\n' % name
    return {"content": head + TUNNEL + b"\r\n--x--\r\n", "headers": {"Content-Type": "multipart/form-data; boundary=x"}}


def tree(folder: Path) -> dict[str, bytes | None]:
    """What lies below a folder, without what changes by itself while an index is open."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
        if "index" not in path.relative_to(folder).parts
    }


def misplaced(index: Path) -> list[str]:
    """Files of an index that are none of its own, and originals that are not where their document says."""
    with Store.open(index) as store:
        expected = {originals.path(index, each.ref.sha256, each.ref.uri) for each in store.listing() if each.added}
    kept = {path for path in (index / originals.FOLDER_NAME).rglob("*") if path.is_file()}
    own = {FILE_NAME, f"{FILE_NAME}-wal", f"{FILE_NAME}-shm", LOCK, FOLDER_NAME, originals.FOLDER_NAME}
    own |= {"models", "suggestions.json"}
    strange = {path.name for path in index.iterdir()} - own
    return [*map(str, kept ^ expected), *strange, *(str(path) for path in kept if path.parent.parent.parent != index)]


@pytest.fixture
def index(tmp_path: Path) -> Path:
    add(tmp_path / "index", [("a.txt", b"The bridge opened in 1932.")], HashingEmbedder())
    (tmp_path / "bystander.txt").write_text("It stays.")
    return tmp_path / "index"


def listed(index: Path) -> list[str]:
    with Store.open(index) as store:
        return [each.ref.uri for each in store.listing()]


def test_names_that_are_not_those_of_a_file_alone_are_refused_over_http(index: Path) -> None:
    before = tree(index.parent)

    async def scene(_: FastAPI, client: httpx2.AsyncClient) -> None:
        for name in REFUSED:
            response = await client.post("/documents", **multipart(name))
            assert response.status_code == 422, (name, response.text)
            assert tree(index.parent) == before, name
            assert misplaced(index) == [], name

    play(index, scene)
    assert listed(index) == ["a.txt"]


def test_strange_names_of_files_alone_are_kept_in_the_index_and_nowhere_else(index: Path) -> None:
    before = tree(index.parent)

    async def scene(_: FastAPI, client: httpx2.AsyncClient) -> None:
        for name, uri in TAKEN.items():
            response = await client.post("/documents", **multipart(name))
            assert response.status_code == 201, (name, response.text)
            (made,) = response.json()["documents"]
            assert (made["uri"], made["id"]) == (uri, document_id(uri))
            assert tree(index.parent) == before, name
            assert misplaced(index) == [], name

    play(index, scene)
    assert sorted(listed(index)) == sorted(["a.txt", *TAKEN.values()])


@pytest.mark.parametrize(
    "place",
    ["..", "%2e%2e%2fb.txt", "..%2f..%2fetc%2fpasswd", "%00", "a.txt", "-rf", "x" * 3_000, "%0a", "%ff", "C:%5cb"],
)
def test_an_id_is_no_path(index: Path, place: str) -> None:
    before = tree(index.parent)

    async def scene(_: FastAPI, client: httpx2.AsyncClient) -> None:
        for method in ("PUT", "DELETE"):
            response = await client.request(method, f"/documents/{place}", content=TUNNEL if method == "PUT" else None)
            assert response.status_code in (404, 405), (method, response.status_code)
        assert tree(index.parent) == before
        assert misplaced(index) == []

    play(index, scene)
    assert listed(index) == ["a.txt"]


def test_attest_add_takes_a_file_by_its_name_alone(tmp_path: Path, index: Path) -> None:
    folder = tmp_path / "given"
    deep = folder / "deep"
    deep.mkdir(parents=True)
    names = [
        b"b.txt",
        b"%2e%2e%2fc.txt",
        b"-rf.txt",
        b"CON.txt",
        b"d\n.txt",
        b"\xe2\x80\xae.txt",
        b".e.txt",
        b"f\xff.txt",
    ]
    for name in names:
        Path(os.fsdecode(os.fsencode(deep) + b"/" + name)).write_bytes(TUNNEL)
    before = tree(tmp_path)
    for name in names:
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "attest",
                "add",
                "--index",
                str(index),
                "--",
                os.fsencode(deep) + b"/../deep/" + name,
            ],
            env=os.environ | {"ATTEST_EMBEDDER": "hashing"},
            capture_output=True,
            check=False,
        )
        is_taken = name in names[:4]
        assert (done.returncode == 0) is is_taken, (name, done.stderr)
        assert b"Traceback" not in done.stderr
        assert tree(tmp_path) == before
        assert misplaced(index) == []
    assert sorted(listed(index)) == sorted(["a.txt", *(name.decode() for name in names[:4])])


def test_a_file_beside_the_index_would_be_noticed(index: Path, tmp_path: Path) -> None:
    before = tree(tmp_path)
    (tmp_path / "b.txt").write_bytes(TUNNEL)
    assert tree(tmp_path) != before
    (index / "b.txt").write_bytes(TUNNEL)
    assert misplaced(index) == ["b.txt"]
    (index / originals.FOLDER_NAME / "b.txt").write_bytes(TUNNEL)
    assert len(misplaced(index)) == 3
