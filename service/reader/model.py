"""The span reader: a model that points at the words that answer, run once over all passages of a question."""

import hashlib
import inspect
from collections.abc import Iterator, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from tokenizers import Tokenizer

from index.errors import in_words
from index.kept import keep, places
from index.models import ModelError, file_sha256, folder_sha256, model_folder
from index.network import Floats, Integers, Network, Part, Row, batched, multiplied, write
from index.retrieval import Hit
from service.reader import SENTENCES, SHIPPED_READER, ReaderError, Span, decoding
from service.reader.windows import Layout, Window, windows

if TYPE_CHECKING:
    from transformers import PreTrainedModel

VERSION = 3  # of what turns logits into spans, the numbers below apart
WEIGHTS = Path(__file__).with_name("weights")
SUMS = "SHA256SUMS"
NETWORK = "reader.onnx"
MULTIPLIED = "reader.xml"
FORM = 1  # raise it whenever the same network would be multiplied out to other files
TOKENIZER = "tokenizer.json"
LAYOUT = Layout()
_MEND = f"Install Attest anew, or be answered in whole sentences: --reader {SENTENCES}."
PER_WINDOW = 8  # spans that are kept of one window
# What a passage's retrieval says beforehand, as log-odds: its distance to the first passage's fused score, times this.
# On squad-dev in the open setting the forced F1 is 0.732 without it, 0.752 with 60, 0.753 with 80, 0.756 with 100 and
# 0.755 with 130 (n=798). Chosen with an earlier reader on 364 of the same questions, so that is no unseen figure.
RETRIEVAL_WEIGHT = 80.0


class SpanNetwork(Protocol):
    """A model from token ids to logits; `fingerprint` identifies its weights."""

    @property
    def fingerprint(self) -> str: ...

    def run(self, rows: Sequence[Row]) -> Iterator[Part]:
        """Start and end logits of the rows, part by part, each of shape (rows, tokens)."""


class SpanReader:
    """Scores the spans of every passage by their log-odds against "this passage does not answer".

    To these comes how far the passage is behind the first in retrieval, so that an answer has to be the surer, the
    further down it was found.
    """

    def __init__(self, name: str, network: SpanNetwork, tokenizer: Tokenizer, layout: Layout = LAYOUT) -> None:
        self.name = name
        self._network = network
        self._tokenizer = tokenizer
        self._layout = layout

    @cached_property
    def fingerprint(self) -> str:
        scoring = (VERSION, self._layout, RETRIEVAL_WEIGHT, PER_WINDOW, decoding.MAX_TOKENS, decoding.BEST)
        vocabulary = hashlib.sha256(self._tokenizer.to_str().encode()).hexdigest()
        return hashlib.sha256(f"span {scoring} {vocabulary} {self._network.fingerprint}".encode()).hexdigest()

    def read(self, question: str, hits: Sequence[Hit]) -> list[Span]:
        """Passages of one document may share sentences: a span of both counts once, with its better score."""
        words = [hit.passage.words for hit in hits]
        of_hits = windows(self._tokenizer, [(question, plain.text) for plain in words], self._layout)
        first = max((hit.scores.fused for hit in hits), default=0.0)
        best: dict[tuple[str, int, int], Span] = {}
        for number, window, starts, ends in run(self._network, of_hits):
            hit = hits[number]
            prior = RETRIEVAL_WEIGHT * (hit.scores.fused - first)
            for found in decoding.candidates(window, starts, ends, most=PER_WINDOW):
                span = Span(hit, *words[number].source(found.start, found.end), round(found.score + prior, 4))
                place = (hit.document.id, span.start, span.end)
                if place not in best or best[place].score < span.score:
                    best[place] = span
        return sorted(best.values(), key=lambda span: (-span.score, span.hit.document.id, span.start, span.end))

    def unread(self, question: str) -> str | None:
        count = len(self._tokenizer.encode(question, add_special_tokens=False).ids)
        if count <= self._layout.question:
            return None
        return f"The question has {count} tokens; the reader read the first {self._layout.question}."


def run(network: SpanNetwork, of_texts: Sequence[Sequence[Window]]) -> Iterator[tuple[int, Window, Floats, Floats]]:
    """Yield each window with the number of its text and its logits; windows of like lengths are run together."""
    found = [(number, window) for number, windows in enumerate(of_texts) for window in windows]
    for part, (starts, ends) in network.run([window.row for _, window in found]):
        for row, at in enumerate(part):
            number, window = found[at]
            yield number, window, starts[row], ends[row]


class ShippedNetwork:
    """The shipped network: int8 weights, multiplied out."""

    def __init__(self, path: Path, directory: Path | None = None, threads: int = 0) -> None:
        """Multiplied out once, it is kept in float16 beside the index of a directory, and in the user's cache."""
        self.fingerprint = file_sha256(path)
        try:
            folder = keep(self.fingerprint, FORM, list(places(directory, cached=True)), partial(_multiply_out, path))
        except OSError as error:
            raise ReaderError(f"The reader's network cannot be written or read: {in_words(error)}") from error
        self._network = Network(folder / MULTIPLIED, threads)

    def run(self, rows: Sequence[Row]) -> Iterator[Part]:
        return self._network.run(rows)


class TorchNetwork:
    """Any `AutoModelForQuestionAnswering` of transformers; `bf16` computes in bfloat16, as training does."""

    def __init__(self, model: "PreTrainedModel", fingerprint: str = "", bf16: bool = False) -> None:
        self._model = model.eval()  # type: ignore[no-untyped-call]
        self._bf16 = bf16
        self.fingerprint = fingerprint

    def run(self, rows: Sequence[Row]) -> Iterator[Part]:
        return batched(rows, self._logits)

    def _logits(self, ids: Integers, types: Integers, mask: Integers) -> tuple[Floats, Floats]:
        import torch

        device = self._model.device
        known = inspect.signature(self._model.forward).parameters  # some models know no token types
        given = {
            name: torch.from_numpy(value).to(device)
            for name, value in (("input_ids", ids), ("token_type_ids", types), ("attention_mask", mask))
            if name in known
        }
        with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=self._bf16):
            out = self._model(**given)
        return out.start_logits.float().cpu().numpy(), out.end_logits.float().cpu().numpy()


def _multiply_out(path: Path, folder: Path) -> None:
    write(multiplied(path), folder / MULTIPLIED)


def load_span_reader(name: str, directory: Path | None = None) -> SpanReader:
    """The shipped reader by its name, else a question-answering model of transformers by folder or by a hub's name.

    Raises ReaderError for weights that are missing or not those that were shipped, and for what is no such model.
    """
    if name != SHIPPED_READER:
        return _transformers(name)
    check_weights()
    tokenizer = _unpadded(Tokenizer.from_file(str(WEIGHTS / TOKENIZER)))
    return SpanReader(SHIPPED_READER, ShippedNetwork(WEIGHTS / NETWORK, directory), tokenizer)


def check_weights(folder: Path = WEIGHTS) -> None:
    """Hold every shipped file against its sha256. Raises ReaderError."""
    sums = folder / SUMS
    if not sums.is_file():
        raise ReaderError(f"The reader's weights are not there: {sums} is missing. {_MEND}")
    lines = [line.split() for line in sums.read_text(encoding="utf-8", errors="replace").splitlines()]
    if sorted(line[-1] for line in lines if len(line) == 2) != sorted((NETWORK, TOKENIZER)):
        raise ReaderError(f"The reader's weights are damaged: {sums} does not name {NETWORK} and {TOKENIZER}. {_MEND}")
    for expected, name in lines:
        path = folder / name
        if not path.is_file():
            raise ReaderError(f"The reader's weights are not there: {path} (sha256 {expected}) is missing. {_MEND}")
        if (found := file_sha256(path)) != expected:
            raise ReaderError(f"The reader's weights are damaged: {path} has sha256 {found}, not {expected}. {_MEND}")


def _transformers(name: str) -> SpanReader:
    """Load by folder or from the hub's cache; only a model that is in neither is fetched."""
    try:
        import torch
        from safetensors import SafetensorError
        from transformers import AutoModelForQuestionAnswering, AutoTokenizer
    except ImportError as error:
        raise ReaderError(f"The reader {name!r} runs in torch, which is not installed here ({error}).") from error
    try:
        path = model_folder(name, name)
        model, loaded = AutoModelForQuestionAnswering.from_pretrained(
            path, output_loading_info=True, local_files_only=True, dtype=torch.float32
        )
        tokenizer = Tokenizer.from_str(
            AutoTokenizer.from_pretrained(path, local_files_only=True).backend_tokenizer.to_str()
        )
    except (OSError, ValueError, KeyError, AttributeError, SafetensorError, ModelError) as error:
        raise ReaderError(f"The reader {name!r} is no question-answering model that can be loaded: {error}") from error
    if loaded["missing_keys"]:
        raise ReaderError(
            f"The reader {name!r} was not trained to answer: it lacks {', '.join(sorted(loaded['missing_keys']))}."
        )
    return SpanReader(name, TorchNetwork(model, folder_sha256(path)), _unpadded(tokenizer))


def _unpadded(tokenizer: Tokenizer) -> Tokenizer:
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer
