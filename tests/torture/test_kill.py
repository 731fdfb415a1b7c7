"""The harness that kills, in its short form, and whether it would notice a mistake."""

import pytest

from tests.torture.kill import Change, Patch, torture
from tests.torture.mistakes import MISTAKES


def test_nothing_acknowledged_is_lost_and_nothing_is_torn() -> None:
    tally = torture(100, seed=7)
    assert tally.failures == []
    assert tally.acknowledged > 20
    assert tally.under_way > 50
    assert tally.made_all_the_same > 0  # killed between the change and its acknowledgement


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: str(mistake.__name__))
def test_a_mistake_is_noticed(mistake: Patch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.torture.kill.READY", 60.0)  # a busy machine is no mistake
    seen: list[str] = []
    for seed in range(7, 12):
        tally = torture(400, seed=seed, patch=mistake)
        seen = [failure for failure in tally.failures if "ended before it was killed" not in failure]
        if seen or not tally.failures:
            break
    assert seen, f"{tally.kills} kills and {tally.acknowledged} changes noticed nothing but {tally.failures}"


def test_changes_are_worked_out_by_hand() -> None:
    state = {"a": ("one", True), "b": ("two", False)}
    assert Change("add", {"b": "three", "c": "four"}).applied(state) == {
        "a": ("one", True),
        "b": ("three", True),
        "c": ("four", True),
    }
    assert Change("remove", {"a": ""}).applied(state) == {"b": ("two", False)}
    assert Change("build", {"c": "five"}).applied(state) == {"a": ("one", True), "c": ("five", False)}
