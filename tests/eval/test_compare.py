"""The same questions with each kind of search and each reader, side by side."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from eval.compare import COLUMNS, SEARCHES, compare, markdown
from eval.figures import FIGURES, Value
from eval.questions import Gold, Question
from index.build import build
from index.embedding import HashingEmbedder
from index.retrieval import FUSION
from service.reader import SENTENCES, ReaderError

FILES = {
    "apples.txt": "Apples grow here.",
    "apple.txt": "An apple fell there.",
    **{f"corn{number}.txt": "Corn grew in the valley." for number in range(4)},
}
QUESTIONS = [
    Question("q1", "growing apples", (Gold("apples.txt", 0, 17, "Apples grow here."),)),
    Question("q2", "Did an apple fall?", (Gold("apple.txt", 0, 20, "An apple fell there."),)),
    Question("q3", "Quux zyzzyva", ()),
]


@pytest.fixture
def index(write: Callable[..., Path], tmp_path: Path, hashing: HashingEmbedder) -> Path:
    build(write(FILES), tmp_path / "index", hashing)
    return tmp_path / "index"


def test_every_search_is_measured_with_every_reader(index: Path, hashing: HashingEmbedder) -> None:
    done: list[int] = []
    found = compare(index, hashing, SENTENCES, QUESTIONS, done.append)
    assert list(found) == [("dense", SENTENCES), ("lexical", SENTENCES), ("fused", SENTENCES)]
    assert done == list(range(1, 10))
    for figures in found.values():
        assert list(figures) == [figure.name for figure in FIGURES]
        assert (figures["recall@5"].n, figures["token F1 or refusal"].n) == (2, 3)


def test_each_search_is_really_another(index: Path, hashing: HashingEmbedder) -> None:
    # The embedder knows whole words: "An apple fell there." has none of these. BM25 knows stems: it has a rare one of
    # them. By the sums of 1 / (10 + rank), dense, and of 1.5 / (10 + rank), lexical, it is the third.
    question = Question("q1", "apples growing in a valley", (Gold("apple.txt", 3, 8, "apple"),))
    assert FUSION == (1.0, 1.5)
    assert SEARCHES == {"dense": (2.5, 0.0), "lexical": (0.0, 2.5), "fused": FUSION}
    found = compare(index, hashing, SENTENCES, [question])
    ranks = {search: figures["MRR@10"].value for (search, _), figures in found.items()}
    assert ranks == {"dense": pytest.approx(1 / 6), "lexical": 1 / 2, "fused": pytest.approx(1 / 3)}


def test_a_question_for_which_a_search_finds_nothing_is_scored(index: Path, hashing: HashingEmbedder) -> None:
    questions = [QUESTIONS[0], Question("q2", "Quux zyzzyva", (Gold("apple.txt", 3, 8, "apple"),))]
    found = compare(index, hashing, SENTENCES, questions)
    assert (found["lexical", SENTENCES]["recall@5"].value, found["lexical", SENTENCES]["recall@5"].n) == (0.5, 2)


def test_a_reader_that_cannot_be_loaded_is_refused(index: Path, hashing: HashingEmbedder, tmp_path: Path) -> None:
    with pytest.raises(ReaderError):
        compare(index, hashing, str(tmp_path), QUESTIONS)


def test_the_table_has_a_line_for_each_with_the_interval_of_its_f1() -> None:
    figures = dict.fromkeys(COLUMNS, Value(0.5, 4)) | {
        "token F1 or refusal": Value(0.625, 4, 0.25, 0.75),
        "total p50, ms": Value(12.34, 4),
        "answerable, answered": Value(0.5, 3),
        "right, of those answered": Value(float("nan"), 0),
    }
    found = {("dense", "sentence"): figures, ("fused", "other"): figures}
    lines = markdown(found, "attest eval --compare", date(2026, 11, 22)).splitlines()
    assert lines == [
        "2026-11-22, `attest eval --compare`: 4 questions, 3 of them answerable",
        "",
        "| search | reader | recall@5 | EM, forced | F1, forced | F1 or refusal | right, of those answered | answered "
        "| refused | ECE | p50, ms |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
        "| dense | sentence | 0.500 | 0.500 | 0.500 | 0.625 (0.250–0.750) | – | 0.500 | 0.500 | 0.500 | 12.3 |",
        "| fused | other | 0.500 | 0.500 | 0.500 | 0.625 (0.250–0.750) | – | 0.500 | 0.500 | 0.500 | 12.3 |",
    ]


def test_the_columns_are_figures() -> None:
    assert set(COLUMNS) <= {figure.name for figure in FIGURES}
