"""Questions to begin with: of a folder's own list, or made from its sentences, those that its index surely answers.

A question is made only where a rule fits a whole clause and its nouns hold a name: most sentences make none.
"""

import hashlib
import json
import logging
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

from index.documents import DocumentRef
from index.embedding import Embedder
from index.markup import plain
from index.models import file_sha256
from index.passages import Passage
from index.store import Meta, Store
from service import confidence
from service.answering import Answer, Answerer, QuestionError
from service.questioning import questions
from service.reader import ReaderError

log = logging.getLogger(__name__)
Item = TypeVar("Item")
FILE_NAME = "suggestions.json"  # in an index's directory
VERSION = 1  # raise it whenever the same index would be given other questions
MOST, MOST_ASKED = 6, 60  # questions that are offered, and that are asked to find them
MOST_DOCUMENTS, MOST_PASSAGES = 100, 2_000  # that questions are made from
# More likely right than not. All of 58 questions made from 67 articles of SQuAD's kind had 0.57 or more; 57 were
# answered where they were made from. A list's own have only this to go by: of the questions on the seeds in the part
# `tune`, 54 of the 58 answers from 0.5 on are right, and 75 of 92 from the threshold of 0.25 on.
LEAST = 0.5


@dataclass(frozen=True, slots=True)
class Candidate:
    """A question made from a sentence, and the slice [start, end) of a document that its answer has to touch."""

    question: str
    document_id: str
    section: str | None
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Stored:
    """Questions with their confidence, and the index and models that they were made for."""

    made_for: str
    models: str
    questions: dict[str, float]


def offered(answerer: Answerer) -> list[str]:
    """The questions stored for just this index and these models, as far as they are sure enough for its promise."""
    directory = answerer.retriever.store.directory
    stored = _stored(directory)
    if not stored or (stored.made_for, stored.models) != (_made_for(answerer.retriever.meta), answerer.models):
        return []
    try:
        least = confidence.promised(directory, answerer.models) or 0.0
    except ReaderError:
        return []
    return [question for question, probability in stored.questions.items() if probability >= least]


def bring_up_to_date(directory: Path, embedder: Embedder) -> int:
    """Find and store the questions for an index, unless that was done; how many there are.

    Raises StoreError, EmbedderError, ReaderError and OSError.
    """
    with Store.open(directory) as store:
        meta, stored = store.meta(), _stored(directory)
    if meta and stored and stored.made_for == _made_for(meta):
        return len(stored.questions)
    answerer = Answerer.open(directory, embedder)
    try:
        return renew(answerer)
    finally:
        answerer.close()


def are_current(answerer: Answerer) -> bool:
    """Whether questions were found for what is answered from."""
    stored = _stored(answerer.retriever.store.directory)
    return stored is not None and stored.made_for == _made_for(answerer.retriever.meta)


def renew(answerer: Answerer) -> int:
    """Find and store the questions for an index that is open; how many there are. Raises OSError and StoreError."""
    directory = answerer.retriever.store.directory
    stored = Stored(_made_for(answerer.retriever.meta), answerer.models, suggest(answerer))
    written = directory / f"{FILE_NAME}.{os.getpid()}"  # a command and a service may both find them
    written.write_text(json.dumps(asdict(stored), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    written.replace(directory / FILE_NAME)
    return len(stored.questions)


def _made_for(meta: Meta) -> str:
    """What can be told of an index and its default reader without loading either's model."""
    parts = (VERSION, meta.fingerprint, meta.suggestions, file_sha256(confidence.FILE))
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _stored(directory: Path) -> Stored | None:
    try:
        fields = json.loads((directory / FILE_NAME).read_bytes())
        questions = {str(question): float(probability) for question, probability in fields["questions"].items()}
        return Stored(fields["made_for"], fields["models"], questions)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        log.warning("%s cannot be read (%s); attest index makes it anew", directory / FILE_NAME, error)
        return None


def suggest(answerer: Answerer) -> dict[str, float]:
    """At most MOST questions that are surely answered, with their confidence; made ones only from where they are made.

    They are taken from the folder's own list, or if it has none, from its sentences.
    """
    asked: list[str | Candidate] = list(answerer.retriever.meta.suggestions)
    found: dict[str, float] = {}
    for candidate in (asked or candidates(sample(answerer.retriever.store)))[:MOST_ASKED]:
        question = candidate if isinstance(candidate, str) else candidate.question
        try:
            answer = answerer.ask(question)
        except QuestionError:
            continue
        if answer.confidence >= LEAST and _answers(answer, candidate):
            found[question] = answer.confidence
        if len(found) == MOST:
            break
    return found


def _answers(answer: Answer, candidate: str | Candidate) -> bool:
    if answer.status != "answered" or isinstance(candidate, str):
        return answer.status == "answered"
    first = answer.citations[0]
    return first.document.id == candidate.document_id and first.start < candidate.end and candidate.start < first.end


def sample(store: Store) -> Iterator[tuple[Passage, DocumentRef]]:
    """Passages from all over an index, evenly, so that a large one takes no longer."""
    documents = _evenly([listing.ref.id for listing in store.listing()], MOST_DOCUMENTS)
    for document_id in documents:
        for number in _evenly(store.numbers([document_id]), MOST_PASSAGES // len(documents)):
            yield store.passage(number)


def _evenly(items: Sequence[Item], most: int) -> Sequence[Item]:
    """At most so many of the items, the first among them."""
    return items[:: -(-len(items) // most) or 1]


def candidates(passages: Iterable[tuple[Passage, DocumentRef]]) -> list[Candidate]:
    """Make questions from the sentences of passages, the next one always of what few before it are of."""
    sentences = [
        (passage, document, plain(passage.text, start - passage.start, end - passage.start))
        for passage, document in passages
        for start, end in passage.sentences
    ]
    seen = Counter(word.strip(".,;:'") for _, _, words in sentences for word in words.text.split()[1:])
    found: dict[str, Candidate] = {}
    for passage, document, words in sentences:
        for question, *answer in questions(words.text, document.title, seen):
            start, end = (passage.start + at for at in words.source(*answer))
            found.setdefault(question, Candidate(question, document.id, passage.section, start, end))
    waiting = list(found.values())
    ordered: list[Candidate] = []
    used: Counter[object] = Counter()
    while waiting and len(ordered) < MOST_ASKED:
        ordered.append(min(waiting, key=lambda candidate: [used[topic] for topic in _topics(candidate)]))
        waiting.remove(ordered[-1])
        used.update(_topics(ordered[-1]))
    return ordered


def _topics(candidate: Candidate) -> tuple[object, ...]:
    document = candidate.document_id
    return document, (document, candidate.section), candidate.question.split()[0]
