"""The pages in a real Chromium: exact for any text, and safe with any document."""

import gzip
import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote as quoted
from urllib.parse import urlencode

import httpx2
import pytest
from playwright.sync_api import Browser, Page, Request, expect

from index.build import build
from index.documents import Document, document
from index.embedding import HashingEmbedder
from index.sentences import sentences
from service.answering import MAX_QUESTION
from service.pages import STATIC
from tests.awkward import DOCUMENTS, LARGE, PAYLOADS
from tests.conftest import serving
from tests.service.contract import seed_texts
from tests.service.town import (
    BRIDGE,
    ETHANOL,
    citation,
    question_field,
)

# --- exact for any text, and safe with any document


@dataclass(frozen=True)
class Library:
    """A server of the seeds, the awkward texts, and documents full of payloads; `documents` is what it must hold."""

    address: str
    documents: dict[str, Document]


def loaded(payload: str) -> str:
    """A document that carries a payload wherever it can."""
    url = payload if len(payload) % 2 else f"https://e.org/{payload}"
    return (
        f"---\ntitle: {payload}\ndate: {payload}\nurl: {url}\nlang: {payload}\n---\n\n# {payload}\n\n"
        f"{payload} was opened in 1901 by {payload}. It stood.\n\n## {payload}\n\nMore of {payload}.\n"
    )


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    texts = {**seed_texts(), **DOCUMENTS, "large.txt": LARGE}
    texts |= {f"{re.sub('/+', '/', payload)}.md": loaded(payload) for payload in PAYLOADS}
    folder = tmp_path_factory.mktemp("library") / "documents"
    found = {}
    for uri, text in texts.items():
        path = folder / uri
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode("utf-8-sig"))
        path.with_suffix(".png").write_bytes(b"unreadable")
        found[uri], _ = document(uri, path.read_bytes())
        assert found[uri].text == text
    build(folder, folder.parent / "index", HashingEmbedder())
    with serving(folder.parent / "index", ATTEST_EMBEDDER="hashing", ATTEST_READER="sentence") as address:
        yield Library(address, found)


def cite(source: Document, sentence: tuple[int, int], start: int, end: int, section: str | None = None) -> Any:
    """A citation as the API gives it."""

    def piece(start: int, end: int) -> dict[str, Any]:
        return {"start": start, "end": end, "text": source.text[start:end]}

    passage = max(0, sentence[0] - 200), min(len(source.text), sentence[1] + 200)
    ref = source.ref
    fields = {name: getattr(ref, name) for name in ("id", "title", "uri", "date", "sha256", "lang")}
    return {
        "document": fields,
        **piece(start, end),
        "quote": source.text[start:end],
        "sentence": piece(*sentence),
        "passage": {"id": "made", **piece(*passage)},
        "section": section,
        "score": 0.9,
    }


def answer(page: Page, question: str, citations: list[Any], **fields: Any) -> Any:
    """Ask a question on a page whose server answers with these citations, and return the turn that it becomes."""
    made = {
        "id": "made",
        "question": question,
        "status": "answered",
        "answer": citations[0]["quote"] if citations else None,
        "confidence": 0.95,
        "reason": None,
        "citations": citations,
        "differing": [],
        "related": [],
        "warnings": [],
        "index": {"generation": 1, "embedder": "hashing", "reader": "sentence"},
        "timings_ms": {"retrieve": 1, "read": 1, "total": 2},
        **fields,
    }
    page.unroute("**/ask")
    page.route("**/ask", lambda route: route.fulfill(json=made))
    question_field(page).fill(question)
    page.keyboard.press("Enter")
    turn = page.locator("article").last
    expect(turn.locator("h2")).to_have_text(question.strip())
    return turn


def drawn(library: Library, chance: random.Random, uri: str) -> Any:
    """A citation at a random slice of a random sentence of a document."""
    source = library.documents[uri]
    begin = chance.randrange(max(1, len(source.text) - 10_000))
    sentence = chance.choice(list(sentences(source.text, begin, min(len(source.text), begin + 10_000))))
    start, end = sorted(chance.sample(range(sentence[0], sentence[1] + 1), 2))
    return cite(source, sentence, start, end)


def words_of(mark: Any) -> str:
    return str(mark.evaluate("mark => mark.textContent"))


def given(library: Library, chance: random.Random) -> list[Any]:
    """The citations of an answer that the service itself gives to the words of a random sentence."""
    text = library.documents[chance.choice([*seed_texts(), *DOCUMENTS])].text
    asked = text[slice(*chance.choice(list(sentences(text, 0, len(text)))))]
    body = {"question": asked[:MAX_QUESTION], "min_confidence": 0}
    found = httpx2.post(f"{library.address}/ask", json=body, timeout=30).json()
    citations: list[Any] = [*found["citations"], *found["differing"], *found["related"]]
    for made in citations:
        assert library.documents[made["document"]["uri"]].text[made["start"] : made["end"]] == made["quote"]
    return citations


@pytest.mark.parametrize("seed", range(10))
def test_ten_citations_drawn_at_random_open_at_exactly_their_quote(library: Library, everyone: Page, seed: int) -> None:
    chance = random.Random(seed)
    citations = [made for _ in range(4) for made in given(library, chance)][:4]
    assert citations
    drawn_from = [*chance.choices([*seed_texts(), *DOCUMENTS], k=9), "large.txt" if seed % 4 == 0 else "emoji.txt"]
    citations += [drawn(library, chance, uri) for uri in drawn_from[len(citations) :]]
    everyone.set_viewport_size({"width": 1280, "height": 800})
    everyone.goto(library.address)
    turn = answer(everyone, f"Draw {seed}", citations)
    links = []
    for number, made in enumerate(citations):
        shown = turn.locator("figure").nth(number)
        assert words_of(shown.locator("mark")) == made["quote"]
        assert words_of(shown.locator("blockquote")) == made["sentence"]["text"]
        citation(turn, number + 1).click()
        mark = everyone.locator("#pane mark")
        expect(mark).to_be_focused(timeout=30_000)
        assert words_of(mark) == made["quote"]
        links.append(everyone.locator("#pane-about a").evaluate("link => link.href"))
    for made, link in zip(citations, links, strict=True):
        everyone.goto(link)
        assert words_of(everyone.locator("mark")) == made["quote"]
    everyone.unroute_all()


@dataclass
class Watched:
    """A page, and what went wrong on it."""

    page: Page
    wrong: list[str]


@contextmanager
def watched(browser: Browser, origin: str, **options: Any) -> Iterator[Watched]:
    """A page on which a script that should not run, a report or a request to another origin is noted."""
    context = browser.new_context(**options)
    found = Watched(context.new_page(), [])

    def note(what: object) -> None:
        found.wrong.append(str(what))

    def note_foreign(request: Request) -> None:
        if not request.url.startswith(f"{origin}/"):
            note(f"request: {request.url}")

    context.expose_function("ran", lambda: note("a script of a document"))
    context.expose_function("violated", lambda what: note(f"a violation of the policy: {what}"))
    context.add_init_script(
        "addEventListener('securitypolicyviolation', (event) => violated(`${event.violatedDirective} ${event.sample}`))"
    )
    context.on("console", lambda message: note(f"console: {message.text}"))
    context.on("weberror", lambda error: note(f"error: {error.error}"))
    context.on("dialog", lambda dialog: note(f"dialog: {dialog.message}"))
    context.on("request", note_foreign)
    yield found
    context.close()


OWN = (
    "() => [...document.querySelectorAll('*')].filter((one) => "
    "!['HTML','HEAD','META','TITLE','LINK','BODY','DIV','HEADER','MAIN','SECTION','ASIDE','ARTICLE','H1','H2','H3','P',"
    "'A','FOOTER','BUTTON','FORM','LABEL','INPUT','TEXTAREA','SELECT','OPTION','NOSCRIPT','UL','LI','FIGURE','FIGCAPTION',"
    "'BLOCKQUOTE','CITE','MARK','SPAN','STRONG','DETAILS','SUMMARY'].includes(one.tagName) "
    "&& !(one.tagName === 'SCRIPT' && one.src === `${origin}/static/app.js`)"
    "|| [...one.attributes].some(({ name, value }) => /^on|^srcdoc$/i.test(name) "
    "|| /^(src|href|action|formaction|content)$/i.test(name) && /^\\s*(javascript|data):/i.test(value)))"
    ".map((one) => one.outerHTML)"
)


def carriers(library: Library) -> list[Document]:
    """The document that carries each payload."""
    return [library.documents[f"{re.sub('/+', '/', payload)}.md"] for payload in PAYLOADS]


def carried(source: Document, payload: str) -> Any:
    """A citation of a payload in its document, with a section that is one too."""
    start = source.text.index(f"{payload} was opened")
    return cite(source, (start, source.text.index("It stood.")), start, start + len(payload), section=payload)


def settle(visit: Watched) -> None:
    """Let what was put on a page act, and check that it is no more than text."""
    visit.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
    assert visit.page.evaluate(OWN) == []


@pytest.mark.parametrize("options", [{}, {"bypass_csp": True}], ids=["with the policy", "without it"])
def test_nothing_in_a_document_or_a_question_runs_on_the_chat_page(
    library: Library, browser: Browser, options: dict[str, Any]
) -> None:
    carrying = carriers(library)
    with watched(browser, library.address, **options) as visit:
        page = visit.page
        page.goto(library.address)
        for first in range(0, len(PAYLOADS), 4):
            payloads, sources = PAYLOADS[first : first + 4], carrying[first : first + 4]
            citations = [carried(source, payload) for source, payload in zip(sources, payloads, strict=True)]
            made = {"warnings": payloads, "differing": citations[2:]}
            turn = answer(page, " ".join(payloads), citations[:2], **made)
            for number, payload in enumerate(payloads, start=1):
                citation(turn, number).last.click()
                assert words_of(page.locator("#pane mark")) == payload
                page.keyboard.press("Escape")
                expect(page.get_by_role("tooltip")).to_contain_text(payload)
                settle(visit)
                page.keyboard.press("Escape")
        answer(page, PAYLOADS[0], [], status="abstained", reason="low_confidence", related=citations)
        page.get_by_role("button", name="Documents").click()
        expect(page.locator("#pane li")).to_have_count(2 * len(library.documents))
        settle(visit)
        page.get_by_role("button", name="Ask in it").nth(3).click()
        page.reload()
        expect(page.locator("article")).to_have_count(len(PAYLOADS) // 4 + 1)
        settle(visit)
        assert visit.wrong == []
        page.unroute("**/ask")
        page.goto(f"{library.address}/?{urlencode({'q': PAYLOADS[0], 'in': PAYLOADS[6]})}")
        expect(page.locator("article")).to_contain_text(f"There is no document with the id '{PAYLOADS[6]}'.")
        settle(visit)
        assert [wrong for wrong in visit.wrong if "status of 404" not in wrong] == []


@pytest.mark.parametrize("options", [{}, {"bypass_csp": True}], ids=["with the policy", "without it"])
def test_nothing_in_a_document_or_a_question_runs_on_the_pages_of_the_server(
    library: Library, browser: Browser, options: dict[str, Any]
) -> None:
    with watched(browser, library.address, **options) as visit:
        for payload, source in zip(PAYLOADS, carriers(library), strict=True):
            found = carried(source, payload)
            query = {"start": found["start"], "end": found["end"], "sha256": source.ref.sha256}
            visit.page.goto(f"{library.address}/documents/{source.id}/view?{urlencode(query)}#quote")
            assert words_of(visit.page.locator("mark")) == payload
            assert words_of(visit.page.locator(".about").first).startswith(source.ref.uri)
            settle(visit)
        for payload in PAYLOADS[:8]:
            asked = {"q": f"What was opened in 1901 by {payload}?", "in": source.id}
            visit.page.goto(f"{library.address}/answer?{urlencode(asked)}")
            expect(visit.page.locator("h1")).to_have_text(asked["q"])
            expect(visit.page.locator("blockquote").first).to_be_visible()
            settle(visit)
        assert visit.wrong == []
        for path in ("/documents/{}/view", "/documents/x/view?start={}", "/answer?q=1901&in={}"):
            visit.page.goto(f"{library.address}{path.format(quoted(PAYLOADS[6], safe=''))}")
            settle(visit)
        assert [wrong for wrong in visit.wrong if not re.search("status of 4(04|22)", wrong)] == []


def test_what_should_not_run_would_be_noted(library: Library, browser: Browser) -> None:
    markup = "<img src=x onerror=ran()><img src=//evil.example/x.png>"
    for options, expected in (
        ({}, {"a violation of the policy", "console"}),
        ({"bypass_csp": True}, {"a script of a document", "console", "request"}),
    ):
        with watched(browser, library.address, **options) as visit:
            visit.page.goto(library.address)
            visit.page.evaluate("markup => { document.querySelector('main').innerHTML = markup }", markup)
            visit.page.wait_for_timeout(500)
            assert {wrong.split(":")[0] for wrong in visit.wrong} >= expected
            with pytest.raises(AssertionError):
                settle(visit)


# --- what the page is made of


def pages_of(client: httpx2.Client) -> list[str]:
    """One page of each kind that is served."""
    source = client.get("/documents").json()["documents"][0]
    view = f"/documents/{source['id']}/view"
    paths = ["/", view, f"{view}?start=0&end=9&sha256={source['sha256']}", f"{view}?sha256=0", f"{view}?start=1"]
    paths += ["/documents/none/view", f"/answer?{urlencode({'q': BRIDGE})}", f"/answer?{urlencode({'q': ETHANOL})}"]
    return [client.get(path).text for path in paths]


def test_no_page_has_script_or_style_of_its_own(town: str) -> None:
    with httpx2.Client(base_url=town) as client:
        for html in pages_of(client):
            assert re.findall(r"<script(?![^>]*\ssrc=)", html, re.IGNORECASE) == []
            assert re.findall(r"<script[^>]*>[^<]", html, re.IGNORECASE) == []
            assert re.findall(r"<style", html, re.IGNORECASE) == []
            assert re.findall(r"<[^>]*\s(?:style|on\w+)\s*=", html, re.IGNORECASE) == []
            assert re.findall(r"(?:src|href|action)\s*=(?!\s*[\"']?[/#?])", html, re.IGNORECASE) == []


def test_script_and_style_are_at_most_50_kb_zipped() -> None:
    files = [path for path in STATIC.iterdir() if path.suffix in {".js", ".css"}]
    assert {"app.js", "style.css"} <= {path.name for path in files}
    assert sum(len(gzip.compress(path.read_bytes())) for path in files) <= 50_000


def test_no_script_reads_text_as_markup_or_as_code() -> None:
    ways = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|setHTML|srcdoc|DOMParser|createContextualFragment"
    code = r"|\beval\b|\bFunction\(|setTimeout\(\s*[\"'`]|javascript:|setAttribute\(\s*[\"'`](?:on|style|src)"
    scripts = sorted(STATIC.glob("*.js"))
    assert scripts
    assert {path.name: re.findall(ways + code, path.read_text(encoding="utf-8")) for path in scripts} == {
        path.name: [] for path in scripts
    }
