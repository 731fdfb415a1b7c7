"""SQuAD's measures, worked by hand."""

import math

import pytest

from service.reader.squad import best_threshold, exact_match, normalised, token_f1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The Bridge, opened!", ["bridge", "opened"]),
        ("a  man\tand an  apple", ["man", "and", "apple"]),
        ("theatre Anna", ["theatre", "anna"]),
        ("$1,250.50", ["125050"]),
        ("Tu-160's", ["tu160s"]),
        ("Chávez — “won”", ["chávez", "—", "“won”"]),
        ("the", []),
        ("?!", []),
        ("", []),
    ],
)
def test_a_normalised_text_has_lower_case_no_punctuation_and_no_articles(text: str, words: list[str]) -> None:
    assert normalised(text) == words


@pytest.mark.parametrize(
    ("golds", "answer", "expected"),
    [
        (["March 3, 1945"], "march 3 1945", 1.0),
        (["March 3, 1945"], "March 1945", 0.0),
        (["1945", "March 3, 1945"], "the March 3, 1945.", 1.0),
        (["the"], "a", 1.0),
        (["red bridge"], "bridge red", 0.0),
        ([], "1945", 0.0),
    ],
)
def test_an_exact_match_is_one_of_the_gold_answers(golds: list[str], answer: str, expected: float) -> None:
    assert exact_match(golds, answer) == expected


@pytest.mark.parametrize(
    ("golds", "answer", "expected"),
    [
        (["March 3, 1945"], "March 3, 1945", 1.0),
        (["March 3, 1945"], "1945", 2 * 1 / (3 + 1)),
        (["March 3, 1945"], "in March 1945", 2 * 2 / (3 + 3)),
        (["the old bridge"], "the bridge", 2 * 1 / (2 + 1)),
        (["no no no"], "no no", 2 * 2 / (3 + 2)),
        (["no"], "no no no", 2 * 1 / (1 + 3)),
        (["1945", "March 3, 1945"], "March 1945", 2 * 2 / (3 + 2)),
        (["bridge"], "tunnel", 0.0),
        (["bridge"], "the", 0.0),
        (["the"], "bridge", 0.0),
        (["the"], "a", 1.0),
    ],
)
def test_token_f1_is_the_best_over_the_gold_answers(golds: list[str], answer: str, expected: float) -> None:
    assert token_f1(golds, answer) == expected


@pytest.mark.parametrize(
    ("scored", "expected"),
    [
        ([(0.9, 1.0), (0.1, None)], (1.0, 0.9)),
        ([(0.1, 1.0), (0.9, None)], (0.5, math.inf)),
        ([(0.9, 1.0), (0.8, None), (0.7, 1.0), (0.6, 1.0), (0.5, None)], (4 / 5, 0.6)),
        ([(0.9, 1.0), (0.8, None), (0.7, 1.0)], (2 / 3, 0.9)),  # the highest of the thresholds that reach it
        ([(0.9, 0.5), (0.4, 0.25)], (0.75 / 2, 0.4)),
        ([(-3.0, 1.0), (-5.0, None)], (1.0, -3.0)),
        ([(0.9, None), (0.8, None)], (1.0, math.inf)),
        ([(0.9, 0.0), (0.8, 0.0)], (0.0, math.inf)),
    ],
)
def test_the_best_threshold_weighs_answers_against_refusals(
    scored: list[tuple[float, float | None]], expected: tuple[float, float]
) -> None:
    assert best_threshold(scored) == pytest.approx(expected)
    assert best_threshold(scored[::-1]) == pytest.approx(expected)


@pytest.mark.parametrize("scored", [[(0.5, 1.0), (0.5, None), (0.5, None)], [(0.5, None), (0.5, None), (0.5, 1.0)]])
def test_a_threshold_keeps_or_withholds_equal_scores_together(scored: list[tuple[float, float | None]]) -> None:
    assert best_threshold(scored) == (2 / 3, math.inf)


@pytest.mark.parametrize("scored", [[(0.5, 1.0), (0.5, 1.0), (0.5, None)], [(0.5, None), (0.5, 1.0), (0.5, 1.0)]])
def test_the_order_of_equal_scores_makes_no_difference(scored: list[tuple[float, float | None]]) -> None:
    assert best_threshold(scored) == (2 / 3, 0.5)
