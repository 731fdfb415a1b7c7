"""The dense index: FAISS, inner product over normalised vectors, which is their cosine."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import faiss
import numpy as np
from numpy.typing import NDArray

from index.embedding import Vectors
from index.store import Kind

FILE_NAME = "dense.faiss"
# From here on the exact search of one question takes longer than embedding it: 3 ms on two cores.
EXACT_UP_TO = 25_000  # passages
PER_LIST = 64  # vectors that each list's centre is trained on
SAMPLE = 200  # vectors whose nearest are searched for, to measure the recall
NEAREST = 10  # of them
DEPTH = 50  # passages that a search hands on, which then gives them their exact cosines
# Of a question, which lies further from the passages than they do from each other, fewer are found: attest bench.
RECALL = 0.998

Numbers = NDArray[np.int64]
Batches = Callable[[], Iterable[tuple[Numbers, Vectors]]]


@dataclass(frozen=True, slots=True)
class Search:
    """How a dense index searches: all vectors, or those of the `probes` nearest of its `lists`.

    `recall` is the share of the 10 exactly nearest vectors that are among the first 50 found, as exact cosines then
    put them in order. It was measured when the index was built, for vectors of its own.
    """

    kind: Literal["exact", "ivf"]
    lists: int = 0
    probes: int = 0
    recall: float = 1.0

    def __str__(self) -> str:
        if self.kind == "exact":
            return "exact"
        return f"approximate, {self.probes} of {self.lists:,} lists, recall {self.recall:.3f}"


class DenseIndex:
    """Finds the passages whose vectors are nearest; passages are known by their numbers in the store."""

    def __init__(self, index: Any, search: Search) -> None:
        self._index = index
        self.how = search

    @classmethod
    def build(cls, count: int, dimensions: int, batches: Batches, kind: Kind = "auto") -> "DenseIndex":
        """Index `count` vectors of length one, which `batches` yields with their numbers whenever it is called.

        `auto` is exact up to EXACT_UP_TO vectors. Beyond: an inverted index of vectors in eight bits a dimension
        (Jégou et al., Product Quantization for Nearest Neighbor Search, 2011), which searches as many lists as it
        takes to reach RECALL.
        """
        if kind == "exact" or (kind == "auto" and count <= EXACT_UP_TO) or count < PER_LIST:
            index = faiss.IndexIDMap(faiss.IndexFlatIP(dimensions))
            for numbers, vectors in batches():
                index.add_with_ids(vectors, numbers)
            return cls(index, Search("exact"))
        return cls(*_inverted(count, dimensions, batches))

    @classmethod
    def read(cls, directory: Path, search: Search) -> "DenseIndex":
        """Open what `write` has written; the vectors of an inverted index stay in the file until they are needed."""
        if search.kind == "exact":
            return cls(faiss.read_index(str(directory / FILE_NAME)), search)
        index: Any = faiss.read_index(str(directory / FILE_NAME), faiss.IO_FLAG_MMAP)
        lists: Any = faiss.downcast_InvertedLists(index.invlists)
        lists.prefetch_nthread = 0  # otherwise 32 threads are started for each question
        return cls(index, search)

    def write(self, directory: Path) -> None:
        faiss.write_index(self._index, str(directory / FILE_NAME))

    def search(self, vector: Vectors, limit: int, among: Iterable[int] | None = None) -> list[tuple[int, float]]:
        """The numbers of the nearest passages with their cosines, nearest first; `among` restricts them.

        Where the search is approximate, so are the cosines.
        """
        limit = min(limit, self._index.ntotal)
        if limit == 0:
            return []
        options: dict[str, Any] = {}
        if among is not None:
            options["sel"] = faiss.IDSelectorBatch(np.asarray(sorted(among), dtype=np.int64))
        if self.how.kind == "exact":
            parameters = faiss.SearchParameters(**options)
        else:  # of a few passages none may be missed: they are looked for in every list
            probes = self.how.probes if among is None else self.how.lists
            parameters = faiss.SearchParametersIVF(nprobe=probes, **options)  # type: ignore[call-arg] # as faiss has it
        threads = faiss.omp_get_max_threads()
        faiss.omp_set_num_threads(1)  # for this thread: one question is not worth waking others
        try:
            cosines, found = self._index.search(vector.reshape(1, -1), limit, params=parameters)
        finally:
            faiss.omp_set_num_threads(threads)
        return [(int(n), float(cosine)) for n, cosine in zip(found[0], cosines[0], strict=True) if n != -1]


def _inverted(count: int, dimensions: int, batches: Batches) -> tuple[Any, Search]:
    """Train and fill an inverted index, and find how many of its lists have to be searched."""
    lists = round(4 * count**0.5)
    random = np.random.default_rng(0)
    chosen = np.sort(random.choice(count, min(count, PER_LIST * lists), replace=False))
    index = faiss.IndexIVFScalarQuantizer(
        faiss.IndexFlatIP(dimensions), dimensions, lists, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT
    )
    index.cp.spherical = True
    index.cp.niter = 10
    index.cp.min_points_per_centroid = 1
    training = _rows(batches, chosen, dimensions)
    index.train(training)
    wanted = training[random.choice(len(training), min(SAMPLE, len(training)), replace=False)]
    del training
    best = faiss.ResultHeap(len(wanted), NEAREST + 1, keep_max=True)  # each is the nearest to itself
    for numbers, vectors in batches():
        index.add_with_ids(vectors, numbers)
        cosines, places = faiss.knn(wanted, vectors, min(NEAREST + 1, len(vectors)), faiss.METRIC_INNER_PRODUCT)
        best.add_result(cosines, numbers[places])
    best.finalize()
    found: dict[int, Numbers] = {}
    probes, same = 0, 0.0
    while same < RECALL and probes < lists:
        index.nprobe = probes = min(lists, 2 * probes or 1)
        found[probes] = index.search(wanted, DEPTH)[1]
        same = float(np.mean([np.isin(right, row).mean() for right, row in zip(best.I, found[probes], strict=True)]))
    recalls = _recalls(wanted, best.D[:, -1], found, batches)
    probes = next((probes for probes in found if recalls[probes] >= RECALL), probes)
    return index, Search("ivf", lists, probes, round(recalls[probes], 4))


def _recalls(wanted: Vectors, least: Vectors, found: dict[int, Numbers], batches: Batches) -> dict[int, float]:
    """For each number of probes, the share of the nearest vectors that were found for the wanted ones.

    `least` are the cosines that the nearest have at least: of many that are alike, as of copies of a text, it does not
    matter which are found. Each of those wanted is its own nearest, and does not count.
    """
    numbers = np.unique(np.concatenate([each.ravel() for each in found.values()]))
    vectors = np.zeros((len(numbers), wanted.shape[1]), dtype=np.float32)
    for some, theirs in batches():
        places = np.searchsorted(numbers, some) % len(numbers)
        right = numbers[places] == some
        vectors[places[right]] = theirs[right]
    recalls = {}
    for probes, each in found.items():
        cosines = np.einsum("qd,qfd->qf", wanted, vectors[np.searchsorted(numbers, each)])
        near = ((cosines >= least[:, None] - 1e-6) & (each >= 0)).sum(axis=1).clip(1, NEAREST + 1)
        recalls[probes] = float(np.mean((near - 1) / NEAREST))
    return recalls


def _rows(batches: Batches, chosen: NDArray[np.int64], dimensions: int) -> Vectors:
    """The vectors at these places, which are in order, of all that are yielded."""
    found = np.empty((len(chosen), dimensions), dtype=np.float32)
    at = 0
    for _, vectors in batches():
        rows = slice(*np.searchsorted(chosen, [at, at + len(vectors)]))
        found[rows] = vectors[chosen[rows] - at]
        at += len(vectors)
    return found
