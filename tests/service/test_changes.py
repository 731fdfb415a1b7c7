"""Documents added, replaced and removed while the service runs: who may, how much, and what is served then."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from filelock import FileLock

from index import build
from index.documents import MAX_BYTES, document_id
from index.embedding import HashingEmbedder
from index.store import FILE_NAME, Store
from index.writing import LOCK, alone
from service import state as state_module
from service.app import create_app
from service.settings import Settings
from service.uploads import MAX_BODY, MAX_UPLOAD

KEY = "correct horse battery staple 1234"
BRIDGE, TUNNEL, CANAL = "The bridge opened in 1932.", "The tunnel opened in 1992.", "The canal was dug in 1825."
Scene = Callable[[FastAPI, httpx2.AsyncClient], Awaitable[None]]


@asynccontextmanager
async def started(index: Path, **fields: Any) -> AsyncIterator[tuple[FastAPI, httpx2.AsyncClient]]:
    app = create_app(Settings(index=index, embedder="hashing", **fields))
    transport = httpx2.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1", timeout=60) as client,
    ):
        yield app, client


async def ready(client: httpx2.AsyncClient) -> None:
    until = time.monotonic() + 20
    while (await client.get("/readyz")).status_code != 200:
        assert time.monotonic() < until, "not ready"
        await asyncio.sleep(0.02)


def play(index: Path, scene: Scene, **fields: Any) -> None:
    """Run a scene with a service that is ready."""

    async def played() -> None:
        async with started(index, **fields) as (app, client):
            await ready(client)
            await scene(app, client)

    asyncio.run(played())


async def answer(client: httpx2.AsyncClient, question: str) -> str | None:
    response = await client.post("/ask", json={"question": question, "min_confidence": 0})
    assert response.status_code == 200, response.text
    found: str | None = response.json()["answer"]
    return found


def upload(*files: tuple[str, str | bytes]) -> list[tuple[str, tuple[str, bytes]]]:
    return [("files", (name, data.encode() if isinstance(data, str) else data)) for name, data in files]


@pytest.fixture
def index(tmp_path: Path, hashing: HashingEmbedder) -> Path:
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents" / "a.txt").write_text(BRIDGE)
    build.build(tmp_path / "documents", tmp_path / "index", hashing)
    return tmp_path / "index"


def test_what_is_added_replaced_and_removed_is_served_when_the_call_returns(index: Path) -> None:
    async def scene(_: FastAPI, client: httpx2.AsyncClient) -> None:
        added = await client.post("/documents", files=upload(("b.txt", TUNNEL), ("c.md", CANAL)))
        assert added.status_code == 201, added.text
        assert added.json()["generation"] == 2
        tunnel, canal = (listed["id"] for listed in added.json()["documents"])
        assert [listed["added"] for listed in added.json()["documents"]] == [True, True]
        assert await answer(client, "When did the tunnel open?") == "1992"
        assert (await client.get(f"/documents/{canal}/text")).text == CANAL

        replaced = await client.put(f"/documents/{tunnel}", content=TUNNEL.replace("1992", "1994"))
        assert replaced.status_code == 200, replaced.text
        assert await answer(client, "When did the tunnel open?") == "1994"
        assert replaced.json()["documents"][0]["uri"] == "b.txt"

        removed = await client.delete(f"/documents/{tunnel}")
        assert (removed.status_code, removed.json()) == (200, {"documents": [], "generation": 4})
        assert "tunnel" not in (await client.post("/search", json={"question": "When did the tunnel open?"})).text
        assert (await client.get(f"/documents/{tunnel}")).status_code == 404
        listed = (await client.get("/documents")).json()
        assert [(each["uri"], each["added"]) for each in listed["documents"]] == [("a.txt", False), ("c.md", True)]
        assert listed["index"]["generation"] == 4

    play(index, scene)


def test_the_first_document_of_all_may_be_added_and_the_last_one_removed(tmp_path: Path) -> None:
    async def scene() -> None:
        async with started(tmp_path / "index") as (_, client):
            added = await client.post("/documents", files=upload(("a.txt", BRIDGE)))
            assert added.status_code == 201, added.text
            assert await answer(client, "When did the bridge open?") == "1932"
            assert (await client.delete(f"/documents/{document_id('a.txt')}")).status_code == 200
            gone = (await client.post("/ask", json={"question": "When did the bridge open?"})).json()
            assert (gone["status"], gone["reason"], gone["related"]) == ("abstained", "no_relevant_passage", [])
            assert (await client.get("/documents")).json()["documents"] == []
            assert (await client.post("/documents", files=upload(("b.txt", TUNNEL)))).status_code == 201
            assert await answer(client, "When did the tunnel open?") == "1992"

    asyncio.run(scene())


def test_what_another_process_changes_is_served_without_a_restart(index: Path, hashing: HashingEmbedder) -> None:
    async def scene(_: FastAPI, client: httpx2.AsyncClient) -> None:
        for _again in range(2):
            build.add(index, [("b.txt", TUNNEL.encode())], hashing)
            until = time.monotonic() + 20
            while await answer(client, "When did the tunnel open?") != "1992":
                assert time.monotonic() < until, "the new generation is not served"
                await asyncio.sleep(0.05)
            build.remove(index, [document_id("b.txt")], hashing)

    play(index, scene)


def test_an_index_that_could_not_be_served_is_served_once_it_is_mended(
    index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state_module, "AFTER_FAILURE", 0.1)
    build.build(index.parent / "documents", index, HashingEmbedder(64))  # by another embedder than the service's

    async def scene() -> None:
        async with started(index) as (_, client):
            until = time.monotonic() + 20
            while not (await client.get("/readyz")).json()["type"].endswith(":index-unavailable"):
                assert time.monotonic() < until
                await asyncio.sleep(0.05)
            build.build(index.parent / "documents", index, HashingEmbedder())
            await ready(client)
            assert await answer(client, "When did the bridge open?") == "1932"

    asyncio.run(scene())


def test_a_request_sees_one_generation_and_the_old_one_is_closed_after_it(
    index: Path, hashing: HashingEmbedder
) -> None:
    async def scene(app: FastAPI, client: httpx2.AsyncClient) -> None:
        before = app.state.attest.take()
        assert (await client.delete(f"/documents/{document_id('a.txt')}")).status_code == 200
        assert before.answerer.ask("When did the bridge open?", min_confidence=0).answer == "1932"
        store: Store = before.answerer.retriever.store
        assert store.counts() == (1, 1)
        before.give_back()
        with pytest.raises(Exception, match="closed"):
            store.counts()

    play(index, scene)


def test_a_file_that_cannot_be_read_is_named_and_nothing_is_added(index: Path) -> None:
    async def scene(_: FastAPI, client: httpx2.AsyncClient) -> None:
        refused = await client.post("/documents", files=upload(("b.txt", TUNNEL), ("c.txt", b"\xff"), ("d.exe", "MZ")))
        assert refused.status_code == 422
        problem = refused.json()
        assert problem["type"] == "urn:attest:problem:unreadable-document"
        assert [error["field"] for error in problem["errors"]] == ["c.txt", "d.exe"]
        assert len((await client.get("/documents")).json()["documents"]) == 1

    play(index, scene)


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        (b"", {"Content-Type": "multipart/form-data; boundary=x"}),
        (b"--x\r\n", {"Content-Type": "multipart/form-data; boundary=x"}),
        (b"--x--\r\n", {"Content-Type": "multipart/form-data"}),
        (b'{"files": []}', {"Content-Type": "application/json"}),
        (b"", {}),
        (b'--x\r\nContent-Disposition: form-data; name="files"\r\n\r\nno file\r\n--x--\r\n',
         {"Content-Type": "multipart/form-data; boundary=x"}),
    ],
)  # fmt: skip
def test_a_body_that_holds_no_files_is_refused(index: Path, content: bytes, headers: dict[str, str]) -> None:
    async def scene(_: FastAPI, client: httpx2.AsyncClient) -> None:
        refused = await client.post("/documents", content=content, headers=headers)
        assert (refused.status_code, refused.json()["type"]) == (422, "urn:attest:problem:invalid-request")

    play(index, scene)


def test_what_is_too_large_is_refused_by_what_it_says_or_once_it_is_too_much(index: Path) -> None:
    def endless(size: int) -> Callable[[], AsyncIterator[bytes]]:
        async def parts() -> AsyncIterator[bytes]:
            for _ in range(size // 1_000_000 + 1):
                yield b"x" * 1_000_000

        return parts

    async def scene(_: FastAPI, client: httpx2.AsyncClient) -> None:
        at = f"/documents/{document_id('a.txt')}"
        for refused in (
            await client.put(at, content=b"x" * (MAX_BYTES + 1)),
            await client.put(at, content=endless(MAX_BYTES)()),
            await client.post("/documents", files=upload(("b.txt", b"x" * (MAX_BYTES + 1)))),
            await client.post("/documents", content=b"x", headers={"Content-Length": str(MAX_UPLOAD + 1)}),
            await client.post("/ask", content=endless(MAX_BODY)(), headers={"Content-Type": "application/json"}),
            await client.post("/ask", content=b"x" * (MAX_BODY + 1), headers={"Content-Type": "application/json"}),
        ):
            assert (refused.status_code, refused.json()["type"]) == (413, "urn:attest:problem:too-large")
        assert await answer(client, "When did the bridge open?") == "1932"

    play(index, scene)


ADD = ("POST", "/documents")
PUT = ("PUT", f"/documents/{document_id('a.txt')}")
DELETE = ("DELETE", f"/documents/{document_id('a.txt')}")


@pytest.mark.parametrize("call", [ADD, PUT, DELETE])
@pytest.mark.parametrize(
    ("key", "headers", "status"),
    [
        (None, {}, None),
        (None, {"Origin": "http://127.0.0.1"}, None),
        (None, {"Origin": "null"}, 403),
        (None, {"Origin": "https://127.0.0.1:8001"}, 403),
        (None, {"Origin": "https://evil.example"}, 403),
        (None, {"Host": "evil.example", "Origin": "http://evil.example"}, 421),
        (KEY, {}, 401),
        (KEY, {"Authorization": "Bearer wrong"}, 401),
        (KEY, {"Authorization": f"Bearer {KEY}"}, None),
        (KEY, {"Authorization": f"Bearer {KEY}", "Host": "attest.example"}, None),
        (KEY, {"Authorization": f"Bearer {KEY}", "Origin": "null"}, 403),
        (KEY, {"Authorization": f"Bearer {KEY}", "Host": "attest.example", "Origin": "https://attest.example"}, None),
        (KEY, {"Authorization": f"Bearer {KEY}", "Host": "attest.example", "Origin": "https://evil.example"}, 403),
    ],
)
def test_who_may_change_documents(
    index: Path, call: tuple[str, str], key: str | None, headers: dict[str, str], status: int | None
) -> None:
    async def scene(_: FastAPI, client: httpx2.AsyncClient) -> None:
        method, path = call
        body: dict[str, Any] = {}
        if method == "POST":
            body = {"files": upload(("b.txt", TUNNEL))}
        elif method == "PUT":
            body = {"content": TUNNEL}
        response = await client.request(method, path, headers=headers, **body)
        assert response.status_code == (status or {"POST": 201}.get(method, 200)), response.text
        if status:
            with Store.open(index) as store:
                assert [(each.ref.uri, each.added) for each in store.listing()] == [("a.txt", False)]

    play(index, scene, **({"api_key": key} if key else {}))


def test_an_unknown_document_is_neither_replaced_nor_removed(index: Path) -> None:
    async def scene(_: FastAPI, client: httpx2.AsyncClient) -> None:
        for response in (await client.put("/documents/none", content="Oil."), await client.delete("/documents/none")):
            assert (response.status_code, response.json()["type"]) == (404, "urn:attest:problem:unknown-document")

    play(index, scene)


def test_while_another_process_writes_a_change_waits_and_then_says_by_whom_it_was_kept(
    index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state_module, "PATIENCE", 0.1)

    async def scene(_: FastAPI, client: httpx2.AsyncClient) -> None:
        with FileLock(index / LOCK):
            busy = await client.delete(f"/documents/{document_id('a.txt')}")
        assert (busy.status_code, busy.json()["type"]) == (503, "urn:attest:problem:index-busy")
        assert busy.headers["retry-after"] == "5"
        assert await answer(client, "When did the bridge open?") == "1932"

    play(index, scene)


def test_many_changes_at_once_are_made_one_by_one_while_questions_are_answered(index: Path) -> None:
    async def scene(_: FastAPI, client: httpx2.AsyncClient) -> None:
        wrong: list[str] = []
        done = asyncio.Event()

        async def asking() -> None:
            while not done.is_set():
                found = await answer(client, "When did the bridge open?")
                if found != "1932":
                    wrong.append(str(found))

        asker = asyncio.create_task(asking())
        added = await asyncio.gather(
            *(client.post("/documents", files=upload((f"{n}.txt", f"Quay {n} has {n} cranes."))) for n in range(12))
        )
        done.set()
        await asker
        assert [each.status_code for each in added] == [201] * 12
        assert sorted(each.json()["generation"] for each in added) == list(range(2, 14))
        assert wrong == []
        assert len((await client.get("/documents")).json()["documents"]) == 13

    play(index, scene)


def test_threads_and_files_do_not_grow_with_generations(index: Path, hashing: HashingEmbedder) -> None:
    async def scene(_: FastAPI, client: httpx2.AsyncClient) -> None:
        counts = []
        for _again in range(20):
            await client.post("/documents", files=upload(("b.txt", TUNNEL)))
            await client.delete(f"/documents/{document_id('b.txt')}")
            await answer(client, "When did the bridge open?")
            counts.append((threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))))
        assert counts[-1][0] <= counts[4][0]
        assert counts[-1][1] <= counts[4][1] + 2

    play(index, scene)


def test_the_log_of_the_store_does_not_grow_with_changes_whoever_makes_them(
    index: Path, hashing: HashingEmbedder
) -> None:
    async def scene(app: FastAPI, client: httpx2.AsyncClient) -> None:
        log = index / f"{FILE_NAME}-wal"
        sizes = []
        for number in range(20):
            await client.post("/documents", files=upload(("b.txt", f"The tunnel has {number} lamps. " * 500)))
            sizes.append(log.stat().st_size)
        path = f"/documents/{document_id('b.txt')}"
        for number in range(5):
            texts = [f"The tunnel has {number} lamps and {client} doors. " * 500 for client in range(4)]
            replaced = await asyncio.gather(*(client.put(path, content=text) for text in texts))
            assert [each.status_code for each in replaced] == [200] * 4
            sizes.append(log.stat().st_size)
        assert max(sizes) <= 3 * sizes[0]
        for number in range(4):
            text = f"The tunnel has {number} doors. "
            change = await asyncio.to_thread(build.add, index, [("c.txt", text.encode() * 500)], hashing)
            while app.state.attest.folded < change.generation:
                await asyncio.sleep(0.05)
        assert log.stat().st_size <= 3 * sizes[0]

    play(index, scene)


def test_the_log_does_not_grow_either_while_there_is_always_a_question(
    index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state_module, "LONG_LOG", 300_000)
    monkeypatch.setattr(state_module, "LOOK_AGAIN", 60.0)  # it is the changes that fold it

    async def scene(app: FastAPI, client: httpx2.AsyncClient) -> None:
        done = asyncio.Event()

        async def read_for_ever(after: float) -> None:
            await asyncio.sleep(after)
            while not done.is_set():
                with app.state.attest.taken():
                    await asyncio.sleep(0.4)

        readers = [asyncio.create_task(read_for_ever(0.1 * number)) for number in range(4)]
        sizes = []
        for number in range(25):
            await client.post("/documents", files=upload(("b.txt", f"The tunnel has {number} lamps. " * 500)))
            sizes.append((index / f"{FILE_NAME}-wal").stat().st_size)
        done.set()
        await asyncio.gather(*readers)
        assert max(sizes) > 300_000
        assert max(sizes) < 1_500_000

    play(index, scene)


def test_a_change_does_not_meet_the_service_itself_at_the_lock_of_the_index(
    index: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    folding, goes_on = threading.Event(), threading.Event()

    def fold(store: Store) -> bool:
        with alone(store.directory):
            folding.set()
            goes_on.wait(20)
        return True

    async def scene(_: FastAPI, client: httpx2.AsyncClient) -> None:
        assert await asyncio.to_thread(folding.wait, 20)
        change = asyncio.create_task(client.post("/documents", files=upload(("b.txt", TUNNEL))))
        await asyncio.sleep(0.5)
        assert not change.done()
        goes_on.set()
        assert (await change).status_code == 201
        assert "Waiting for" not in caplog.text

    monkeypatch.setattr(state_module, "fold", fold)
    play(index, scene)
