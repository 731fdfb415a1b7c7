"""Read files that no writer made, and see that each becomes a whole document or is refused: nothing else happens.

`python -m tests.torture.fuzz 20000` reads so many of each format, by the path that the files of a folder take. A
failing one is kept, and `--again FILE` reads it again.
"""

import argparse
import json
import os
import random
import re
import resource
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import date
from itertools import pairwise
from pathlib import Path

from index.documents import Document, UnreadableFileError, document
from index.embedding import HashingEmbedder
from index.extraction import MAX_TITLE, MAX_URL, MEMORY, Extractor
from index.passages import MAX_TOKENS, Passage, split
from index.structure import Structure
from index.styles import runs
from tests.torture.fuzz_bombs import BOMBS, SECRET, made
from tests.torture.inputs import CHANGES, GENERATED
from tests.torture.inputs.examples import KINDS, SUFFIX, Kind, valid
from tests.torture.inputs.octets import OF_BYTES

SECONDS = 10.0  # that a file has to be taken out
SLACK = 5.0  # seconds to end a process and start another
SOME = 1.0  # seconds of this process's own time for any file
MICROSECONDS = 20  # of it for each character besides
BOMB_SIZE = 200_000  # characters
BOMBS_AMONG = 500  # inputs is one bomb, at least
GROWTH = 200_000_000  # bytes that this process may grow after the first quarter
PASSAGES = 50  # of a document are read as models read them
_count_tokens = HashingEmbedder().count_tokens


@dataclass(frozen=True, slots=True)
class Input:
    """A file, and how it was made."""

    kind: Kind
    name: str
    how: str
    data: bytes


@dataclass(slots=True)
class Tally:
    """What became of the inputs of each format, which took longest, and what was wrong."""

    read: Counter[Kind] = field(default_factory=Counter)
    refused: dict[Kind, Counter[str]] = field(default_factory=dict)
    slowest: dict[Kind, tuple[float, str]] = field(default_factory=dict)
    own: dict[Kind, tuple[float, str]] = field(default_factory=dict)
    growth: int = 0
    failures: list[str] = field(default_factory=list)


def torture(
    count: int,
    seed: int,
    kinds: tuple[Kind, ...] = KINDS,
    extractor: Extractor | None = None,
    seconds: float = SECONDS,
    bomb_size: int = BOMB_SIZE,
    bombs_only: bool = False,
    keep: Path | None = None,
    most_failures: int = 20,
) -> Tally:
    """Read so many files of each kind, and keep those that fail. The extractor has so many seconds for a file."""
    tally = Tally()
    document("a.txt", b"The first one loads what tells its language.")
    examples = [valid(kind) for kind in KINDS]  # what makes them opens files of its own
    assert all(examples)
    with tempfile.TemporaryDirectory() as name, extractor or Extractor(seconds) as reader:
        secret = Path(name) / "secret.txt"
        secret.write_text(SECRET)
        reader.extract("a.html", b"<p>The first one starts the process.</p>")
        before, memory = _held(), 0
        for kind in kinds:
            tally.refused[kind] = Counter()
            given = inputs(kind, count, seed, bomb_size, secret, bombs_only)
            for number, each in enumerate(given):
                found = list(problems(each, reader, seconds, tally))
                if _held() > before:
                    found.append(f"this process holds {_held()} descriptors, processes and threads, not {before}")
                if found:
                    tally.failures.append(f"{each.name}, {each.how}: {'; '.join(found)}")
                    if keep:
                        keep.mkdir(parents=True, exist_ok=True)
                        (keep / each.name).write_bytes(each.data)
                if len(tally.failures) >= most_failures:
                    return tally
                if kind == kinds[0] and number == count // 4:
                    memory = _memory()
        tally.growth = _memory() - memory
        if tally.growth > GROWTH:
            tally.failures.append(f"this process has grown by {tally.growth / 1e6:,.0f} MB")
    return tally


def inputs(kind: Kind, count: int, seed: int, size: int, secret: Path, bombs_only: bool) -> Iterator[Input]:
    """So many files, every bomb of the kind among them."""
    bombs = BOMBS[kind]
    every = max(1, min(BOMBS_AMONG, count // len(bombs)))
    for number in range(count):
        place, is_bomb = divmod(number, every)
        name = f"{kind}-{seed}-{number}{SUFFIX[kind]}"
        if not is_bomb:
            bomb = bombs[place % len(bombs)]
            yield Input(kind, name, f"the bomb {bomb.__name__}", made(bomb, size, secret))
        elif not bombs_only:
            yield Input(kind, name, *changed(kind, random.Random(f"{seed} {kind} {number}")))


def changed(kind: Kind, chance: random.Random) -> tuple[str, bytes]:
    """A file generated or changed by chance, after how it was made."""
    if chance.random() < 0.1:
        return "generated", GENERATED[kind](chance)
    data, how = chance.choice(valid(kind)), []
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        change = chance.choice(CHANGES[kind] if chance.random() < 0.85 else OF_BYTES)
        data = change(data, chance) or b"\n"
        how.append(change.__name__)
    return " ".join(how), data


def problems(given: Input, extractor: Extractor, seconds: float, tally: Tally) -> Iterator[str]:
    """Read one file, and yield what is wrong then."""
    began, own = time.monotonic(), time.process_time()
    length = len(given.data)
    try:
        read, structure = document(given.name, given.data, extractor=extractor)
        passages = split(read, structure, _count_tokens)
        length = max(length, len(read.text))
        looks = [(run.start, run.end) for run in runs(read.text)]
        lasted, own = time.monotonic() - began, time.process_time() - own
        if not any(passage.plain_text for passage in passages):
            tally.refused[given.kind]["no sentences"] += 1
        else:
            tally.read[given.kind] += 1
        yield from wrong_document(read, structure, given)
        yield from wrong_passages(read, structure, passages)
        if any(left > right for pair in pairwise(looks) for (_, left), (right, _) in [pair]):
            yield "its looks overlap"
    except UnreadableFileError as error:
        lasted, own = time.monotonic() - began, time.process_time() - own
        tally.refused[given.kind][re.sub(r"[\d(:].*", "", str(error))] += 1
        if not str(error).isprintable():
            yield f"it is refused in words that hold control characters: {str(error)!r}"
    except Exception as error:  # that is what is looked for
        yield f"{type(error).__name__}: {error}, {traceback.format_exc(limit=-2)}"
        return
    tally.slowest[given.kind] = max(tally.slowest.get(given.kind, (0, "")), (lasted, given.how))
    tally.own[given.kind] = max(tally.own.get(given.kind, (0, "")), (own, given.how))
    allowed = SOME + length * MICROSECONDS / 1e6
    if own > allowed:
        yield f"it took {own:.1f} s of this process's time for {length:,} characters"
    if lasted > seconds + SLACK + 3 * allowed:  # others use the machine
        yield f"it took {lasted:.1f} s"
    if (peak := _peak(extractor)) > MEMORY:
        yield f"its parser took {peak / 1e6:,.0f} MB"


def wrong_document(read: Document, structure: Structure, given: Input) -> Iterator[str]:
    text, ref = read.text, read.ref
    said = json.dumps([asdict(ref), read.url, [section.title for section in read.sections]], ensure_ascii=False)
    try:
        (text + said).encode()
    except UnicodeEncodeError as error:
        yield f"it cannot be encoded: {error}"
    if "\0" in text + said or "\\u0000" in said:
        yield "it holds a NUL"
    if SECRET in text + said:
        yield "it holds another file of the machine"
    if not 0 < len(ref.title) <= MAX_TITLE:
        yield f"its title has {len(ref.title)} characters"
    if ref.date is not None and date.fromisoformat(ref.date).isoformat() != ref.date:
        yield f"{ref.date} is no date"
    if read.url is not None and not (re.fullmatch(r"https?://\S+", read.url) and len(read.url) <= MAX_URL):
        yield f"{read.url[:80]!r} is no address"
    if ref.lang is not None and not re.fullmatch("[a-z]{2,3}", ref.lang):
        yield f"{ref.lang[:80]!r} is no language"
    for what, slices in (
        ("pages", [(page, page) for page in read.pages]),
        ("sections", [(section.start, section.end) for section in read.sections]),
        ("blocks", [(block.start, block.end) for block in structure.blocks]),
    ):
        edges = [0, *(edge for slice_ in slices for edge in slice_), len(text)]
        if edges != sorted(edges):
            yield f"its {what} are not in order within it"
    if given.kind == "text" and text != given.data.decode("utf-8-sig"):
        yield "its text is not its file's"


def wrong_passages(read: Document, structure: Structure, passages: list[Passage]) -> Iterator[str]:
    """Yield what is wrong with the slices of passages, their order, their words, or with what none of them holds."""
    for passage in passages:
        if passage.text != read.text[passage.start : passage.end] or passage.document_id != read.id:
            yield f"{passage.id} is no slice"
        if not any(section.start <= passage.start < passage.end <= section.end for section in read.sections):
            yield f"{passage.id} is in no section"
        if (passage.start, passage.end) != (passage.sentences[0][0], passage.sentences[-1][1]):
            yield f"{passage.id} does not begin and end with a sentence"
        edges = [edge for sentence in passage.sentences for edge in sentence]
        if edges != sorted(edges) or any(start == end for start, end in passage.sentences):
            yield f"the sentences of {passage.id} are empty or not in order"
    for passage, following in pairwise(passages):
        if not (passage.start < following.start and passage.end < following.end):
            yield f"{following.id} does not come after {passage.id}"
    for passage in passages[:PASSAGES]:
        yield from _wrong_words(passage)
    yield from _left_out(read, structure, passages)


def _wrong_words(passage: Passage) -> Iterator[str]:
    words = passage.words
    if words.text != passage.plain_text or len(words.offsets) != len(words.text):
        yield f"the words of {passage.id} are not its plain text"
    if not all(passage.start <= place < passage.end for place in words.offsets):
        yield f"the words of {passage.id} do not lie in it"
    if _count_tokens([words.text])[0] > MAX_TOKENS:
        yield f"{passage.id} is too long"


def _left_out(read: Document, structure: Structure, passages: list[Passage]) -> Iterator[str]:
    """Yield the first word of a paragraph or an item that no passage holds."""
    held = bytearray(len(read.text))
    for passage in passages:
        for start, end in passage.sentences:
            held[start:end] = b"\1" * (end - start)
    for block in structure.blocks:
        if block.kind in ("paragraph", "item"):
            for word in re.finditer(r"\S+", read.text[block.start : block.end]):
                if held.find(0, block.start + word.start(), block.start + word.end()) >= 0:
                    yield f"no passage holds {word[0][:40]!r}"
                    return


def _held() -> tuple[int, int, int]:
    """How many descriptors, child processes and threads this process has."""
    children = len(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())
    return len(list(Path("/proc/self/fd").iterdir())), children, threading.active_count()


def _memory() -> int:
    """Bytes of this process that are resident."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def _peak(extractor: Extractor) -> int:
    """The most bytes of addresses that the extractor's process has had, if it lives."""
    process = extractor._process
    if process is None or process.poll() is not None:
        return 0
    found = re.search(r"VmPeak:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text())
    return 1_024 * int(found[1]) if found else 0


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.torture.fuzz", description="Read what no writer made.")
    parser.add_argument("count", type=int, nargs="?", default=1, help="files of each format")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--again", type=Path, help="a file that failed")
    parser.add_argument("--only", choices=KINDS, help="one format")
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir()) / "attest-fuzz-failures")
    parser.add_argument("--reasons", action="store_true", help="print why files were refused")
    given = parser.parse_args()
    if given.again:
        kind = next(kind for kind in KINDS if given.again.suffix == SUFFIX[kind])
        tally = Tally(refused={kind: Counter()})
        with Extractor(SECONDS) as extractor:
            one = Input(kind, given.again.name, "again", given.again.read_bytes())
            tally.failures += problems(one, extractor, SECONDS, tally)
        print(tally)
        sys.exit(bool(tally.failures))
    began = time.monotonic()
    tally = torture(given.count, given.seed, (given.only,) if given.only else KINDS, keep=given.keep)
    figures = "; ".join(
        f"{kind}: {tally.read[kind]:,} read, {refused.total():,} refused, slowest {tally.slowest[kind][0]:.1f} s "
        f"({tally.slowest[kind][1]}), of this process {tally.own[kind][0]:.1f} s ({tally.own[kind][1]})"
        for kind, refused in tally.refused.items()
    )
    print(
        f"{given.count:,} files of each format in {time.monotonic() - began:,.0f} s, seed {given.seed}: {figures}; "
        f"grown by {tally.growth / 1e6:,.0f} MB; {len(tally.failures)} failures"
    )
    if given.reasons:
        for kind, refused in tally.refused.items():
            print(kind, dict(refused.most_common()))
    for failure in tally.failures:
        print(failure)
    if tally.failures:
        print(f"They are in {given.keep}; read one again with --again FILE.")
    sys.exit(bool(tally.failures))


if __name__ == "__main__":
    main()
