"""The training data of the reader."""

import gzip
import hashlib
import json
from collections import Counter
from pathlib import Path

from service.reader.data import ANSWERABLE, NATURAL, UNANSWERABLE, Example, natural, read

CONTEXT = "The café 😀 opened in 1901 and closed in 1955."


def test_answers_are_slices_of_the_context(tmp_path: Path) -> None:
    row = {"question": "When did it open?", "context": CONTEXT, "title": "Café", "source": "squad2"}
    answers = [{"text": "1901", "answer_start": 21}]
    path = tmp_path / "squad.jsonl.gz"
    with gzip.open(path, "wt", encoding="utf-8") as lines:
        for impossible in (False, True):
            lines.write(json.dumps({**row, "answers": answers, "is_impossible": impossible}) + "\n")
    answered, refused = read(path)
    assert [answered.context[start:end] for start, end in answered.answers] == ["1901"]
    assert refused == Example("When did it open?", CONTEXT, "Café", (), "squad2")


def test_written_questions_stand_on_the_contexts_that_are_there(tmp_path: Path) -> None:
    sha256 = hashlib.sha256(CONTEXT.encode()).hexdigest()
    path = tmp_path / "natural.jsonl.gz"
    with gzip.open(path, "wt", encoding="utf-8") as lines:
        for context in (sha256, "0" * 64):
            row = {"context_sha256": context, "kind": "telegraphic", "question": "café closed when"}
            lines.write(json.dumps({**row, "answers": [{"text": "1955", "answer_start": 40}]}) + "\n")
    (found,) = natural([Example("When did it open?", CONTEXT, "Café", ((21, 25),), "squad2")], path)
    assert found == Example("café closed when", CONTEXT, "Café", ((40, 44),), "natural-telegraphic")
    assert CONTEXT[40:44] == "1955"


def test_the_written_questions_are_what_their_docstring_says() -> None:
    with gzip.open(NATURAL, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    kinds = Counter(row["kind"] for row in rows)
    assert (len(rows), len({row["context_sha256"] for row in rows})) == (4_196, 600)
    assert set(kinds) == {*ANSWERABLE, *UNANSWERABLE}
    for row in rows:
        assert bool(row["answers"]) == (row["kind"] in ANSWERABLE)
    assert sum(kinds[kind] for kind in ANSWERABLE) == 2_396
    assert len({(row["context_sha256"], row["question"].casefold()) for row in rows}) == len(rows)
