"""How the service is watched and ended: its figures, its log, and what becomes of requests when it is told to end."""

import json
import os
import re
import resource
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from index.build import build
from index.embedding import HashingEmbedder
from service.serving import DESCRIPTORS
from tests.service.test_changes import play, upload

QUESTION = "When did the bridge open?"
ASK = {"question": QUESTION, "min_confidence": 0}


@pytest.fixture
def index(tmp_path: Path, hashing: HashingEmbedder) -> Path:
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents" / "a.txt").write_text("It rained. The bridge opened in 1932.")
    build(tmp_path / "documents", tmp_path / "index", hashing)
    return tmp_path / "index"


def figures(text: str) -> dict[str, float]:
    """The value of each figure by its name with labels."""
    lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in lines}


def test_figures_count_requests_stages_answers_and_generations(index: Path) -> None:
    async def scene(_: Any, client: httpx2.AsyncClient) -> None:
        for _again in range(3):
            assert (await client.post("/ask", json=ASK)).status_code == 200
        await client.post("/ask", json={"question": "Who?", "min_confidence": 1})
        await client.get("/documents/none")
        await client.get("/no/such/page")
        await client.post("/documents", files=upload(("b.txt", "The tunnel opened in 1992.")))
        response = await client.get("/metrics")
        assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
        found = figures(response.text)
        asked = 'attest_request_duration_seconds_count{method="POST",route="/ask",status="200"}'
        assert found[asked] == 4
        unknown = 'attest_request_duration_seconds_count{method="GET",route="/documents/{document_id}",status="404"}'
        assert found[unknown] == 1
        assert found['attest_request_duration_seconds_count{method="GET",route="none",status="404"}'] == 1
        assert found['attest_answers_total{reason="",status="answered"}'] == 3
        assert sum(value for name, value in found.items() if 'status="abstained"' in name and "_total" in name) == 1
        assert found['attest_stage_duration_seconds_count{stage="read"}'] == 2  # two were remembered
        assert (found["attest_generation"], found["attest_documents"], found["attest_passages"]) == (2, 2, 2)
        assert (found["attest_generations_served_total"], found["attest_queue"]) == (2, 0)
        assert QUESTION not in response.text

    play(index, scene)


def test_figures_need_the_key_where_there_is_one(index: Path) -> None:
    async def scene(_: Any, client: httpx2.AsyncClient) -> None:
        assert (await client.get("/metrics")).status_code == 401
        given = {"Authorization": "Bearer correct horse battery staple 1234"}
        assert (await client.get("/metrics", headers=given)).status_code == 200

    play(index, scene, api_key="correct horse battery staple 1234")


@contextmanager
def served(index: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A service in a process of its own, and its address."""
    command = [sys.executable, "-m", "attest", "serve", "--port", "0", "--index", str(index), "--embedder", "hashing"]
    process = subprocess.Popen(
        [*command, *options],
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout
        found = re.search(r"http://\S+:\d+", process.stdout.readline())
        assert found
        until = time.monotonic() + 60
        while httpx2.get(f"{found[0]}/readyz", timeout=60).status_code != 200:
            assert time.monotonic() < until
            time.sleep(0.05)
        yield process, found[0]
    finally:
        process.kill()
        process.communicate()


def test_requests_are_logged_as_json_without_their_questions(index: Path) -> None:
    with served(index, "--log", "json", "--drain", "0") as (process, address):
        httpx2.post(f"{address}/ask", json=ASK, headers={"X-Request-ID": "mine"})
        httpx2.get(f"{address}/answer", params={"q": QUESTION})
        process.terminate()
        _, errors = process.communicate(timeout=20)
    lines = [json.loads(line) for line in errors.splitlines()]
    assert QUESTION not in errors
    (asked,) = (line for line in lines if line.get("request_id") == "mine")
    assert (asked["method"], asked["route"], asked["status"], asked["level"]) == ("POST", "/ask", 200, "INFO")
    assert asked["milliseconds"] > 0
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\S+", asked["timestamp"])
    assert any(line.get("route") == "/answer" for line in lines)


@pytest.mark.parametrize("form", ["json", "text"])
def test_neither_the_key_nor_a_wrong_one_is_logged(index: Path, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    key, wrong = "right-key-" + "x" * 32, "wrong-key-" + "x" * 32
    monkeypatch.setenv("ATTEST_API_KEY", key)
    with served(index, "--log", form, "--log-questions", "--drain", "0") as (process, address):
        for given, status in ((key, 200), (wrong, 401)):
            headers = {"Authorization": f"Bearer {given}"}
            assert httpx2.post(f"{address}/ask", json=ASK, headers=headers).status_code == status
            httpx2.post(f"{address}/session", data={"key": given}, headers={"Origin": address})
            httpx2.get(f"{address}/{given}", headers=headers)
            httpx2.post(f"{address}/documents", files=upload(("b.xyz", "?")), headers=headers)
        process.terminate()
        said = "".join(process.communicate(timeout=20))
    assert "right-key-" not in said
    assert "wrong-key-" not in said
    assert form == "text" or '"status": 401' in said


def test_questions_are_logged_only_when_asked_for(index: Path) -> None:
    with served(index, "--log", "json", "--log-questions", "--drain", "0") as (process, address):
        httpx2.post(f"{address}/ask", json=ASK)
        process.terminate()
        _, errors = process.communicate(timeout=20)
    assert [line["question"] for line in map(json.loads, errors.splitlines()) if "question" in line] == [QUESTION]


def test_told_to_end_it_says_so_answers_on_for_a_while_and_then_ends(index: Path) -> None:
    with served(index, "--drain", "4") as (process, address), httpx2.Client(base_url=address) as client:
        assert client.post("/ask", json=ASK).status_code == 200
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        draining = client.get("/readyz")
        assert (draining.status_code, draining.json()["type"]) == (503, "urn:attest:problem:draining")
        assert draining.headers["connection"] == "close"
        assert httpx2.post(f"{address}/ask", json=ASK).status_code == 200
        assert httpx2.get(f"{address}/livez").status_code == 200
        process.wait(timeout=20)
        assert 3.5 < time.monotonic() - began < 15
        assert process.stderr
        assert process.stderr.read() == ""


def test_no_request_that_came_in_is_dropped_at_the_end(index: Path) -> None:
    """Clients that ask until nobody listens get an answer each time; `tests.torture.drain` has more of them."""
    with served(index, "--drain", "0.5", "--remembered", "0") as (process, address):
        statuses: list[int] = []
        failures: list[Exception] = []

        def client() -> None:
            try:
                while True:
                    with httpx2.Client(base_url=address, timeout=30) as session:
                        statuses.append(session.post("/ask", json=ASK).status_code)
            except httpx2.ConnectError:
                return
            except httpx2.HTTPError as error:
                failures.append(error)

        clients = [threading.Thread(target=client) for _ in range(8)]
        for each in clients:
            each.start()
        while len(statuses) < 8:
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        for each in clients:
            each.join(timeout=30)
        assert process.wait(timeout=20) == 0
    assert failures == []
    assert len(statuses) > 8
    assert set(statuses) == {200}


def test_as_many_files_may_be_open_as_the_system_allows(index: Path) -> None:
    most = min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], DESCRIPTORS)
    code = "import resource, sys; resource.setrlimit(resource.RLIMIT_NOFILE, (200, {})); from attest import app; app()"
    options = ["--port", "0", "--index", str(index), "--embedder", "hashing"]
    with subprocess.Popen(
        [sys.executable, "-c", code.format(resource.getrlimit(resource.RLIMIT_NOFILE)[1]), "serve", *options],
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        found = re.search(r"127.0.0.1:(\d+)", process.stdout.readline())
        assert found
        connections = [socket.create_connection(("127.0.0.1", int(found[1]))) for _ in range(300)]
        try:
            assert httpx2.get(f"http://127.0.0.1:{found[1]}/livez", timeout=30).status_code == 200
            limits = Path(f"/proc/{process.pid}/limits").read_text()
            assert re.search(rf"Max open files +{most} ", limits)
        finally:
            for connection in connections:
                connection.close()
            process.kill()


def test_of_more_connections_than_there_may_be_the_last_are_refused_and_the_others_served(index: Path) -> None:
    code = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100)); from attest import app; app()"
    options = ["--port", "0", "--index", str(index), "--embedder", "hashing"]
    with subprocess.Popen(
        [sys.executable, "-c", code, "serve", *options],
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        found = re.search(r"127.0.0.1:(\d+)", process.stdout.readline())
        assert found
        address = ("127.0.0.1", int(found[1]))
        try:
            with httpx2.Client(base_url=f"http://127.0.0.1:{found[1]}", timeout=30) as client, ExitStack() as opened:
                until = time.monotonic() + 60
                while client.get("/readyz").status_code != 200:
                    assert time.monotonic() < until
                connections = [opened.enter_context(closing(socket.create_connection(address))) for _ in range(200)]
                last = connections[-1].recv(65_536)
                assert last.startswith(b"HTTP/1.1 503 ")
                assert b"Retry-After: 1" in last
                assert client.post("/ask", json=ASK).status_code == 200
                assert client.post("/documents", files=upload(("b.txt", "The tunnel opened."))).status_code == 201
        finally:
            process.kill()


def received(connection: socket.socket) -> bytes:
    """A whole response, whose body is JSON."""
    found = b""
    while not found.endswith(b"}"):
        piece = connection.recv(65_536)
        assert piece, found
        found += piece
    return found


def test_a_health_check_goes_ahead_of_a_crowd_that_came_before_it(index: Path) -> None:
    with served(index, "--drain", "0") as (process, address), ExitStack() as opened:
        at = (address.split("/")[2].split(":")[0], int(address.rpartition(":")[2]))
        health, *crowd = [opened.enter_context(closing(socket.create_connection(at, 30))) for _ in range(201)]
        for connection in (health, *crowd):  # so that it has let them in
            connection.sendall(b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert received(connection).startswith(b"HTTP/1.1 200 ")
        process.send_signal(signal.SIGSTOP)
        for connection in crowd:
            connection.sendall(b"GET /no/such/page HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        health.sendall(b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        process.send_signal(signal.SIGCONT)
        assert received(health).startswith(b"HTTP/1.1 200 ")
        assert len(select.select(crowd, [], [], 0)[0]) < 100
        for connection in crowd:
            assert received(connection).startswith(b"HTTP/1.1 404 ")
