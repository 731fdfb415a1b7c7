"""The dense index: FAISS, inner product over normalised vectors, which is their cosine."""

from collections.abc import Iterable
from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray

from index.embedding import Vectors

FILE_NAME = "dense.faiss"


class DenseIndex:
    """Finds the passages whose vectors are nearest; passages are known by their numbers in the store."""

    def __init__(self, index: faiss.Index) -> None:
        self._index = index

    @classmethod
    def build(cls, numbers: NDArray[np.int64], vectors: Vectors) -> "DenseIndex":
        """Index vectors of shape (len(numbers), dimensions), each of length one."""
        index = faiss.IndexIDMap(faiss.IndexFlatIP(vectors.shape[1]))
        index.add_with_ids(np.ascontiguousarray(vectors, dtype=np.float32), numbers)
        return cls(index)

    @classmethod
    def read(cls, directory: Path) -> "DenseIndex":
        return cls(faiss.read_index(str(directory / FILE_NAME)))

    def write(self, directory: Path) -> None:
        faiss.write_index(self._index, str(directory / FILE_NAME))

    def search(self, vector: Vectors, limit: int, among: Iterable[int] | None = None) -> list[tuple[int, float]]:
        """The numbers of the nearest passages with their cosines, nearest first; `among` restricts them."""
        parameters = None
        if among is not None:
            selector = faiss.IDSelectorBatch(np.asarray(sorted(among), dtype=np.int64))
            parameters = faiss.SearchParameters(sel=selector)  # type: ignore[call-arg] # its stubs lack the keyword
        limit = min(limit, self._index.ntotal)
        if limit == 0:
            return []
        cosines, found = self._index.search(vector.reshape(1, -1), limit, params=parameters)
        return [(int(n), float(cosine)) for n, cosine in zip(found[0], cosines[0], strict=True) if n != -1]
