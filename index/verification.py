"""Whether an index is what was stored: everything in it is read and hashed again."""

from collections.abc import Iterator
from pathlib import Path

from index import derived, originals
from index.derived import DerivedIndexError
from index.errors import StoreError
from index.models import file_sha256
from index.store import Store


def problems(store: Store) -> Iterator[str]:
    """Yield what is not as it was stored, in words; nothing if all is.

    All of them together are held against the fingerprint, each document and passage against its digest, every passage
    and sentence against its document, the files of added documents against their sha256, and the search indexes against
    their manifest.
    """
    for listing in store.listing():
        try:
            document = store.document(listing.ref.id)
        except StoreError as error:
            yield f"{listing.ref.uri}: {error}"
            continue
        for number in store.numbers([document.id]):
            try:
                passage, _ = store.passage(number)
            except StoreError as error:
                yield f"{listing.ref.uri}: {error}"
                continue
            if not 0 <= passage.start < passage.end <= len(document.text):
                yield f"{listing.ref.uri}: the passage {passage.id} is no slice of it"
            elif not all(passage.start <= start < end <= passage.end for start, end in passage.sentences):
                yield f"{listing.ref.uri}: the passage {passage.id} has a sentence outside of it"
        if listing.added:
            yield from _original(store.directory, listing.ref.sha256, listing.ref.uri)
    try:
        store.check_contents()
    except StoreError as error:
        yield str(error)
    meta = store.meta()
    if meta:
        directory = store.directory / derived.FOLDER_NAME / str(meta.generation)
        try:
            derived.check(directory, meta)
        except DerivedIndexError as error:
            yield f"{directory}: {error}; they are built anew when the index is opened"


def _original(directory: Path, sha256: str, uri: str) -> Iterator[str]:
    kept = originals.path(directory, sha256, uri)
    try:
        if file_sha256(kept) != sha256:
            yield f"{uri}: its file {kept} is not what was added"
    except OSError as error:
        yield f"{uri}: its file {kept} cannot be read ({error.strerror})"
