"""The service before it is ready, when it cannot be, when it is busy, and when it asks for a key."""

import asyncio
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from index.build import build
from index.embedding import HashingEmbedder
from index.store import FILE_NAME
from service.app import create_app
from service.settings import Settings

Write = Callable[..., Path]
PATIENCE = 20  # seconds
KEY = "correct horse battery staple 1234"
ASK = {"question": "When did the bridge open?", "min_confidence": 0}


@pytest.fixture
def bridges(write: Write, hashing: HashingEmbedder) -> Path:
    """The index of one document."""
    folder = write({"a.txt": "It rained. The bridge opened in 1932."})
    directory = folder.parent / "index"
    build(folder, directory, hashing)
    return directory


def _settings(index: Path, **fields: Any) -> Settings:
    return Settings(index=index, embedder="hashing", **fields)


@asynccontextmanager
async def _started(settings: Settings) -> AsyncIterator[tuple[FastAPI, httpx2.AsyncClient]]:
    """The application in this process, started but perhaps still loading."""
    app = create_app(settings)
    transport = httpx2.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client,
    ):
        yield app, client


async def _settled(client: httpx2.AsyncClient) -> httpx2.Response:
    """What /readyz says once it says no more that it is loading."""
    until = time.monotonic() + PATIENCE
    while True:
        response = await client.get("/readyz")
        if response.status_code == 200 or not response.json()["type"].endswith(":loading"):
            return response
        assert time.monotonic() < until, "still loading"
        await asyncio.sleep(0.02)


def test_it_lives_at_once_and_is_ready_when_the_index_is_loaded(bridges: Path) -> None:
    async def scene() -> None:
        with closing(sqlite3.connect(bridges / "attest.sqlite", isolation_level=None)) as another:
            another.execute("PRAGMA locking_mode = EXCLUSIVE")
            another.execute("BEGIN IMMEDIATE")  # until this ends, nobody can open the index
            async with _started(_settings(bridges)) as (_, client):
                assert (await client.get("/livez")).json() == {"status": "ok"}
                assert (await client.get("/")).status_code == 200
                for path in ("/readyz", "/documents", "/suggestions", "/documents/0123456789abcdef"):
                    response = await client.get(path)
                    assert response.status_code == 503
                    assert response.headers["content-type"] == "application/problem+json"
                    assert response.headers["retry-after"] == "2"
                    assert response.json()["type"] == "urn:attest:problem:loading"
                assert (await client.post("/ask", json=ASK)).status_code == 503
                assert (await client.post("/search", json={"question": "bridge"})).status_code == 503
                another.execute("ROLLBACK")
                another.close()
                assert (await _settled(client)).json() == {"status": "ok"}
                assert (await client.post("/ask", json=ASK)).json()["answer"] == "1932"

    asyncio.run(scene())


@pytest.mark.parametrize("kind", ["nothing-indexed", "index-unavailable"])
def test_an_index_that_is_missing_or_damaged_is_a_problem_that_says_how_to_mend_it(bridges: Path, kind: str) -> None:
    store = bridges / FILE_NAME
    if kind == "nothing-indexed":
        store.unlink()
    else:
        store.write_bytes(b"no database")

    async def scene() -> None:
        async with _started(_settings(bridges)) as (_, client):
            response = await _settled(client)
            assert response.status_code == 503
            assert response.headers["content-type"] == "application/problem+json"
            assert response.json()["type"] == f"urn:attest:problem:{kind}"
            assert "attest index" in response.json()["detail"]
            assert (await client.post("/ask", json=ASK)).json()["detail"] == response.json()["detail"]
            assert (await client.get("/livez")).status_code == 200

    asyncio.run(scene())


def test_a_service_that_waits_for_an_index_serves_it_as_soon_as_it_is_there(
    write: Write, hashing: HashingEmbedder
) -> None:
    folder = write({"a.txt": "It rained. The bridge opened in 1932."})
    directory = folder.parent / "index"

    async def scene() -> None:
        async with _started(_settings(directory)) as (_, client):
            assert (await _settled(client)).json()["type"].endswith(":nothing-indexed")
            build(folder, directory, hashing)
            until = time.monotonic() + PATIENCE
            while (await client.get("/readyz")).status_code != 200:
                assert time.monotonic() < until, "still waiting"
                await asyncio.sleep(0.05)
            assert (await client.post("/ask", json=ASK)).json()["answer"] == "1932"

    asyncio.run(scene())


def test_health_answers_while_every_place_for_questions_is_taken(bridges: Path) -> None:
    async def scene() -> None:
        async with _started(_settings(bridges, workers=1, queue=1)) as (app, client):
            await _settled(client)
            release = threading.Event()
            pool = app.state.attest.pool
            waiting = [asyncio.create_task(pool.run(release.wait, PATIENCE)) for _ in range(2)]
            await asyncio.sleep(0)
            assert (await client.get("/livez")).status_code == 200
            assert (await client.get("/readyz")).status_code == 200
            assert (await client.get("/documents")).status_code == 200
            for path, body in (("/ask", ASK), ("/search", {"question": "bridge"})):
                refused = await client.post(path, json=body)
                assert refused.status_code == 503
                assert refused.headers["retry-after"] == "1"
                assert refused.json()["type"] == "urn:attest:problem:overloaded"
            release.set()
            assert await asyncio.gather(*waiting) == [True, True]
            assert (await client.post("/ask", json=ASK)).status_code == 200

    asyncio.run(scene())


def test_many_questions_at_once_get_the_answers_they_get_alone(bridges: Path) -> None:
    async def scene() -> None:
        async with _started(_settings(bridges, workers=4, remembered=0)) as (_, client):
            await _settled(client)
            questions = ["When did the bridge open?", "Did it rain?", "bridge", "1932"] * 8
            alone = {q: (await client.post("/ask", json={**ASK, "question": q})).json() for q in set(questions)}
            together = await asyncio.gather(*(client.post("/ask", json={**ASK, "question": q}) for q in questions))
            for question, response in zip(questions, together, strict=True):
                assert {**response.json(), "timings_ms": None} == {**alone[question], "timings_ms": None}

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("given", "status"),
    [
        (None, 401),
        ("", 401),
        ("Bearer", 401),
        (f"Bearer {KEY[:-1]}", 401),
        (f"Bearer {KEY}5", 401),
        (f"Basic {KEY}", 401),
        (KEY, 401),
        ("Bearer clé", 401),
        (f"Bearer {KEY}", 200),
    ],
)
def test_with_a_key_set_only_the_key_opens_the_documents(bridges: Path, given: str | None, status: int) -> None:
    async def scene() -> None:
        async with _started(_settings(bridges, api_key=KEY)) as (_, client):
            await _settled(client)
            headers = {} if given is None else {b"Authorization": given.encode("latin-1")}
            calls = [
                await client.post("/ask", json=ASK, headers=headers),
                await client.post("/search", json={"question": "bridge"}, headers=headers),
                await client.get("/documents", headers=headers),
                await client.get("/suggestions", headers=headers),
            ]
            assert [response.status_code for response in calls] == [status] * 4
            for response in calls if status == 401 else []:
                assert response.headers["www-authenticate"] == "Bearer"
                assert response.headers["content-type"] == "application/problem+json"
                assert response.json()["type"] == "urn:attest:problem:unauthorized"
                assert KEY not in response.text

    asyncio.run(scene())


def test_without_the_key_no_document_can_be_read_or_guessed(bridges: Path) -> None:
    async def scene() -> None:
        async with _started(_settings(bridges, api_key=KEY)) as (_, client):
            await _settled(client)
            (listed,) = (await client.get("/documents", headers={"Authorization": f"Bearer {KEY}"})).json()["documents"]
            for path in (
                f"/documents/{listed['id']}",
                f"/documents/{listed['id']}/text",
                "/documents/0123456789abcdef",
            ):
                assert (await client.get(path)).status_code == 401

    asyncio.run(scene())


def test_with_a_key_set_page_and_health_stay_open(bridges: Path) -> None:
    async def scene() -> None:
        async with _started(_settings(bridges, api_key=KEY)) as (_, client):
            await _settled(client)
            for path in ("/", "/static/app.js", "/livez", "/readyz"):
                assert (await client.get(path)).status_code == 200

    asyncio.run(scene())


def test_a_crash_is_a_problem_without_its_details(bridges: Path) -> None:
    async def scene() -> None:
        async with _started(_settings(bridges)) as (app, client):

            @app.get("/crash")
            def crash() -> None:
                raise RuntimeError("a secret")

            response = await client.get("/crash", headers={"X-Request-ID": "crash-1"})
            assert response.status_code == 500
            assert response.headers["content-type"] == "application/problem+json"
            assert response.headers["x-request-id"] == response.json()["request_id"] == "crash-1"
            assert response.headers["x-content-type-options"] == "nosniff"
            assert response.json()["type"] == "urn:attest:problem:internal-error"
            assert "secret" not in response.text

    asyncio.run(scene())
