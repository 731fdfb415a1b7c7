"""The calls that schemathesis makes, in their short form, and whether they would notice a mistake."""

import pytest

from tests.torture.schema import torture


def test_every_call_is_answered_as_the_openapi_document_says() -> None:
    _, failure = torture(300, examples=15)
    assert not failure, failure


@pytest.mark.parametrize(
    ("mistake", "words"), [("questions_are_expected_in_ascii", "Server error"), ("any_key_will_do", "uthenticat")]
)
def test_a_mistake_is_noticed(mistake: str, words: str) -> None:
    _, failure = torture(300, examples=15, mistake=f"schema.{mistake}")
    assert words in failure
