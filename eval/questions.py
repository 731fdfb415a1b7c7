"""Known questions with their gold answers, as slices of documents."""

import csv
import io
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eval.places import places

FILE = Path(__file__).with_name("questions.jsonl")
_GOLD = {"document": str, "start": int, "end": int, "text": str}
_QUESTION = dict.fromkeys(("id", "question", "fact", "kind", "style", "part", "document"), str)


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

    `fact` is what it asks about: paraphrases share it. `kind`, `style` and `part` are for tables. `document` is the
    path of the one it is about, where that is known.
    """

    id: str
    question: str
    answers: tuple[Gold, ...]
    fact: str = ""
    kind: str = ""
    style: str = ""
    part: str = ""
    document: str = ""


def load(path: Path = FILE) -> list[Question]:
    """Read one question a line, as JSON; without a fact it is one of its own. Raises QuestionsError naming the line."""
    found = []
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            found.append(_question(read_object(line)))
        except ValueError as error:
            raise QuestionsError(f"{path}, line {number} is not a question: {error}") from error
    if not found:
        raise QuestionsError(f"{path} holds no question")
    if len({question.id for question in found}) < len(found):
        raise QuestionsError(f"{path} gives an id twice")
    return found


def read_object(line: str) -> dict[str, Any]:
    """Read a line that is a JSON object. Raises ValueError."""
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        raise ValueError("it is not JSON") from None
    if not isinstance(fields, dict):
        raise ValueError("it is no JSON object")  # noqa: TRY004 - the file is wrong, not the program
    return fields


def _question(given: dict[str, Any]) -> Question:
    golds = given.pop("answers", None)
    if not isinstance(golds, list):
        raise ValueError("it has no list of answers")  # noqa: TRY004 - the file is wrong, not the program
    answers = tuple(Gold(**_checked(gold, _GOLD)) for gold in golds)
    asked = _checked(given, _QUESTION, ("id", "question"))
    return Question(**{**asked, "fact": asked.get("fact") or asked["id"]}, answers=answers)


def _checked(given: Any, kinds: Mapping[str, type], needed: Collection[str] = ()) -> dict[str, Any]:
    """The fields of a JSON object, which has those that are `needed`, by default all. Raises ValueError."""
    if not isinstance(given, dict):
        raise ValueError(f"{given!r} is no JSON object")  # noqa: TRY004 - the file is wrong, not the program
    for name in needed or kinds:
        if name not in given:
            raise ValueError(f"it has no {name}")
    for name, value in given.items():
        if name not in kinds:
            raise ValueError(f"it has a field that is not known: {name}")
        if type(value) is not kinds[name]:
            raise ValueError(f"its {name} is {value!r}")
    return given


def load_csv(path: Path, texts: Mapping[str, str]) -> list[Question]:
    """Read a table with the columns question, answer and, if wanted, document, over documents' texts by path.

    An empty answer says that the documents do not answer; a question on several lines has several acceptable answers.
    Wherever an answer stands in its document, or in any if none is named, it counts, markup and white space apart; in
    other capitals only if it stands nowhere just so. Raises QuestionsError, naming every line that cannot be used.
    """
    try:
        reader = csv.DictReader(io.StringIO(read_text(path)), strict=True)
        rows = [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise QuestionsError(f"{path}, line {reader.line_num}: {error}") from error
    missing = [name for name in ("question", "answer") if name not in (reader.fieldnames or ())]
    if missing:
        lacks = " and ".join(missing)
        raise QuestionsError(
            f"{path} needs the columns question and answer in its first line, parted by commas; it lacks {lacks}"
        )
    wanted = {(answer, document) for _, answer, document in (_cells(row) for _, row in rows) if answer}
    found_at = places(wanted, texts)
    golds: dict[str, list[Gold]] = {}
    wrong = []
    for number, row in rows:
        question, answer, document = _cells(row)
        found = [Gold(at, start, end, texts[at][start:end]) for at, start, end in found_at.get((answer, document), ())]
        if not question:
            wrong.append(f"line {number} has no question")
        elif row["answer"] is None:
            wrong.append(f"line {number} has no cell for the answer")
        elif row.get(None):  # what is left of a line that is too long
            wrong.append(f"line {number} has more cells than there are columns; quote what holds a comma")
        elif document and document not in texts:
            wrong.append(f"line {number}: the index holds no document {document}")
        elif answer and not found:
            wrong.append(f"line {number}: {answer!r} does not stand in {document or 'any document'}")
        elif question in golds and bool(golds[question]) != bool(answer):
            wrong.append(f"line {number}: {question!r} has an answer on one line and none on another")
        else:
            golds.setdefault(question, []).extend(found)
    if wrong:
        raise QuestionsError(f"{path}: " + "; ".join(wrong))
    if not golds:
        raise QuestionsError(f"{path} holds no question")
    return [Question(str(n), asked, tuple(found), fact=asked) for n, (asked, found) in enumerate(golds.items(), 1)]


def _cells(row: Mapping[str, str | None]) -> tuple[str, str, str]:
    question, answer, document = ((row.get(name) or "").strip() for name in ("question", "answer", "document"))
    return question, answer, document


def read_text(path: Path) -> str:
    """The text of a file. Raises QuestionsError."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise QuestionsError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise QuestionsError(f"{path} cannot be read: {not_utf8(error)}") from error


def not_utf8(error: UnicodeDecodeError) -> str:
    return f"it is not UTF-8 (byte 0x{error.object[error.start]:02x} at {error.start})"


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
