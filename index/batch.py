"""Documents on their way into a store: read, split, and embedded many passages at a time."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from index.documents import Document, UnreadableFileError, document
from index.embedding import Embedder, EmbedderError
from index.extraction import Extractor
from index.passages import MAX_TOKENS, Passage, split
from index.store import Writer, model_input, model_input_sha256

CONTEXT_TOKENS = 48  # of the embedder's tokens, kept free for title and section
LEAST_TOKENS = 16  # of a passage: an embedder that takes fewer is of no use
BATCH_PASSAGES = 512


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a build is: files read of all files, and passages embedded so far.

    When everything `is_read`, the search indexes are built.
    """

    files: int
    of_files: int
    passages: int
    is_read: bool = False


Watch = Callable[[Progress], None]


class Batch:
    """Documents that wait until there are enough passages to embed together."""

    def __init__(
        self,
        writer: Writer,
        embedder: Embedder,
        extractor: Extractor,
        reuse_vectors: bool,
        files: int = 0,
        watch: Watch = lambda _: None,
    ) -> None:
        self.documents = self.embedded = 0
        self._writer = writer
        self._embedder, self._extractor = embedder, extractor
        self._reuse = reuse_vectors
        self._files, self._done, self._watch = files, 0, watch
        self._waiting: list[tuple[Document, list[Passage]]] = []

    def file_done(self) -> None:
        self._done += 1
        self._tell()

    def read(self) -> None:
        """Everything is read."""
        self.flush()
        self._tell(is_read=True)

    def _tell(self, is_read: bool = False) -> None:
        self._watch(Progress(self._done, self._files, self.embedded, is_read))

    def add(self, uri: str, data: bytes, added: bool = False) -> None:
        """Read and split one file. Raises UnreadableFileError."""
        self.put(*read_and_split(uri, data, added, self._embedder, self._extractor))

    def put(self, read: Document, passages: list[Passage]) -> None:
        """Add or replace a document."""
        self._waiting.append((read, passages))
        if sum(len(waiting) for _, waiting in self._waiting) >= BATCH_PASSAGES:
            self.flush()

    def flush(self) -> None:
        """Embed what waits, where no passage with the same words has a vector already, and write it."""
        if not self._waiting:
            return
        inputs = [model_input(read.ref.title, passage) for read, passages in self._waiting for passage in passages]
        vectors = np.empty((len(inputs), self._embedder.dimensions), dtype=np.float32)
        known = [self._writer.vector(model_input_sha256(words)) if self._reuse else None for words in inputs]
        new = [row for row, vector in enumerate(known) if vector is None]
        for row, vector in enumerate(known):
            if vector is not None:
                vectors[row] = vector
        if new:
            vectors[new] = self._embedder.encode([inputs[row] for row in new], self._advance)
        begin = 0
        for read, passages in self._waiting:
            self._writer.put(read, passages, vectors[begin : begin + len(passages)])
            begin += len(passages)
        self.documents += len(self._waiting)
        self._waiting = []

    def _advance(self, passages: int) -> None:
        self.embedded += passages
        self._tell()


def read_and_split(
    uri: str, data: bytes, added: bool, embedder: Embedder, extractor: Extractor
) -> tuple[Document, list[Passage]]:
    """Read and split a file. Raises UnreadableFileError and EmbedderError."""
    read, structure = document(uri, data, added, extractor)
    limit = min(MAX_TOKENS, embedder.max_tokens - CONTEXT_TOKENS)
    if limit < LEAST_TOKENS:
        raise EmbedderError(
            f"{embedder.name} takes {embedder.max_tokens} tokens of a text; "
            f"at least {LEAST_TOKENS + CONTEXT_TOKENS} are needed."
        )
    passages = split(read, structure, embedder.count_tokens, limit)
    if not any(passage.plain_text for passage in passages):
        raise UnreadableFileError("no sentences, only headings or captions")
    return read, passages
