"""Ask ten times as much at once as the service has places for, amid clients that stall, and see how it answers.

`python -m tests.torture.overload 60` does so for a minute: every answer must be 200, or 503 with Retry-After; health,
asked from processes of their own, on a connection that stays and on new ones, must be answered within 50 ms in 90% of
the times, and is told beside an echo of bare TCP on the same machine; afterwards questions must be answered as before
within 5 s, and what was open must be closed. Uploads of 200 MB come at the same time.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import takewhile
from pathlib import Path

from index.build import build
from index.compiled import load_embedder
from index.embedding import DEFAULT_EMBEDDER
from tests.torture.server import Served, call, change_once, multipart, percentile

TIMES = 10  # as many clients as there are places
PLACES = 4 + 64  # of the service, by default
SLOW = 60  # slow clients of each kind
UPLOADS = 20  # of 200 MB, again and again
PAUSE = 0.02  # seconds between two looks at health
HEALTHY, MOSTLY = 0.05, 0.9  # seconds within which health is answered, in this part of the times
RECOVERED = 5.0  # seconds within which questions are answered as before
LARGE, AGAIN = 200_000, 60  # bytes of a document, and how often some ask for it without reading it
LAST = 3.0  # seconds before the end at which they read after all
MOST_MEGABYTES = 700  # that the service may take beside what it had
NEW = "/readyz on a new connection"
TOPICS = ("bridge", "tunnel", "canal", "tower", "harbour", "railway", "market", "school")
Latencies = dict[str, list[float]]


@dataclass(slots=True)
class Report:
    """What was answered, how fast health was, what the service took, and what was wrong."""

    asked: Counter[str] = field(default_factory=Counter)
    uploads: Counter[str] = field(default_factory=Counter)
    slow: Counter[str] = field(default_factory=Counter)
    latencies: Latencies = field(default_factory=dict)
    quiet: Latencies = field(default_factory=dict)
    question: float = 0.0
    recovery: float = 0.0
    descriptors: list[int] = field(default_factory=list)  # before, at most, after
    megabytes: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


async def _response(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
    return int(head[0].split()[1]), headers, await reader.readexactly(int(headers["content-length"]))


def _post(path: str, body: bytes, kind: str = "application/json") -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def ask_much(host: str, port: int, clients: int, seconds: float) -> Counter[str]:
    """Ask from so many clients at once; half of them wait as long as they are told, the others come back at once."""
    found: Counter[str] = Counter()
    until = time.monotonic() + seconds

    async def client(number: int) -> None:
        asked = 0
        while time.monotonic() < until:
            try:
                reader, writer = await asyncio.open_connection(host, port)
            except OSError as error:
                found[f"connect: {type(error).__name__}"] += 1
                continue
            with suppress(OSError), closing(writer):
                while time.monotonic() < until:
                    asked += 1
                    question = f"When did the {TOPICS[asked % len(TOPICS)]} number {number * 1_000 + asked} open?"
                    writer.write(_post("/ask", json.dumps({"question": question}).encode()))
                    try:
                        status, headers, _ = await _response(reader)
                    except (OSError, asyncio.IncompleteReadError) as error:
                        found[f"no answer: {type(error).__name__}"] += 1
                        break
                    retry = headers.get("retry-after")
                    found[f"{status}" if status != 503 else f"503, Retry-After: {retry}"] += 1
                    if status == HTTPStatus.SERVICE_UNAVAILABLE and number % 2:
                        await asyncio.sleep(float(retry or 0))
                    if headers.get("connection") == "close":
                        break

    async def everyone() -> None:
        await asyncio.gather(*(client(number) for number in range(clients)))

    asyncio.run(everyone())
    return found


async def _drip(writer: asyncio.StreamWriter, data: bytes) -> None:
    for byte in data:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.25)


async def silent(writer: asyncio.StreamWriter, _: str) -> None:
    """Say nothing."""


async def head(writer: asyncio.StreamWriter, _: str) -> None:
    await _drip(writer, b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: " + b"x" * 2_000)


async def upload(writer: asyncio.StreamWriter, _: str) -> None:
    body, kind = multipart({"slow.txt": b"The slow one stands there. " * 100})
    writer.write(_post("/documents", body, kind)[:-10])


async def dripping(writer: asyncio.StreamWriter, _: str) -> None:
    request = _post("/documents", *multipart({"slow.txt": b"The slow one stands there. " * 100}))
    writer.write(request[:200])
    await _drip(writer, request[200:])


async def unread(writer: asyncio.StreamWriter, document: str) -> None:
    """Take nothing of many megabytes of answers: more than the system keeps for both sides."""
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    writer.write(f"GET /documents/{document}/text HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode() * AGAIN)


def stall(host: str, port: int, document: str, of_each: int, seconds: float) -> Counter[str]:
    """Be slow in every way from so many clients each; how each of them ended."""
    found: Counter[str] = Counter()
    until = time.monotonic() + seconds

    async def client(be_slow: Callable[[asyncio.StreamWriter, str], Awaitable[None]]) -> None:
        try:
            reader, writer = await asyncio.open_connection(host, port)
            with closing(writer):
                slowly = asyncio.ensure_future(be_slow(writer, document))
                try:
                    if be_slow is unread:
                        await asyncio.sleep(seconds - LAST)
                        writer.transport.resume_reading()  # type: ignore[attr-defined]
                        await reader.readexactly(LARGE * AGAIN)
                        raise TimeoutError
                    async with asyncio.timeout(until - time.monotonic()):
                        said = await reader.read(1_000)
                finally:
                    slowly.cancel()
                    await asyncio.gather(slowly, return_exceptions=True)
            end = said[9:12].decode() or "closed"
        except TimeoutError:
            end = "still open"
        except (OSError, asyncio.IncompleteReadError):
            end = "closed"
        found[f"{be_slow.__name__}: {end}"] += 1

    async def everyone() -> None:
        await asyncio.gather(
            *(client(kind) for kind in (silent, head, upload, dripping, unread) for _ in range(of_each))
        )

    asyncio.run(everyone())
    return found


def upload_much(host: str, port: int, clients: int, seconds: float) -> Counter[str]:
    """Send 200 MB from each of so many clients, in one file and in many, until the time is over."""
    found: Counter[str] = Counter()
    megabyte = b"The tower stands there. ".ljust(64, b".") * 15_625
    until = time.monotonic() + seconds

    def client(number: int) -> None:
        while time.monotonic() < until:
            with suppress(OSError), closing(socket.create_connection((host, port), 120)) as connection:
                found[_sent(connection, megabyte, 199 if number % 2 else 18)] += 1

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def _sent(connection: socket.socket, megabyte: bytes, of_each: int) -> str:
    """Send 198 or 199 MB in files of so many megabytes, as far as they are taken, and give the status."""
    files, end = 199 // of_each, b"--limit--\r\n"
    part = b'--limit\r\nContent-Disposition: form-data; name="files"; filename="%02d.txt"\r\n\r\n'
    length = files * (len(part % 0) + of_each * len(megabyte) + 2) + len(end)
    kind = "multipart/form-data; boundary=limit"
    connection.sendall(_post("/documents", b"", kind).replace(b"Length: 0", f"Length: {length}".encode()))
    with suppress(BrokenPipeError, ConnectionResetError):
        for number in range(files):
            connection.sendall(part % number)
            for _ in range(of_each):
                connection.sendall(megabyte)
            connection.sendall(b"\r\n")
        connection.sendall(end)
    with connection.makefile("rb") as received:
        head = b"".join(takewhile(lambda line: line != b"\r\n", received)).lower()
    untold = " without Retry-After" if head[9:12] == b"503" and b"\nretry-after: " not in head else ""
    return f"{files} files: {head[9:12].decode() or 'no answer'}{untold}"


def probe(host: str, port: int, echo: int, seconds: float) -> Latencies:
    """Ask for health, and for an echo, one after the other, each on a connection of its own."""
    until = time.monotonic() + seconds
    found: Latencies = {"/livez": [], "/readyz": [], "echo": []}
    with (
        closing(socket.create_connection((host, port))) as health,
        closing(socket.create_connection((host, echo))) as bare,
    ):
        while time.monotonic() < until:
            for path in ("/livez", "/readyz"):
                found[path].append(_healthy(health, path))
            began = time.monotonic()
            bare.sendall(b"x" * 200)
            received = 0
            while received < 200:
                received += len(bare.recv(200))
            found["echo"].append(time.monotonic() - began)
            time.sleep(PAUSE)
    return found


def probe_anew(host: str, port: int, seconds: float) -> Latencies:
    """Ask for health on a new connection each time, as the orchestrator of a container does."""
    until = time.monotonic() + seconds
    found: Latencies = {NEW: []}
    while time.monotonic() < until:
        began = time.monotonic()
        with closing(socket.create_connection((host, port))) as connection:
            _healthy(connection, "/readyz")
        found[NEW].append(time.monotonic() - began)
        time.sleep(PAUSE)
    return found


def _healthy(connection: socket.socket, path: str) -> float:
    """The seconds until the service has said that it is. Raises ValueError and OSError."""
    began = time.monotonic()
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    said = b""
    while not said.endswith(b"}"):
        received = connection.recv(65_536)
        if not received:
            break
        said += received
    if b" 200 " not in said[:16]:
        raise ValueError(f"{path} gave {said[:100]!r}")
    return time.monotonic() - began


def echo_for(listener: socket.socket, seconds: float) -> None:
    """Send back what comes, as a server in asyncio does that does nothing else."""

    async def back(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer):
            while data := await reader.read(200):
                writer.write(data)

    async def serve() -> None:
        server = await asyncio.start_server(back, sock=listener)
        async with server:
            await asyncio.sleep(seconds)

    asyncio.run(serve())


def torture(
    seconds: float,
    embedder: str = DEFAULT_EMBEDDER,
    times: int = TIMES,
    slow: int = SLOW,
    uploads: int = UPLOADS,
    changed: str = "",
    silence: float = 30.0,
    patience: float = 30.0,
    healthy: float = HEALTHY,
) -> Report:
    """Overload a service for so many seconds, and look at it before and afterwards. `changed` as `Served` has it."""
    report = Report()
    with tempfile.TemporaryDirectory() as name:
        index = _indexed(Path(name), embedder)
        with (
            Served(index, "--embedder", embedder, "--remembered", "0", mistake=changed) as served,
            ProcessPoolExecutor(5, multiprocessing.get_context("spawn")) as processes,
            closing(socket.create_server(("127.0.0.1", 0))) as echo,
        ):
            served.ready()
            change_once(served)
            at = (served.host, served.port)
            everywhere = [processes.submit(time.sleep, 0.2) for _ in range(5)]
            for each in everywhere:
                each.result()
            threading.Thread(target=echo_for, args=(echo.dup(), 3 * seconds + 100), daemon=True).start()
            before = _questions(served)
            report.question = statistics.median(before)
            report.quiet = processes.submit(probe, *at, echo.getsockname()[1], min(seconds / 4, 5)).result()
            report.descriptors, report.megabytes = [_descriptors(served)], [_megabytes(served)]
            tasks: list[Future[Counter[str]]] = [
                processes.submit(ask_much, *at, times * PLACES, seconds),
                processes.submit(stall, *at, _largest(served), slow, seconds),
                processes.submit(upload_much, *at, uploads, seconds),
            ]
            health = processes.submit(probe, *at, echo.getsockname()[1], seconds)
            anew = processes.submit(probe_anew, *at, seconds)
            most_open, most_megabytes = report.descriptors[0], report.megabytes[0]
            while not all(task.done() for task in tasks):
                most_open = max(most_open, _descriptors(served))
                most_megabytes = max(most_megabytes, _megabytes(served))
                time.sleep(0.05)
            report.recovery = _recovered(served, 2 * max(before))
            report.asked, report.slow, report.uploads = (task.result() for task in tasks)
            report.latencies = health.result() | anew.result()
            until = time.monotonic() + silence + patience
            while _descriptors(served) > report.descriptors[0] + 2 and time.monotonic() < until:
                time.sleep(0.1)
            report.descriptors += [most_open, _descriptors(served)]
            report.megabytes += [most_megabytes, _megabytes(served)]
            if served.process.poll() is not None:
                report.failures.append("the service has ended")
            if "Traceback" in served.errors():
                report.failures.append(f"it said {served.errors()[-1_000:]}")
            _judge(report, seconds > silence + 5, healthy)
    return report


def _judge(report: Report, has_waited: bool, healthy: float) -> None:
    wrong = [f"{what} ({n})" for what, n in report.asked.items() if what not in ("200", "503, Retry-After: 1")]
    allowed = {"413", "422", "503"}  # too large, no text of less than 10 MB, and too many at once
    wrong += [f"upload of {what} ({n})" for what, n in report.uploads.items() if what.split(": ")[1] not in allowed]
    ends = {"closed", "408", "503"} | ({"still open"} if not has_waited else set())
    wrong += [f"slow {what} ({n})" for what, n in report.slow.items() if what.split(": ")[1] not in ends]
    for what, seconds in report.latencies.items():
        if what != "echo" and percentile(seconds, MOSTLY) > healthy:
            wrong.append(f"{what} within {percentile(seconds, MOSTLY):.2f} s, for {MOSTLY:.0%} of the times")
    report.failures += wrong
    if not report.asked["200"] or not report.asked["503, Retry-After: 1"]:
        report.failures.append("it was not asked too much")
    if report.recovery > RECOVERED:
        report.failures.append(f"questions were answered as before only after {report.recovery:.1f} s")
    if report.megabytes[1] > report.megabytes[0] + MOST_MEGABYTES:
        report.failures.append(f"MB of memory: {report.megabytes}")
    if report.descriptors[2] > report.descriptors[0] + 2:
        report.failures.append(f"descriptors: {report.descriptors}")


def _indexed(directory: Path, embedder: str) -> Path:
    folder, index = directory / "documents", directory / "index"
    folder.mkdir()
    (folder / "large.txt").write_text("Sand. " * (LARGE // 6 + 1))
    for topic in TOPICS:
        lines = [f"The {topic} number {n} opened in {1800 + n % 200} and has {n % 17} doors." for n in range(100)]
        (folder / f"{topic}.txt").write_text("\n\n".join(lines))
    build(folder, index, load_embedder(embedder, index))
    return index


def _largest(served: Served) -> str:
    with closing(served.connect()) as connection:
        listed = json.loads(call(connection, "GET", "/documents")[1])["documents"]
    return str(max(listed, key=lambda each: each["characters"])["id"])


def _questions(served: Served, times: int = 20) -> list[float]:
    """How long each of some questions takes."""
    found = []
    with closing(served.connect()) as connection:
        for number in range(times):
            began = time.monotonic()
            question = f"When did the {TOPICS[number % len(TOPICS)]} number {number} open?"
            assert call(connection, "POST", "/ask", {"question": question})[0] == HTTPStatus.OK
            found.append(time.monotonic() - began)
    return found[5:]


def _recovered(served: Served, within: float) -> float:
    """The seconds until ten questions in a row are answered within this time."""
    began, in_a_row = time.monotonic(), 0
    with closing(served.connect()) as connection:
        while in_a_row < 10 and time.monotonic() < began + 60:
            asked = time.monotonic()
            status, _ = call(connection, "POST", "/ask", {"question": f"When did the canal number {asked} open?"})
            good = status == HTTPStatus.OK and time.monotonic() - asked < within
            in_a_row = in_a_row + 1 if good else 0
            if in_a_row == 1:
                since = asked
    return since - began if in_a_row == 10 else 60.0


def _descriptors(served: Served) -> int:
    return len(os.listdir(f"/proc/{served.process.pid}/fd"))  # noqa: PTH208 - counted, many times


def _megabytes(served: Served) -> float:
    status = Path(f"/proc/{served.process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1_024


def impatient() -> None:
    """So that a short trial sees the end of those that are waited for."""
    from service import serving, uploads

    serving.SILENCE = uploads.SILENCE = 2.0


def patient() -> None:
    """A mistake that the harness must notice, made in the process of the service: clients are waited for for ever."""
    from service import serving, uploads

    serving.SILENCE = uploads.SILENCE = 1_000.0


def without_retry_after() -> None:
    """Another one: those that are refused do not learn when to come back."""
    from service import problems

    error = problems.ProblemError.__init__

    def silent(self: problems.ProblemError, *given: object, headers: object = None, **more: object) -> None:
        error(self, *given, **more)  # type: ignore[arg-type]

    problems.ProblemError.__init__ = silent  # type: ignore[method-assign]


def in_words(report: Report) -> str:
    def health(found: Latencies) -> str:
        return "; ".join(
            f"{name} {1_000 * statistics.median(values):.1f}, {1_000 * percentile(values, 0.99):.0f}, "
            f"{1_000 * max(values):.0f} ms ({sum(value > HEALTHY for value in values)} of {len(values)} above "
            f"{1_000 * HEALTHY:.0f} ms)"
            for name, values in found.items()
        )

    return (
        f"answers {dict(report.asked)}; uploads of 200 MB {dict(report.uploads)}; slow clients "
        f"{dict(sorted(report.slow.items()))}\n"
        f"health, median, 99% and slowest, without load: {health(report.quiet)}\nand under it: "
        f"{health(report.latencies)}\na question took {1_000 * report.question:.0f} ms before, and no more than twice "
        f"as long as the slowest of them {report.recovery:.1f} s after the end; descriptors before, at most, after: "
        f"{report.descriptors}; MB of memory: {', '.join(f'{each:.0f}' for each in report.megabytes)}; "
        f"{len(report.failures)} failures"
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.torture.overload", description="Ask too much.")
    parser.add_argument("seconds", type=float)
    parser.add_argument("--embedder", default=DEFAULT_EMBEDDER)
    parser.add_argument("--times", type=int, default=TIMES)
    parser.add_argument("--slow", type=int, default=SLOW)
    parser.add_argument("--uploads", type=int, default=UPLOADS)
    given = parser.parse_args()
    report = torture(given.seconds, given.embedder, given.times, given.slow, given.uploads)
    print(f"{given.seconds:.0f} s of {given.times} times as many clients as places: {in_words(report)}")
    for failure in report.failures:
        print(failure)
    sys.exit(bool(report.failures))


if __name__ == "__main__":
    main()
