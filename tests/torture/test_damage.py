"""The harness that damages search indexes, in its short form, and whether it would notice a mistake."""

import pytest

from index import derived
from tests.torture import damage


def test_no_damaged_search_index_is_loaded_and_no_answer_changes() -> None:
    tally = damage.torture(150, seed=3)
    assert tally.failures == []
    assert {name.split()[0] for name in tally.damaged} == {"exact", "ivf"}
    assert {"exact .faiss", "ivf .faiss", "exact .json"} <= set(tally.damaged)


def test_a_skipped_hash_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(derived, "_hashes", lambda _: {})
    monkeypatch.setattr(damage, "answers", lambda _: ([], True))  # nothing is opened, which might crash
    assert any("it was not noticed" in failure for failure in damage.torture(40, seed=3).failures)


def test_an_index_that_is_not_held_against_its_manifest_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(damage, "answers", lambda _: ([], False))
    assert any("it was loaded" in failure for failure in damage.torture(5, seed=3).failures)
