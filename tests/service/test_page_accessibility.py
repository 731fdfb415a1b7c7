"""The pages in a real Chromium are open to everyone: by axe-core, in every state, and in forced colours."""

import json
from collections.abc import Callable
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page, Route, expect

from tests.conftest import ROOT, serving
from tests.service.town import (
    ARCHES,
    BRIDGE,
    ETHANOL,
    TITLES,
    TOWER,
    answer_of,
    citation,
    document_id,
    open_at,
    question_field,
)

AXE = (ROOT / "tests" / "vendor" / "axe.min.js").read_text(encoding="utf-8")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
WIDTHS = (320, 1280)


def problem(kind: str, status: int) -> Callable[[Route], None]:
    body = {"type": f"urn:attest:problem:{kind}", "title": kind, "status": status, "detail": f"The {kind} in words."}
    return lambda route: route.fulfill(status=status, content_type="application/problem+json", body=json.dumps(body))


def empty(page: Page, server: str) -> None:
    page.route("**/suggestions", lambda route: route.fulfill(json={"questions": [BRIDGE, TOWER]}))
    page.goto(server)
    expect(page.get_by_role("button", name=TOWER)).to_be_visible()


def answered(page: Page, server: str) -> None:
    open_at(page, server, BRIDGE)


def confidence_open(page: Page, server: str) -> None:
    open_at(page, server, BRIDGE).locator("summary").click()
    expect(page.get_by_text("in 100 were right")).to_be_visible()


def card_open(page: Page, server: str) -> None:
    citation(open_at(page, server, BRIDGE)).focus()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    expect(page.get_by_role("tooltip")).to_be_visible()


def source_open(page: Page, server: str) -> None:
    citation(open_at(page, server, BRIDGE)).click()
    expect(page.locator("#pane mark")).to_be_visible()


def source_changed(page: Page, server: str) -> None:
    page.route("**/markup", lambda route: route.fulfill(json={"sha256": "0", "runs": []}))
    citation(open_at(page, server, BRIDGE)).click()
    expect(page.locator("#pane")).to_contain_text("has changed")


def documents_open(page: Page, server: str) -> None:
    page.goto(server)
    page.get_by_role("button", name="Documents", exact=True).click()
    expect(page.locator("#pane")).to_contain_text("photo.jpg")


def no_such_document(page: Page, server: str) -> None:
    expect(open_at(page, server, BRIDGE, within="gone")).to_contain_text("There is no document")


def no_answer(page: Page, server: str) -> None:
    expect(open_at(page, server, ETHANOL)).to_contain_text("Related, not an answer")


def differing(page: Page, server: str) -> None:
    expect(open_at(page, server, TOWER).locator("mark")).to_have_count(2)


def restricted(page: Page, server: str) -> None:
    open_at(page, server, BRIDGE, within=document_id(server, TITLES[0]))
    expect(page.get_by_role("button", name="Search all documents")).to_be_visible()


def over_long(page: Page, server: str) -> None:
    page.goto(server)
    question_field(page).fill("long " * 201)
    expect(page.get_by_text("too many")).to_be_visible()


def waiting(page: Page, server: str) -> None:
    page.route("**/ask", lambda route: None)
    page.goto(server)
    question_field(page).fill(BRIDGE)
    page.keyboard.press("Enter")
    expect(page.get_by_text("Searching the documents")).to_be_visible()


def server_gone(page: Page, server: str) -> None:
    page.goto(server)
    for path in ("**/ask", "**/readyz"):
        page.route(path, lambda route: route.abort())
    question_field(page).fill(BRIDGE)
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Try again")).to_be_visible()


def key_asked(page: Page, server: str) -> None:
    page.route("**/suggestions", problem("unauthorized", 401))
    page.goto(server)
    expect(page.get_by_label("API key")).to_be_visible()


def nothing_indexed(page: Page, server: str) -> None:
    page.route("**/readyz", problem("nothing-indexed", 503))
    page.goto(server)
    expect(page.get_by_text("nothing-indexed").first).to_be_visible()


def copied_by_hand(page: Page, server: str) -> None:
    turn = open_at(page, server, BRIDGE)
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error()) }")
    turn.get_by_role("button", name="Copy").click()
    expect(turn.get_by_role("textbox")).to_be_visible()


def permalink(server: str, sha256: str | None = None) -> str:
    found = answer_of(server, BRIDGE)["citations"][0]
    source = found["document"]
    query = {"start": found["start"], "end": found["end"], "sha256": sha256 or source["sha256"]}
    return f"{server}/documents/{source['id']}/view?{urlencode(query)}#quote"


def source_page(page: Page, server: str) -> None:
    page.goto(permalink(server))
    expect(page.locator("mark")).to_be_visible()


def changed_page(page: Page, server: str) -> None:
    page.goto(permalink(server, "0"))
    expect(page.locator("main")).to_contain_text("has changed")


def waiting_page(page: Page, server: str) -> None:
    with serving(ROOT / "nowhere", ready=False, ATTEST_EMBEDDER="hashing") as address:
        page.goto(f"{address}/answer?{urlencode({'q': BRIDGE})}")
    expect(page.get_by_role("link", name="Look again")).to_be_visible()


def answer_page(page: Page, server: str) -> None:
    page.goto(f"{server}/answer?{urlencode({'q': TOWER})}")
    expect(page.locator("mark")).to_have_count(2)


def no_answer_page(page: Page, server: str) -> None:
    page.goto(f"{server}/answer?{urlencode({'q': ETHANOL})}")
    expect(page.locator("main")).to_contain_text("No answer found.")


STATES = [
    *(empty, waiting, answered, confidence_open, card_open, source_open, source_changed, documents_open, no_answer),
    *(differing, restricted, no_such_document, over_long, server_gone, key_asked, nothing_indexed, copied_by_hand),
    *(source_page, changed_page, waiting_page, answer_page, no_answer_page),
]


def barriers(page: Page) -> list[str]:
    """What axe-core finds wrong on a page, by rule and element."""
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate(AXE)
    found = page.evaluate("tags => axe.run({runOnly: tags, resultTypes: ['violations']})", RULES)
    assert len(found["passes"]) > 10
    return [
        f"{rule['id']} at {node['target']}: {node['failureSummary']}"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_nothing_bars_anyone(town: str, everyone: Page, state: Callable[[Page, str], None]) -> None:
    found = []
    for width in WIDTHS:
        everyone.set_viewport_size({"width": width, "height": 800})
        state(everyone, town)
        for scheme in ("light", "dark"):
            everyone.emulate_media(color_scheme="light" if scheme == "light" else "dark")
            found += [f"{scheme}, {width} px: {barrier}" for barrier in barriers(everyone)]
        assert everyone.evaluate("document.documentElement.scrollWidth") == width
        everyone.unroute_all()
    assert found == []


@pytest.mark.parametrize("height", [256, 400, 640, 900])
@pytest.mark.parametrize("width", WIDTHS)
def test_a_card_leaves_its_citation_uncovered(town: str, everyone: Page, width: int, height: int) -> None:
    everyone.set_viewport_size({"width": width, "height": height})
    turn = open_at(everyone, town, ARCHES)
    citation(turn).focus()
    for share in (0.0, 0.3, 0.5, 0.7, 1.0):
        everyone.evaluate("share => scrollTo(0, (document.documentElement.scrollHeight - innerHeight) * share)", share)
        citation(turn).hover()
        expect(everyone.get_by_role("tooltip")).to_be_visible()
        card, button = (place.bounding_box() for place in (everyone.get_by_role("tooltip"), citation(turn)))
        assert card
        assert button
        assert card["y"] >= button["y"] + button["height"] or card["y"] + card["height"] <= button["y"]
        assert 0 <= card["x"] <= card["x"] + card["width"] <= width
        assert 0 <= card["y"] <= card["y"] + card["height"] <= height
        everyone.mouse.move(0, 0)


def test_a_barrier_would_be_found(town: str, everyone: Page) -> None:
    source_page(everyone, town)
    everyone.evaluate("document.querySelector('.about').style.color = '#999'")
    everyone.emulate_media(color_scheme="light")
    assert [barrier.split()[0] for barrier in barriers(everyone)] == ["color-contrast"]


def test_in_forced_colours_a_mark_still_differs_from_the_text_around_it(town: str, everyone: Page) -> None:
    everyone.emulate_media(forced_colors="active")
    colours = "mark => [mark, mark.parentElement].map((one) => getComputedStyle(one).backgroundColor)"
    everyone.set_viewport_size({"width": 1280, "height": 800})
    turn = open_at(everyone, town, BRIDGE)
    citation(turn).click()
    expect(everyone.locator("#pane mark")).to_be_focused()
    citation(turn).hover()
    expect(everyone.get_by_role("tooltip")).to_be_visible()
    places = [turn.locator("mark").first, everyone.locator("#pane mark"), everyone.locator("#card mark")]
    seen = [place.evaluate(colours) for place in places]
    everyone.goto(permalink(town))
    seen.append(everyone.locator("mark").evaluate(colours))
    everyone.emulate_media(forced_colors="none")
    assert all(mark != around for mark, around in seen)
    assert {mark for mark, _ in seen} == {"rgb(255, 255, 0)"}  # Chromium's system colour `Mark`
