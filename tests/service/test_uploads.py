"""What comes over HTTP and is too much, comes too slowly, or comes while too much waits."""

import asyncio
import re
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI

from index import build
from index.documents import MAX_BYTES, document_id
from index.embedding import HashingEmbedder
from service import uploads
from service.state import WRITERS
from tests.service.test_changes import answer, play
from tests.torture.server import Served, call

BRIDGE = "The bridge opened in 1932."
HEAD = b'--x\r\nContent-Disposition: form-data; name="files"; filename="large.txt"\r\n\r\n'
MULTIPART = {"Content-Type": "multipart/form-data; boundary=x"}
PUT = f"/documents/{document_id('a.txt')}"


@pytest.fixture
def index(tmp_path: Path, hashing: HashingEmbedder) -> Path:
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents" / "a.txt").write_text(BRIDGE)
    build.build(tmp_path / "documents", tmp_path / "index", hashing)
    return tmp_path / "index"


class Body:
    """A body that counts how much of it was taken, a megabyte each time, and may stop without an end."""

    def __init__(self, head: bytes, megabytes: int, stalls: bool = False) -> None:
        self.head, self.megabytes, self.stalls, self.taken = head, megabytes, stalls, 0

    async def parts(self) -> AsyncIterator[bytes]:
        yield self.head
        for _ in range(self.megabytes):
            self.taken += 1
            yield b"x" * 1_000_000
        if self.stalls:
            await asyncio.sleep(60)


def test_a_file_that_is_too_large_is_refused_before_it_has_come_whole(index: Path) -> None:
    async def scene(_: FastAPI, client: httpx2.AsyncClient) -> None:
        sent = Body(HEAD, 199)
        refused = await client.post("/documents", content=sent.parts(), headers=MULTIPART)
        assert (refused.status_code, refused.json()["type"]) == (413, "urn:attest:problem:too-large")
        assert refused.json()["errors"][0]["field"] == "large.txt"
        assert sent.taken <= MAX_BYTES // 1_000_000 + 1

    play(index, scene)


def test_of_a_change_that_has_no_place_nothing_is_read(index: Path) -> None:
    async def scene(app: FastAPI, client: httpx2.AsyncClient) -> None:
        with ExitStack() as taken:
            for _ in range(1 + WRITERS):
                taken.enter_context(app.state.attest.writers.place())
            for method, path in (("POST", "/documents"), ("PUT", PUT)):
                sent = Body(HEAD, 1)
                refused = await client.request(method, path, content=sent.parts(), headers=MULTIPART)
                assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
                assert sent.taken == 0
            assert (await client.delete(PUT)).status_code == 503
        assert (await client.delete(PUT)).status_code == 200

    play(index, scene)


@pytest.mark.parametrize(("method", "path"), [("POST", "/documents"), ("PUT", PUT), ("POST", "/ask")])
def test_a_body_that_stops_coming_is_given_up_and_gives_its_place_back(
    index: Path, monkeypatch: pytest.MonkeyPatch, method: str, path: str
) -> None:
    monkeypatch.setattr(uploads, "SILENCE", 0.1)

    async def scene(app: FastAPI, client: httpx2.AsyncClient) -> None:
        sent = Body(b"", 0, stalls=True) if path == "/ask" else Body(HEAD, 1, stalls=True)
        refused = await client.request(method, path, content=sent.parts(), headers=MULTIPART)
        assert (refused.status_code, refused.json()["type"]) == (408, "urn:attest:problem:request-timeout")
        assert refused.headers["connection"] == "close"
        assert app.state.attest.writers.taken == 0
        assert await answer(client, "When did the bridge open?") == "1932"

    play(index, scene)


def test_a_question_is_refused_before_it_is_read_while_too_many_wait(index: Path) -> None:
    async def scene(app: FastAPI, client: httpx2.AsyncClient) -> None:
        with app.state.attest.pool.place():
            for path in ("/ask", "/search"):
                refused = await client.post(path, content=b"no JSON")
                assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
                assert refused.json()["type"] == "urn:attest:problem:overloaded"
        assert await answer(client, "When did the bridge open?") == "1932"

    play(index, scene, workers=1, queue=0)


def test_a_client_that_goes_amid_its_request_is_counted_and_no_failure(index: Path) -> None:
    with Served(index, "--embedder", "hashing", "--log", "json") as served:
        served.ready()
        for method, path in (("POST", "/documents"), ("PUT", PUT), ("POST", "/ask")):
            kind = "application/json" if path == "/ask" else MULTIPART["Content-Type"]
            with closing(socket.create_connection((served.host, served.port), 20)) as connection:
                head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\n"
                connection.sendall(f"{head}Content-Length: 1000\r\n\r\n".encode() + HEAD)
                time.sleep(0.2)
        with closing(served.connect()) as client:
            until = time.monotonic() + 20
            while len(re.findall(rb'_count\{.*status="499"', call(client, "GET", "/metrics")[1])) < 3:
                assert time.monotonic() < until
                time.sleep(0.05)
        assert "Traceback" not in served.errors()
        assert served.errors().count('"status": 499') == 3


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A service that waits two seconds for its clients."""
    directory = tmp_path_factory.mktemp("impatient")
    build.add(directory, [("a.txt", BRIDGE.encode())], HashingEmbedder())
    with Served(directory, "--embedder", "hashing", mistake="overload.impatient") as served:
        served.ready()
        yield served


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"", b""),
        (b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n", b""),
        (b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nGET /livez HTTP/1.1\r\nHost", b"HTTP/1.1 200 OK"),
        (b"POST /ask HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\n\r\n{", b"HTTP/1.1 408 Request Timeout"),
    ],
)
def test_a_connection_whose_client_says_no_more_is_closed(impatient: Served, sent: bytes, said: bytes) -> None:
    with closing(socket.create_connection((impatient.host, impatient.port), 20)) as connection:
        connection.sendall(sent)
        found = b""
        while received := connection.recv(65_536):
            found += received
    assert found.split(b"\r\n")[0] == said
