"""The training data of the reader."""

import gzip
import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from service.reader.data import ANSWERABLE, NATURAL, UNANSWERABLE, Example, natural, read

CONTEXT = "The café 😀 opened in 1901 and closed in 1955."
OPENED = Example("When did it open?", CONTEXT, "Café", ((21, 25),), "squad-train")
OWN = "A mill turned here until 1870."


def write(path: Path, rows: Iterable[dict[str, Any]]) -> Path:
    with gzip.open(path, "wt", encoding="utf-8") as lines:
        lines.writelines(json.dumps(row) + "\n" for row in rows)
    return path


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def rows() -> list[dict[str, Any]]:
    """What was written for the reader."""
    with gzip.open(NATURAL, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def test_answers_are_slices_of_the_context(tmp_path: Path) -> None:
    row = {"question": "When did it open?", "context": CONTEXT, "title": "Café", "source": "squad2"}
    answers = [{"text": "1901", "answer_start": 21}, {"text": "in 1901", "answer_start": 18}]
    path = write(tmp_path / "squad.jsonl.gz", [{**row, "answers": answers, "is_impossible": False}])
    (answered,) = read(path)
    assert [answered.context[start:end] for start, end in answered.answers] == ["1901", "in 1901"]


def test_a_question_without_an_answer_has_none_whatever_looks_like_one(tmp_path: Path) -> None:
    row = {"question": "When did it open?", "context": CONTEXT, "title": "Café", "source": "squad2"}
    answers = [{"text": "1901", "answer_start": 21}]
    path = write(tmp_path / "squad.jsonl.gz", [{**row, "answers": answers, "is_impossible": True}])
    assert read(path) == [Example("When did it open?", CONTEXT, "Café", (), "squad")]


@pytest.mark.parametrize("name", ["squad-train", "squadshifts-new_wiki", "qamr"])
def test_the_source_of_an_example_is_the_name_of_its_file(tmp_path: Path, name: str) -> None:
    row = {"question": "Who?", "context": CONTEXT, "title": "", "source": "else", "answers": [], "is_impossible": True}
    assert [example.source for example in read(write(tmp_path / f"{name}.jsonl.gz", [row]))] == [name]


def test_written_questions_stand_on_the_contexts_that_are_there(tmp_path: Path) -> None:
    row = {"kind": "telegraphic", "question": "café closed when", "answers": [{"text": "1955", "answer_start": 40}]}
    given = [{**row, "context_sha256": known} for known in (sha256(CONTEXT), "0" * 64)]
    (found,) = natural([OPENED], write(tmp_path / "natural.jsonl.gz", given))
    assert found == Example("café closed when", CONTEXT, "Café", ((40, 44),), "natural-telegraphic")
    assert CONTEXT[40:44] == "1955"


def test_written_questions_on_a_passage_of_their_own_need_no_other_data(tmp_path: Path) -> None:
    own = {"context_sha256": sha256(OWN)}
    answers = [{"text": "1870", "answer_start": 25}]
    given: list[dict[str, Any]] = [
        {"context_sha256": sha256(CONTEXT), "kind": "why", "question": "Why?", "answers": answers},
        {**own, "context": OWN, "title": "Mill", "kind": "plain", "question": "Until when?", "answers": answers},
        {**own, "kind": "negated", "question": "When did it not turn?", "answers": []},
    ]
    path = write(tmp_path / "natural.jsonl.gz", given)
    assert natural([], path) == [
        Example("Until when?", OWN, "Mill", ((25, 29),), "natural-plain"),
        Example("When did it not turn?", OWN, "Mill", (), "natural-negated"),
    ]
    assert [found.context for found in natural([OPENED], path)] == [CONTEXT, OWN, OWN]


def test_the_written_questions_are_what_their_docstring_says() -> None:
    kinds = Counter(row["kind"] for row in rows())
    assert (len(rows()), len({row["context_sha256"] for row in rows()})) == (37_223, 4_615)
    assert set(kinds) == {*ANSWERABLE, *UNANSWERABLE}
    for row in rows():
        assert bool(row["answers"]) == (row["kind"] in ANSWERABLE)
    assert sum(kinds[kind] for kind in ANSWERABLE) == 18_469
    assert len({(row["context_sha256"], row["question"].casefold()) for row in rows()}) == len(rows())
    for number in ("37,223", "3,600", "1,015", "18,469"):
        assert number in (natural.__doc__ or "")


def test_a_passage_of_its_own_is_given_with_its_first_question() -> None:
    seen: set[str] = set()
    own = 0
    for row in rows():
        if "context" in row or "title" in row:
            assert row["context_sha256"] == sha256(row["context"])
            assert row["context_sha256"] not in seen
            assert row["title"].strip()
            own += 1
        seen.add(row["context_sha256"])
    assert own == 1_015


def test_the_answers_in_the_written_passages_are_slices_of_them() -> None:
    found = natural([])
    own = {sha256(context) for context in {example.context for example in found}}
    assert len(own) == 1_015
    given = [row for row in rows() if row["context_sha256"] in own]
    for example, row in zip(found, given, strict=True):
        quotes = [example.context[start:end] for start, end in example.answers]
        assert quotes == [answer["text"] for answer in row["answers"]]
        assert all(quote and quote == quote.strip() for quote in quotes)
