"""The payloads that try to run in a browser, in their short form, and whether the harness would notice a mistake."""

import pytest
from playwright.sync_api import Browser

from tests.torture import scripts
from tests.torture.scripts import Spoil, payloads, torture


def test_nothing_that_a_document_or_a_question_holds_runs(browser: Browser) -> None:
    given = payloads(60, seed=3)
    assert len(given) == 60
    tally = torture(browser, given)
    assert tally.wrong == []
    assert tally.pages > 2 * 60


def test_there_are_a_thousand_payloads_and_they_differ() -> None:
    given = payloads(1_000, seed=0)
    assert len(set(given)) == len(given) == 1_000


@pytest.mark.parametrize("spoil", [scripts.unescaped, scripts.written_as_markup], ids=["unescaped", "innerHTML"])
@pytest.mark.parametrize("with_policy", [True, False], ids=["with the policy", "without it"])
def test_text_that_becomes_markup_is_noticed(browser: Browser, spoil: Spoil, with_policy: bool) -> None:
    given = ["<img src=x onerror=ran()>", "<svg onload=ran()>", "<b onclick=ran()>"]
    wrong = " ".join(torture(browser, given, spoil, with_policy).wrong)
    assert "markup of a document" in wrong or "is shown as" in wrong
    assert ("a script of a document" in wrong) is not with_policy
    assert ("a violation of the policy" in wrong) is with_policy
