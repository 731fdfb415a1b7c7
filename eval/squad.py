"""SQuAD-like data: every paragraph becomes a document of an index of its own, made by the product's own indexing."""

import gzip
import hashlib
import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from eval.questions import Gold, Question, QuestionsError, not_utf8
from index.build import build
from index.embedding import Embedder
from service.answering import QuestionError, normalised_question


@dataclass(frozen=True, slots=True)
class Row:
    """A question about a paragraph of an article; `answers` are (text, start in the paragraph), none if impossible."""

    id: str
    question: str
    title: str
    context: str
    answers: tuple[tuple[str, int], ...]
    source: str = ""

    @property
    def heading(self) -> str:
        return f"# {self.title.replace('_', ' ')}\n\n"

    @property
    def document(self) -> str:
        """The path of the paragraph's document."""
        return hashlib.sha256(f"{self.title}\n{self.context}".encode()).hexdigest()[:16] + ".txt"


def read(path: Path) -> list[Row]:
    """Read a file in the form of SQuAD 1.1 or 2.0, or with one question a line, gzip or not.

    A line has id, title, context, question, answers [{text, answer_start}] and is_impossible (Rajpurkar et al., Know
    What You Don't Know, 2018). Raises QuestionsError, of a row that cannot be used naming its id.
    """
    try:
        content = path.read_bytes()
        text = (gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise QuestionsError(f"{path} cannot be read: {not_utf8(error)}") from error
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise QuestionsError(f"{path} cannot be read: {reason}") from error
    try:
        rows = list(_rows(text))
    except KeyError as error:
        raise QuestionsError(f"{path} is not in SQuAD's form: a part of it has no {error.args[0]}") from error
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise QuestionsError(
            f"{path} is not in SQuAD's form: it is not JSON, or something else stands where a list, an object or a "
            "text should"
        ) from error
    if not rows:
        raise QuestionsError(f"{path} holds no question")
    seen: set[str] = set()
    for row in rows:
        if row.id in seen:
            raise QuestionsError(f"{path} gives the id {row.id} twice")
        seen.add(row.id)
        _check(row, path)
    return rows


def questions(rows: list[Row]) -> list[Question]:
    """The rows as questions whose golds refer to `write`'s documents; those on one paragraph count as one fact."""
    found = []
    for row in rows:
        shift = len(row.heading)
        golds = tuple(Gold(row.document, shift + at, shift + at + len(text), text) for text, at in row.answers)
        found.append(Question(row.id, row.question, golds, row.document, row.source, document=row.document))
    return found


def write(rows: list[Row], folder: Path) -> None:
    """Write each paragraph once, below its article's title, as a document of a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for row in rows:
        (folder / row.document).write_bytes((row.heading + row.context).encode())


@contextmanager
def indexed(rows: list[Row], embedder: Embedder) -> Iterator[Path]:
    """The directory of a temporary index over all paragraphs of the rows. Raises QuestionsError."""
    with TemporaryDirectory() as directory:
        write(rows, Path(directory, "documents"))
        report = build(Path(directory, "documents"), Path(directory, "index"), embedder)
        for name, reason in report.unread:
            row = next(row for row in rows if row.document == name)
            raise QuestionsError(f"The paragraph of question {row.id} cannot be indexed: {reason}")
        yield Path(directory, "index")


def _rows(text: str) -> Iterator[Row]:
    try:
        articles = json.loads(text)["data"]
    except (ValueError, KeyError):  # more than one value, or only one line
        for line in filter(str.strip, text.split("\n")):
            yield _row(json.loads(line))
        return
    for article in articles:
        for paragraph in article["paragraphs"]:
            for asked in paragraph["qas"]:
                yield _row({"title": article.get("title", ""), "context": paragraph["context"], **asked})


def _check(row: Row, path: Path) -> None:
    """Raises QuestionsError for a question that cannot be asked and an answer that does not stand where it says."""
    try:
        normalised_question(row.question)
    except QuestionError as error:
        raise QuestionsError(f"{path}: {row.id} cannot be asked: {error}") from error
    for text, at in row.answers:
        if not text or at < 0 or row.context[at : at + len(text)] != text:
            raise QuestionsError(f"{path}: the answer {text!r} of {row.id} does not stand at {at} of its context")


def _row(fields: dict[str, Any]) -> Row:
    """Raises ValueError for what is not Unicode text, as a lone surrogate is not."""
    "".join(str(fields[name]) for name in ("question", "title", "context")).encode()
    answers = [] if fields.get("is_impossible") else fields["answers"]
    return Row(
        str(fields["id"]),
        str(fields["question"]),
        str(fields["title"]),
        str(fields["context"]),
        tuple((str(answer["text"]), int(answer["answer_start"])) for answer in answers),
        str(fields.get("source", "")),
    )
