"""Let writing fail at every place: files that may not grow, and too few of them open: `python -m tests.torture.limits`.

Each change is tried under a limit, from none at all to as much as it takes. It must succeed whole or be refused as a
StoreError and change nothing; without the limit, it must succeed then.
"""

import json
import os
import resource
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from index.documents import document
from index.errors import StoreError
from tests.torture.kill import Change, State, looked_at

BEFORE = Change("add", {"ash.txt": "The ash stands there.", "elm.txt": "The elm stands there."})
CHANGES = [
    Change("add", {"fig.txt": "The fig stands there.", "elm.txt": "The elm was felled. " * 200}),
    Change("remove", {"ash.txt": ""}),
    Change("build", {"oak.txt": "The oak stands there. " * 300, "elm.txt": "The elm is the folder's."}),
]
SIZES = [*range(0, 8_192, 512), *range(8_192, 160_000, 4_096)]  # bytes that a file may have
OPEN = range(40)  # files that may be open beside those that are


@dataclass(slots=True)
class Tally:
    """How often a change was made or refused, with which errors, and what was wrong."""

    made: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)


def torture(step: int = 1) -> Tally:
    """Try each change under each limit, or only under some."""
    tally = Tally()
    document("a.txt", b"The first one loads what tells its language.")
    for change in CHANGES:
        for kind, limits in ((resource.RLIMIT_FSIZE, SIZES), (resource.RLIMIT_NOFILE, OPEN)):
            for limit in limits[::step]:
                with tempfile.TemporaryDirectory() as name:
                    _try(Path(name), change, kind, limit, tally)
    return tally


def _try(directory: Path, change: Change, kind: int, limit: int, tally: Tally) -> None:
    what = f"{change.kind} with {'files of' if kind == resource.RLIMIT_FSIZE else 'open files:'} {limit}"
    _made(directory, BEFORE)
    state = BEFORE.applied({})
    error = _made(directory, change, (kind, limit))
    expected: State = change.applied(state) if error is None else state
    found, _, problem, _ = looked_at(directory)
    if problem or found != expected:
        tally.failures.append(f"{what}: {error}: {problem or found}")
    if error is None:
        tally.made += 1
        return
    tally.refused[error.partition(":")[0]] += 1
    if not error.startswith(("StoreError", "FullStoreError")):
        tally.failures.append(f"{what}: {error}")
    again = _made(directory, change)
    found, _, problem, _ = looked_at(directory)
    if again or problem or found != change.applied(state):
        tally.failures.append(f"{what}, then without: {again}: {problem or found}")


def _made(directory: Path, change: Change, limit: tuple[int, int] | None = None) -> str | None:
    """Make a change in a process of its own, under a limit; the error that it meets."""
    reading, writing = os.pipe()
    process = os.fork()
    if process == 0:
        error = None
        try:
            change.prepare(directory)
            if limit:
                kind, most = limit
                if kind == resource.RLIMIT_NOFILE:
                    most += len(os.listdir("/proc/self/fd")) - 1  # noqa: PTH208 - it is open itself while it is read
                resource.setrlimit(kind, (most, resource.RLIM_INFINITY if kind == resource.RLIMIT_FSIZE else most))
            change.make(directory)
        except StoreError as found:
            error = f"{type(found).__name__}: {found}"
        except BaseException as found:
            error = f"unexpected {type(found).__name__}: {found}"
        os.write(writing, json.dumps(error).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as opened:
        data = opened.read()
    os.waitpid(process, 0)
    said: str | None = json.loads(data or '"the process crashed"')
    return said


if __name__ == "__main__":
    began = time.monotonic()
    found = torture()
    print(
        f"{found.made + found.refused.total():,} changes under limits in {time.monotonic() - began:,.0f} s: "
        f"{found.made} made, {dict(found.refused)} refused; {len(found.failures)} failures"
    )
    for each in found.failures:
        print(each)
    sys.exit(bool(found.failures))
