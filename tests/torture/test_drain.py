"""The harness that tells the service to end, in its short form, and whether it would notice a mistake."""

import pytest

from tests.torture.drain import torture


def test_every_request_that_came_in_is_answered_when_the_service_is_told_to_end() -> None:
    tally = torture(3, seed=2)
    assert tally.failures == []
    assert tally.after["question"] > 30
    assert tally.after["upload"] == 6
    assert tally.after["slow head"] == 3
    assert tally.after["readiness 503"] > 3


@pytest.mark.parametrize("mistake", ["ends_at_once", "ends_as_uvicorn_does", "dies_of_its_signal"])
def test_a_mistake_is_noticed(mistake: str) -> None:
    assert torture(6, seed=2, mistake=f"drain.{mistake}").failures
