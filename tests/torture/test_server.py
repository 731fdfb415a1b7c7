"""The harness that kills the service, in its short form, and whether it would notice a mistake."""

import re

import pytest

from tests.torture.server import torture


def test_a_service_loses_nothing_that_it_acknowledged_when_it_is_killed() -> None:
    tally = torture(2, seed=5)
    assert tally.failures == []
    assert tally.acknowledged > 2
    assert tally.under_way > 2
    assert tally.asked > 20


@pytest.mark.parametrize(
    ("mistake", "words"),
    [
        ("acknowledged_before_it_is_made", "where there w"),
        ("what_was_removed_is_served_on", "where there w|unknown-document"),
    ],
)
def test_a_mistake_is_noticed(mistake: str, words: str) -> None:
    tally = torture(10, seed=5, embedder="hashing", mistake=f"server.{mistake}")
    assert re.search(words, str(tally.failures)), (
        f"{tally.kills} kills and {tally.acknowledged} changes: {tally.failures}"
    )
