"""Where questions come from: a file on the documents of an index, or one that brings its paragraphs along."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from eval import questions as known
from eval import squad
from eval.questions import Question
from index.embedding import Embedder
from index.store import Store


@dataclass(frozen=True, slots=True)
class Source:
    """Questions, and the directory of the index that is asked; `own` if that is the user's and will stay."""

    name: str
    questions: list[Question]
    index: Path
    own: bool


@contextmanager
def source(file: Path | None, paragraphs: Path | None, index: Path, embedder: Embedder) -> Iterator[Source]:
    """The questions of a file, JSON lines or CSV, over an index, or those of SQuAD-like data over its paragraphs.

    Raises QuestionsError and StoreError.
    """
    if paragraphs:
        rows = squad.read(paragraphs)
        with squad.indexed(rows, embedder) as directory:
            yield Source(paragraphs.name, squad.questions(rows), directory, own=False)
    elif file and file.suffix.lower() == ".csv":
        with Store.open(index) as store:
            texts = {listing.ref.uri: store.document(listing.ref.id).text for listing in store.listing()}
        yield Source(file.name, known.load_csv(file, texts), index, own=True)
    else:
        file = file or known.FILE
        yield Source(file.name, known.load(file), index, own=True)
