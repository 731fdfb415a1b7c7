"""Mistakes that the harness must notice: each is made in the processes that are killed, to be undone nowhere."""

import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from index import build, derived, originals, writing
from index.store import Meta, Store
from tests.torture.kill import Change, Tell


def acknowledged_before_it_is_made(tell: Tell) -> None:
    make = Change.make

    def early(change: Change, directory: Path) -> None:
        tell(change, True)
        make(change, directory)

    Change.make = early  # type: ignore[assignment, method-assign]


def without_a_transaction(_: Tell) -> None:
    rows = Store._rows

    def at_once(self: Store, query: str, parameters: Sequence[Any] = ()) -> list[Any]:
        return [] if query in ("BEGIN IMMEDIATE", "COMMIT") else rows(self, query, parameters)

    Store._rows = at_once  # type: ignore[method-assign]


def search_indexes_written_in_place_and_not_checked(_: Tell) -> None:
    def in_place(of: Store, meta: Meta) -> None:
        target = of.directory / derived.FOLDER_NAME / str(meta.generation)
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir()
        (target / derived.MANIFEST).write_bytes(derived._manifest(None, {"kind": "exact"}, {}))
        derived._build(of, target, meta)

    derived._publish = in_place  # type: ignore[assignment]
    _check_without("files", "made_for")


def search_indexes_of_other_contents(_: Tell) -> None:
    _check_without("made_for")


def _check_without(*fields: str) -> None:
    """Leave out a part of the check of the search indexes, in every process that is forked from now on."""
    if "made_for" in fields:
        derived._made_for = lambda _: None  # type: ignore[assignment, return-value]
    if "files" in fields:
        derived._hashes = lambda _: {}  # type: ignore[assignment]


def files_kept_after_the_change_counts(_: Tell) -> None:
    keep, add = originals.keep, build.add

    def late(directory: Path, files: Sequence[tuple[str, bytes]], *others: Any) -> Any:
        change = add(directory, files, *others)
        for name, data in files:
            keep(directory, name, data)
        return change

    originals.keep = lambda *_: None
    build.add = late  # type: ignore[assignment]


def cleared_before_the_change_counts(_: Tell) -> None:
    changed = build._changed

    def early(of: Store, *others: Any) -> Any:
        change = changed(of, *others)
        writing.clear(of)
        time.sleep(0.02)  # as on a slow disk
        return change

    build._changed = early  # type: ignore[assignment]


MISTAKES: list[Callable[[Tell], None]] = [
    acknowledged_before_it_is_made,
    without_a_transaction,
    search_indexes_written_in_place_and_not_checked,
    search_indexes_of_other_contents,
    files_kept_after_the_change_counts,
    cleared_before_the_change_counts,
]
