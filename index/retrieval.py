"""From a question to hits: dense and lexical search, fused by reciprocal rank."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from index.dense import DEPTH, DenseIndex
from index.derived import SupersededError, open_derived
from index.documents import DocumentRef
from index.embedding import Embedder
from index.errors import MissingStoreError
from index.lexical import LexicalIndex
from index.passages import Passage
from index.store import Meta, Store, check_embedder, command

# Reciprocal rank fusion, Cormack et al. 2009. Constant and weight were chosen on 700 questions over 2,387 passages of
# SQuAD training articles: recall@1 0.73 and @5 0.94, against 0.71 and 0.92 with the paper's 60 and equal weights.
RANK_CONSTANT = 10
Weights = tuple[float, float]  # of the dense and of the lexical search
FUSION: Weights = (1.0, 1.5)


@dataclass(frozen=True, slots=True)
class Scores:
    """How a hit was found: `dense` is a cosine, `lexical` a BM25 score (0 if no term matched), `fused` ranks hits."""

    dense: float
    lexical: float
    fused: float


@dataclass(frozen=True, slots=True)
class Hit:
    """A retrieved passage with its scores."""

    passage: Passage
    document: DocumentRef
    scores: Scores


class UnknownDocumentError(KeyError):
    """A document id that the index does not hold."""


class Retriever:
    """Searches one generation of an index. `is_rebuilt` tells that its search indexes were not there or damaged."""

    def __init__(
        self,
        store: Store,
        meta: Meta,
        embedder: Embedder,
        dense: DenseIndex,
        lexical: LexicalIndex,
        weights: Weights = FUSION,
        is_rebuilt: bool = False,
    ) -> None:
        self.store = store
        self.meta = meta
        self.embedder = embedder
        self._dense = dense
        self._lexical = lexical
        self.weights = weights
        self.is_rebuilt = is_rebuilt

    @classmethod
    def open(cls, directory: Path, embedder: Embedder, weights: Weights = FUSION) -> "Retriever":
        """Open an index directory; a search with the weight 0 takes no part.

        Raises StoreError if the index is missing, damaged, or made by another embedder.
        """
        while True:
            store, meta = _open(directory, embedder)
            try:
                dense, lexical, is_rebuilt = open_derived(store, meta)
            except SupersededError:  # between the two, another process made a newer generation: that is opened
                store.close()
                continue
            except BaseException:
                store.close()
                raise
            return cls(store, meta, embedder, dense, lexical, weights, is_rebuilt)

    def close(self) -> None:
        self.store.close()

    def search(self, question: str, top_k: int, documents: Sequence[str] | None = None) -> list[Hit]:
        """The best `top_k` passages for a question, best first; `documents` restricts them.

        Raises UnknownDocumentError for an id that is not in the index.
        """
        for document_id in documents or ():
            if not self.store.has_document(document_id):
                raise UnknownDocumentError(document_id)
        depth = max(DEPTH, top_k)
        vector = self.embedder.encode([question])[0]
        among = None if documents is None else self.store.numbers(documents)
        by_vector, by_word = self.weights
        dense = self._dense.search(vector, depth, among) if by_vector else []
        lexical = dict(self._lexical.search(question, depth, documents)) if by_word else {}
        found = self.store.candidates(dict.fromkeys([*(number for number, _ in dense), *lexical]))
        cosines = {number: round(float(vector @ stored), 5) for number, (_, stored) in found.items()}
        near = {number: cosines[number] for number, _ in dense}
        fused = dict.fromkeys(found, 0.0)
        for weight, scores in ((by_vector, near), (by_word, lexical)):
            # equal scores in the order of their passages' ids, whatever was indexed first
            order = sorted((-round(score, 5), found[number][0], number) for number, score in scores.items())
            for rank, (_, _, number) in enumerate(order, start=1):
                fused[number] += weight / (RANK_CONSTANT + rank)
        best = sorted(found, key=lambda number: (-round(fused[number], 6), -cosines[number], found[number][0]))
        return [
            Hit(
                *self.store.passage(number),
                Scores(cosines[number], round(lexical.get(number, 0.0), 5), round(fused[number], 6)),
            )
            for number in best[:top_k]
        ]


def check(directory: Path, embedder: Embedder) -> None:
    """Look whether an index directory can be opened with this embedder. Raises StoreError if not."""
    _open(directory, embedder)[0].close()


def _open(directory: Path, embedder: Embedder) -> tuple[Store, Meta]:
    store = Store.open(directory)
    try:
        meta = store.meta()
        if meta is None:
            raise MissingStoreError(f"The index in {directory} is empty. Fill it with: {command(directory)}")
        check_embedder(meta, directory, embedder)
    except BaseException:
        store.close()
        raise
    return store, meta
