"""From a question to an answer: retrieve, read, decide, cite."""

import hashlib
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

from index.documents import DocumentRef
from index.embedding import Embedder
from index.markup import widen
from index.retrieval import FUSION, Hit, Retriever, Weights
from service import confidence
from service.confidence import Calibration
from service.corroboration import differing, supporting
from service.reader import DEFAULT_READER, SENTENCES, Reader, ReaderError, Span
from service.reader.model import load_span_reader
from service.reader.sentence import SentenceReader
from service.recent import Recent

log = logging.getLogger(__name__)
MAX_QUESTION = 1_000  # characters
TOP_K = 5  # passages that are retrieved and read
MAX_TOP_K = 50
RELATED = 3

Status = Literal["answered", "abstained"]
Reason = Literal["no_relevant_passage", "low_confidence"]


class QuestionError(ValueError):
    """A question that cannot be asked; the message says why."""


@dataclass(frozen=True, slots=True)
class Slice:
    """A piece of a document: `text` is `document.text[start:end]`, in code points."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class PassageSlice:
    """A passage as a slice of its document."""

    id: str
    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Citation:
    """Where an answer stands: `quote` is `document.text[start:end]`; `score` is the reader's.

    `page` counts from 1, and is null for a document that has no pages.
    """

    document: DocumentRef
    start: int
    end: int
    quote: str
    sentence: Slice
    passage: PassageSlice
    section: str | None
    page: int | None
    score: float


@dataclass(frozen=True, slots=True)
class IndexRef:
    """Which index and models gave an answer."""

    generation: int
    embedder: str
    reader: str


@dataclass(frozen=True, slots=True)
class Timings:
    """Milliseconds spent; nothing is retrieved or read for an answer that is remembered."""

    retrieve: float
    read: float
    total: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What `POST /ask` returns. `answer` is the first citation's quote, or None with a `reason` to abstain.

    `confidence` is the calibrated probability that the answer is right; when abstained, that of the answer that
    was held back (0 if there was none). `related` holds the nearest passages then: related, not an answer.
    `differing` cites other documents that would answer about as surely with another date, amount or name.
    `warnings` say what of the question was not read.
    """

    id: str
    question: str
    status: Status
    answer: str | None
    confidence: float
    reason: Reason | None
    citations: tuple[Citation, ...]
    differing: tuple[Citation, ...]
    related: tuple[Citation, ...]
    warnings: tuple[str, ...]
    index: IndexRef
    timings_ms: Timings


@dataclass(slots=True)
class Reading:
    """A question as asked and as read, its hits, the seconds that took, and the spans of each reader asked so far."""

    question: str
    words: str
    hits: Sequence[Hit]
    seconds: float
    spans: list[list[Span]] = field(default_factory=list)


class _Decision(NamedTuple):
    """Whether to answer, from which spans, how probably the first is right, and which spans would answer surely."""

    answered: bool
    spans: list[Span]
    probability: float
    is_sure: Callable[[Sequence[Span]], bool]


class Answerer:
    """Answers questions over one generation of an index."""

    def __init__(
        self,
        retriever: Retriever,
        *readers: tuple[Reader, Calibration],
        threshold: float | None = None,
        remembered: int = 0,
    ) -> None:
        """Each reader is asked only if none before it was sure enough: by `threshold`, or else by its calibration's.

        So many answers are `remembered`, those asked for last.
        """
        self.retriever = retriever
        self._readers = readers
        self._threshold = threshold
        self._remembered = remembered
        self._recent: Recent[Answer] = Recent(remembered)

    @classmethod
    def open(
        cls,
        directory: Path,
        embedder: Embedder,
        reader: str = DEFAULT_READER,
        weights: Weights = FUSION,
        remembered: int = 0,
    ) -> "Answerer":
        """Open an index directory with a reader by its name. Raises StoreError, EmbedderError and ReaderError.

        Behind a span reader stands the sentence reader, for when a sentence answers but no span stands out.
        """
        retriever = Retriever.open(directory, embedder, weights)
        try:
            with ThreadPoolExecutor(1) as beside:  # compiling a network for this CPU takes one core
                loaded = beside.submit(lambda: embedder.dimensions)
                readers = _readers(reader, embedder, directory)
            loaded.result()
            threshold = confidence.promised(directory, _models(embedder, readers[:1]))
        except BaseException:
            retriever.close()
            raise
        if threshold is not None:
            readers = readers[:1]  # the promise is about its answers
        return cls(retriever, *readers, threshold=threshold, remembered=remembered)

    def on(self, retriever: Retriever) -> "Answerer":
        """The same readers on another generation."""
        return Answerer(retriever, *self._readers, threshold=self._threshold, remembered=self._remembered)

    def close(self) -> None:
        self.retriever.close()

    def ask(
        self,
        question: str,
        top_k: int = TOP_K,
        documents: Sequence[str] | None = None,
        min_confidence: float | None = None,
    ) -> Answer:
        """Answer from the `top_k` best passages, or abstain below `min_confidence` (default: the calibration's).

        `documents` restricts the search to these ids. Raises QuestionError and UnknownDocumentError.
        """
        began = time.perf_counter()
        key = (normalised_question(question), top_k, None if documents is None else tuple(documents), min_confidence)
        if answer := self._recent.get(key):
            return replace(answer, question=question, timings_ms=Timings(0, 0, _ms(time.perf_counter() - began)))
        answer = self.decide(self.retrieve(question, top_k, documents), min_confidence)
        self._recent.put(key, answer)
        return answer

    def warm_up(self) -> None:
        """Load what the first question would otherwise wait for."""
        self.ask("Is everything loaded?")

    def retrieve(self, question: str, top_k: int = TOP_K, documents: Sequence[str] | None = None) -> Reading:
        """The first half of `ask`: what there is to be read."""
        began = time.perf_counter()
        words = normalised_question(question)
        hits = self.retriever.search(words, top_k, documents)
        return Reading(question, words, hits, time.perf_counter() - began)

    def decide(self, reading: Reading, min_confidence: float | None = None) -> Answer:
        """The second half of `ask`: read and decide; decided again by another confidence, nothing is read twice."""
        began = time.perf_counter()
        answered, spans, probability, is_sure = self._read(reading, min_confidence)
        read = time.perf_counter() - began

        citations = tuple(self._cite(span) for span in supporting(spans)) if answered else ()
        others = tuple(self._cite(span) for span in differing(spans, is_sure)) if answered else ()
        related = () if answered else tuple(map(self._cite, nearest(spans)))
        reason: Reason | None = None
        if not answered:
            reason = "low_confidence" if confidence.is_relevant(reading.hits) else "no_relevant_passage"
        total = reading.seconds + time.perf_counter() - began
        return Answer(
            id=self._id(reading.words),
            question=reading.question,
            status="answered" if answered else "abstained",
            answer=citations[0].quote if citations else None,
            confidence=probability,
            reason=reason,
            citations=citations,
            differing=others,
            related=related,
            warnings=tuple(filter(None, [self._readers[0][0].unread(reading.words)])),
            index=self.index,
            timings_ms=Timings(_ms(reading.seconds), _ms(read), _ms(total)),
        )

    def _read(self, reading: Reading, min_confidence: float | None) -> "_Decision":
        """Ask one reader after the other until one is sure; if none is, the first one's spans count."""
        best = _Decision(False, [], 0.0, lambda _: False)
        for number, (reader, calibration) in enumerate(self._readers):
            usual = calibration.threshold if self._threshold is None else self._threshold
            least = usual if min_confidence is None else min_confidence
            if number and least >= 1:  # a fallback that was found to be never sure enough
                continue
            if number == len(reading.spans):
                reading.spans.append(reader.read(reading.words, reading.hits))
            spans = reading.spans[number]
            if not spans:
                continue
            probability = calibration.probability(confidence.features(spans))
            is_sure = partial(_is_sure, calibration, max(least, usual))
            found = _Decision(probability >= least, spans, probability, is_sure)
            if found.answered:
                return found
            if not best.spans:
                best = found
        return best

    def search(self, question: str, top_k: int = TOP_K) -> list[Hit]:
        """The best passages for a question, unread. Raises QuestionError."""
        return self.retriever.search(normalised_question(question), top_k)

    @property
    def index(self) -> IndexRef:
        return IndexRef(self.retriever.meta.generation, self.retriever.embedder.name, self._readers[0][0].name)

    def _cite(self, span: Span) -> Citation:
        """Slice the stored text, verified by its hash, at a span; a quote is widened rather than cut markup."""
        passage = span.hit.passage
        document = self.retriever.store.document(passage.document_id)
        text = document.text
        start, end = widen(text, (span.start, span.end), (passage.start, passage.end))
        sentence_start, sentence_end = passage.around(start, end)
        return Citation(
            document=span.hit.document,
            start=start,
            end=end,
            quote=text[start:end],
            sentence=Slice(sentence_start, sentence_end, text[sentence_start:sentence_end]),
            passage=PassageSlice(passage.id, passage.start, passage.end, text[passage.start : passage.end]),
            section=passage.section,
            page=document.page(start),
            score=round(span.score, 4),
        )

    @property
    def threshold(self) -> float:
        """The least confidence to answer with, if a question does not ask for another."""
        return self._readers[0][1].threshold if self._threshold is None else self._threshold

    @property
    def models(self) -> str:
        """What identifies the embedder, the first reader, and what its scores mean."""
        return _models(self.retriever.embedder, self._readers[:1])

    def _id(self, words: str) -> str:
        """Names a question on this generation and these models, and the way in which they search and decide."""
        meta, models = self.retriever.meta, _models(self.retriever.embedder, self._readers)
        parts = f"{meta.generation} {meta.fingerprint} {models} {self.retriever.weights} {self._threshold}\n{words}"
        return hashlib.sha256(parts.encode()).hexdigest()[:24]


def _is_sure(calibration: Calibration, least: float, spans: Sequence[Span]) -> bool:
    return calibration.probability(confidence.features(spans)) >= least


def _models(embedder: Embedder, readers: Sequence[tuple[Reader, Calibration]]) -> str:
    parts = [embedder.fingerprint, *(f"{reader.fingerprint} {calibration}" for reader, calibration in readers)]
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()


def _readers(name: str, embedder: Embedder, directory: Path) -> list[tuple[Reader, Calibration]]:
    sentences = SentenceReader(embedder)
    if name == SENTENCES:
        return [(sentences, confidence.load("sentence"))]
    spans = load_span_reader(name, directory)
    fit = f"fit it with: python -m eval.calibrate QUESTIONS {name}"
    try:
        calibration, fallback = confidence.load("span"), confidence.load("fallback")
    except KeyError:
        raise ReaderError(f"No confidence was fitted yet for a reader that points at spans; {fit}") from None
    if calibration.reader != spans.fingerprint:
        log.warning("The confidence was not fitted for the reader %s; %s", name, fit)
    return [(spans, calibration), (sentences, fallback)]


def normalised_question(question: str) -> str:
    """Fold white space, as models read it. Raises QuestionError for a question that is empty or too long."""
    words = " ".join(question.split())
    if not words:
        raise QuestionError("The question is empty.")
    try:
        words.encode()
    except UnicodeEncodeError:
        raise QuestionError("The question is not Unicode text.") from None
    if len(question) > MAX_QUESTION:
        raise QuestionError(f"The question has {len(question):,} characters; at most {MAX_QUESTION:,} are read.")
    return words


def nearest(spans: Sequence[Span]) -> list[Span]:
    """The sentence of the best span of each passage, for the nearest few passages; one that several share, once."""
    best: dict[str, Span] = {}
    for span in spans:
        best.setdefault(span.hit.passage.id, span)
    ranked = sorted(best.values(), key=lambda span: -span.hit.scores.fused)
    found: dict[tuple[str, int, int], Span] = {}
    for span in map(_sentence, ranked):
        found.setdefault((span.hit.document.id, span.start, span.end), span)
    return list(found.values())[:RELATED]


def _sentence(span: Span) -> Span:
    """The sentence of a span, as a span."""
    start, end = span.hit.passage.around(span.start, span.end)
    return replace(span, start=start, end=end)


def _ms(seconds: float) -> float:
    return round(seconds * 1_000, 2)
