"""Damage the search indexes in any way, and see that none is loaded and no answer changes.

`python -m tests.torture.damage 12000` does so many times, over every file of an exact and of an inverted index. Each
time the damage must be noticed before a library opens the file, and what is searched then must be built anew.
"""

import argparse
import logging
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from index import derived
from index.build import build
from index.derived import DerivedIndexError, check
from index.embedding import HashingEmbedder
from index.retrieval import Hit, Retriever
from index.store import Kind, Store

EMBEDDER = HashingEmbedder(64)
DOCUMENTS = 80  # an inverted index needs 64 passages
QUESTIONS = ["When did bridge 7 open?", "Who built bridge 33?", "cranes", "Tupolve"]
PAGE = 4_096


def cut(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data))]


def flipped(data: bytes, chance: random.Random) -> bytes:
    """One to eight bits turned over."""
    damaged = bytearray(data)
    for _ in range(chance.randint(1, 8)):
        damaged[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(damaged)


def zeroed(data: bytes, chance: random.Random) -> bytes:
    """A page of zeros, as a disk gives for one that it lost."""
    start = chance.randrange(0, len(data), PAGE)
    return data[:start] + bytes(len(data[start : start + PAGE])) + data[start + PAGE :]


def longer(data: bytes, chance: random.Random) -> bytes:
    return data + chance.randbytes(chance.randint(1, PAGE))


def other(data: bytes, chance: random.Random) -> bytes:
    return chance.randbytes(len(data))


DAMAGES: list[Callable[[bytes, random.Random], bytes]] = [cut, flipped, zeroed, longer, other]


@dataclass(slots=True)
class Tally:
    """How often each file was damaged, and what was wrong."""

    damaged: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)


def indexed(directory: Path, kind: Kind) -> Path:
    """An index of a few documents, with its search indexes of this kind."""
    (directory / "documents").mkdir(parents=True)
    for number in range(DOCUMENTS):
        text = f"Bridge {number} opened in {1_800 + number}. It was built by smith {number} with {number} cranes."
        (directory / "documents" / f"{number}.txt").write_text(text)
    build(directory / "documents", directory / "index", EMBEDDER, dense=kind)
    return directory / "index"


def answers(index: Path) -> tuple[list[list[Hit]], bool]:
    """What is found, and whether the search indexes were built anew for it."""
    retriever = Retriever.open(index, EMBEDDER)
    try:
        return [retriever.search(question, 5) for question in QUESTIONS], retriever.is_rebuilt
    finally:
        retriever.close()


def torture(times: int, seed: int) -> Tally:
    """Damage a file so many times."""
    chance, tally = random.Random(seed), Tally()
    with tempfile.TemporaryDirectory() as name:
        indexes = {kind: indexed(Path(name) / kind, kind) for kind in ("exact", "ivf")}
        expected = {kind: answers(index)[0] for kind, index in indexes.items()}
        while (number := tally.damaged.total()) < times:
            kind = chance.choice(list(indexes))
            index = indexes[kind]
            with Store.open(index) as store:
                meta = store.meta()
            assert meta
            folder = index / derived.FOLDER_NAME / str(meta.generation)
            path = chance.choice(sorted(path for path in folder.rglob("*") if path.is_file()))
            before, damage = path.read_bytes(), chance.choice(DAMAGES)
            damaged = damage(before, chance) if before else b"\0"
            if path.suffix == ".lock" or damaged == before:  # an empty lock file holds nothing
                continue
            path.write_bytes(damaged)
            what = f"{number}: {kind} {path.relative_to(folder)}, {damage.__name__}"
            tally.damaged[f"{kind} {path.suffix or path.name}"] += 1
            try:
                check(folder, meta)
            except DerivedIndexError:
                pass
            else:
                tally.failures.append(f"{what}: it was not noticed")
            found, is_rebuilt = answers(index)
            if found != expected[kind]:
                tally.failures.append(f"{what}: the answers changed")
            if not is_rebuilt:
                tally.failures.append(f"{what}: it was loaded")
    return tally


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.torture.damage", description="Damage and look.")
    parser.add_argument("times", type=int)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    logging.disable()
    began = time.monotonic()
    tally = torture(given.times, given.seed)
    print(
        f"{tally.damaged.total():,} damaged files in {time.monotonic() - began:,.0f} s, seed {given.seed}: "
        f"{len(tally.failures)} failures; {dict(tally.damaged)}"
    )
    for failure in tally.failures:
        print(failure)
    sys.exit(bool(tally.failures))


if __name__ == "__main__":
    main()
