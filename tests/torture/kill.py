"""Kill the process that changes an index at any moment, and look at what is left.

`python -m tests.torture.kill 10000` does so many times. A process forked for it adds, replaces and removes documents
and indexes a folder, and tells of each change when it begins and when it is acknowledged. After the kill, another
process opens the index: what was acknowledged must be there, the change under way whole or not at all, and nothing
else.
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
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from index import build
from index.documents import document, document_id
from index.embedding import HashingEmbedder
from index.retrieval import Retriever
from index.store import MissingStoreError, Store
from index.verification import problems

EMBEDDER = HashingEmbedder(64)
NAMES = [f"{name}.txt" for name in ("ash", "birch", "cedar", "date", "elm", "fig", "gorse", "hazel")]
READY = 2.0  # seconds within which an index must answer after a kill
LONGEST = 0.3  # seconds that a process lives, at most
State = dict[str, tuple[str, bool]]  # by name: the text, and whether it was added by itself
Tell = Callable[["Change", bool], None]
Patch = Callable[[Tell], None]


@dataclass(frozen=True, slots=True)
class Change:
    """One change to an index, with the texts of its files; those of documents to remove are empty."""

    kind: Literal["add", "remove", "build"]
    texts: dict[str, str]

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
        index, folder = directory / "index", directory / "documents"
        if self.kind == "add":
            build.add(index, [(name, text.encode()) for name, text in self.texts.items()], EMBEDDER)
        elif self.kind == "remove":
            build.remove(index, [document_id(name) for name in self.texts], EMBEDDER)
        else:
            build.build(folder, index, EMBEDDER)


@dataclass(slots=True)
class Tally:
    """How many processes were killed, how many changes they had made, and what was found wrong."""

    kills: int = 0
    acknowledged: int = 0
    under_way: int = 0
    made_all_the_same: int = 0
    slowest: float = 0.0
    failures: list[str] = field(default_factory=list)


def torture(kills: int, seed: int, patch: Patch = lambda _: None, most_failures: int = 1) -> Tally:
    """Kill so many times, or until so many failures. `patch` is called in each process."""
    chance, tally, state = random.Random(seed), Tally(), State()
    document("a.txt", b"The first one loads what tells its language.")  # before the processes are forked
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        while tally.kills < kills and len(tally.failures) < most_failures:
            begun = None
            said, was_killed = _said(directory, state, chance, patch)
            if not was_killed:
                tally.failures.append(f"kill {tally.kills + 1}: the process ended before it was killed")
            for change, done in said:
                begun = None if done else change
                if done:
                    state = change.applied(state)
                    tally.acknowledged += 1
            tally.kills += 1
            tally.under_way += begun is not None
            after = begun.applied(state) if begun else state
            found, problem, seconds = looked_at(directory, patch)
            tally.slowest = max(tally.slowest, seconds)
            if problem or found not in (state, after) or seconds > READY:
                tally.failures.append(
                    f"kill {tally.kills}, {begun}: {problem or 'other documents'} after {seconds:.1f} s: {found}, "
                    f"where there were {state}"
                )
                shutil.rmtree(directory / "index", ignore_errors=True)
                found = {}
            tally.made_all_the_same += begun is not None and found == after != state
            state = found
    return tally


def _said(directory: Path, state: State, chance: random.Random, patch: Patch) -> tuple[list[tuple[Change, bool]], bool]:
    """What a process said before it was killed, each change and whether it was made; and whether it lived till then."""
    seed, life = chance.random(), chance.uniform(0, LONGEST)
    reading, writing = os.pipe()
    process = os.fork()
    if process == 0:
        try:
            _change_for_ever(directory, state, random.Random(seed), writing, patch)
        except BaseException as error:  # told, and the change under way is looked at as after a kill
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
        os._exit(1)
    os.close(writing)
    time.sleep(life)
    os.kill(process, signal.SIGKILL)
    _, status = os.waitpid(process, 0)
    with os.fdopen(reading, "rb") as opened:
        lines = [json.loads(line) for line in opened.read().split(b"\n")[:-1]]  # what is behind the last was cut
    return [(Change(line["kind"], line["texts"]), line["done"]) for line in lines], os.WIFSIGNALED(status)


def _change_for_ever(directory: Path, state: State, chance: random.Random, out: int, patch: Patch) -> None:
    def tell(change: Change, done: bool) -> None:
        said = {"kind": change.kind, "texts": change.texts, "done": done}
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
        change = Change(kind, texts)
        tell(change, False)
        change.prepare(directory)
        change.make(directory)
        tell(change, True)
        state = change.applied(state)


def looked_at(directory: Path, patch: Patch = lambda _: None) -> tuple[State, str, float]:
    """What another process finds: the documents, what is wrong with them, and the seconds until it could answer."""
    reading, writing = os.pipe()
    process = os.fork()
    if process == 0:
        began = time.monotonic()
        patch(lambda *_: None)
        try:
            found, problem = _found(directory / "index", began)
        except BaseException as error:  # that is what is looked for
            found, problem = ({}, 0.0), f"{type(error).__name__}: {error}"
        os.write(writing, json.dumps([*found, problem]).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as opened:
        data = opened.read()
    os.waitpid(process, 0)
    documents, seconds, problem = json.loads(data or '[{}, 0, "the process that looked at it crashed"]')
    return {name: (text, added) for name, (text, added) in documents.items()}, problem, seconds


def _found(index: Path, began: float) -> tuple[tuple[State, float], str]:
    try:
        retriever = Retriever.open(index, EMBEDDER)
    except MissingStoreError:
        return ({}, time.monotonic() - began), ""
    retriever.search("What stands there?", 1)
    seconds = time.monotonic() - began
    with Store.open(index) as store:
        wrong = list(problems(store))
        documents = {each.ref.uri: (store.document(each.ref.id).text, each.added) for each in store.listing()}
    for name in NAMES:
        hits = [hit for hit in retriever.search(f"Where is the {name[:-4]}?", 50) if hit.document.uri == name]
        texts = {hit.passage.text for hit in hits}
        if bool(texts) != (name in documents) or any(text not in documents[name][0] for text in texts):
            wrong.append(f"{name} is found as {texts}")
    return (documents, seconds), "; ".join(wrong)


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
        f"ready after {tally.slowest:.2f} s at most; {len(tally.failures)} failures"
    )
    for failure in tally.failures:
        print(failure)
    sys.exit(bool(tally.failures))


if __name__ == "__main__":
    main()
