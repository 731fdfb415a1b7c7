"""The calls that schemathesis makes, in their short form."""

from tests.torture.schema import torture


def test_every_call_is_answered_as_the_openapi_document_says() -> None:
    _, failure = torture(300, examples=15)
    assert not failure, failure
