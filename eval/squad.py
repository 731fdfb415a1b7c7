"""SQuAD-like data in the open setting: every paragraph a document, found by the product's own index."""

import gzip
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eval.questions import Gold, Question


def read(path: Path) -> list[Question]:
    """Read questions of JSON lines, gzip or not, with fields as in SQuAD; golds refer to `write_paragraphs`' files.

    Fields: id, title, context, question, answers [{text, answer_start}], is_impossible
    (Rajpurkar et al., Know What You Don't Know, 2018).
    """
    return [_question(row) for row in _rows(path)]


def write_paragraphs(path: Path, folder: Path) -> None:
    """Write each context of such a file once, below its article's title, as a document of a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for row in _rows(path):
        (folder / _name(row["context"])).write_bytes((_heading(row["title"]) + row["context"]).encode())


def articles(path: Path) -> dict[str, str]:
    """The article of each question of such a file, by the question's id."""
    return {str(row["id"]): str(row["title"]) for row in _rows(path)}


def _rows(path: Path) -> list[dict[str, Any]]:
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def _question(row: dict[str, object]) -> Question:
    context, title = str(row["context"]), str(row["title"])
    shift = len(_heading(title))
    answers: Sequence[dict[str, object]] = row["answers"] if not row["is_impossible"] else []  # type: ignore[assignment]
    golds = []
    for answer in answers:
        start, text = shift + int(str(answer["answer_start"])), str(answer["text"])
        golds.append(Gold(_name(context), start, start + len(text), text))
    return Question(str(row["id"]), str(row["question"]), tuple(golds), kind=str(row.get("source", "")))


def _heading(title: str) -> str:
    return f"# {title.replace('_', ' ')}\n\n"


def _name(context: str) -> str:
    return hashlib.sha256(context.encode()).hexdigest()[:16] + ".txt"
