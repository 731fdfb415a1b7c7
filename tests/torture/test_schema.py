"""The calls that schemathesis makes, in their short form."""

import re

from tests.torture.schema import torture


def test_every_call_is_answered_as_the_openapi_document_says() -> None:
    is_right, said = torture(15)
    assert is_right, said
    found = re.search(r"(\d+) generated, \1 passed", said)
    assert found, said
    assert int(found[1]) > 300
