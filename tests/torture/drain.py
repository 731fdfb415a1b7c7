"""Tell the service to end in the middle of requests, and see that each one that came in gets its whole answer.

`python -m tests.torture.drain 200` does so many times. Clients ask on connections that they keep and on new ones,
until nobody listens any more; others have sent half of a head or all but the last byte of a file when SIGTERM comes,
and send the rest after it, even after the service has closed its door. It must end with code 0, and in time.
"""

import argparse
import http.client
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

import uvicorn

from index.build import build
from index.embedding import HashingEmbedder
from service.serving import GRACE, Connection, Server
from tests.torture.server import Served, call, multipart, percentile

DRAINS = [0.0, 0.2, 0.5]  # seconds that the service answers on, from one termination to the next
SLOW = 1.0  # seconds that a file comes after that, at most
DELIVERED = 0.2  # seconds until a service has noticed a signal, as busy as it may be
KEEPING, COMING, UPLOADING = 3, 3, 2  # clients of each kind
QUESTION = {"question": "When did the bridge open?", "min_confidence": 0}


@dataclass(slots=True)
class Tally:
    """How many services were told to end, how they answered before and after, and what was wrong."""

    terminations: int = 0
    before: Counter[str] = field(default_factory=Counter)
    after: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


class Scene:
    """One service that is told to end, and the clients that it has by then."""

    def __init__(self, served: Served, drain: float, tally: Tally, chance: random.Random) -> None:
        self.served, self.drain, self.tally = served, drain, tally
        self.chance = random.Random(chance.random())
        self.told = threading.Event()
        self.under_way = threading.Barrier(KEEPING + COMING + UPLOADING + 3)  # with the two below and `play`
        self.told_at = 0.0
        self.added: list[str] = []

    def play(self) -> None:
        clients = [self.keep_asking] * KEEPING + [self.come_and_ask] * COMING + [self.upload_slowly] * UPLOADING
        threads = [threading.Thread(target=self._run, args=(run,)) for run in [*clients, self.say_slowly, self.watch]]
        for thread in threads:
            thread.start()
        self.under_way.wait(60)
        time.sleep(self.chance.uniform(0, 0.2))
        began = self.told_at = time.monotonic()
        self.served.process.send_signal(signal.SIGTERM)
        self.told.set()
        for thread in threads:
            thread.join()
        try:
            self.served.process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            self.tally.failures.append("it did not end within 60 s")
            return
        seconds = time.monotonic() - began
        self.tally.seconds.append(seconds - self.drain)
        errors = self.served.errors()
        if self.served.process.returncode != 0 or errors:
            self.tally.failures.append(f"it ended with {self.served.process.returncode} and said {errors[-1_000:]!r}")
        if seconds > self.drain + GRACE:
            self.tally.failures.append(f"it ended after {seconds:.1f} s, having {self.drain} s to answer on")

    def _run(self, run: Callable[[], None]) -> None:
        try:
            run()
        except Exception as error:  # a client that fails in any way is a failure
            when = "after" if self.told.is_set() else "before"
            self.tally.failures.append(
                f"{run.__name__}, {when} SIGTERM, {self.drain} s: {type(error).__name__} {error}"
            )

    def _count(self, what: str, is_right: bool, status: int) -> None:
        (self.tally.after if self.told.is_set() else self.tally.before)[what] += 1
        if not is_right:
            self.tally.failures.append(f"{what} gave {status} with {self.drain} s to answer on")

    def _connected(self) -> http.client.HTTPConnection | None:
        """A new connection, unless nobody listens any more."""
        connection = self.served.connect(30)
        try:
            connection.connect()
        except ConnectionError:
            if not self.told.is_set():
                raise
            return None
        return connection

    def keep_asking(self) -> None:
        """On one connection until the service closes it, which it says, and then on another."""
        waits = True
        while connection := self._connected():
            with closing(connection):
                while connection.sock:
                    waits = self._ask(connection, waits)

    def come_and_ask(self) -> None:
        """On a new connection each time."""
        waits = True
        while connection := self._connected():
            with closing(connection):
                waits = self._ask(connection, waits)

    def _ask(self, connection: http.client.HTTPConnection, waits: bool) -> bool:
        """Ask, and the first time wait for the others; whether to wait for them again."""
        status, said = call(connection, "POST", "/ask", QUESTION)
        self._count("question", status == HTTPStatus.OK and "1932" in json.loads(said)["answer"], status)
        if waits:
            self.under_way.wait(60)
        return False

    def upload_slowly(self) -> None:
        """A file whose last byte comes late, perhaps when nobody new is let in any more."""
        name = f"{self.chance.randrange(10**9)}.txt"
        body, kind = multipart({name: b"The tunnel opened in 1992."})
        with closing(self.served.connect(30)) as connection:
            connection.putrequest("POST", "/documents")
            connection.putheader("Content-Type", kind)
            connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body[:-1])
            self.under_way.wait(60)
            self.told.wait()
            time.sleep(self.chance.uniform(0, self.drain + SLOW))
            connection.send(body[-1:])
            response = connection.getresponse()
            response.read()
        self._count("upload", response.status == HTTPStatus.CREATED, response.status)
        self.added.append(name)

    def say_slowly(self) -> None:
        """A request whose head is cut in two by the signal."""
        with closing(self.served.connect(30)) as connection:
            connection.connect()
            connection.sock.sendall(b"GET /livez HTTP/1.1\r\nHost: 127.")
            self.under_way.wait(60)
            self.told.wait()
            time.sleep(self.chance.uniform(0, self.drain))
            connection.sock.sendall(b"0.0.1\r\n\r\n")
            response = http.client.HTTPResponse(connection.sock)
            response.begin()
            response.read()
        self._count("slow head", response.status == HTTPStatus.OK, response.status)

    def watch(self) -> None:
        """Whether it is ready: not any more, soon after it was told to end."""
        self.under_way.wait(60)
        while connection := self._connected():
            was_told = self.told.is_set() and time.monotonic() > self.told_at + DELIVERED
            with closing(connection):
                status, _ = call(connection, "GET", "/readyz")
            right = {HTTPStatus.SERVICE_UNAVAILABLE} if was_told else {HTTPStatus.OK}
            if not was_told and self.told.is_set():
                right = {HTTPStatus.OK, HTTPStatus.SERVICE_UNAVAILABLE}
            self._count(f"readiness {status}", status in right, status)


def torture(terminations: int, seed: int, mistake: str = "", most_failures: int = 1) -> Tally:
    """Tell so many services to end, or until so many failures."""
    chance, tally = random.Random(seed), Tally()
    with tempfile.TemporaryDirectory() as name:
        index = Path(name) / "index"
        (Path(name) / "documents").mkdir()
        (Path(name) / "documents" / "a.txt").write_text("It rained. The bridge opened in 1932.")
        build(Path(name) / "documents", index, HashingEmbedder())
        added: set[str] = set()
        while tally.terminations < terminations and len(tally.failures) < most_failures:
            drain = DRAINS[tally.terminations % len(DRAINS)]
            options = ["--embedder", "hashing", "--reader", "sentence", "--drain", str(drain), "--remembered", "0"]
            with Served(index, *options, mistake=mistake) as served:
                served.ready()
                _check(served, added, tally)
                scene = Scene(served, drain, tally, chance)
                scene.play()
            added = set(scene.added)
            tally.terminations += 1
    return tally


def _check(served: Served, added: set[str], tally: Tally) -> None:
    """What the service before it acknowledged must be there, and is removed again."""
    connection = served.connect()
    listed = json.loads(call(connection, "GET", "/documents")[1])["documents"]
    if missing := added - {each["uri"] for each in listed}:
        tally.failures.append(f"{missing} were acknowledged and are not there")
    for each in listed:
        if each["uri"] in added:
            call(connection, "DELETE", f"/documents/{each['id']}")
    connection.close()


def ends_at_once() -> None:
    """A mistake that the harness must notice, made in the process of the service: whoever waits is forgotten."""
    Server._end = lambda _: os._exit(0)  # type: ignore[method-assign, assignment]


def ends_as_uvicorn_does() -> None:
    """Another one: connections that it has not yet accepted or read from are cut off."""
    del Server.shutdown, Connection.shutdown


def dies_of_its_signal() -> None:
    Server.handle_exit = uvicorn.Server.handle_exit  # type: ignore[method-assign]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.torture.drain", description="Tell the service to end.")
    parser.add_argument("terminations", type=int)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    began = time.monotonic()
    tally = torture(given.terminations, given.seed, most_failures=10)
    print(
        f"{tally.terminations:,} terminations in {time.monotonic() - began:,.0f} s, seed {given.seed}: answered before "
        f"SIGTERM {dict(tally.before)}, after it {dict(tally.after)}; ended after the time to answer on within "
        f"{percentile(tally.seconds, 0.5):.2f} s (median), {max(tally.seconds):.2f} s at most, files coming for up to "
        f"{SLOW} s of it; {len(tally.failures)} failures"
    )
    for failure in tally.failures[:20]:
        print(failure)
    sys.exit(bool(tally.failures))


if __name__ == "__main__":
    main()
