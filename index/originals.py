"""The files of documents that were added by themselves, kept by their sha256 under their own names."""

import hashlib
import os
import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path

from index.models import file_sha256
from index.store import make_directory, sync

FOLDER_NAME = "originals"  # in an index's directory


def keep(directory: Path, name: str, data: bytes) -> None:
    """Write a file so that it is whole and on the disk when this returns, or not there. Raises OSError and StoreError.

    `name` is the document's, and may be a path.
    """
    kept = path(directory, hashlib.sha256(data).hexdigest(), name)
    folder = kept.parent
    for each in (folder.parent, folder):
        make_directory(each)
    if kept.exists() and file_sha256(kept) == folder.name:
        return
    descriptor, writing = tempfile.mkstemp(prefix=".", dir=folder)
    try:
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(data)
            opened.flush()
            os.fsync(descriptor)
        Path(writing).rename(kept)
        sync(folder)
    except BaseException:
        Path(writing).unlink(missing_ok=True)
        raise


def path(directory: Path, sha256: str, name: str) -> Path:
    """Where a document's file is: under its own name, in which a slash is no slash any more."""
    return directory / FOLDER_NAME / sha256 / name.replace("%", "%25").replace("/", "%2F")


def every(directory: Path) -> Iterator[tuple[str, Path]]:
    """The name and the path of each file that is kept and is what it was."""
    for found in sorted((directory / FOLDER_NAME).glob("*/[!.]*")):
        if file_sha256(found) == found.parent.name:
            yield found.name.replace("%2F", "/").replace("%25", "%"), found


def clear(directory: Path, needed: Collection[tuple[str, str]]) -> None:
    """Remove all files but these, each given by its sha256 and its name."""
    wanted = {path(directory, *each) for each in needed}
    for folder in (directory / FOLDER_NAME).glob("*"):
        for found in folder.iterdir():
            if found not in wanted:
                found.unlink(missing_ok=True)
        if not any(folder.iterdir()):
            folder.rmdir()
