"""The chat page when it cannot answer yet or no more, when it is narrow, and without motion, key or JavaScript."""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest
from filelock import FileLock
from playwright.sync_api import Browser, Page, Route, expect

from index.build import build
from index.embedding import HashingEmbedder
from index.writing import LOCK
from service.problems import problem_response
from service.state import LOADING
from tests.conftest import serving
from tests.service.town import (
    ARCHES,
    BRIDGE,
    ETHANOL,
    FILES,
    MARKET,
    TOWER,
    ask,
    citation,
    document_id,
    headings,
    held,
    open_at,
    question_field,
    visit,
)

PATIENCE = 20_000  # milliseconds
PHONE = {"viewport": {"width": 320, "height": 640}, "has_touch": True, "is_mobile": True}
KEY = "correct-horse-battery-staple-0123456789"
Write = Callable[..., Path]

CRAMPED = """() => [...document.querySelectorAll("button, a, summary, input, textarea, select")]
    .filter((target) => target.checkVisibility() && !target.closest(".text"))
    .filter((target) => { const { width, height } = target.getBoundingClientRect(); return width < 24 || height < 24; })
    .map((target) => target.outerHTML)"""
TOO_WIDE = """() => [document.documentElement, ...document.querySelectorAll("#pane-body, #card")]
    .filter((box) => box.scrollWidth > box.clientWidth).map((box) => box.id || box.tagName)"""


def assert_fits(page: Page) -> None:
    assert page.evaluate("innerWidth") == 320
    assert page.evaluate(TOO_WIDE) == []
    assert page.evaluate(CRAMPED) == []


# --- not yet, and no more


def test_while_models_load_the_page_says_so_and_keeps_what_is_written(town: str, browser: Browser) -> None:
    with visit(browser) as page:
        state = page.locator("#state p")
        busy = problem_response("1", 503, *LOADING)
        fulfil = {"status": 503, "content_type": "application/problem+json", "body": bytes(busy.body)}
        page.route("**/readyz", lambda route: route.fulfill(**fulfil))
        page.goto(town)
        expect(state).to_have_text(LOADING[1])
        expect(page.get_by_role("status")).to_have_text(LOADING[1])
        question_field(page).fill(BRIDGE)
        page.unroute("**/readyz")
        expect(page.locator("#suggestions")).to_be_visible()
        expect(state).to_be_hidden()
        expect(page.get_by_role("status")).to_have_text("Ready.")
        expect(question_field(page)).to_have_value(BRIDGE)


def test_without_an_index_the_page_waits_until_one_is_built_and_then_asks_what_its_address_asks(
    tmp_path: Path, write: Write, browser: Browser
) -> None:
    directory = tmp_path / "index"
    folder = write({"bridge.md": FILES["bridge.md"]})
    with serving(directory, ready=False, ATTEST_EMBEDDER="hashing") as address, visit(browser) as page:
        page.goto(f"{address}/?{urlencode({'q': BRIDGE})}")
        state = page.locator("#state")
        expect(state).to_contain_text("There is no index", timeout=PATIENCE)
        expect(state).to_contain_text("attest index FOLDER")
        question_field(page).fill("another")
        page.keyboard.press("Enter")
        expect(question_field(page)).to_have_value("another")
        directory.mkdir(exist_ok=True)
        with FileLock(directory / LOCK):
            expect(state).to_contain_text("The documents are being indexed", timeout=PATIENCE)
        build(folder, directory, HashingEmbedder())
        expect(headings(page)).to_have_text([BRIDGE], timeout=PATIENCE)
        expect(page.locator("mark")).to_have_text("4 June 1902")
        expect(state).to_be_hidden()


def test_a_question_outlives_the_server_and_is_asked_again_when_it_is_back(town_index: Path, browser: Browser) -> None:
    with visit(browser) as page:
        state, again = page.locator("#state"), page.get_by_role("button", name="Try again")
        with serving(town_index, ATTEST_EMBEDDER="hashing") as address:
            page.goto(address)
            ask(page, TOWER)
        question_field(page).fill(BRIDGE)
        page.keyboard.press("Enter")
        expect(state).to_contain_text("The service cannot be reached. Is it still running?")
        expect(page.get_by_role("status")).to_have_text("The service cannot be reached. Is it still running?")
        expect(question_field(page)).to_have_value(BRIDGE)
        again.press("Enter")
        expect(state).to_contain_text("The service cannot be reached")
        expect(question_field(page)).to_be_focused()
        expect(question_field(page)).to_have_value(BRIDGE)
        with serving(town_index, port=urlsplit(address).port or 0, ATTEST_EMBEDDER="hashing"):
            expect(state).to_contain_text("The service is there again.", timeout=PATIENCE)
            page.wait_for_timeout(2_500)  # longer than it takes to ask again whether the service is there
            again.press("Enter")
            expect(headings(page)).to_have_text([TOWER, BRIDGE])
            expect(state).to_be_hidden()
            expect(question_field(page)).to_have_value("")
            expect(question_field(page)).to_be_focused()


def test_a_suggestion_that_could_not_be_asked_is_kept_as_the_question(town: str, browser: Browser) -> None:
    with visit(browser) as page:
        page.goto(town)
        page.route("**/ask", lambda route: route.abort())
        page.get_by_role("button", name=BRIDGE).click()
        expect(question_field(page)).to_have_value(BRIDGE)
        page.unroute("**/ask")
        page.get_by_role("button", name="Try again").click()
        expect(headings(page)).to_have_text([BRIDGE])


def test_a_retry_stays_when_the_service_is_back_though_another_question_is_being_written(
    town: str, browser: Browser
) -> None:
    with visit(browser) as page:
        page.goto(town)
        page.route("**/ask", lambda route: route.abort())
        question_field(page).fill(BRIDGE)
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name="Try again")).to_be_visible()
        question_field(page).fill("")
        expect(page.locator("#state")).to_contain_text("The service is there again.", timeout=20_000)
        page.unroute("**/ask")
        page.get_by_role("button", name="Try again").click()
        expect(headings(page)).to_have_text([BRIDGE])


def test_a_link_into_a_document_that_is_gone_says_so_in_its_turn(town: str, browser: Browser) -> None:
    with visit(browser) as page:
        page.goto(f"{town}/?{urlencode({'q': BRIDGE, 'in': 'gone'})}")
        turn = page.locator("article")
        expect(headings(page)).to_have_text([BRIDGE])
        expect(turn).to_contain_text("There is no document with the id 'gone'.")
        expect(page.get_by_role("status")).to_have_text("There is no document with the id 'gone'.")
        with page.expect_response("**/ask"):
            turn.get_by_role("button", name="Try again").click()
        expect(turn).to_contain_text("There is no document with the id 'gone'.")
        expect(question_field(page)).to_be_focused()
        page.get_by_role("button", name="Search all documents").click()
        page.keyboard.press("ArrowUp")
        page.keyboard.press("Enter")
        expect(headings(page)).to_have_text([BRIDGE, BRIDGE])
        expect(turn.last.locator("mark").first).to_have_text("4 June 1902")


def test_what_cannot_be_asked_again_after_a_reload_leaves_the_other_turns_alone(town: str, browser: Browser) -> None:
    with visit(browser) as page:
        page.goto(town)
        ask(page, BRIDGE).get_by_role("button", name="Ask on in this document").click()
        ask(page, ARCHES)
        kept = page.evaluate("history.state.turns.map(({ scope }) => scope && Object.keys(scope))")
        assert kept == [None, ["id", "title", "lang"]]
        gone = problem_response("1", 404, "unknown-document", "There is no such document.")

        def remove(route: Route) -> None:
            if '"documents":null' not in (route.request.post_data or ""):
                route.fulfill(status=404, content_type="application/problem+json", body=bytes(gone.body))
            else:
                route.continue_()

        page.route("**/ask", remove)
        page.reload()
        first, second = page.locator("article").first, page.locator("article").last
        expect(first.locator("mark").first).to_have_text("4 June 1902")
        expect(second).to_contain_text("in: The Old Bridge")
        expect(second).to_contain_text("There is no such document.")
        page.unroute("**/ask")
        second.get_by_role("button", name="Try again").click()
        expect(second.locator("mark")).to_have_text("Maria Keller")
        expect(headings(page)).to_have_text([BRIDGE, ARCHES])


def test_going_back_during_a_reload_ends_in_the_earlier_turns(town: str, browser: Browser) -> None:
    with visit(browser) as page:
        page.goto(town)
        for question in (BRIDGE, TOWER):
            ask(page, question)
        waiting = held(page, "**/ask")
        for number, move in enumerate((page.reload, page.go_back), start=1):
            move()
            while len(waiting) < number:
                page.wait_for_timeout(20)
        for route in reversed(waiting):
            with page.expect_response("**/ask"):
                route.continue_()
        expect(page.get_by_role("status")).to_have_text("Answer, quoted from The Old Bridge: 4 June 1902")
        expect(headings(page)).to_have_text([BRIDGE])
        expect(page.locator("#state")).to_be_hidden()
        page.wait_for_timeout(300)
        assert len(waiting) == 2  # nobody asks any more what stood there before


# --- questions that are long


def test_an_empty_question_is_not_sent_and_asks_for_one(town: str, page: Page) -> None:
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url))
    page.goto(town)
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.get_by_text("Write a question first.")).to_be_visible()
    expect(question_field(page)).to_be_focused()
    assert f"{town}/ask" not in sent


def test_an_over_long_question_is_counted_in_characters_as_people_do_and_not_sent(town: str, page: Page) -> None:
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url))
    page.goto(town)
    field = question_field(page)
    field.fill("😀" * 1_001)
    expect(field).to_have_accessible_description("1001 of 1000 characters: 1 too many")
    expect(field).to_have_attribute("aria-invalid", "true")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("1001 of 1000 characters: 1 too many")
    assert f"{town}/ask" not in sent
    page.keyboard.press("Backspace")
    expect(field).to_have_accessible_description("1000 of 1000 characters")
    expect(field).to_have_attribute("aria-invalid", "false")
    page.keyboard.press("Enter")
    expect(headings(page)).to_have_text(["😀" * 1_000])
    expect(field).to_have_accessible_description("")


def test_what_of_a_question_was_not_read_is_said_above_its_answer(town: str, page: Page) -> None:
    page.goto(town)
    turn = ask(page, " ".join([BRIDGE] * 30))
    expect(turn.locator("h2 + .about")).to_contain_text("tokens; the reader read the first 64.")


# --- the key


def test_the_key_is_asked_for_once_and_then_the_question_of_the_address_is_asked(
    town_index: Path, browser: Browser
) -> None:
    with (
        serving(town_index, ATTEST_EMBEDDER="hashing", ATTEST_API_KEY=KEY) as address,
        visit(browser) as page,
    ):
        page.goto(f"{address}/?{urlencode({'q': BRIDGE})}")
        field = page.get_by_label("This service asks for its API key")
        expect(field).to_be_focused()
        expect(page.locator("article")).to_have_count(0)
        page.keyboard.type("a wrong one")
        page.keyboard.press("Enter")
        expect(page.get_by_text("This is not the key.")).to_be_visible()
        assert page.context.cookies() == []
        page.get_by_label("API key").fill(KEY)
        page.keyboard.press("Enter")
        expect(headings(page)).to_have_text([BRIDGE])
        citation(page.locator("article")).click()
        expect(page.locator("#pane mark")).to_have_text("4 June 1902")
        (cookie,) = page.context.cookies()
        assert cookie["httpOnly"]
        assert cookie["sameSite"] == "Lax"
        assert KEY not in cookie["value"]
        assert page.evaluate("sessionStorage.length + localStorage.length") == 0

        page.context.clear_cookies()
        question_field(page).fill(TOWER)
        question_field(page).press("Enter")
        expect(field).to_be_focused()
        page.keyboard.type(KEY)
        page.keyboard.press("Enter")
        expect(headings(page)).to_have_text([TOWER])

        page.context.clear_cookies()
        page.get_by_role("button", name="Documents", exact=True).click()
        expect(page.locator("#pane")).to_be_hidden()
        expect(field).to_be_focused()
        page.keyboard.type(KEY)
        page.keyboard.press("Enter")
        expect(headings(page)).to_have_text([TOWER])

        page.goto(address.replace("127.0.0.1", "localhost"))  # another site, as far as cookies go
        page.evaluate("address => { location.href = address }", f"{address}/answer?{urlencode({'q': BRIDGE})}")
        expect(page.locator("mark").first).to_have_text("4 June 1902")


# --- narrow, still, and without JavaScript


def test_every_state_fits_a_narrow_phone_without_sideways_scroll_and_with_targets_to_hit(
    town: str, browser: Browser
) -> None:
    with visit(browser, **PHONE) as page:
        page.goto(town)
        expect(page.locator("#suggestions button").first).to_be_visible()
        assert_fits(page)
        turn = ask(page, BRIDGE)
        turn.locator("summary").click()
        assert_fits(page)
        citation(turn).tap()
        expect(page.get_by_role("tooltip")).to_be_visible()
        assert_fits(page)
        citation(turn).tap()
        expect(page.locator("#pane mark")).to_be_focused()
        assert_fits(page)
        page.get_by_role("button", name="Close").tap()
        ask(page, ETHANOL)
        assert_fits(page)
        turn = ask(page, TOWER)
        expect(turn.locator(".sides")).to_be_visible()
        assert_fits(page)
        turn.get_by_role("button", name="Ask on in this document").tap()
        question_field(page).fill("longest" * 150)
        expect(page.locator("#scope")).to_be_visible()
        expect(page.locator("#limit")).to_contain_text("too many")
        assert_fits(page)
        page.get_by_role("button", name="Documents", exact=True).tap()
        expect(page.locator(".documents li").first).to_be_visible()
        assert_fits(page)


def test_what_the_server_writes_itself_fits_a_narrow_phone(town: str, browser: Browser) -> None:
    document = f"{town}/documents/{document_id(town, 'The Old Bridge')}/view"
    with visit(browser, **PHONE) as page:
        for address in (document, f"{document}?sha256=0", f"{town}/answer?{urlencode({'q': TOWER})}"):
            page.goto(address)
            assert_fits(page)


@pytest.mark.parametrize(("wish", "behaviour"), [("reduce", "auto"), ("no-preference", "smooth")])
def test_nothing_moves_for_who_wants_it_still(town: str, browser: Browser, wish: str, behaviour: str) -> None:
    with visit(browser, reduced_motion=wish) as page:
        open_at(page, town, BRIDGE)
        assert page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == behaviour
        assert page.evaluate("document.getAnimations().length") == 0


def test_without_javascript_one_form_is_shown_and_it_answers(town: str, browser: Browser) -> None:
    with visit(browser, java_script_enabled=False) as page:
        page.goto(town)
        expect(page.locator("form:visible")).to_have_count(1)
        expect(page.get_by_role("button", name="Documents", exact=True)).to_be_hidden()
        page.goto(f"{town}/?{urlencode({'q': MARKET})}")
        expect(page.get_by_label("Ask the documents, without JavaScript")).to_have_value(MARKET)
        page.goto(town)
        expect(page.get_by_role("button", name="Shortcut")).to_be_hidden()
        page.get_by_label("Ask the documents, without JavaScript").fill(BRIDGE)
        page.keyboard.press("Enter")
        expect(page.locator("mark").first).to_have_text("4 June 1902")
        page.get_by_role("link", name="Source 1:").click()
        expect(page.locator("mark#quote")).to_have_text("4 June 1902")
        expect(page.locator("mark#quote")).to_be_in_viewport()


def test_without_javascript_the_question_of_a_link_is_asked_in_its_document(town: str, browser: Browser) -> None:
    with visit(browser, java_script_enabled=False) as page:
        within = document_id(town, "A guide to the town")
        page.goto(f"{town}/?{urlencode({'q': TOWER, 'in': within})}")
        page.get_by_role("button", name="Ask").click()
        expect(page.locator("h1")).to_have_text(TOWER)
        expect(page.locator("mark")).to_have_text("1850")
        expect(page.get_by_label("In", exact=True)).to_have_value(within)


def test_where_the_script_does_not_arrive_the_form_works_still(town: str, browser: Browser) -> None:
    with visit(browser) as page:
        page.route("**/static/app.js", lambda route: route.abort())
        page.goto(town)
        question_field(page).fill(BRIDGE)
        page.get_by_role("button", name="Ask").click()
        expect(page.locator("mark").first).to_have_text("4 June 1902")
