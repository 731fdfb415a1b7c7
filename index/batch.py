"""Documents on their way into a store: read, split, and embedded many passages at a time."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from index.documents import Document, UnreadableFileError, structured
from index.embedding import Embedder, EmbedderError
from index.extraction import Extracted
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
        reuse_vectors: bool,
        files: int = 0,
        watch: Watch = lambda _: None,
    ) -> None:
        """Raises EmbedderError for one that takes too few tokens to be of use."""
        self._limit = min(MAX_TOKENS, embedder.max_tokens - CONTEXT_TOKENS)
        if self._limit < LEAST_TOKENS:
            raise EmbedderError(
                f"{embedder.name} takes {embedder.max_tokens} tokens of a text; "
                f"at least {LEAST_TOKENS + CONTEXT_TOKENS} are needed."
            )
        self.documents = self.embedded = 0
        self._writer = writer
        self._embedder = embedder
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

    def add(self, uri: str, data: bytes, text: Extracted, added: bool = False) -> None:
        """Add or replace the document of a file whose text was taken out. Raises UnreadableFileError."""
        read, structure = structured(uri, data, text, added)
        passages = split(read, structure, self._embedder.count_tokens, self._limit)
        if not any(passage.plain_text for passage in passages):
            raise UnreadableFileError("no sentences, only headings or captions")
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
