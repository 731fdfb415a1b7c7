"""The dense index: nearest vectors by their cosine."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest
from numpy.typing import NDArray

from index.dense import DEPTH, EXACT_UP_TO, RECALL, DenseIndex, Search
from index.embedding import Vectors
from index.store import Kind

NUMBERS = np.array([10, 20, 30], dtype=np.int64)
VECTORS = np.array([[1, 0], [0, 1], [0.6, 0.8]], dtype=np.float32)


def vector(x: float, y: float) -> NDArray[np.float32]:
    return np.array([x, y], dtype=np.float32)


def built(numbers: NDArray[np.int64], vectors: Vectors, kind: Kind = "auto", size: int = 100) -> DenseIndex:
    """An index of vectors that come in batches of `size`."""

    def batches() -> Iterator[tuple[NDArray[np.int64], Vectors]]:
        for at in range(0, len(numbers), size):
            yield numbers[at : at + size], vectors[at : at + size]

    return DenseIndex.build(len(numbers), vectors.shape[1], batches, kind)


def search(
    index: DenseIndex, question: NDArray[np.float32], limit: int, among: Iterable[int] | None = None
) -> list[int]:
    return [number for number, _ in index.search(question, limit, among)]


@pytest.mark.parametrize(
    ("question", "expected"),
    [((1.0, 0.0), [10, 30, 20]), ((0.0, 1.0), [20, 30, 10]), ((0.8, 0.6), [30, 10, 20]), ((-1.0, 0.0), [20, 30, 10])],
)
def test_passages_come_nearest_first(question: tuple[float, float], expected: list[int]) -> None:
    assert search(built(NUMBERS, VECTORS), vector(*question), 10) == expected


def test_no_more_than_the_limit_are_found() -> None:
    index = built(NUMBERS, VECTORS)
    assert search(index, vector(1, 0), 2) == [10, 30]
    assert search(index, vector(1, 0), 0) == []


def test_only_passages_among_those_given_are_found() -> None:
    index = built(NUMBERS, VECTORS)
    assert search(index, vector(1, 0), 10, [30, 20]) == [30, 20]
    assert search(index, vector(1, 0), 1, {20}) == [20]
    assert search(index, vector(1, 0), 10, [99]) == []
    assert search(index, vector(1, 0), 10, []) == []


def test_an_empty_index_finds_nothing() -> None:
    index = built(NUMBERS[:0], VECTORS[:0])
    assert search(index, vector(1, 0), 10) == []


def test_an_index_read_back_answers_the_same(tmp_path: Path) -> None:
    written = built(NUMBERS, VECTORS)
    written.write(tmp_path)
    read = DenseIndex.read(tmp_path, written.how)
    found = read.search(vector(0.8, 0.6), 10)
    assert found == written.search(vector(0.8, 0.6), 10)
    assert [number for number, _ in found] == [30, 10, 20]
    assert [cosine for _, cosine in found] == pytest.approx([0.96, 0.8, 0.6])


def likely(count: int, dimensions: int = 16) -> Vectors:
    """Vectors of length one around forty centres."""
    random = np.random.default_rng(0)
    centres = random.standard_normal((40, dimensions))
    vectors = centres[random.integers(0, 40, count)] + 0.5 * random.standard_normal((count, dimensions))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


def nearest(vectors: Vectors, question: Vectors, limit: int) -> list[int]:
    """Worked out one by one; passages have the numbers from 1,000 on."""
    return [1_000 + int(row) for row in np.argsort(-(vectors @ question), kind="stable")[:limit]]


def test_the_search_is_exact() -> None:
    vectors = likely(500)
    index = built(np.arange(1_000, 1_500), vectors)
    assert search(index, vectors[7], 50) == nearest(vectors, vectors[7], 50)
    assert (index.how, str(index.how)) == (Search("exact"), "exact")


@pytest.fixture(scope="module")
def inverted() -> tuple[DenseIndex, Vectors]:
    vectors = likely(6_000)
    return built(np.arange(1_000, 7_000), vectors, "ivf", size=1_234), vectors


def test_an_inverted_index_knows_its_recall(inverted: tuple[DenseIndex, Vectors]) -> None:
    index, vectors = inverted
    assert (index.how.kind, index.how.lists) == ("ivf", 310)  # 4 times the root of 6,000
    assert 1 < index.how.probes < 310
    assert RECALL <= index.how.recall <= 1
    questions = likely(6_300)[6_000:]
    found = [len(set(nearest(vectors, each, 10)) & set(search(index, each, DEPTH))) / 10 for each in questions]
    assert np.mean(found) == pytest.approx(index.how.recall, abs=0.005)
    assert str(index.how) == f"approximate, {index.how.probes} of 310 lists, recall {index.how.recall:.3f}"


def test_an_inverted_index_read_back_answers_the_same(inverted: tuple[DenseIndex, Vectors], tmp_path: Path) -> None:
    index, vectors = inverted
    index.write(tmp_path)
    read = DenseIndex.read(tmp_path, index.how)
    lists: Any = faiss.downcast_InvertedLists(read._index.invlists)
    assert lists.prefetch_nthread == 0
    for question in vectors[::500]:
        assert read.search(question, 10) == index.search(question, 10)
    assert (tmp_path / "dense.faiss").stat().st_size < vectors.nbytes * 0.6  # eight bits a dimension and the numbers


def test_of_many_copies_it_does_not_matter_which_are_found() -> None:
    vectors = likely(6_000)
    vectors[::3] = vectors[0]
    index = built(np.arange(1_000, 7_000), vectors, "ivf")
    assert index.how.probes < index.how.lists
    assert index.how.recall >= RECALL
    found = search(index, vectors[0], DEPTH)
    assert len(found) == DEPTH
    assert {(number - 1_000) % 3 for number in found} == {0}


def test_among_few_passages_an_inverted_index_misses_none(inverted: tuple[DenseIndex, Vectors]) -> None:
    index, vectors = inverted
    among = list(range(1_000, 7_000, 100))
    for question in vectors[:20]:
        assert set(search(index, question, 60, among)) == set(among)
        assert search(index, question, 1, [1_005]) == [1_005]


def test_an_inverted_index_is_the_same_whatever_the_batches(inverted: tuple[DenseIndex, Vectors]) -> None:
    index, vectors = inverted
    other = built(np.arange(1_000, 7_000), vectors, "ivf", size=6_000)
    assert other.how == index.how
    for question in vectors[::300]:
        assert other.search(question, 50) == index.search(question, 50)


@pytest.mark.parametrize(("count", "kind"), [(EXACT_UP_TO, "exact"), (EXACT_UP_TO + 1, "ivf")])
def test_the_kind_goes_by_the_number_of_passages(count: int, kind: str) -> None:
    vectors = likely(count, 4)
    numbers = np.arange(count)
    assert built(numbers, vectors, size=5_000).how.kind == kind
    assert built(numbers, vectors, "exact", size=5_000).how == Search("exact")


def test_too_few_passages_for_lists_are_searched_exactly() -> None:
    assert built(NUMBERS, VECTORS, "ivf").how == Search("exact")


def test_a_search_leaves_the_threads_of_others_alone(inverted: tuple[DenseIndex, Vectors]) -> None:
    before = faiss.omp_get_max_threads()
    search(inverted[0], inverted[1][0], 10)
    assert faiss.omp_get_max_threads() == before
