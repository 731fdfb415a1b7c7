"""The harness that asks for a long time, in its short form, and whether it would notice a mistake."""

import pytest

from tests.torture.soak import MAY_GROW, torture

JUST_BEGUN = MAY_GROW | {"resident memory, MB": 150.0, "memory of its own, MB": 150.0, "threads": 8.0}  # pools fill


def test_nothing_grows_that_should_not() -> None:
    tally = torture(1_500, 1, "hashing", "sentence", JUST_BEGUN)
    assert tally.failures == []
    assert tally.asked.total() == 1_500
    assert tally.changes.total() > 10


@pytest.mark.parametrize(
    ("mistake", "words"),
    [
        ("remembers_every_generation", "descriptors"),
        ("keeps_what_it_was_asked", "memory"),
        ("leaves_threads", "threads"),
    ],
)
def test_a_mistake_is_noticed(mistake: str, words: str) -> None:
    tally = torture(1_000, 1, "hashing", "sentence", JUST_BEGUN, mistake=f"soak.{mistake}")
    assert words in str(tally.failures)
