"""Kill the service itself while clients change documents and ask, and see what a new one holds.

`python -m tests.torture.server 300` does so many times with `attest serve` as people start it, over HTTP. Each client
has documents of its own and adds, replaces and removes them, others ask. After the kill, the next service must hold
what was acknowledged, of each client the change under way whole or not at all, and nothing that was removed may answer.
"""

import argparse
import http.client
import json
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

from index.build import build
from index.compiled import load_embedder
from index.documents import document_id
from index.embedding import DEFAULT_EMBEDDER
from index.store import Store
from index.verification import problems
from tests.torture.kill import NAMES, Change, State

CHANGERS, ASKERS = 4, 1
MOST = 6  # changes that a service has acknowledged when it is killed; and so many seconds after it, at most:
LATER = 0.5
WHILE_LOADING = 0.1  # of the services that are killed, before they are ready
PATIENCE = 60  # seconds for a service to be ready; what it took is told
READY = 2.0  # seconds within which it should be
FOLDER = {"stone.txt": "The stone number 7 stands there.", "rock.md": "# Rocks\n\nThe rock number 8 stands there."}
WITH_MISTAKE = "import sys; from tests.torture.{} import {name}; {name}(); from attest import app; app(sys.argv[1:])"


class Served:
    """A service in a process of its own: as people start it, or with a mistake, named as `module.function`."""

    def __init__(self, index: Path, *options: str, mistake: str = "", **environment: str) -> None:
        self.began = time.monotonic()
        module, _, name = mistake.rpartition(".")
        code = ["-c", WITH_MISTAKE.format(module, name=name)] if mistake else ["-m", "attest"]
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - a pipe that nobody reads would fill, and hold it up
        self.process = subprocess.Popen(
            [sys.executable, *code, "serve", "--port", "0", "--index", str(index), *options],
            env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
            stdout=subprocess.PIPE,
            stderr=self._errors,
        )
        assert self.process.stdout
        line = self.process.stdout.readline().decode()
        found = re.search(r"http://([\d.]+):(\d+)", line)
        if not found:
            raise RuntimeError(f"no address in {line!r}: {self.end()}")
        self.host, self.port = found[1], int(found[2])
        self.listening = time.monotonic() - self.began
        self.is_doomed = False  # it is killed now, so that clients may be cut off

    def connect(self, timeout: float = 60) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self.host, self.port, timeout=timeout)

    def ready(self) -> float:
        """Wait until it is, and give the seconds from the start of the process."""
        while True:
            connection = self.connect()
            status, _ = call(connection, "GET", "/readyz")
            connection.close()
            if status == HTTPStatus.OK:
                return time.monotonic() - self.began
            if time.monotonic() - self.began > PATIENCE:
                raise RuntimeError(f"not ready within {PATIENCE} s: {self.end()}")
            time.sleep(0.005)

    def end(self, sign: int = signal.SIGKILL) -> str:
        """End the process; what it said on stderr."""
        self.process.send_signal(sign)
        self.process.communicate(timeout=PATIENCE + 30)
        return self.errors()

    def errors(self) -> str:
        """What it has said on stderr so far."""
        written = self._errors.fileno()
        return os.pread(written, os.fstat(written).st_size, 0).decode(
            errors="replace"
        )  # it goes on writing where it was

    def __enter__(self) -> "Served":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.end()
        self._errors.close()


def call(
    connection: http.client.HTTPConnection, method: str, path: str, content: Any = None, kind: str = "application/json"
) -> tuple[int, bytes]:
    """Send a request, with JSON or with bytes, and read the whole response. Raises OSError and HTTPException."""
    body = content if content is None or isinstance(content, bytes) else json.dumps(content).encode()
    connection.request(method, path, body, {"Content-Type": kind} if body is not None else {})
    response = connection.getresponse()
    return response.status, response.read()


def multipart(files: dict[str, bytes]) -> tuple[bytes, str]:
    """A body of files, and its type."""
    parts = (
        b'--limit\r\nContent-Disposition: form-data; name="files"; filename="%b"\r\n\r\n%b\r\n' % (name.encode(), data)
        for name, data in files.items()
    )
    return b"".join(parts) + b"--limit--\r\n", "multipart/form-data; boundary=limit"


def change_once(served: Served) -> None:
    """Add a document and remove it, which loads what changes need."""
    with closing(served.connect()) as connection:
        body, kind = multipart({"first.txt": b"The first one loads what tells its language."})
        call(connection, "POST", "/documents", body, kind)
        call(connection, "DELETE", f"/documents/{document_id('first.txt')}")


@dataclass(slots=True)
class Tally:
    """How many services were killed, what they had acknowledged, how soon the next was ready, and what was wrong."""

    kills: int = 0
    acknowledged: int = 0
    under_way: int = 0
    made_all_the_same: int = 0
    asked: int = 0
    listening: list[float] = field(default_factory=list)
    ready: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


class Client:
    """Changes documents that are its own, one change after the other, and remembers what became of each."""

    def __init__(self, names: Sequence[str], chance: random.Random) -> None:
        self.names, self.chance = names, chance
        self.state: State = {}
        self.begun: Change | None = None
        self.acknowledged = 0
        self.wrong: list[str] = []
        self.texts: dict[str, list[str | None]] = {
            name: [None] for name in names
        }  # the one that counts, and later ones

    def change_for_ever(self, served: Served) -> None:
        connection = served.connect()
        try:
            while True:
                change, method, path, content, kind = self._next()
                self.begun = change
                for name, text in change.texts.items():
                    self.texts[name].append(text or None)
                status, said = call(connection, method, path, content, kind)
                if status in (HTTPStatus.OK, HTTPStatus.CREATED):
                    self.settle(change.applied(self.state))
                    self.acknowledged += 1
                else:
                    self.wrong.append(f"{method} {path} gave {status}: {said[:200]!r}")
                    return
        except (OSError, http.client.HTTPException) as error:
            if not served.is_doomed:
                self.wrong.append(f"cut off before the kill: {error!r}")
        finally:
            connection.close()

    def settle(self, state: State) -> None:
        """From now on, this is what its documents are."""
        self.state, self.begun = state, None
        for name in self.names:
            self.texts[name] = [state[name][0] if name in state else None]

    def _next(self) -> tuple[Change, str, str, bytes | None, str]:
        there = [name for name in self.names if name in self.state]
        kind = self.chance.choice(["post", "put", "delete"] if there else ["post"])
        if kind == "delete":
            name = self.chance.choice(there)
            return Change("remove", {name: ""}), "DELETE", f"/documents/{document_id(name)}", None, ""
        names = [self.chance.choice(there)] if kind == "put" else self.chance.sample(self.names, 2)
        texts = {name: f"The {name[:-4]} number {self.chance.randrange(10**6)} stands there." * 3 for name in names}
        files = {name: text.encode() for name, text in texts.items()}
        if kind == "put":
            return Change("add", texts), "PUT", f"/documents/{document_id(names[0])}", files[names[0]], "text/plain"
        return Change("add", texts), "POST", "/documents", *multipart(files)


class Asker:
    """Asks for documents and sees that no answer comes from what was removed or replaced before it asked."""

    def __init__(self, clients: Sequence[Client], chance: random.Random) -> None:
        self.clients, self.chance = clients, chance
        self.asked = 0
        self.wrong: list[str] = []

    def ask_for_ever(self, served: Served) -> None:
        connection = served.connect()
        try:
            while True:
                client = self.chance.choice(self.clients)
                name = self.chance.choice(client.names)
                texts = client.texts[name]  # this list grows by what comes from now on
                question = {"question": f"Which number has the {name[:-4]}?", "min_confidence": 0, "top_k": 20}
                status, said = call(connection, "POST", "/ask", question)
                self.asked += 1
                if status != HTTPStatus.OK:
                    self.wrong.append(f"{question} gave {status}: {said[:200]!r}")
                    return
                later = [*texts, *client.texts[name]]
                for citation in json.loads(said)["citations"]:
                    text = citation["passage"]["text"]
                    if citation["document"]["uri"] == name and not any(text in (each or "") for each in later):
                        self.wrong.append(f"{name} answers with {text!r} where there were only {later}")
        except (OSError, http.client.HTTPException) as error:
            if not served.is_doomed:
                self.wrong.append(f"cut off before the kill: {error!r}")
        finally:
            connection.close()


def torture(
    kills: int, seed: int, embedder: str = DEFAULT_EMBEDDER, mistake: str = "", most_failures: int = 1
) -> Tally:
    """Kill so many services, or until so many failures."""
    chance, tally = random.Random(seed), Tally()
    each = len(NAMES) // CHANGERS
    clients = [Client(NAMES[at * each : (at + 1) * each], random.Random(seed + at)) for at in range(CHANGERS)]
    with tempfile.TemporaryDirectory() as name:
        index = Path(name) / "index"
        (Path(name) / "documents").mkdir()
        for file, text in FOLDER.items():
            (Path(name) / "documents" / file).write_text(text)
        build(Path(name) / "documents", index, load_embedder(embedder, index))
        while tally.kills < kills and len(tally.failures) < most_failures:
            if chance.random() < WHILE_LOADING:
                with Served(index, "--embedder", embedder, mistake=mistake):
                    time.sleep(chance.uniform(0, READY))
                tally.kills += 1
            with Served(index, "--embedder", embedder, mistake=mistake) as served:
                tally.listening.append(served.listening)
                tally.ready.append(served.ready())
                _look(served, index, clients, tally)
                _change_and_ask(served, clients, chance, tally)
            tally.kills += 1
        with Served(index, "--embedder", embedder, mistake=mistake) as served:
            served.ready()
            _look(served, index, clients, tally)
    tally.acknowledged = sum(client.acknowledged for client in clients)
    return tally


def _change_and_ask(served: Served, clients: Sequence[Client], chance: random.Random, tally: Tally) -> None:
    """Until the service is killed, at a random moment."""
    askers = [Asker(clients, random.Random(chance.random())) for _ in range(ASKERS)]
    runs = [client.change_for_ever for client in clients] + [asker.ask_for_ever for asker in askers]
    threads = [threading.Thread(target=run, args=(served,)) for run in runs]
    for thread in threads:
        thread.start()
    enough = sum(client.acknowledged for client in clients) + chance.randrange(MOST + 1)
    while sum(client.acknowledged for client in clients) < enough and any(thread.is_alive() for thread in threads):
        time.sleep(0.002)
    time.sleep(chance.uniform(0, LATER))
    if served.process.poll() is not None:
        tally.failures.append(f"kill {tally.kills + 1}: it had ended by itself, with {served.process.returncode}")
    served.is_doomed = True
    errors = served.end()
    for thread in threads:
        thread.join()
    tally.asked += sum(asker.asked for asker in askers)
    for wrong in [client.wrong for client in clients] + [asker.wrong for asker in askers]:
        tally.failures.extend(f"kill {tally.kills + 1}: {each}" for each in wrong)
        wrong.clear()
    if errors:
        tally.failures.append(f"kill {tally.kills + 1}: it said {errors[-1_000:]}")


def _look(served: Served, index: Path, clients: Sequence[Client], tally: Tally) -> None:
    """What the service holds and answers after the kill."""
    found, wrong = _found(served)
    with Store.open(index) as store:
        wrong.extend(problems(store))
    for name, text in FOLDER.items():
        if found.pop(name, None) != (text, False):
            wrong.append(f"{name} of the folder is not there")
    for client in clients:
        own = {name: found.pop(name) for name in client.names if name in found}
        after = client.begun.applied(client.state) if client.begun else client.state
        if own not in (client.state, after):
            wrong.append(f"after {client.begun} there are {own}, where there were {client.state}")
        tally.under_way += client.begun is not None
        tally.made_all_the_same += client.begun is not None and own == after != client.state
        client.settle(own)
    if found:
        wrong.append(f"unknown documents: {found}")
    tally.failures.extend(f"after kill {tally.kills}: {each}" for each in wrong)


def _found(served: Served) -> tuple[State, list[str]]:
    """The documents that a service has, and what is wrong with how it searches and answers."""
    connection, found, wrong = served.connect(), State(), []
    for listed in json.loads(call(connection, "GET", "/documents")[1])["documents"]:
        text = call(connection, "GET", f"/documents/{listed['id']}/text")[1].decode()
        found[listed["uri"]] = (text, listed.get("added", False))
    hits = json.loads(call(connection, "POST", "/search", {"question": "What stands there?", "top_k": 50})[1])["hits"]
    texts: dict[str, set[str]] = {}
    for hit in hits:
        texts.setdefault(hit["document"]["uri"], set()).add(hit["passage"]["text"])
    if set(texts) != set(found) or any(text not in found[name][0] for name, each in texts.items() for text in each):
        wrong.append(f"{texts} are found, where there are {found}")
    for name in NAMES:
        path, id_ = f"/documents/{document_id(name)}", document_id(name)
        expected = HTTPStatus.OK if name in found else HTTPStatus.NOT_FOUND
        question = {"question": f"Which number has the {name[:-4]}?", "documents": [id_], "min_confidence": 0}
        statuses = call(connection, "GET", path)[0], call(connection, "POST", "/ask", question)[0]
        if statuses != (expected, expected):
            wrong.append(f"{name} gives {statuses}, where there are {sorted(found)}")
    connection.close()
    return found, wrong


def acknowledged_before_it_is_made() -> None:
    """A mistake that the harness must notice, made in the process of the service."""
    from index import build as module

    add = module.add

    def early(*given: Any, **more: Any) -> module.Change:
        threading.Timer(0.5, add, given, more).start()
        return module.Change(0, ())

    module.add = early


def what_was_removed_is_served_on() -> None:
    """Another one: the new generation is served only when the service looks for it."""
    from service.state import State as Service

    Service._serve_changed = lambda _: None  # type: ignore[method-assign, assignment]


def percentile(values: Sequence[float], part: float) -> float:
    """The value that so many of all are not above."""
    return sorted(values)[min(len(values) - 1, int(part * len(values)))]


def spread(values: Sequence[float], unit: str = "s", digits: int = 2) -> str:
    found = statistics.median(values), percentile(values, 0.95), max(values)
    words = ("median", "95%", "slowest")
    return ", ".join(f"{word} {value:.{digits}f} {unit}" for word, value in zip(words, found, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.torture.server", description="Kill the service and look.")
    parser.add_argument("kills", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--embedder", default=DEFAULT_EMBEDDER)
    given = parser.parse_args()
    began = time.monotonic()
    tally = torture(given.kills, given.seed, given.embedder)
    late = sum(seconds > READY for seconds in tally.ready)
    print(
        f"{tally.kills:,} kills in {time.monotonic() - began:,.0f} s, seed {given.seed}, {given.embedder}: "
        f"{tally.acknowledged:,} changes acknowledged, {tally.under_way:,} under way, of which "
        f"{tally.made_all_the_same:,} were made; {tally.asked:,} questions; ready after: {spread(tally.ready)} "
        f"({late} of {len(tally.ready)} above {READY:.0f} s), of which until it listens, which is Python's imports: "
        f"{spread(tally.listening)}; {len(tally.failures)} failures"
    )
    for failure in tally.failures:
        print(failure)
    sys.exit(bool(tally.failures))


if __name__ == "__main__":
    main()
