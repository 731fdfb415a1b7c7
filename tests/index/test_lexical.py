"""The lexical index: BM25 over stems, with hand-worked scores."""

import math
import random
from pathlib import Path

import pytest

from index.lexical import LexicalIndex, terms


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("When did Pérez visit Jiménez?", ["perez", "visit", "jimenez"]),
        ("The Tu-160 bombers' flights in 2008", ["tu", "160", "bomber", "flight", "2008"]),
        ("who whom whose what which when where why how did do does", []),
        ("the of and in", []),
        ("", []),
        ("x" * 101 + " oil", ["oil"]),
    ],
)
def test_terms_are_lower_case_stems_without_accents_and_stop_words(text: str, expected: list[str]) -> None:
    assert terms(text) == expected


def test_scores_are_bm25(tmp_path: Path) -> None:
    # Two passages of 2 and 1 terms, 1.5 on average; the term is in one: ln(1 + 1.5 / 1.5) · 2.2 / (1 + 1.2 · 1.25).
    index = LexicalIndex.build(tmp_path, [(7, "x", "", "Apples grow."), (9, "y", "", "Pears.")])
    ((number, score),) = index.search("apple", 5)
    assert number == 7
    assert score == pytest.approx(math.log(2) * 2.2 / (1 + 1.2 * (0.25 + 0.75 * 2 / 1.5)), abs=1e-5)
    assert score == pytest.approx(0.60997, abs=1e-5)


def test_a_term_repeated_in_the_question_counts_once(tmp_path: Path) -> None:
    index = LexicalIndex.build(tmp_path, [(7, "x", "", "Apples grow."), (9, "y", "", "Pears.")])
    assert index.search("apple apples Apples", 5) == index.search("apple", 5)


def test_a_term_in_the_context_weighs_half(tmp_path: Path) -> None:
    index = LexicalIndex.build(tmp_path, [(1, "x", "Apples", "Pears"), (2, "y", "Plums", "Corn")])
    ((_, in_words),) = index.search("pears", 5)
    ((_, in_context),) = index.search("apples", 5)
    assert in_context == pytest.approx(in_words / 2, abs=1e-5)


def test_the_rarer_and_the_denser_match_come_first_and_ties_in_order_of_number(tmp_path: Path) -> None:
    passages = [
        (2, "y", "", "Coal tar."),
        (3, "y", "", "Oil and gas."),
        (4, "x", "", "Oil and gas."),
        (5, "x", "", "Oil and gas and coal and tar."),
    ]
    index = LexicalIndex.build(tmp_path, passages)
    assert [number for number, _ in index.search("oil", 10)] == [3, 4, 5]
    assert [number for number, _ in index.search("oil gas coal", 10)] == [5, 3, 4, 2]
    assert [number for number, _ in index.search("coal", 1)] == [2]


def test_documents_restrict_the_search_and_leave_scores_as_they_are(tmp_path: Path) -> None:
    index = LexicalIndex.build(tmp_path, [(1, "x", "", "Apples."), (2, "y", "", "Apples grow."), (3, "z", "", "Corn.")])
    everything = dict(index.search("apples", 5))
    assert set(everything) == {1, 2}
    ((number, score),) = index.search("apples", 5, ["y", "z"])
    assert (number, round(score, 5)) == (2, round(everything[2], 5))
    assert index.search("apples", 5, ["z"]) == []
    assert index.search("apples", 5, []) == []


def test_a_question_of_stop_words_finds_nothing(tmp_path: Path) -> None:
    index = LexicalIndex.build(tmp_path, [(1, "x", "", "What is it? It is the thing.")])
    assert index.search("What is it?", 5) == []
    assert index.search("", 5) == []
    assert index.search("'\"(+-:*^~", 5) == []


def test_a_misspelt_word_finds_its_near_spellings_for_less(tmp_path: Path) -> None:
    index = LexicalIndex.build(tmp_path, [(1, "x", "", "Tupolev bombers."), (2, "y", "", "Venezuela trades.")])
    right = index.search("Tupolev", 5)
    misspelt = index.search("Tupolve", 5)
    assert [number for number, _ in right] == [number for number, _ in misspelt] == [1]
    assert misspelt[0][1] < right[0][1]
    assert [number for number, _ in index.search("Venzuella", 5)] == [2]


def test_accents_need_not_be_written(tmp_path: Path) -> None:
    index = LexicalIndex.build(tmp_path, [(1, "x", "", "Marcos Pérez Jiménez ruled."), (2, "y", "", "Perez fell.")])
    assert index.search("Perez Jimenez", 5) == index.search("Pérez Jiménez", 5)
    assert [number for number, _ in index.search("Perez Jimenez", 5)] == [1, 2]


def test_a_word_that_is_there_and_a_short_one_and_a_number_stand_for_themselves(tmp_path: Path) -> None:
    passages = [(1, "x", "", "Boats in 20080."), (2, "y", "", "Boots."), (3, "z", "", "Coal.")]
    index = LexicalIndex.build(tmp_path, passages)
    assert [number for number, _ in index.search("boats", 5)] == [1]
    assert index.search("coat", 5) == []
    assert index.search("20081", 5) == []


def test_an_index_read_back_answers_the_same(tmp_path: Path) -> None:
    passages = [(number, "x", "Ties", f"Oil and number{number} and gas.") for number in range(100)]
    written = LexicalIndex.build(tmp_path, passages)
    read = LexicalIndex.read(tmp_path)
    assert read.search("oil ties number42", 10) == written.search("oil ties number42", 10)
    assert read.search("number42", 10)[0][0] == 42


def test_passages_that_cannot_be_among_the_best_are_passed_over_without_a_change(tmp_path: Path) -> None:
    """With a limit, tantivy skips blocks of passages by their highest score (block-max WAND)."""
    chance = random.Random(0)
    words = [f"word{number}" for number in range(200)]
    passages = [
        (number, "x", "", " ".join(chance.choices(words, weights=[1 / (1 + at) for at in range(200)], k=40)))
        for number in range(3_000)
    ]
    index = LexicalIndex.build(tmp_path, passages)
    for _ in range(20):
        question = " ".join(chance.sample(words, 5))
        everything = index.search(question, len(passages))
        assert len(everything) > 500
        scores = [score for _, score in everything]
        assert [score for _, score in index.search(question, 10)] == pytest.approx(scores[:10], abs=1e-5)


def test_an_empty_index_finds_nothing(tmp_path: Path) -> None:
    assert LexicalIndex.build(tmp_path, []).search("apples", 5) == []
