"""Kill the process that changes an index at any moment, and look at what is left.

`python -m tests.torture.kill 10000` does so many times. A process forked for it adds, replaces and removes documents
and indexes a folder, and tells of each change when it begins and when it is acknowledged. After the kill, another
process opens the index: what was acknowledged must be there, the change under way whole or not at all, and nothing
else. Beside every fifth of them, one more process opens generation after generation and asks.
"""

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Literal

from index import build
from index.documents import document, document_id
from index.embedding import HashingEmbedder
from index.errors import MissingStoreError, StoreError
from index.retrieval import Retriever
from index.store import Store
from index.verification import problems

EMBEDDERS = {dimensions: HashingEmbedder(dimensions) for dimensions in (64, 96)}
NAMES = [f"{name}.txt" for name in ("ash", "birch", "cedar", "date", "elm", "fig", "gorse", "hazel")]
READY = 2.0  # seconds within which an index must answer after a kill
CHANGES = 3  # that a process makes at most before it is killed, about
BESIDE = 5  # of so many processes that are killed, one has a reader beside it
ANEW = 20  # of so many, one begins with no index
State = dict[str, tuple[str, bool]]  # by name: the text, and whether it was added by itself
Tell = Callable[["Change", bool], None]
Patch = Callable[[Tell], None]


@dataclass(frozen=True, slots=True)
class Change:
    """One change to an index, with the texts of its files; those of documents to remove are empty.

    `dimensions` are those of the embedder that the index has afterwards.
    """

    kind: Literal["add", "remove", "build"]
    texts: dict[str, str]
    dimensions: int = 64

    def applied(self, state: State) -> State:
        """What the index holds afterwards."""
        kept = {name: found for name, found in state.items() if name not in self.texts}
        if self.kind == "build":
            kept = {name: found for name, found in kept.items() if found[1]}
        made = {name: (text, self.kind == "add") for name, text in self.texts.items()}
        return kept if self.kind == "remove" else kept | made

    def prepare(self, directory: Path) -> None:
        """Write the folder that is to be indexed."""
        folder = directory / "documents"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name, text in self.texts.items():
            (folder / name).write_text(text)

    def make(self, directory: Path) -> None:
        index, folder, embedder = directory / "index", directory / "documents", EMBEDDERS[self.dimensions]
        if self.kind == "add":
            build.add(index, [(name, text.encode()) for name, text in self.texts.items()], embedder)
        elif self.kind == "remove":
            build.remove(index, [document_id(name) for name in self.texts], embedder)
        else:
            build.build(folder, index, embedder)


@dataclass(slots=True)
class Tally:
    """How many processes were killed, how many changes they had made, and what was found wrong."""

    kills: int = 0
    acknowledged: int = 0
    under_way: int = 0
    made_all_the_same: int = 0
    read_beside: int = 0
    slowest: float = 0.0
    seconds: list[float] = field(default_factory=lambda: [0.1])  # that changes took
    failures: list[str] = field(default_factory=list)


def torture(kills: int, seed: int, patch: Patch = lambda _: None, most_failures: int = 1) -> Tally:
    """Kill so many times, or until so many failures. `patch` is called in each process."""
    chance, tally, state, dimensions = random.Random(seed), Tally(), State(), 64
    document("a.txt", b"The first one loads what tells its language.")  # before the processes are forked
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        while tally.kills < kills and len(tally.failures) < most_failures:
            if chance.random() < 1 / ANEW:
                shutil.rmtree(directory / "index", ignore_errors=True)
                state = {}
            changes, begun = _made(directory, state, dimensions, chance, tally, patch)
            for change in changes:
                state, dimensions = change.applied(state), change.dimensions
            tally.kills += 1
            tally.acknowledged += len(changes)
            tally.under_way += begun is not None
            after = begun.applied(state) if begun else state
            found, found_dimensions, problem, seconds = looked_at(directory, patch)
            tally.slowest = max(tally.slowest, seconds)
            is_before = (found, found_dimensions) in ((state, dimensions), (state, 0))  # 0: there is no index yet
            is_after = begun is not None and (found, found_dimensions) == (after, begun.dimensions)
            if problem or not (is_before or is_after) or seconds > READY:
                what = problem or ("too late" if is_before or is_after else "other documents")
                tally.failures.append(
                    f"kill {tally.kills}, {begun}: {what} after {seconds:.1f} s: {found}, where there were {state}"
                )
                shutil.rmtree(directory / "index", ignore_errors=True)
                found = {}
            tally.made_all_the_same += is_after and not is_before
            state, dimensions = found, found_dimensions or dimensions
    return tally


def _made(
    directory: Path, state: State, dimensions: int, chance: random.Random, tally: Tally, patch: Patch
) -> tuple[list[Change], Change | None]:
    """The changes that a process made before it was killed, and the one that it had begun."""
    seed = chance.random()
    life = chance.uniform(0, CHANGES * median(tally.seconds))  # as long as this machine takes today
    writer = _forked(lambda out: _change_for_ever(directory, state, dimensions, random.Random(seed), out, patch))
    reader = _forked(lambda out: _read_for_ever(directory / "index", out)) if chance.random() < 1 / BESIDE else None
    time.sleep(life)
    lines, was_killed = _ended(*writer)
    if not was_killed:
        tally.failures.append(f"kill {tally.kills + 1}: the process ended before it was killed")
    if reader:
        read, was_killed = _ended(*reader)
        tally.read_beside += len(read)
        tally.failures += [f"kill {tally.kills + 1}: {line['problem']}" for line in read if line["problem"]]
        if not was_killed:
            tally.failures.append(f"kill {tally.kills + 1}: the reader ended before it was killed")
    changes, begun, since = [], None, 0.0
    for line in lines:
        change = Change(line["kind"], line["texts"], line["dimensions"])
        begun = None if line["done"] else change
        if line["done"]:
            changes.append(change)
            tally.seconds.append(line["at"] - since)
        since = line["at"]
    return changes, begun


def _forked(work: Callable[[int], None]) -> tuple[int, int]:
    """A process that does this for ever, given where to write what it says; its number and where that can be read."""
    reading, writing = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(reading)
        try:
            work(writing)
        except BaseException as error:  # told, and the change under way is looked at as after a kill
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
        os._exit(1)
    os.close(writing)
    return process, reading


def _ended(process: int, reading: int) -> tuple[list[Any], bool]:
    """Kill a process; what it said, and whether it lived till then."""
    os.kill(process, signal.SIGKILL)
    with os.fdopen(reading, "rb") as opened:
        said = opened.read()
    _, status = os.waitpid(process, 0)
    return [json.loads(line) for line in said.split(b"\n")[:-1]], os.WIFSIGNALED(status)  # behind the last it was cut


def _change_for_ever(
    directory: Path, state: State, dimensions: int, chance: random.Random, out: int, patch: Patch
) -> None:
    def tell(change: Change, done: bool) -> None:
        said = asdict(change) | {"done": done, "at": time.monotonic()}
        os.write(out, json.dumps(said).encode() + b"\n")

    patch(tell)
    while True:
        names = chance.sample(NAMES, chance.randint(1, 3))
        kind: Any = chance.choice(["add", "add", "remove", "build"])
        texts = {name: f"The {name[:-4]} number {chance.randrange(10**6)} stands there." * 3 for name in names}
        if kind == "remove":
            texts = {name: "" for name in names if name in state}
        if not texts:
            continue
        if kind == "build":
            dimensions = chance.choice(list(EMBEDDERS))
        change = Change(kind, texts, dimensions)
        tell(change, False)
        change.prepare(directory)
        change.make(directory)
        tell(change, True)
        state = change.applied(state)


def _read_for_ever(index: Path, out: int) -> None:
    while True:
        try:
            retriever = _opened(index)
        except MissingStoreError:
            continue
        _, wrong = _found(retriever)
        retriever.close()
        os.write(out, json.dumps({"problem": "; ".join(wrong)}).encode() + b"\n")


def looked_at(directory: Path, patch: Patch = lambda _: None) -> tuple[State, int, str, float]:
    """What another process finds: the documents, their vectors' dimensions, what is wrong, and the seconds it takes.

    Those are the seconds until it could answer.
    """

    def look(out: int) -> None:
        began = time.monotonic()
        patch(lambda *_: None)
        found: tuple[State, int, str, float] = {}, 0, "", 0.0
        try:
            retriever = _opened(directory / "index")
            retriever.search("What stands there?", 1)
            seconds = time.monotonic() - began
            documents, wrong = _found(retriever)
            wrong += problems(retriever.store)
            found = documents, retriever.meta.dimensions, "; ".join(wrong), seconds
        except MissingStoreError:
            pass
        except BaseException as error:  # that is what is looked for
            found = {}, 0, f"{type(error).__name__}: {error}", 0.0
        os.write(out, json.dumps(found).encode())
        os._exit(0)

    process, reading = _forked(look)
    with os.fdopen(reading, "rb") as opened:
        data = opened.read()
    os.waitpid(process, 0)
    documents, dimensions, problem, seconds = json.loads(data or '[{}, 0, "the process that looked at it crashed", 0]')
    return {name: (text, added) for name, (text, added) in documents.items()}, dimensions, problem, seconds


def _opened(index: Path) -> Retriever:
    """With the embedder that it has just now."""
    while True:
        with Store.open(index) as store:
            meta = store.meta()
        try:
            return Retriever.open(index, EMBEDDERS[meta.dimensions if meta else 64])
        except StoreError as error:
            if "was built with" not in str(error):  # another embedder, since then
                raise


def _found(retriever: Retriever) -> tuple[State, list[str]]:
    """The documents of a generation, and what of them is not found as it is."""
    store, wrong = retriever.store, []
    documents = {each.ref.uri: (store.document(each.ref.id).text, each.added) for each in store.listing()}
    for name in NAMES:
        hits = [hit for hit in retriever.search(f"Where is the {name[:-4]}?", 50) if hit.document.uri == name]
        texts = {hit.passage.text for hit in hits}
        if bool(texts) != (name in documents) or any(text not in documents[name][0] for text in texts):
            wrong.append(f"{name} is found as {texts}")
    return documents, wrong


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.torture.kill", description="Kill and look.")
    parser.add_argument("kills", type=int)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    began = time.monotonic()
    tally = torture(given.kills, given.seed)
    print(
        f"{tally.kills:,} kills in {time.monotonic() - began:,.0f} s, seed {given.seed}: {tally.acknowledged:,} "
        f"changes acknowledged, {tally.under_way:,} under way, of which {tally.made_all_the_same:,} were made; "
        f"{tally.read_beside:,} generations read beside them; ready after {tally.slowest:.2f} s at most; "
        f"{len(tally.failures)} failures"
    )
    for failure in tally.failures:
        print(failure)
    sys.exit(bool(tally.failures))


if __name__ == "__main__":
    main()
