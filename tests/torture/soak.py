"""Ask the service for a long time while documents change at the side, and see that it takes no more than it did.

`python -m tests.torture.soak 50000` sends so many requests of every kind, most questions new ones. Through it, memory,
descriptors, threads and the files of the index are looked at; each must be flat: the median of the last fifth not
above that of the second fifth by more than a little.
"""

import argparse
import http.client
import os
import random
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

from index.build import build
from index.compiled import load_embedder
from index.documents import document_id
from index.embedding import DEFAULT_EMBEDDER
from index.store import FILE_NAME
from service.reader import DEFAULT_READER
from service.state import LONG_LOG
from tests.torture.server import Served, call, change_once, multipart

ASKERS = 4
REST = 0.05  # seconds between two changes
DOCUMENTS = 40
CHANGING = [f"changing-{number}.txt" for number in range(12)]
SAMPLES = 250  # over the whole of it
MEGABYTE = 1_048_576
MAY_GROW = {  # by so much from the second fifth to the last
    "resident memory, MB": 16.0,
    "memory of its own, MB": 16.0,
    "descriptors": 2.0,
    "threads": 1.0,
    "index, MB": 2.0,
    "write-ahead log, MB": LONG_LOG / MEGABYTE,  # up to which changes do not wait for it to be folded
}
Sample = dict[str, float]


@dataclass(slots=True)
class Tally:
    """How often each kind of request gave which status, what was seen of the service, and what was wrong."""

    asked: Counter[str] = field(default_factory=Counter)
    changes: Counter[str] = field(default_factory=Counter)
    samples: list[Sample] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def medians(self, name: str) -> tuple[float, float]:
        """Of the second fifth of the samples, and of the last."""
        fifth = len(self.samples) // 5
        values = [sample[name] for sample in self.samples]
        return statistics.median(values[fifth : 2 * fifth]), statistics.median(values[-fifth:])


def torture(
    requests: int, seed: int, embedder: str, reader: str, may_grow: Sample = MAY_GROW, mistake: str = ""
) -> Tally:
    """Send so many requests while documents change. `mistake` as `Served` has it."""
    tally = Tally()
    with tempfile.TemporaryDirectory() as name:
        index = _indexed(Path(name), embedder)
        options = ("--embedder", embedder, "--reader", reader)
        with Served(index, *options, mistake=mistake) as served:
            served.ready()
            change_once(served)
            done = threading.Event()
            askers = [
                threading.Thread(target=_told, args=(tally, _ask, served, tally, requests // ASKERS, seed + number))
                for number in range(ASKERS)
            ]
            changer = threading.Thread(target=_told, args=(tally, _change, served, tally, done, seed))
            for thread in (*askers, changer):
                thread.start()
            _watch(served, index, tally, askers, requests)
            done.set()
            changer.join()
            errors = served.end()
            if errors:
                tally.failures.append(f"it said {errors[-1_000:]}")
    for what, most in may_grow.items():
        before, after = tally.medians(what)
        if after > before + most:
            tally.failures.append(f"{what}: from {before:.1f} to {after:.1f}")
    return tally


def _told(tally: Tally, run: object, *given: object) -> None:
    try:
        run(*given)  # type: ignore[operator]
    except (OSError, http.client.HTTPException, KeyError, ValueError) as error:
        tally.failures.append(f"{type(error).__name__}: {error}")


def _ask(served: Served, tally: Tally, requests: int, seed: int) -> None:
    """Requests of every kind, one after the other on one connection."""
    chance = random.Random(seed)
    with closing(served.connect()) as connection:
        for _ in range(requests):
            number = chance.randrange(10**6)
            stable = document_id(f"{number % DOCUMENTS}.txt")
            question = {"question": f"When did bridge {number % DOCUMENTS} open, with {number} cranes?"}
            kinds: list[tuple[str, str, object]] = [
                ("POST", "/ask", question | {"min_confidence": 0}),
                ("POST", "/ask", question),
                ("POST", "/ask", {"question": f"Who built bridge {number % 10}?"}),
                ("POST", "/search", question),
                ("GET", "/documents", None),
                ("GET", f"/documents/{stable}/text", None),
                ("GET", f"/documents/{stable}/view", None),
                ("GET", "/metrics", None),
            ]
            method, path, content = chance.choices(kinds, weights=[10, 4, 2, 4, 1, 2, 1, 1])[0]
            status, said = call(connection, method, path, content)
            tally.asked[f"{method} {path.replace(stable, 'ID')}"] += 1
            if status != HTTPStatus.OK:
                tally.failures.append(f"{method} {path} gave {status}: {said[:200]!r}")


def _change(served: Served, tally: Tally, done: threading.Event, seed: int) -> None:
    """Add, replace and remove documents, about as many as before."""
    chance, there = random.Random(seed), set[str]()
    with closing(served.connect()) as connection:
        while not done.wait(REST):
            name = chance.choice(CHANGING)
            text = f"Quay {chance.randrange(10**6)} opened in {chance.randrange(1800, 2000)}. ".encode() * 20
            path = f"/documents/{document_id(name)}"
            if name not in there:
                body, kind = multipart({name: text})
                status, said = call(connection, "POST", "/documents", body, kind)
            elif chance.random() < 0.5:
                status, said = call(connection, "PUT", path, text, "text/plain")
            else:
                status, said = call(connection, "DELETE", path)
                there.discard(name)
                name = ""
            there |= {name} - {""}
            tally.changes[str(status)] += 1
            if status not in (HTTPStatus.OK, HTTPStatus.CREATED):
                tally.failures.append(f"a change gave {status}: {said[:200]!r}")


def _watch(served: Served, index: Path, tally: Tally, askers: list[threading.Thread], requests: int) -> None:
    """Look at the service, so that the looks are spread evenly over the requests."""
    while any(asker.is_alive() for asker in askers):
        if tally.asked.total() * SAMPLES >= len(tally.samples) * requests:
            tally.samples.append(_sample(served.process.pid, index))
        time.sleep(0.01)


def _sample(process: int, index: Path) -> Sample:
    of = Path(f"/proc/{process}")
    rollup = {line.split(":")[0]: line.split()[1] for line in (of / "smaps_rollup").read_text().splitlines()[1:]}
    log = index / f"{FILE_NAME}-wal"
    size = 0
    for directory, _, names in os.walk(index):
        for name in {*names} - {log.name}:
            try:
                size += (Path(directory) / name).stat().st_size
            except FileNotFoundError:  # just replaced
                continue
    return {
        "resident memory, MB": int(rollup["Rss"]) / 1_024,
        "memory of its own, MB": (int(rollup["Private_Clean"]) + int(rollup["Private_Dirty"])) / 1_024,
        "descriptors": float(sum(1 for _ in (of / "fd").iterdir())),
        "threads": float(sum(1 for _ in (of / "task").iterdir())),
        "index, MB": size / MEGABYTE,
        "write-ahead log, MB": log.stat().st_size / MEGABYTE if log.exists() else 0.0,
    }


def _indexed(directory: Path, embedder: str) -> Path:
    (directory / "documents").mkdir()
    for number in range(DOCUMENTS):
        text = f"Bridge {number} opened in {1_800 + number}. It was built by smith {number} with {number} cranes."
        (directory / "documents" / f"{number}.txt").write_text("\n\n".join([text] * 3))
    build(directory / "documents", directory / "index", load_embedder(embedder, directory / "index"))
    return directory / "index"


def remembers_every_generation() -> None:
    """A mistake that the harness must notice, made in the process of the service: a generation is never closed."""
    from service.state import Serving

    Serving.give_back = lambda _: None  # type: ignore[method-assign, assignment]


def keeps_what_it_was_asked() -> None:
    """Another one: something of each request stays in memory."""
    from service.state import State

    ask, kept = State.ask, []

    async def keeping(*given: Any, **how: Any) -> Any:
        kept.append(b"x" * MEGABYTE)
        return await ask(*given, **how)

    State.ask = keeping  # type: ignore[method-assign]


def leaves_threads() -> None:
    """Another one: each question leaves a thread behind."""
    from service.state import State

    ask = State.ask

    async def leaving(*given: Any, **how: Any) -> Any:
        threading.Thread(target=threading.Event().wait, daemon=True).start()
        return await ask(*given, **how)

    State.ask = leaving  # type: ignore[method-assign]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.torture.soak", description="Ask for a long time.")
    parser.add_argument("requests", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--embedder", default=DEFAULT_EMBEDDER)
    parser.add_argument("--reader", default=DEFAULT_READER)
    given = parser.parse_args()
    began = time.monotonic()
    tally = torture(given.requests, given.seed, given.embedder, given.reader)
    grown = "; ".join("{}: {:.1f} → {:.1f}".format(name, *tally.medians(name)) for name in MAY_GROW)
    print(
        f"{tally.asked.total():,} requests in {time.monotonic() - began:,.0f} s, seed {given.seed}, "
        f"{given.embedder} and {given.reader}, while {tally.changes.total():,} changes were made; "
        f"medians of the second and the last fifth of {len(tally.samples)} looks: {grown}; "
        f"{len(tally.failures)} failures; {dict(tally.asked)}"
    )
    for failure in tally.failures[:20]:
        print(failure)
    sys.exit(bool(tally.failures))


if __name__ == "__main__":
    main()
