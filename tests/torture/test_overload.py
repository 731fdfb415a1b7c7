"""The harness that overloads the service, in its short form, and whether it would notice a mistake."""

import pytest

from tests.torture.overload import torture

IN_COMPANY = 1.0  # seconds for health, on a machine that may have other work


def test_too_many_questions_are_answered_or_refused_and_slow_clients_are_cut_off() -> None:
    report = torture(8, "hashing", slow=5, uploads=2, changed="overload.impatient", silence=2, healthy=IN_COMPANY)
    assert report.failures == []
    assert report.slow.total() == 25
    assert report.asked.total() > 500


@pytest.mark.parametrize(
    ("mistake", "words"),
    [
        ("patient", "still open"),
        ("without_retry_after", "Retry-After: None"),
    ],
)
def test_a_mistake_is_noticed(mistake: str, words: str) -> None:
    report = torture(7, "hashing", times=2, slow=2, uploads=0, changed=f"overload.{mistake}", silence=1, patience=2)
    assert words in str(report.failures)
