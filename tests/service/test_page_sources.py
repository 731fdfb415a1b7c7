"""Answers on the chat page and their sources: the quote, its citations with card and pane, the documents."""

import re
from urllib.parse import urlencode

import httpx2
import pytest
from playwright.sync_api import Browser, Page, Route, expect

from service.confidence import percent
from tests.service.town import (
    ARCHES,
    BRIDGE,
    ETHANOL,
    MARKET,
    TITLES,
    TOWER,
    answer_of,
    ask,
    citation,
    document_id,
    held,
    open_at,
    question_field,
    visit,
)

# --- the answer


def test_an_answer_is_a_span_marked_in_its_sentence_with_where_it_is_quoted_from(town: str, page: Page) -> None:
    answer = answer_of(town, BRIDGE)
    figure = open_at(page, town, BRIDGE).locator("figure").first
    expect(figure.locator("blockquote")).to_have_text(answer["citations"][0]["sentence"]["text"])
    expect(figure.locator("mark")).to_have_text(answer["answer"])
    expect(figure.locator("figcaption")).to_have_text("Quoted from The Old Bridge, Building, 2 May 2019 [1]")


def test_the_confidence_is_in_words_and_a_number_and_its_meaning_on_demand(town: str, page: Page) -> None:
    confidence = percent(answer_of(town, BRIDGE)["confidence"])
    details = open_at(page, town, BRIDGE).locator("details")
    expect(details.locator("summary")).to_have_text(re.compile(rf"(ikely right|Uncertain).* \({confidence}%\)$"))
    meaning = page.get_by_text(f"Of the answers given with this confidence, about {confidence} in 100 were right")
    expect(meaning).to_be_hidden()
    details.locator("summary").click()
    expect(meaning).to_be_visible()


@pytest.mark.parametrize("question", [BRIDGE, TOWER, ETHANOL])
def test_without_javascript_the_same_facts_are_shown(town: str, page: Page, question: str) -> None:
    facts = (
        "blockquote, figcaption, .sides .about, .value, .answer :is(h2, h3), .none :is(h2, h3, p), summary, details p"
    )
    turn = open_at(page, town, question)
    shown = [" ".join(words.split()) for words in turn.locator(facts).all_text_contents()]
    page.goto(f"{town}/answer?{urlencode({'q': question})}")
    plain = [" ".join(words.split()) for words in page.locator("main").locator(facts).all_text_contents()]
    assert plain == shown
    assert len(shown) >= 3


def test_the_language_of_a_source_is_stated_wherever_it_is_shown(town: str, page: Page) -> None:
    turn = open_at(page, town, MARKET)
    expect(turn.locator("blockquote")).to_have_attribute("lang", "es")
    expect(turn.locator("cite")).to_have_attribute("lang", "es")
    section = citation(open_at(page, town, BRIDGE).first)
    expect(page.locator("figcaption span").first).to_have_text("Building")
    expect(page.locator("figcaption span").first).to_have_attribute("lang", "en")
    section.hover()
    expect(page.get_by_role("tooltip").locator(".about span")).to_have_attribute("lang", "en")
    section.click()
    expect(page.locator("#pane-about span")).to_have_attribute("lang", "en")
    turn = open_at(page, town, MARKET)
    citation(turn).hover()
    expect(page.get_by_role("tooltip").locator("p").last).to_have_attribute("lang", "es")
    citation(turn).click()
    expect(page.locator("#pane-title")).to_have_attribute("lang", "es")
    expect(page.locator("#pane .text")).to_have_attribute("lang", "es")


def test_a_copy_is_the_quote_with_numbered_sources_whose_permalinks_lead_to_it(town: str, page: Page) -> None:
    cited = answer_of(town, BRIDGE)["citations"]
    places = [f"characters {found['start']}–{found['end']} of {found['document']['uri']}" for found in cited]
    links = [
        f"{town}/documents/{found['document']['id']}/view?start={found['start']}&end={found['end']}"
        f"&sha256={found['document']['sha256']}#quote"
        for found in cited
    ]
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    copy = open_at(page, town, BRIDGE).get_by_role("button", name="Copy with source")
    copy.click()
    expect(page.get_by_role("status")).to_have_text("Copied.")
    assert page.evaluate("navigator.clipboard.readText()") == (
        "“4 June 1902” [1]\n\n"
        f"[1] The Old Bridge, Building, 2 May 2019, {places[0]}\n{links[0]}\n"
        f"[2] A guide to the town, The harbour, 1 March 2021, {places[1]}\n{links[1]}\n"
    )
    for link, found in zip(links, cited, strict=True):
        page.goto(link)
        expect(page.locator("mark#quote")).to_have_text(found["quote"])
        expect(page.locator("mark#quote")).to_be_in_viewport()


def test_where_the_page_may_not_copy_it_shows_what_to_copy_selected(town: str, page: Page) -> None:
    page.add_init_script("Object.defineProperty(Navigator.prototype, 'clipboard', {value: undefined})")
    open_at(page, town, BRIDGE).get_by_role("button", name="Copy with source").click()
    box = page.get_by_label("Copy it from here:")
    expect(box).to_be_focused()
    assert box.input_value().startswith("“4 June 1902” [1]\n\n[1] The Old Bridge, Building,")
    assert page.evaluate("getSelection().toString()") == box.input_value()


def test_other_sources_that_say_the_same_are_listed_and_open(town: str, page: Page) -> None:
    turn = open_at(page, town, BRIDGE)
    expect(turn.get_by_role("heading", name="The same elsewhere")).to_be_visible()
    expect(turn.locator("figcaption").last).to_have_text(
        "Quoted from A guide to the town, The harbour, 1 March 2021 [2]"
    )
    citation(turn, 2).click()
    expect(page.get_by_role("complementary", name="A guide to the town").locator("mark")).to_have_text("June 4, 1902")


def test_documents_that_differ_are_shown_side_by_side_each_with_its_source(town: str, page: Page) -> None:
    turn = open_at(page, town, TOWER)
    expect(turn.get_by_role("heading", name="Other documents answer differently")).to_be_visible()
    expect(turn.locator(".value")).to_have_text(["1852", "1850"])
    left, right = (side.bounding_box() for side in turn.locator(".sides > div").all())
    assert left
    assert right
    assert left["y"] == right["y"]
    assert left["x"] + left["width"] <= right["x"]
    expect(turn.locator(".sides figcaption")).to_have_text(
        [
            "Above, from The clock tower, 9 September 2020 [1]",
            "Quoted from A guide to the town, The tower, 1 March 2021 [2]",
        ]
    )
    for button, title, year in (
        (citation(turn).last, "The clock tower", "1852"),
        (citation(turn, 2), "A guide to the town", "1850"),
    ):
        button.click()
        expect(page.get_by_role("complementary", name=title).locator("mark")).to_have_text(year)


def test_without_an_answer_the_page_says_so_what_was_searched_and_what_is_only_related(town: str, page: Page) -> None:
    turn = open_at(page, town, ETHANOL)
    box = turn.locator(".none")
    expect(box).to_contain_text("No answer found. Some passages are near, but none answers it surely enough.")
    expect(box).to_contain_text("Searched: all documents.")
    expect(box.get_by_role("heading", name="Related, not an answer")).to_be_visible()
    expect(box.locator("figcaption").first).to_have_text(re.compile(r"^From "))
    expect(turn.locator(".answer, mark, details")).to_have_count(0)
    expect(turn.get_by_role("button", name="Copy with source")).to_have_count(0)
    citation(turn).click()
    expect(page.locator("#pane mark")).to_have_text(answer_of(town, ETHANOL)["related"][0]["quote"])


# --- citations, their card and their source


def test_hovering_over_a_citation_opens_a_card_with_its_surroundings(town: str, page: Page) -> None:
    cited = answer_of(town, BRIDGE)["citations"][0]
    turn = open_at(page, town, BRIDGE)
    card = page.get_by_role("tooltip")
    citation(turn).hover()
    expect(card.locator("cite")).to_have_text("The Old Bridge")
    expect(card.locator(".about")).to_have_text("Building, 2 May 2019")
    expect(card.locator("p").last).to_have_text(cited["passage"]["text"])
    expect(card).to_contain_text("Work began in 1899. The old bridge opened on 4 June 1902. Four hundred masons")
    expect(card.locator("mark")).to_have_text("4 June 1902")
    expect(citation(turn)).to_have_accessible_description(re.compile("The Old Bridge.*Work began in 1899"))
    card.hover()
    page.wait_for_timeout(300)
    expect(card).to_be_visible()
    turn.get_by_role("heading").first.hover()
    expect(card).to_be_hidden()
    expect(citation(turn)).not_to_have_attribute("aria-describedby", "card")
    citation(turn).hover()
    expect(card).to_be_visible()
    turn.get_by_role("heading").first.hover()
    expect(card).to_be_hidden()


def test_a_citation_that_is_focused_keeps_its_card_while_it_is_scrolled_into_sight(town: str, page: Page) -> None:
    page.set_viewport_size({"width": 900, "height": 480})
    page.goto(town)
    for question in (BRIDGE, TOWER, ETHANOL):
        ask(page, question)
    first = citation(page.locator("article").first)
    expect(first).not_to_be_in_viewport()
    page.keyboard.press("Shift+Tab")  # what is focused from here on is focused by keyboard
    first.focus()
    expect(first).to_be_in_viewport()
    page.wait_for_function("""() => {
        const [card, button] = ["#card:popover-open", ":focus"].map((name) => document.querySelector(name));
        const [one, other] = [card, button].map((element) => element?.getBoundingClientRect());
        return one && (Math.abs(one.top - other.bottom) < 6 || Math.abs(other.top - one.bottom) < 6);
    }""")
    page.locator("#log").hover()
    page.mouse.wheel(0, 30)
    page.wait_for_timeout(300)
    expect(page.get_by_role("tooltip")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("tooltip").locator("cite")).to_have_text("A guide to the town")


def test_a_card_shows_its_quote_however_long_the_passage_is(town: str, page: Page) -> None:
    page.set_viewport_size({"width": 900, "height": 300})
    turn = open_at(page, town, ARCHES)
    citation(turn).hover()
    card = page.get_by_role("tooltip")
    expect(card.locator("mark")).to_have_text("Maria Keller")
    expect(card.locator("mark")).to_be_in_viewport()
    assert card.evaluate("card => card.scrollTop > 0 && card.scrollHeight > card.clientHeight")


def test_the_first_tap_opens_the_card_and_the_second_the_source(town: str, browser: Browser) -> None:
    with visit(browser, viewport={"width": 390, "height": 700}, has_touch=True, is_mobile=True) as page:
        turn = open_at(page, town, BRIDGE)
        expect(question_field(page)).not_to_be_focused()
        card = page.get_by_role("tooltip")
        citation(turn).tap()
        expect(card.locator("mark")).to_have_text("4 June 1902")
        page.wait_for_timeout(300)
        expect(card).to_be_visible()
        expect(page.locator("#pane")).to_be_hidden()
        turn.locator("h2").tap()
        expect(card).to_be_hidden()
        citation(turn).tap()
        citation(turn).tap()
        expect(page.locator("#pane mark")).to_be_focused()
        expect(card).to_be_hidden()


def test_a_finger_that_is_lifted_leaves_the_card_open_and_a_click_need_not_say_that_it_is_a_tap(
    town: str, browser: Browser
) -> None:
    with visit(browser, viewport={"width": 390, "height": 700}, has_touch=True, is_mobile=True) as page:
        page.add_init_script(
            "addEventListener('click', (event) => Object.defineProperty(event, 'pointerType', {value: ''}), true)"
        )
        turn = open_at(page, town, BRIDGE)
        card = page.get_by_role("tooltip")
        citation(turn).tap()
        expect(card).to_be_visible()
        expect(page.locator("#pane")).to_be_hidden()
        card.locator("mark").tap()
        page.wait_for_timeout(300)
        expect(card).to_be_visible()
        citation(turn).dispatch_event("pointerleave", {"pointerType": "touch"})
        page.wait_for_timeout(300)
        expect(card).to_be_visible()
        citation(turn).tap()
        expect(page.locator("#pane mark")).to_be_focused()


def test_the_source_is_focused_while_it_loads_and_focus_that_went_on_is_left_alone(town: str, page: Page) -> None:
    turn = open_at(page, town, BRIDGE)
    waiting = held(page, "**/text")
    for number in (1, 2):
        with page.expect_request("**/text"):
            citation(turn, number).click()
        expect(page.locator("#pane-title")).to_be_focused()
        expect(page.locator("#pane-about")).to_have_text("Loading …")
        if number == 2:
            page.keyboard.press("Tab")
        waiting.pop().continue_()
        expect(page.locator("#pane mark")).to_be_visible()
        expect(page.locator("#pane mark") if number == 1 else page.locator("#close")).to_be_focused()


def test_a_source_that_cannot_be_fetched_closes_and_can_be_opened_again(town: str, browser: Browser) -> None:
    with visit(browser, viewport={"width": 390, "height": 700}) as page:
        turn = open_at(page, town, BRIDGE)
        page.route("**/text", lambda route: route.abort())
        citation(turn).click()
        expect(page.locator("#state")).to_contain_text("The service cannot be reached.")
        expect(page.locator("#pane")).to_be_hidden()
        expect(citation(turn)).to_be_focused()
        page.unroute("**/text")
        page.get_by_role("button", name="Try again").click()
        expect(page.locator("#pane mark")).to_be_focused()
        expect(page.locator("#state")).to_be_hidden()
        page.keyboard.press("Escape")
        expect(citation(turn)).to_be_focused()


def test_a_source_is_scrolled_to_its_quote_and_the_conversation_is_not_moved(town: str, page: Page) -> None:
    page.set_viewport_size({"width": 1280, "height": 420})
    page.goto(town)
    citation(ask(page, ARCHES)).click()
    expect(page.locator("#pane mark")).to_be_focused()
    box, around = (page.locator(one).bounding_box() for one in ("#pane mark", "#pane-body"))
    assert box
    assert around
    assert abs(box["y"] + box["height"] / 2 - around["y"] - around["height"] / 2) < 2
    turn = ask(page, TOWER)
    citation(turn, 2).scroll_into_view_if_needed()
    page.wait_for_timeout(500)  # it may scroll smoothly
    before = page.evaluate("scrollY")
    citation(turn, 2).click()
    expect(page.locator("#pane mark")).to_have_text("1850")  # so near the end that it cannot stand in the middle
    expect(page.locator("#pane mark")).to_be_focused()
    page.wait_for_timeout(500)
    assert page.evaluate("scrollY") == before > 0


def test_the_headings_of_a_source_are_headings_of_their_level(town: str, page: Page) -> None:
    turn = open_at(page, town, ARCHES)
    citation(turn).click()
    found = page.locator("#pane-body").get_by_role("heading")
    expect(found).to_have_text(["# The Old Bridge", "## Building", "## Later years"])
    assert [one.get_attribute("aria-level") for one in found.all()] == ["3", "4", "4"]


def test_a_citation_opens_the_source_beside_the_conversation_at_the_very_words(town: str, page: Page) -> None:
    cited = answer_of(town, ARCHES)["citations"][0]
    text = httpx2.get(f"{town}/documents/{cited['document']['id']}/text").text
    page.set_viewport_size({"width": 1280, "height": 420})
    turn = open_at(page, town, ARCHES)
    citation(turn).click()
    pane = page.get_by_role("complementary", name="The Old Bridge")
    mark = pane.locator("mark")
    expect(mark).to_be_focused()
    expect(mark).to_be_in_viewport()
    assert pane.locator(".text").evaluate("shown => shown.textContent") == text
    assert mark.evaluate("mark => mark.textContent") == cited["quote"] == text[cited["start"] : cited["end"]]
    place = f"characters {cited['start']}–{cited['end']}"
    expect(pane).to_contain_text(f"Later years, 2 May 2019, bridge.md, {place}. On a page of its own")
    left, right = page.locator("#conversation").bounding_box(), pane.bounding_box()
    assert left
    assert right
    assert left["x"] + left["width"] <= right["x"]
    expect(question_field(page)).to_be_enabled()

    pane.get_by_role("button", name="Close").click()
    expect(pane).to_be_hidden()
    expect(citation(turn)).to_be_focused()
    citation(turn).click()
    expect(mark).to_be_focused()
    page.keyboard.press("Escape")
    expect(pane).to_be_hidden()
    expect(citation(turn)).to_be_focused()

    citation(turn).click()
    pane.get_by_role("link", name="On a page of its own").click()
    expect(page.locator("mark#quote")).to_have_text("Maria Keller")
    expect(page.locator("mark#quote")).to_be_in_viewport()


def test_a_source_that_has_changed_since_is_not_shown_as_if_it_were_quoted(town: str, page: Page) -> None:
    turn = open_at(page, town, BRIDGE)
    page.route("**/text", lambda route: route.fulfill(body="Another text.", headers={"ETag": '"0"'}))
    citation(turn).click()
    expect(page.locator("#pane")).to_contain_text("This document has changed since it was quoted")
    expect(page.locator("#pane mark")).to_have_count(0)
    expect(page.locator("#pane-title")).to_be_focused()


def test_a_proxy_that_compresses_does_not_make_a_source_look_changed(town: str, page: Page) -> None:
    turn = open_at(page, town, BRIDGE)

    def weaken(route: Route) -> None:
        response = route.fetch()
        route.fulfill(response=response, headers={**response.headers, "etag": f"W/{response.headers['etag']}"})

    page.route("**/text", weaken)
    citation(turn).click()
    expect(page.locator("#pane mark")).to_have_text("4 June 1902")


def test_a_source_whose_citation_is_gone_gives_the_focus_back_to_the_field(town: str, page: Page) -> None:
    page.goto(town)
    citation(ask(page, BRIDGE)).click()
    expect(page.locator("#pane mark")).to_be_focused()
    page.go_back()
    expect(page.locator("article")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(question_field(page)).to_be_focused()


def test_on_a_phone_the_source_covers_the_conversation_which_is_inert_until_it_is_closed(
    town: str, browser: Browser
) -> None:
    with visit(browser, viewport={"width": 390, "height": 700}, has_touch=True, is_mobile=True) as page:
        turn = open_at(page, town, BRIDGE)
        citation(turn).tap()
        citation(turn).tap()
        expect(page.locator("#pane mark")).to_be_focused()
        assert page.locator("#pane").bounding_box() == {"x": 0, "y": 0, "width": 390, "height": 700}
        assert page.locator("#conversation").evaluate("conversation => conversation.inert")
        page.get_by_role("button", name="Close").tap()
        expect(page.locator("#pane")).to_be_hidden()
        expect(citation(turn)).to_be_focused()
        assert not page.locator("#conversation").evaluate("conversation => conversation.inert")


# --- the documents


def test_the_documents_are_listed_with_title_date_and_length_and_what_could_not_be_read(town: str, page: Page) -> None:
    listed = httpx2.get(f"{town}/documents").json()
    page.goto(town)
    button = page.get_by_role("button", name="Documents", exact=True)
    expect(button).to_have_attribute("aria-expanded", "false")
    button.click()
    expect(button).to_have_attribute("aria-expanded", "true")
    pane = page.get_by_role("complementary", name="Documents")
    expect(pane.locator("#pane-title")).to_be_focused()
    expect(pane.locator(".documents cite")).to_have_text(TITLES)
    dates = ["2 May 2019, ", "1 March 2021, ", "", "9 September 2020, "]
    expect(pane.locator(".documents .about")).to_have_text(
        [
            f"{date}{document['characters']:,} characters, {document['uri']}"
            for date, document in zip(dates, listed["documents"], strict=True)
        ]
    )
    expect(pane.get_by_role("heading", name="Not read at the last indexing")).to_be_visible()
    expect(pane).to_contain_text("photo.jpg: not a .txt, .md, .html, .htm, .pdf or .docx file")
    button.click()
    expect(pane).to_be_hidden()
    expect(button).to_be_focused()


def test_of_too_many_files_that_could_not_be_read_the_others_are_counted(town: str, page: Page) -> None:
    listed = httpx2.get(f"{town}/documents").json()
    page.route("**/documents", lambda route: route.fulfill(json={**listed, "more_unread": 1_234}))
    page.goto(town)
    page.get_by_role("button", name="Documents", exact=True).click()
    expect(page.locator("#pane-body li").last).to_have_text("and 1,234 more")


def test_a_listed_document_can_be_read_and_the_list_opened_again(town: str, page: Page) -> None:
    text = httpx2.get(f"{town}/documents/{document_id(town, 'A guide to the town')}/text").text
    page.goto(town)
    page.get_by_role("button", name="Documents", exact=True).click()
    page.locator(".documents li").nth(1).get_by_role("button", name="Read").click()
    pane = page.get_by_role("complementary", name="A guide to the town")
    expect(pane.locator("#pane-title")).to_be_focused()
    expect(pane.locator(".text")).to_be_visible()
    assert pane.locator(".text").evaluate("shown => shown.textContent") == text
    expect(pane.locator("mark")).to_have_count(0)
    expect(page.get_by_role("button", name="Documents", exact=True)).to_have_attribute("aria-expanded", "false")
    page.get_by_role("button", name="Documents", exact=True).click()
    expect(page.locator(".documents cite")).to_have_text(TITLES)


def test_a_listed_document_can_be_asked(town: str, page: Page) -> None:
    page.goto(town)
    page.get_by_role("button", name="Documents", exact=True).click()
    page.locator(".documents li").nth(1).get_by_role("button", name="Ask in it").click()
    expect(page.locator("#pane")).to_be_hidden()
    expect(question_field(page)).to_be_focused()
    expect(page.locator("#scope")).to_contain_text("in: A guide to the town")
    turn = ask(page, TOWER)
    expect(turn.locator("mark")).to_have_text("1850")  # another document says 1852
