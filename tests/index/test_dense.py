"""The dense index: nearest vectors by their cosine."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from index.dense import DenseIndex

NUMBERS = np.array([10, 20, 30], dtype=np.int64)
VECTORS = np.array([[1, 0], [0, 1], [0.6, 0.8]], dtype=np.float32)


def vector(x: float, y: float) -> NDArray[np.float32]:
    return np.array([x, y], dtype=np.float32)


def search(
    index: DenseIndex, question: NDArray[np.float32], limit: int, among: Iterable[int] | None = None
) -> list[int]:
    return [number for number, _ in index.search(question, limit, among)]


@pytest.mark.parametrize(
    ("question", "expected"),
    [((1.0, 0.0), [10, 30, 20]), ((0.0, 1.0), [20, 30, 10]), ((0.8, 0.6), [30, 10, 20]), ((-1.0, 0.0), [20, 30, 10])],
)
def test_passages_come_nearest_first(question: tuple[float, float], expected: list[int]) -> None:
    assert search(DenseIndex.build(NUMBERS, VECTORS), vector(*question), 10) == expected


def test_no_more_than_the_limit_are_found() -> None:
    index = DenseIndex.build(NUMBERS, VECTORS)
    assert search(index, vector(1, 0), 2) == [10, 30]
    assert search(index, vector(1, 0), 0) == []


def test_only_passages_among_those_given_are_found() -> None:
    index = DenseIndex.build(NUMBERS, VECTORS)
    assert search(index, vector(1, 0), 10, [30, 20]) == [30, 20]
    assert search(index, vector(1, 0), 1, {20}) == [20]
    assert search(index, vector(1, 0), 10, [99]) == []
    assert search(index, vector(1, 0), 10, []) == []


def test_an_empty_index_finds_nothing() -> None:
    index = DenseIndex.build(NUMBERS[:0], VECTORS[:0])
    assert search(index, vector(1, 0), 10) == []


def test_an_index_read_back_answers_the_same(tmp_path: Path) -> None:
    written = DenseIndex.build(NUMBERS, VECTORS)
    written.write(tmp_path)
    read = DenseIndex.read(tmp_path)
    found = read.search(vector(0.8, 0.6), 10)
    assert found == written.search(vector(0.8, 0.6), 10)
    assert [number for number, _ in found] == [30, 10, 20]
    assert [cosine for _, cosine in found] == pytest.approx([0.96, 0.8, 0.6])


def test_the_search_is_exact() -> None:
    random = np.random.default_rng(0)
    vectors = random.standard_normal((500, 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    numbers = np.arange(1_000, 1_500, dtype=np.int64)
    question = vectors[7]
    expected = [1_000 + int(row) for row in np.argsort(-(vectors @ question))[:50]]
    assert search(DenseIndex.build(numbers, vectors), question, 50) == expected
