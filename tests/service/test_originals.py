"""The files that documents were read from, as they were."""

import asyncio
import hashlib
import socket
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from starlette.types import Message

from index.build import add, build
from index.documents import document_id
from index.embedding import HashingEmbedder
from tests.files import pdf
from tests.service.test_changes import play, upload
from tests.torture.server import Served, call

TEXT = "\ufeffIt rained.\r\nThe bridge opened in 1932."


@pytest.fixture
def index(tmp_path: Path, hashing: HashingEmbedder) -> Path:
    (tmp_path / "documents" / "deep").mkdir(parents=True)
    (tmp_path / "documents" / "deep" / "é ü.txt").write_bytes(TEXT.encode())
    (tmp_path / "documents" / "b.pdf").write_bytes(pdf([["The tunnel opened in 1992."], ["It is long."]]))
    build(tmp_path / "documents", tmp_path / "index", hashing)
    return tmp_path / "index"


async def original(client: httpx2.AsyncClient, uri: str) -> httpx2.Response:
    return await client.get(f"/documents/{document_id(uri)}/original")


def test_a_file_of_the_folder_and_one_that_was_added_are_given_byte_for_byte(index: Path) -> None:
    async def scene(_: Any, client: httpx2.AsyncClient) -> None:
        added = pdf([["The quay opened in 2001."]])
        assert (await client.post("/documents", files=upload(("c.pdf", added)))).status_code == 201
        listed = {each["uri"]: each["sha256"] for each in (await client.get("/documents")).json()["documents"]}
        files = {
            "deep/é ü.txt": TEXT.encode(),
            "b.pdf": pdf([["The tunnel opened in 1992."], ["It is long."]]),
            "c.pdf": added,
        }
        for uri, data in files.items():
            found = await original(client, uri)
            assert (found.status_code, found.content) == (200, data)
            assert listed[uri] == hashlib.sha256(found.content).hexdigest()
            assert found.headers["etag"] == f'"{listed[uri]}"'
            assert found.headers["content-type"] == "application/octet-stream"
        named = (await original(client, "deep/é ü.txt")).headers["content-disposition"]
        assert named == "attachment; filename*=UTF-8''%C3%A9%20%C3%BC.txt"

    play(index, scene)


def test_a_file_that_is_gone_or_has_changed_is_not_given(index: Path) -> None:
    async def scene(_: Any, client: httpx2.AsyncClient) -> None:
        file = index.parent / "documents" / "b.pdf"
        file.write_bytes(b"%PDF another")
        changed = await original(client, "b.pdf")
        file.unlink()
        gone = await original(client, "b.pdf")
        assert (changed.status_code, gone.status_code) == (404, 404)
        assert changed.json()["detail"] == "The file of this document has changed since it was indexed."
        assert gone.json()["detail"].startswith("The file of this document cannot be read any more")
        assert (await original(client, "none.txt")).json()["type"] == "urn:attest:problem:unknown-document"

    play(index, scene)


def test_what_offsets_refer_to_has_a_hash_of_its_own(index: Path) -> None:
    async def scene(_: Any, client: httpx2.AsyncClient) -> None:
        for uri, pages in (("deep/é ü.txt", 0), ("b.pdf", 2)):
            detail = (await client.get(f"/documents/{document_id(uri)}")).json()
            text = (await client.get(f"/documents/{document_id(uri)}/text")).content
            assert detail["text_sha256"] == hashlib.sha256(text).hexdigest()
            assert len(detail["pages"]) == pages
        assert text.decode()[detail["pages"][1] :] == "It is long."

    play(index, scene)


def test_a_place_is_taken_until_a_slow_client_has_a_large_answer(tmp_path: Path) -> None:
    page = b"<p>It rained.</p><!--" + b"x" * 15_000_000 + b"-->"
    add(tmp_path / "index", [("page.html", page)], HashingEmbedder())
    path = f"/documents/{document_id('page.html')}/original"
    with Served(tmp_path / "index", "--embedder", "hashing", "--workers", "1", "--queue", "0") as served:
        served.ready()
        with closing(socket.create_connection((served.host, served.port), 60)) as slow:
            slow.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
            received = slow.recv(65_536)
            with closing(served.connect()) as client:
                for _ in range(5):
                    client.request("GET", path)
                    refused = client.getresponse()
                    assert (refused.status, refused.headers["Retry-After"]) == (503, "1")
                    refused.read()
            while piece := slow.recv(65_536):
                received += piece
        assert received.endswith(page)
        with closing(served.connect()) as client:
            assert call(client, "GET", path) == (200, page)


def test_a_generation_is_not_kept_for_a_slow_client(index: Path) -> None:
    async def scene(app: FastAPI, client: httpx2.AsyncClient) -> None:
        answered, goes_on = asyncio.Event(), asyncio.Event()

        async def receive() -> Message:
            await goes_on.wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.body":
                answered.set()
                await goes_on.wait()

        path = f"/documents/{document_id('b.pdf')}/text"
        scope: dict[str, object] = {"type": "http", "http_version": "1.1", "method": "GET", "path": path}
        scope |= {"query_string": b"", "headers": [(b"host", b"127.0.0.1")], "app": app}
        slow = asyncio.create_task(app(scope, receive, send))
        await asyncio.wait_for(answered.wait(), 20)
        added = (await client.post("/documents", files=upload(("c.txt", "The quay opened in 2001.")))).json()
        async with asyncio.timeout(20):  # the log is in the file once nobody reads an older generation
            while app.state.attest.folded < added["generation"]:
                await asyncio.sleep(0.02)
        assert not slow.done()
        goes_on.set()
        await slow

    play(index, scene)
