"""The harness that asks for a long time, in its short form, and whether it would notice a mistake."""

from tests.torture.soak import MAY_GROW, torture


def test_nothing_grows_that_should_not() -> None:
    may_grow = MAY_GROW | {"resident memory, MB": 150.0, "memory of its own, MB": 150.0}  # it has just begun
    tally = torture(1_500, seed=1, reader="sentence", may_grow=may_grow)
    assert tally.failures == []
    assert tally.asked.total() == 1_500
    assert tally.changes.total() > 10


def test_a_mistake_is_noticed() -> None:
    tally = torture(1_000, seed=1, reader="sentence", mistake="soak.remembers_every_generation")
    assert "descriptors" in str(tally.failures)
