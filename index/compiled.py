"""A sentence-transformers model compiled for serving: exported once, then run without torch."""

import json
import logging
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tokenizers import Tokenizer

from index.embedding import (
    DEFAULT_EMBEDDER,
    Embedder,
    EmbedderError,
    HashingEmbedder,
    SentenceTransformerEmbedder,
    Vectors,
)
from index.errors import in_words
from index.kept import keep, places
from index.network import Network, core, write

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

log = logging.getLogger(__name__)
NETWORK, TOKENIZER, ABOUT, FAILED = "embedder.xml", "tokenizer.json", "embedder.json", "failed.txt"
FORM = 1  # raise it whenever the same model would be compiled to other files
LEAST_COSINE = 0.99  # of a compiled vector to that of sentence-transformers
INPUTS = ("input_ids", "token_type_ids", "attention_mask")


class CompilationError(Exception):
    """A model that can be loaded but not exported."""


_ERRORS: dict[str, type[Exception]] = {each.__name__: each for each in (CompilationError, EmbedderError, OSError)}


def load_embedder(name: str, directory: Path | None = None, threads: int = 0) -> Embedder:
    """Make the embedder of a name: `hashing`, a hub's name, or a folder. Weights are read when first needed.

    `directory` is that of the index, which keeps the compiled model. One thread is enough for questions, which come
    one by one, and takes less memory; 0 stands for all cores.
    """
    return HashingEmbedder() if name == "hashing" else CompiledEmbedder(name, directory, threads)


class CompiledEmbedder:
    """A sentence-transformers model by name or folder, compiled when first used unless that was done before.

    What was compiled is kept by the sha256 of the weights: beside the index, and the default model in the user's
    cache too, so that it is compiled once for all indexes. A model that cannot be compiled runs in torch.
    """

    def __init__(self, name: str = DEFAULT_EMBEDDER, directory: Path | None = None, threads: int = 0) -> None:
        self.name = name
        self._source = SentenceTransformerEmbedder(name)
        self._directory = directory
        self._threads = threads
        self._lock = threading.Lock()
        self._loaded: Embedder | _Compiled | None = None

    @property
    def fingerprint(self) -> str:
        return self._source.fingerprint

    @property
    def dimensions(self) -> int:
        return self._model.dimensions

    @property
    def max_tokens(self) -> int:
        return self._model.max_tokens

    def encode(self, texts: Sequence[str], advance: Callable[[int], None] | None = None) -> Vectors:
        return self._model.encode(texts, advance)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return self._model.count_tokens(texts)

    @property
    def _model(self) -> "Embedder | _Compiled":
        with self._lock:
            self._loaded = self._loaded or self._load()
        return self._loaded

    def _load(self) -> "Embedder | _Compiled":
        cached_and_beside = places(self._directory, self.name == DEFAULT_EMBEDDER or self._directory is None)
        try:
            fill = partial(_compile_apart, self.name)
            folder = keep(self.fingerprint, FORM, list(cached_and_beside), fill)
            if not (folder / FAILED).exists():
                return _Compiled(folder, self._threads)
            failure = (folder / FAILED).read_text(encoding="utf-8")
        except CompilationError as error:
            failure = str(error)
        except OSError as error:
            raise EmbedderError(
                f"The compiled embedder {self.name} cannot be written or read: {in_words(error)}"
            ) from error
        log.warning("%s; it runs in torch instead, which is slower", failure)
        return self._source


class _Compiled:
    """A compiled model in memory."""

    def __init__(self, folder: Path, threads: int) -> None:
        about = json.loads((folder / ABOUT).read_bytes())
        self.dimensions = int(about["dimensions"])
        self.max_tokens = int(about["max_tokens"])
        self._padding = int(about["padding"])
        self._network = Network(folder / NETWORK, threads)
        self._whole, self._cutting = (Tokenizer.from_file(str(folder / TOKENIZER)) for _ in range(2))
        self._cutting.enable_truncation(self.max_tokens + self._cutting.num_special_tokens_to_add(is_pair=False))

    def encode(self, texts: Sequence[str], advance: Callable[[int], None] | None = None) -> Vectors:
        vectors = np.empty((len(texts), self.dimensions), dtype=np.float32)
        rows = [(found.ids, found.type_ids) for found in self._cutting.encode_batch_fast(list(texts))]
        for part, (found,) in self._network.run(rows, self._padding):
            vectors[part] = found
            if advance:
                advance(len(part))
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        found = self._whole.encode_batch_fast(list(texts), add_special_tokens=False)
        return [len(encoding.ids) for encoding in found]


def _compile_apart(name: str, folder: Path) -> None:
    """Compile in a process of its own: torch takes hundreds of MB, and this one may go on for months.

    Raises as `compile_to`.
    """
    log.warning("Compiling the embedder %s for serving, once.", name)
    command = [sys.executable, "-P", "-m", "index.compiled", name, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own program
    if done.returncode == 0:
        return
    try:
        error = json.loads(done.stdout.splitlines()[-1])
    except (ValueError, IndexError):
        raise CompilationError(
            _failure(name, f"it ended with {done.returncode}: {done.stderr[-500:].strip()}")
        ) from None
    if error["kind"] != CompilationError.__name__:
        raise _ERRORS[error["kind"]](error["message"])
    (folder / FAILED).write_text(error["message"], encoding="utf-8")  # it would fail every time


def _failure(name: str, reason: object) -> str:
    return f"The embedder {name} cannot be compiled for serving ({reason})"


def compile_to(folder: Path, source: SentenceTransformerEmbedder) -> None:
    """Export a model with its tokenizer.

    Raises CompilationError, EmbedderError if the model cannot be loaded, and OSError if its files cannot be written.
    """
    model = source.model
    try:
        names = [name for name in model.tokenizer.model_input_names if name in INPUTS]
        network = _exported(model, names)
        tokenizer = Tokenizer.from_str(model.tokenizer.backend_tokenizer.to_str())
    except Exception as error:  # OpenVINO and torch raise whatever they meet
        raise CompilationError(_failure(source.name, error)) from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    about = {
        "name": source.name,
        "dimensions": source.dimensions,
        "max_tokens": source.max_tokens,
        "padding": model.tokenizer.pad_token_id or 0,
    }
    write(network, folder / NETWORK)
    (folder / TOKENIZER).write_text(tokenizer.to_str(), encoding="utf-8")
    (folder / ABOUT).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    _compare(_Compiled(folder, threads=1), source)


def _compare(compiled: "_Compiled", source: SentenceTransformerEmbedder) -> None:
    """Hold the vectors of a few texts against those of sentence-transformers. Raises CompilationError."""
    texts = ["", "bridge", "When did the bridge open?", "It opened in 1932. " * 5, "It rained. " * source.max_tokens]
    cosine = float((compiled.encode(texts) * source.encode(texts)).sum(axis=1).min())
    if not cosine >= LEAST_COSINE:  # nor if it is no number
        raise CompilationError(f"Compiled, the embedder {source.name} gives other vectors (cosine {cosine:.3f})")


def _exported(model: "SentenceTransformer", names: Sequence[str]) -> Any:
    """The network from token ids to sentence vectors, as a graph of OpenVINO's."""
    core()
    import openvino
    import torch

    class Exported(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
            found: torch.Tensor = self.model(dict(zip(names, inputs, strict=True)))["sentence_embedding"]
            return found

    example = tuple(torch.ones(2, 16, dtype=torch.long) for _ in names)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns of its own calls
        network = openvino.convert_model(Exported().eval(), example_input=example)
    for given, name in zip(network.inputs, names, strict=True):
        given.get_tensor().set_names({name})
    return network


def main(name: str, folder: Path) -> None:
    """Compile; an error is printed as JSON, for the process that waits for it."""
    try:
        compile_to(folder, SentenceTransformerEmbedder(name))
    except tuple(_ERRORS.values()) as error:
        kind = next(kind for kind, each in _ERRORS.items() if isinstance(error, each))
        print(json.dumps({"kind": kind, "message": str(error)}))
        sys.exit(1)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
