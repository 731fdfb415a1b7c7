"""From logits to spans, worked by hand and held against every span there is."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.network import Floats
from service.reader.decoding import BEST, MAX_TOKENS, Candidate, candidates
from service.reader.windows import Window

FIRST = 3  # behind [CLS], one token of a question and [SEP]


def window(begins: str, ends: str) -> Window:
    """A window of tokens that stand for [0, 8), [10, 18) and so on; `x` where a word begins or ends."""
    count = len(begins)
    size = FIRST + count + 1
    offsets = tuple((10 * at, 10 * at + 8) for at in range(count))
    bounds = [tuple(sign == "x" for sign in signs) for signs in (begins, ends)]
    return Window(tuple(range(size)), (0,) * size, FIRST, offsets, bounds[0], bounds[1])


def logits(*values: float, null: float = 0.0, around: float = 0.0) -> Floats:
    """The logits of a piece's tokens, `null` at the first position and `around` at the other special tokens."""
    return np.array([null, *[around] * (FIRST - 1), *values, around], dtype=np.float32)


def spans(found: list[Candidate]) -> list[tuple[int, int, float]]:
    """The first and the last token of each, and its score."""
    return [(candidate.start // 10, candidate.end // 10, candidate.score) for candidate in found]


FOUR = window("xxxx", "xxxx")
STARTS, ENDS = logits(1, 5, 2, 0, null=0.5), logits(0, 1, 6, 3, null=0.5)


def test_the_best_span_has_the_highest_sum_less_that_of_no_answer() -> None:
    assert candidates(FOUR, STARTS, ENDS)[0] == Candidate(10, 28, 5 + 6 - 1)


def test_the_spans_come_best_first_and_of_two_alike_the_earlier_first() -> None:
    assert spans(candidates(FOUR, STARTS, ENDS)) == [
        (1, 2, 10),
        (1, 3, 7),
        (2, 2, 7),
        (0, 2, 6),
        (1, 1, 5),
        (2, 3, 4),
        (0, 3, 3),
        (3, 3, 2),
        (0, 1, 1),
        (0, 0, 0),
    ]


def test_of_spans_all_alike_the_shorter_of_the_earliest_is_first() -> None:
    even = logits(1, 1, 1)
    assert spans(candidates(window("xxx", "xxx"), even, even)) == [
        (first, last, 2) for first in range(3) for last in range(first, 3)
    ]


@pytest.mark.parametrize(("null", "score"), [(-4.0, 18.0), (0.0, 10.0), (5.0, 0.0), (8.0, -6.0)])
def test_the_score_is_against_the_logits_of_the_first_position(null: float, score: float) -> None:
    (best, *_) = candidates(FOUR, logits(1, 5, 2, 0, null=null), logits(0, 1, 5, 3, null=null))
    assert spans([best]) == [(1, 2, score)]


@pytest.mark.parametrize(
    ("most", "expected"),
    [
        (1, [(2, 2, 7), (1, 1, 5), (3, 3, 2), (0, 0, 0)]),
        (2, [(1, 2, 10), (2, 2, 7), (1, 1, 5), (2, 3, 4), (3, 3, 2), (0, 1, 1), (0, 0, 0)]),
    ],
)
def test_a_span_is_no_longer_than_it_may_be(most: int, expected: list[tuple[int, int, float]]) -> None:
    assert spans(candidates(FOUR, STARTS, ENDS, most)) == expected


def test_a_span_has_at_most_forty_tokens() -> None:
    count = MAX_TOKENS + 1
    starts, ends = np.full((2, count), -9.0)
    starts[0], ends[-2:] = 9, (5, 9)
    (best, *_) = candidates(window("x" * count, "x" * count), logits(*starts), logits(*ends))
    assert spans([best]) == [(0, MAX_TOKENS - 1, 9 + 5)]


def test_no_span_ends_before_it_starts() -> None:
    found = candidates(window("xxx", "xxx"), logits(0, 0, 9), logits(9, 0, 0))
    assert spans(found)[:2] == [(0, 0, 9), (2, 2, 9)]
    assert all(candidate.start < candidate.end for candidate in found)


@pytest.mark.parametrize(
    ("begins", "ends", "expected"),
    [
        ("x.xx", "xxxx", [(2, 2, 7), (0, 2, 6), (2, 3, 4), (0, 3, 3), (3, 3, 2), (0, 1, 1), (0, 0, 0)]),
        ("xxxx", "xx.x", [(1, 3, 7), (1, 1, 5), (2, 3, 4), (0, 3, 3), (3, 3, 2), (0, 1, 1), (0, 0, 0)]),
        ("x..x", "..xx", [(0, 2, 6), (0, 3, 3), (3, 3, 2)]),
        (".x..", "...x", [(1, 3, 7)]),
    ],
)
def test_a_span_begins_and_ends_where_words_do(begins: str, ends: str, expected: list[tuple[int, int, float]]) -> None:
    assert spans(candidates(window(begins, ends), STARTS, ENDS)) == expected


@pytest.mark.parametrize(
    ("begins", "ends"), [("....", "xxxx"), ("xxxx", "...."), ("....", "...."), ("..xx", "xx.."), ("", "")]
)
def test_without_a_possible_span_there_is_none(begins: str, ends: str) -> None:
    values = logits(*[1.0] * len(begins))
    assert candidates(window(begins, ends), values, values) == []


def test_a_token_that_the_model_rules_out_is_in_no_span() -> None:
    found = candidates(window("xx", "xx"), logits(-np.inf, 1), logits(1, 1))
    assert spans(found) == [(1, 1, 2)]


def test_logits_of_the_question_and_of_special_tokens_are_ignored() -> None:
    high = logits(1, 5, 2, 0, null=0.5, around=99), logits(0, 1, 6, 3, null=0.5, around=99)
    assert candidates(FOUR, *high) == candidates(FOUR, STARTS, ENDS)


def test_logits_beyond_the_window_are_ignored() -> None:
    beyond = np.full(20, 99, dtype=np.float32)
    long = np.concatenate([STARTS, beyond]), np.concatenate([ENDS, beyond])
    assert candidates(FOUR, *long) == candidates(FOUR, STARTS, ENDS)


def test_a_span_lies_where_its_tokens_do() -> None:
    moved = replace(FOUR, offsets=((3, 5), (5, 9), (12, 13), (13, 40)))
    (best, *_) = candidates(moved, STARTS, ENDS)
    assert (best.start, best.end) == (5, 13)


def test_only_the_best_starts_and_ends_are_looked_at() -> None:
    count = BEST + 3
    rising = logits(*range(count))
    found = spans(candidates(window("x" * count, "x" * count), rising, rising))
    assert {first for first, _, _ in found} == {last for _, last, _ in found} == set(range(3, count))


Signs = list[tuple[int, int, bool, bool]]
TOKENS = st.tuples(st.integers(-20, 20), st.integers(-20, 20), st.booleans(), st.booleans())


@settings(max_examples=200, deadline=None)
@given(st.lists(TOKENS, max_size=BEST), st.integers(-20, 20), st.integers(1, BEST))
def test_the_spans_are_all_that_are_possible_in_order(tokens: Signs, null: int, most: int) -> None:
    begins, ends = ("".join("x" if token[side] else "." for token in tokens) for side in (2, 3))
    found = candidates(
        window(begins, ends),
        logits(*[token[0] for token in tokens], null=null),
        logits(*[token[1] for token in tokens], null=null),
        most,
    )
    possible = [
        (-(tokens[first][0] + tokens[last][1] - 2 * null), first, last)
        for first in range(len(tokens))
        for last in range(first, min(first + most, len(tokens)))
        if tokens[first][2] and tokens[last][3]
    ]
    assert spans(found) == [(first, last, -score) for score, first, last in sorted(possible)]
