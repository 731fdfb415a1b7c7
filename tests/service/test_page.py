"""The chat page in a real Chromium, against a real server."""

from pathlib import Path

import httpx2
from playwright.sync_api import Browser, Page, expect

from index.build import build
from index.embedding import HashingEmbedder
from tests.conftest import serving


def ask(page: Page, question: str) -> None:
    page.get_by_label("Ask the documents").fill(question)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=question)).to_be_visible()


def test_an_answer_is_quoted_and_its_citation_opens_the_source_at_the_quote(server: str, page: Page) -> None:
    question = "When did the Soviet Union establish relations with Venezuela?"
    answer = httpx2.post(f"{server}/ask", json={"question": question}).json()
    page.goto(server)
    ask(page, question)
    assert page.locator(".answer blockquote").inner_text() == answer["citations"][0]["sentence"]["text"]
    assert page.locator(".answer mark").inner_text() == answer["answer"]

    citation = page.get_by_role("button", name="Source 1: show the quote in Russia–Venezuela relations")
    citation.click()
    mark = page.locator("#source mark")
    assert mark.evaluate("mark => mark.textContent") == answer["answer"]
    expect(mark).to_be_focused()
    expect(mark).to_be_in_viewport()
    text = httpx2.get(f"{server}/documents/{answer['citations'][0]['document']['id']}/text").text
    assert page.locator("#source-text").evaluate("pane => pane.textContent") == text

    page.keyboard.press("Escape")
    expect(page.locator("#source")).to_be_hidden()
    expect(citation).to_be_focused()


def test_a_question_without_an_answer_shows_related_passages_as_no_answer(server: str, page: Page) -> None:
    page.goto(server)
    ask(page, "What is the boiling point of ethanol?")
    expect(page.locator(".none")).to_contain_text("No answer found.")
    expect(page.locator(".none")).to_contain_text("Related, not an answer")
    expect(page.locator(".answer, mark")).to_have_count(0)
    page.get_by_role("button", name="Source 1").click()
    expect(page.locator("#source mark")).to_be_visible()


def test_the_four_suggested_questions_are_all_answered(server: str, page: Page) -> None:
    page.goto(server)
    suggestions = page.locator("#suggestions button")
    expect(suggestions).to_have_count(4)
    questions = suggestions.all_inner_texts()
    for question in questions:
        page.goto(server)
        page.get_by_role("button", name=question).click()
        expect(page.locator(".answer blockquote")).to_have_count(1)
        expect(page.locator("#suggestions")).to_be_hidden()


def test_the_page_fits_a_narrow_phone(server: str, browser: Browser) -> None:
    context = browser.new_context(viewport={"width": 320, "height": 640})
    page = context.new_page()
    page.goto(server)
    ask(page, "When did the Soviet Union establish relations with Venezuela?")
    assert page.evaluate("document.documentElement.scrollWidth") == 320
    page.get_by_role("button", name="Source 1").click()
    expect(page.locator("#source mark")).to_be_in_viewport()
    assert page.evaluate("document.documentElement.scrollWidth") == 320
    context.close()


def test_markup_and_wide_characters_of_a_document_are_text_on_the_page(tmp_path: Path, page: Page) -> None:
    folder = tmp_path / "documents"
    folder.mkdir()
    sentence = "Le café 😀 «vermillion» <img src=x onerror=alert(1)> <script>alert(2)</script> opened in 1901."
    title = "<img src=y onerror=alert(3)>Notes 👩‍👩‍👧"
    (folder / "a.txt").write_text(f"{title}\n\nA first 🇻🇪 sentence stands here. {sentence}\n", encoding="utf-8")
    build(folder, tmp_path / "index", HashingEmbedder())
    with serving(tmp_path / "index", ATTEST_EMBEDDER="hashing", ATTEST_READER="sentence") as address:
        page.goto(address)
        ask(page, "café vermillion opened in 1901")
        assert page.locator("cite").first.inner_text() == title
        page.locator("button.citation").first.click()
        mark = page.locator("#source mark")
        expect(mark).to_be_visible()
        assert mark.evaluate("mark => mark.textContent") == sentence
        assert page.locator("#log img, #log script, #source img, #source script, cite img").count() == 0


def test_a_lost_server_is_reported_and_the_question_kept(tmp_path: Path, browser: Browser) -> None:
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "a.txt").write_text("The bridge opened in 1901. It carries trains.\n")
    build(folder, tmp_path / "index", HashingEmbedder())
    context = browser.new_context()
    page = context.new_page()
    with serving(tmp_path / "index", ATTEST_EMBEDDER="hashing") as address:
        page.goto(address)
        expect(page.locator("#status")).to_be_empty()
    page.get_by_label("Ask the documents").fill("When did the bridge open?")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("cannot be reached")
    expect(page.get_by_label("Ask the documents")).to_have_value("When did the bridge open?")
    context.close()


def test_a_service_with_a_key_asks_for_it(tmp_path: Path, browser: Browser) -> None:
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "a.txt").write_text("The bridge opened in 1901. It carries trains.\n")
    (folder / ".attestsuggestions").write_text("When did the bridge open?\n")
    build(folder, tmp_path / "index", HashingEmbedder())
    key = "correct-horse-battery-staple-0123456789"
    context = browser.new_context()
    page = context.new_page()
    with serving(tmp_path / "index", ATTEST_EMBEDDER="hashing", ATTEST_API_KEY=key) as address:
        page.goto(address)
        page.get_by_label("This service asks for its API key").fill(key)
        page.keyboard.press("Enter")
        page.get_by_role("button", name="When did the bridge open?").click()
        expect(page.locator("article blockquote").first).to_have_text("The bridge opened in 1901.")
    context.close()
