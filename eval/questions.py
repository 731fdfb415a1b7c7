"""Known questions with their gold answers, as slices of documents."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).with_name("questions.jsonl")


class QuestionsError(ValueError):
    """A file of questions that cannot be used; the message says where and why."""


@dataclass(frozen=True, slots=True)
class Gold:
    """An acceptable answer: `text` stands at [start, end) of the document with this path."""

    document: str
    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Question:
    """A question with its acceptable answers, best first; none if the documents do not answer it.

    `fact` is what it asks about: paraphrases share it. `kind` and `style` are for tables.
    """

    id: str
    question: str
    answers: tuple[Gold, ...]
    fact: str = ""
    kind: str = ""
    style: str = ""


def load(path: Path = FILE) -> list[Question]:
    """Read one question a line. Raises QuestionsError naming the line."""
    found = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise QuestionsError(f"{path} cannot be read: {error}") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            fields = json.loads(line)
            answers = tuple(Gold(**gold) for gold in fields.pop("answers"))
            found.append(Question(answers=answers, **fields))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise QuestionsError(f"{path}, line {number} is not a question: {error}") from error
    if not found:
        raise QuestionsError(f"{path} holds no question")
    return found


def check_golds(questions: Iterable[Question], texts: dict[str, str]) -> None:
    """Check that every gold answer slices the text of its document. Raises QuestionsError."""
    for question in questions:
        for gold in question.answers:
            if gold.document not in texts:
                raise QuestionsError(f"{question.id} refers to {gold.document}, which the index does not hold")
            if texts[gold.document][gold.start : gold.end] != gold.text:
                raise QuestionsError(
                    f"{question.id}: {gold.document}[{gold.start}:{gold.end}] is not {gold.text!r}; "
                    "the document has changed since the question was written"
                )
