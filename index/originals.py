"""The files of documents that were added by themselves, kept by their sha256 under their own names.

They outlive a store that is lost: from them, the documents come back. So a file counts only once its document does:
it is kept before the change, and made known after it.
"""

import hashlib
import os
from collections.abc import Collection, Iterator
from pathlib import Path

from index.documents import DocumentRef, UnreadableFileError, read_bytes
from index.store import Store, make_directory, sync

FOLDER_NAME = "originals"  # in an index's directory
MAX_NAME = 255  # bytes: what a file system allows


def check_name(name: str) -> None:
    """See whether a file can be kept under a document's name. Raises UnreadableFileError."""
    if len(os.fsencode(_waiting(Path(_quoted(name))).name)) > MAX_NAME:
        raise UnreadableFileError(f"its path is too long to be kept by itself: more than {MAX_NAME} bytes")


def keep(directory: Path, name: str, data: bytes) -> None:
    """Write the file of a document, not yet known. When this returns, it is on the disk. Raises OSError, StoreError.

    `name` is the document's, and may be a path.
    """
    kept = _known(directory, hashlib.sha256(data).hexdigest(), name)
    for folder in (kept.parent.parent, kept.parent):
        make_directory(folder)
    waiting = _waiting(kept)
    waiting.write_bytes(data)
    sync(waiting)
    sync(waiting.parent)


def settle(directory: Path, needed: Collection[tuple[str, str]]) -> None:
    """Make known what documents need, given by sha256 and name, and remove all else. Raises OSError."""
    wanted = {_known(directory, *each) for each in needed}
    for folder in (directory / FOLDER_NAME).glob("*"):
        for found in list(folder.iterdir()):
            known = found.with_name(found.name.removeprefix("."))
            if known not in wanted:
                found.unlink()
            elif found != known:
                found.replace(known)
                sync(folder)
        if not any(folder.iterdir()):
            folder.rmdir()


def every(directory: Path) -> Iterator[tuple[str, Path]]:
    """The name and the path of each file that is known."""
    for found in sorted((directory / FOLDER_NAME).glob("*/[!.]*")):
        yield found.name.replace("%2F", "/").replace("%25", "%"), found


def read(store: Store, document_id: str) -> tuple[bytes, DocumentRef]:
    """The file that a document was read from, wherever it is. Raises KeyError, StoreError and UnreadableFileError."""
    document = store.document(document_id)
    ref, meta = document.ref, store.meta()
    place = path(store.directory, ref.sha256, ref.uri)
    if meta and not document.added:
        place = Path(meta.folder) / ref.uri
    try:
        data = read_bytes(ref.uri, place)
    except UnreadableFileError as error:
        raise UnreadableFileError(f"The file of this document cannot be read any more: {error}.") from error
    if hashlib.sha256(data).hexdigest() != ref.sha256:
        raise UnreadableFileError("The file of this document has changed since it was indexed.")
    return data, ref


def path(directory: Path, sha256: str, name: str) -> Path:
    """Where the file of a document is."""
    known = _known(directory, sha256, name)
    waiting = _waiting(known)
    return waiting if waiting.exists() and not known.exists() else known


def _known(directory: Path, sha256: str, name: str) -> Path:
    """Under its own name, in which a slash is no slash any more."""
    return directory / FOLDER_NAME / sha256 / _quoted(name)


def _quoted(name: str) -> str:
    return name.replace("%", "%25").replace("/", "%2F")


def _waiting(known: Path) -> Path:
    return known.with_name(f".{known.name}")
