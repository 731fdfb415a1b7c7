"""The comparison with a dictionary, in its short form, and whether it would notice a mistake."""

import pytest

from index import store
from index.embedding import Vectors
from tests.torture.oracle import torture


def test_an_index_changed_in_any_order_is_one_built_from_nothing() -> None:
    assert torture(200) >= 200


def test_a_vector_that_is_another_passages_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    vector = store.Writer.vector

    def any_of_them(self: store.Writer, input_sha256: str) -> Vectors | None:
        first = self._connection.execute("SELECT input_sha256 FROM passages LIMIT 1").fetchone()
        return vector(self, first[0] if first else input_sha256)

    monkeypatch.setattr(store.Writer, "vector", any_of_them)
    with pytest.raises(AssertionError):
        torture(200)
