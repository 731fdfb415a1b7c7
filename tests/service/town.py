"""A small town's documents, and how a person asks about them on the page."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

import httpx2
from playwright.sync_api import Browser, Locator, Page, Route, expect

FILES = {
    "bridge.md": (
        "# The Old Bridge\n\nPublished: 2 May 2019\n\n"
        "The river is wide here. Boats were the only way across for centuries.\n\n"
        "## Building\n\nWork began in 1899. The old bridge opened on 4 June 1902. Four hundred masons had built it.\n\n"
        f"## Later years\n\n{'The water below is deep, cold and green. ' * 10}"
        f"Its arches were repaired by Maria Keller in 1977. {'Swallows nest under the arches. ' * 10}\n"
    ),
    "guide.md": (
        "# A guide to the town\n\nPublished: 1 March 2021\n\n"
        "## The harbour\n\nVisitors like the harbour. The old bridge opened on June 4, 1902 after long work.\n\n"
        "## The tower\n\nThe clock tower was finished in 1850. It has three bells.\n"
    ),
    "mercado.md": (
        "# El mercado viejo\n\nAquí se venden frutas, pan y flores cada domingo por la mañana. "
        "El mercado viejo abrió en 1888. Muchas personas de los pueblos vecinos lo visitan en verano.\n"
    ),
    "photo.jpg": "no text",
    "tower.md": (
        "# The clock tower\n\nPublished: 9 September 2020\n\n"
        "The clock tower was finished in 1852. Its clock came from Vienna.\n"
    ),
    ".attestsuggestions": "When did the old bridge open?\nWhere did the clock come from?\n",
}
TITLES = ["The Old Bridge", "A guide to the town", "El mercado viejo", "The clock tower"]

BRIDGE = "When did the old bridge open?"  # two documents say the same
TOWER = "When was the clock tower finished?"  # two documents differ
ARCHES = "Who repaired the arches?"  # in the middle of a long section
MARKET = "¿Cuándo abrió el mercado viejo?"
ETHANOL = "What is the boiling point of ethanol?"  # no document says


def question_field(page: Page) -> Locator:
    return page.get_by_label("Ask the documents", exact=True)


def headings(page: Page) -> Locator:
    """The questions of the turns in the log."""
    return page.locator("article h2")


def ask(page: Page, question: str) -> Locator:
    """Write a question, press Enter, and wait for the turn that it becomes."""
    question_field(page).fill(question)
    page.keyboard.press("Enter")
    turn = page.locator("article").last
    expect(turn.get_by_role("heading", level=2)).to_have_text(question)
    return turn


def open_at(page: Page, server: str, question: str, within: str | None = None) -> Locator:
    """Open the page at the address of a question."""
    page.goto(f"{server}/?{urlencode({'q': question} | ({'in': within} if within else {}))}")
    turn = page.locator("article")
    expect(turn.get_by_role("heading", level=2)).to_have_text(question)
    return turn


def answer_of(server: str, question: str) -> dict[str, Any]:
    """What the service itself answers."""
    found: dict[str, Any] = httpx2.post(f"{server}/ask", json={"question": question}).json()
    return found


def document_id(server: str, title: str) -> str:
    listed = httpx2.get(f"{server}/documents").json()["documents"]
    return str(next(document["id"] for document in listed if document["title"] == title))


def held(page: Page, pattern: str) -> list[Route]:
    """Hold back what the page asks for at these addresses, to be let go one by one with `continue_`."""
    waiting: list[Route] = []

    def hold(route: Route) -> None:
        waiting.append(route)

    page.route(pattern, hold)
    return waiting


def citation(turn: Locator, number: int = 1) -> Locator:
    return turn.get_by_role("button", name=f"Source {number}:")


@contextmanager
def visit(browser: Browser, **options: Any) -> Iterator[Page]:
    """A page of another visitor, with other options than the `page` of the tests."""
    context = browser.new_context(**options)
    try:
        yield context.new_page()
    finally:
        context.close()
