"""The conversation on the chat page, in a real Chromium against a real server: asking, following up, coming back."""

import json
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2
import pytest
from playwright.sync_api import Browser, Locator, Page, Request, expect

from tests.service.town import (
    ARCHES,
    BRIDGE,
    ETHANOL,
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


@pytest.fixture
def asked(page: Page) -> list[str]:
    """The questions that the page sends, as it sends them."""
    sent: list[str] = []

    def note(request: Request) -> None:
        if request.url.endswith("/ask") and request.post_data:
            sent.append(json.loads(request.post_data)["question"])

    page.on("request", note)
    return sent


def test_the_field_is_ready_for_a_question_enter_asks_it_and_shift_enter_breaks_the_line(
    town: str, page: Page, asked: list[str]
) -> None:
    page.goto(town)
    field = question_field(page)
    expect(field).to_be_focused()
    height = field.evaluate("field => field.offsetHeight")
    page.keyboard.type("When did the old")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("bridge open?")
    expect(field).to_have_value("When did the old\nbridge open?")
    assert field.evaluate("field => field.offsetHeight") > height
    page.keyboard.press("Enter")
    expect(page.locator(".answer mark").first).to_have_text("4 June 1902")
    expect(field).to_have_value("")
    expect(field).to_be_focused()
    assert asked == ["When did the old\nbridge open?"]


def test_the_enter_that_ends_a_composition_asks_nothing(town: str, page: Page, asked: list[str]) -> None:
    page.goto(town)
    keyboard = page.context.new_cdp_session(page)
    keyboard.send("Input.imeSetComposition", {"text": "橋", "selectionStart": 1, "selectionEnd": 1})
    page.keyboard.press("Enter")
    keyboard.send("Input.insertText", {"text": "橋"})
    page.keyboard.insert_text("の")
    as_safari = "new KeyboardEvent('keydown', {key: 'Enter', keyCode: 229, bubbles: true})"
    question_field(page).evaluate(f"field => field.dispatchEvent({as_safari})")
    page.keyboard.insert_text("名")
    page.keyboard.press("Enter")
    expect(headings(page)).to_have_text(["橋の名"])
    assert asked == ["橋の名"]


def test_a_question_of_white_space_alone_is_not_asked(town: str, page: Page, asked: list[str]) -> None:
    page.goto(f"{town}/?q=+")
    question_field(page).fill(" \n ")
    page.keyboard.press("Enter")
    ask(page, BRIDGE)
    assert asked == [BRIDGE]


def test_a_slash_goes_to_the_field_and_is_a_slash_inside_it(town: str, page: Page) -> None:
    turn = open_at(page, town, BRIDGE)
    for leave in (lambda: citation(turn).focus(), lambda: page.evaluate("document.activeElement.blur()")):
        leave()
        page.keyboard.press("/")
        expect(question_field(page)).to_be_focused()
        expect(question_field(page)).to_have_value("")
    page.keyboard.press("/")
    expect(question_field(page)).to_have_value("/")
    page.get_by_role("button", name="Documents", exact=True).focus()
    page.keyboard.press("/")
    expect(question_field(page)).not_to_be_focused()


def test_the_shortcut_can_be_turned_off_for_good(town: str, browser: Browser) -> None:
    with visit(browser) as page:
        citation(open_at(page, town, BRIDGE)).focus()
        page.get_by_role("button", name="Shortcut “/” to the question: on").press("Enter")
        for visited in (f"{town}/?{urlencode({'q': TOWER})}", page.url):
            citation(page.locator("article")).first.focus()
            page.keyboard.press("/")
            expect(citation(page.locator("article")).first).to_be_focused()
            page.goto(visited)
        page.get_by_role("button", name="Shortcut “/” to the question: off").click()
        citation(page.locator("article")).focus()
        page.keyboard.press("/")
        expect(question_field(page)).to_be_focused()


def test_where_a_page_may_keep_nothing_the_shortcut_is_turned_off_until_it_is_left(town: str, page: Page) -> None:
    page.add_init_script(
        "Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('no', 'SecurityError') } })"
    )
    turn = open_at(page, town, BRIDGE)
    page.get_by_role("button", name="Shortcut").click()
    expect(page.get_by_role("button", name="Shortcut “/” to the question: off")).to_be_focused()
    citation(turn).focus()
    page.keyboard.press("/")
    expect(citation(turn)).to_be_focused()


def test_escape_closes_the_card_first_and_then_the_source(town: str, page: Page) -> None:
    turn = open_at(page, town, BRIDGE)
    citation(turn).click()
    expect(page.locator("#pane mark")).to_be_focused()
    citation(turn, 2).hover()
    expect(page.get_by_role("tooltip")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("tooltip")).to_be_hidden()
    expect(page.locator("#pane")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#pane")).to_be_hidden()
    expect(citation(turn)).to_be_focused()


def test_the_arrows_recall_earlier_questions_but_never_over_a_draft(town: str, page: Page) -> None:
    page.goto(town)
    field = question_field(page)
    ask(page, BRIDGE)
    ask(page, TOWER)
    for key, value in (
        ("ArrowUp", TOWER),
        ("ArrowUp", BRIDGE),
        ("ArrowUp", BRIDGE),
        ("ArrowDown", TOWER),
        ("ArrowDown", ""),
        ("ArrowDown", ""),
    ):
        page.keyboard.press(key)
        expect(field).to_have_value(value)
    field.fill("a draft")
    page.keyboard.press("ArrowUp")
    expect(field).to_have_value("a draft")


def test_what_is_written_during_a_search_is_kept(town: str, page: Page) -> None:
    page.goto(town)
    waiting = held(page, "**/ask")
    with page.expect_request("**/ask"):
        question_field(page).fill(BRIDGE)
        page.keyboard.press("Enter")
    expect(page.locator("#state")).to_contain_text("Searching the documents …")
    question_field(page).fill("the next one")
    waiting[0].continue_()
    expect(headings(page)).to_have_text([BRIDGE])
    expect(page.locator("#state")).to_be_hidden()
    expect(question_field(page)).to_have_value("the next one")


def test_a_question_that_failed_is_itself_asked_again_whatever_is_written_meanwhile(town: str, page: Page) -> None:
    page.goto(town)
    ask(page, BRIDGE).get_by_role("button", name="Ask on in this document").click()
    waiting = held(page, "**/ask")
    with page.expect_request("**/ask"):
        question_field(page).fill(ARCHES)
        page.keyboard.press("Enter")
    question_field(page).fill("the next one")
    page.get_by_role("button", name="Search all documents").click()
    detail = {"type": "urn:attest:problem:overloaded", "detail": "Too many questions are waiting."}
    waiting[0].fulfill(status=200, content_type="application/json", body=json.dumps(detail))
    page.unroute("**/ask")
    with page.expect_request("**/ask") as sent:
        page.get_by_role("button", name="Try again").click()
    bridge = document_id(town, "The Old Bridge")
    assert sent.value.post_data_json == {"question": ARCHES, "documents": [bridge]}
    expect(headings(page)).to_have_text([BRIDGE, ARCHES])
    expect(question_field(page)).to_have_value("the next one")


def test_an_answer_that_arrives_disturbs_nothing_in_the_turns_before(town: str, page: Page) -> None:
    turn = open_at(page, town, BRIDGE)
    waiting = held(page, "**/ask")
    with page.expect_request("**/ask"):
        question_field(page).fill(TOWER)
        page.keyboard.press("Enter")
    turn.locator("summary").press("Enter")
    select = "quote => getSelection().selectAllChildren(quote)"
    turn.locator("blockquote").first.evaluate(select)
    waiting[0].continue_()
    expect(headings(page)).to_have_text([BRIDGE, TOWER])
    expect(page.locator("article").first.locator("summary")).to_be_focused()
    assert page.evaluate("getSelection().toString()") == "The old bridge opened on 4 June 1902."


def test_the_card_of_a_citation_goes_with_its_turn(town: str, page: Page) -> None:
    page.goto(town)
    ask(page, BRIDGE)
    citation(ask(page, ARCHES)).hover()
    expect(page.get_by_role("tooltip")).to_be_visible()
    page.go_back()
    expect(headings(page)).to_have_text([BRIDGE])
    expect(page.get_by_role("tooltip")).to_be_hidden()


def test_the_same_question_asked_again_is_another_turn(town: str, page: Page, asked: list[str]) -> None:
    page.goto(town)
    for number in (1, 2):
        question_field(page).fill(BRIDGE)
        page.keyboard.press("Enter")
        expect(headings(page)).to_have_text([BRIDGE] * number)
    page.reload()
    expect(headings(page)).to_have_text([BRIDGE] * 2)
    page.go_back()
    expect(headings(page)).to_have_text([BRIDGE])
    assert asked == [BRIDGE] * 4


def test_nothing_that_is_focused_lies_under_the_form(town: str, browser: Browser) -> None:
    covered = """() => {
        const { left, right, top, bottom } = document.activeElement.getBoundingClientRect();
        const at = [[left + 1, top + 1], [right - 1, bottom - 1], [(left + right) / 2, (top + bottom) / 2]];
        return at.some(([x, y]) => document.querySelector(".ask").contains(document.elementFromPoint(x, y)))
            ? document.activeElement.outerHTML : "";
    }"""
    with visit(browser, viewport={"width": 700, "height": 560}, reduced_motion="reduce") as page:
        page.goto(town)
        for question in (ETHANOL, BRIDGE, TOWER):
            turn = ask(page, question)
        turn.get_by_role("button", name="Ask on in this document").click()
        question_field(page).fill("line\n" * 4)
        page.get_by_role("link", name="Attest").focus()
        for key, last in (("Tab", "#lift"), ("Shift+Tab", "#list")):
            reached = 0
            while not page.locator(last).evaluate("last => last === document.activeElement"):
                page.keyboard.press(key)
                reached += 1
                if page.evaluate("document.querySelector('#log').contains(document.activeElement)"):
                    assert page.evaluate(covered) == ""
            assert reached > 12


def test_the_suggestions_are_the_services_and_asking_one_hides_them(town: str, page: Page) -> None:
    offered = httpx2.get(f"{town}/suggestions").json()["questions"][:4]
    assert offered
    page.goto(town)
    expect(page.locator("#suggestions button")).to_have_text(offered)
    page.get_by_role("button", name=offered[0]).click()
    expect(headings(page)).to_have_text([offered[0]])
    expect(page.locator(".answer")).to_be_visible()
    expect(page.locator("#suggestions")).to_be_hidden()
    expect(question_field(page)).to_be_focused()
    page.go_back()
    expect(page.locator("#suggestions button").first).to_be_visible()


def test_turns_stay_in_the_log_and_back_forward_and_reload_bring_them_again(town: str, page: Page) -> None:
    page.goto(town)
    ask(page, BRIDGE)
    assert parse_qs(urlsplit(page.url).query) == {"q": [BRIDGE]}
    expect(page).to_have_title(f"{BRIDGE} – Attest")
    ask(page, TOWER)
    expect(headings(page)).to_have_text([BRIDGE, TOWER])
    page.go_back()
    expect(headings(page)).to_have_text([BRIDGE])
    page.go_back()
    expect(headings(page)).to_have_count(0)
    expect(page).to_have_title("Attest")
    page.go_forward()
    page.go_forward()
    expect(headings(page)).to_have_text([BRIDGE, TOWER])
    page.reload()
    expect(headings(page)).to_have_text([BRIDGE, TOWER])
    expect(page.locator("article").last.locator("mark").first).to_have_text("1852")


def test_a_follow_up_is_restricted_to_a_document_in_sight_until_that_is_lifted(
    town: str, page: Page, browser: Browser
) -> None:
    page.goto(town)
    scope = page.locator("#scope")
    ask(page, BRIDGE).get_by_role("button", name="Ask on in this document").click()
    expect(question_field(page)).to_be_focused()
    expect(scope).to_contain_text("in: The Old Bridge")

    with page.expect_request("**/ask") as sent:
        turn = ask(page, TOWER)
    bridge = document_id(town, "The Old Bridge")
    assert sent.value.post_data_json == {"question": TOWER, "documents": [bridge]}
    expect(turn).to_contain_text("in: The Old Bridge")
    expect(turn.locator(".none")).to_contain_text("Searched: The Old Bridge.")
    assert parse_qs(urlsplit(page.url).query) == {"q": [TOWER], "in": [bridge]}

    with visit(browser) as other:
        other.goto(page.url)
        expect(headings(other)).to_have_text([TOWER])
        expect(other.locator("#scope")).to_contain_text("in: The Old Bridge")
        expect(other.locator(".none")).to_contain_text("Searched: The Old Bridge.")

    page.go_back()
    expect(headings(page)).to_have_text([BRIDGE])
    expect(scope).to_be_hidden()
    page.go_forward()
    expect(scope).to_contain_text("in: The Old Bridge")
    page.get_by_role("button", name="Search all documents").click()
    expect(scope).to_be_hidden()
    expect(question_field(page)).to_be_focused()
    with page.expect_request("**/ask") as sent:
        turn = ask(page, MARKET)
    assert sent.value.post_data_json == {"question": MARKET, "documents": None}
    expect(turn.locator("mark").first).to_contain_text("1888")
    expect(headings(page)).to_have_text([BRIDGE, TOWER, MARKET])


def test_every_finished_answer_is_announced_once(town: str, page: Page) -> None:
    page.goto(town)
    expect(page.locator("#suggestions button").first).to_be_visible()
    page.evaluate("""() => {
        window.announced = [];
        const region = document.querySelector("[role=status]");
        const note = () => announced.push(region.textContent);
        new MutationObserver(note).observe(region, { childList: true, characterData: true, subtree: true });
    }""")
    none = "No answer found. Some passages are near, but none answers it surely enough."
    for question, words in (
        (BRIDGE, "Answer, quoted from The Old Bridge: 4 June 1902"),
        (TOWER, "Answer, quoted from The clock tower: 1852 (Other documents answer differently)"),
        (MARKET, "Answer, quoted from El mercado viejo: en 1888"),
        (ETHANOL, none),
        ("Which metal melts at the highest temperature?", none),
    ):
        ask(page, question)
        expect(page.get_by_role("status")).to_have_text(words)
        changes = page.evaluate("announced.splice(0)")
        assert changes == ([words] if question == BRIDGE else ["", words])  # not emptied, the last would be silent
        if question == MARKET:
            expect(page.get_by_role("status").locator("[lang]")).to_have_text(["El mercado viejo", "en 1888"])
            expect(page.get_by_role("status").locator("[lang=es]")).to_have_count(2)


def test_an_answer_that_came_by_a_link_is_announced_too(town: str, page: Page) -> None:
    open_at(page, town, BRIDGE)
    expect(page.get_by_role("status")).to_have_text("Answer, quoted from The Old Bridge: 4 June 1902")


def test_the_whole_of_it_goes_by_keyboard_alone(town: str, page: Page) -> None:
    def to(target: Locator, key: str) -> None:
        """Press Tab, or Shift+Tab, until the target is focused."""
        for _ in range(20):
            page.keyboard.press(key)
            if target.evaluate("target => target === document.activeElement"):
                return
        raise AssertionError(f"{key} does not lead to {target}")

    page.goto(town)
    field, turn = question_field(page), page.locator("article").first
    expect(page.locator("#suggestions button").first).to_be_visible()
    page.keyboard.type(ARCHES)
    page.keyboard.press("Enter")
    expect(turn.locator("mark")).to_have_text("Maria Keller")

    to(citation(turn), "Shift+Tab")
    expect(page.get_by_role("tooltip")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.locator("#pane mark")).to_be_focused()
    expect(page.get_by_role("tooltip")).to_be_hidden()
    to(page.locator("#pane-body"), "Shift+Tab")
    read = page.locator("#pane-body").evaluate("body => body.scrollTop")
    page.keyboard.press("PageUp")
    page.wait_for_function("read => document.querySelector('#pane-body').scrollTop < read", arg=read)
    to(page.get_by_role("button", name="Close"), "Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#pane")).to_be_hidden()
    expect(citation(turn)).to_be_focused()

    to(turn.locator("summary"), "Tab")
    page.keyboard.press("Enter")
    expect(turn.locator("details p")).to_be_visible()
    to(turn.get_by_role("button", name="Ask on in this document"), "Tab")
    page.keyboard.press("Enter")
    expect(field).to_be_focused()
    page.keyboard.type(TOWER)
    page.keyboard.press("Enter")
    expect(page.locator("article").last).to_contain_text("No answer found.")
    to(page.get_by_role("button", name="Search all documents"), "Shift+Tab")
    page.keyboard.press("Enter")
    expect(field).to_be_focused()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(page.locator("article").last.locator("mark").first).to_have_text("1852")

    to(page.get_by_role("button", name="Documents", exact=True), "Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#pane-title")).to_be_focused()
    to(page.locator(".documents").get_by_role("button", name="Ask in it").first, "Tab")
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Documents", exact=True)).to_be_focused()
