"""The pages that the server writes: the source view, and answers without JavaScript."""

import asyncio
import hashlib
import random
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.build import build
from index.documents import document_id
from index.embedding import HashingEmbedder
from index.store import MAX_UNREAD, Store
from index.styles import runs
from service import pages
from service.app import create_app
from service.confidence import percent
from service.settings import Settings
from service.state import State
from tests.awkward import DOCUMENTS, MARKUP
from tests.conftest import serving
from tests.service.html import Html, message, started

KEY = "correct-horse-battery-staple-0123456789"
OPENED = "When did the old bridge open?"
MARKED_UP = '<img src=x onerror="ran()"> & "Co" </title>'
FILES = {
    **DOCUMENTS,
    "bridges.txt": "= Bridges =\n\nMay 4, 2020\n\nIt rained. The old bridge opened on 3 March 1932. Trains cross.\n",
    "crossings.txt": "= Crossings =\n\nMany came. The old bridge opened on 4 May 1933, they say. Nobody knows.\n",
    "copies.txt": f"# {MARKED_UP}\n\nA ferry sailed until 1910, and no longer. It was slow.\n",
    "linked.md": "---\ntitle: Linked\nurl: https://e.org/?a=1&b=<2>\n---\n\nThey trade.\n",
    "run.md": "---\ntitle: Run\nurl: javascript:ran()\n---\n\nThey trade.\n",
}


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages") / "documents"
    folder.mkdir()
    for name, text in FILES.items():
        (folder / name).write_bytes(text.encode("utf-8-sig"))
    build(folder, folder.parent / "index", HashingEmbedder())
    return folder.parent / "index"


@pytest.fixture(scope="module")
def client(index: Path) -> Iterator[httpx2.Client]:
    with serving(index, ATTEST_EMBEDDER="hashing") as address, httpx2.Client(base_url=address, timeout=60) as opened:
        yield opened


def sha256(name: str) -> str:
    return hashlib.sha256(FILES[name].encode("utf-8-sig")).hexdigest()


def view(client: httpx2.Client, name: str, quote: tuple[int, int] | None = None) -> httpx2.Response:
    path = f"/documents/{document_id(name)}/view"
    if quote is None:
        return client.get(path)
    return client.get(path, params={"start": quote[0], "end": quote[1], "sha256": sha256(name)})


# --- the source view


@pytest.mark.parametrize(
    ("name", "quote"),
    [
        ("bridges.txt", "3 March 1932"),
        ("emoji.txt", "👩\u200d👩\u200d👧\u200d👦 waved 🏳\ufe0f\u200d🌈 beside 🇷🇺"),
        ("right-to-left.txt", "ב־3 במרץ 1945 (March 3, 1945) עם"),
        ("right-to-left.txt", "\u202eoverride\u202c, an \u2067isolate\u2069"),
        ("combining.txt", "a\u0301vez met A\u030angstro"),
        (
            "line-ends.txt",
            "\r\nsigned on\rJune 13, 1952,\r\n\tit\tsays,\u00a0and\u2028restored\u2029on\u0085April 16,\x0b",
        ),
        ("line-ends.txt", "  two   spaces \x01\x08\x1f\x7f\x80\x9f\ufffd\ufffe\uffff\U0010ffff"),
        ("html.md", "&lt;tag&gt; &amp;amp; </p></article></mark> <!-- of --> 1945 <![CDATA[was]]> <br/>"),
        ("html.md", "</title><plaintext> &copy &notit; &#x41; \"quoted\" 'single' `back` {{ 7*7 }} {% raw %}"),
        ("script.md", "<script>ran()</script> of 1945 they <img src=x onerror=ran()> met </script>"),
        ("markdown.md", "iet **Union**](https://e.org/a_(b)) made `ties` with __Cara"),
        ("wiki.txt", "''ties''<ref name=\"a\">Smith</ref> with [[Caracas]] {{on|date=1945}} on [https://e.org March"),
    ],
)
def test_the_mark_is_the_quote_and_the_article_is_the_text(client: httpx2.Client, name: str, quote: str) -> None:
    start = FILES[name].index(quote)
    html = Html(view(client, name, (start, start + len(quote))))
    assert html.one("mark").text == quote
    assert html.one("mark").attributes["id"] == "quote"
    assert html.one("article").text == FILES[name]


@pytest.mark.parametrize("name", FILES)
def test_any_slice_of_a_document_can_be_marked(client: httpx2.Client, name: str) -> None:
    text, chance = FILES[name], random.Random(name)
    slices = [(0, len(text)), *(sorted(chance.sample(range(len(text) + 1), 2)) for _ in range(4))]
    for start, end in slices:
        html = Html(view(client, name, (start, end)))
        assert html.one("mark").text == text[start:end]
        assert html.one("article").text == text


def test_a_document_without_a_quote_is_shown_whole_and_unmarked(client: httpx2.Client) -> None:
    html = Html(view(client, "wiki.txt"))
    assert html.one("article").text == FILES["wiki.txt"]
    assert html.all("mark") == []
    styled = [element for element in html.all("span") if "class" in element.attributes]
    assert [element.text for element in styled if element.attributes["class"] == "heading"] == [
        "Ties",
        "Infobox",
        "Past",
    ]


@pytest.mark.parametrize(
    ("name", "headings"),
    [
        ("wiki.txt", [("= Ties =", "2"), ("Infobox", "2"), ("==Past==", "3")]),
        ("markdown.md", [("# Ties *of* `two` states #", "2"), ("## The **rest**", "3")]),
        ("emoji.txt", []),
    ],
)
def test_a_heading_of_a_document_is_one_heading_of_its_level_signs_included(
    client: httpx2.Client, name: str, headings: list[tuple[str, str]]
) -> None:
    roles = [element for element in Html(view(client, name)).all("span") if "role" in element.attributes]
    assert [(element.text, element.attributes["aria-level"]) for element in roles] == headings
    assert all(element.attributes["role"] == "heading" for element in roles)


def test_the_view_says_what_it_shows(client: httpx2.Client) -> None:
    html = Html(view(client, "bridges.txt", (4, 9)))
    assert html.one("title").text == "Bridges – Attest"
    assert html.one("h1").text == "Bridges"
    about = [element.text for element in html.all("p")]
    assert about[0] == "bridges.txt, 4 May 2020"
    assert "characters 4–9" in about[1]
    assert sha256("bridges.txt") in about[1]


@pytest.mark.parametrize(("name", "language"), [("line-ends.txt", "en"), ("emoji.txt", "")])
def test_the_text_and_its_title_have_the_language_of_the_document(
    client: httpx2.Client, name: str, language: str
) -> None:
    html = Html(view(client, name))
    assert html.one("html").attributes["lang"] == "en"
    for element in ("article", "h1"):
        assert html.one(element).attributes["lang"] == language


def test_only_an_address_of_the_web_is_a_link(client: httpx2.Client) -> None:
    (brand, link) = Html(view(client, "linked.md")).all("a")
    assert brand.attributes["href"] == "/"
    assert (link.attributes["href"], link.text) == ("https://e.org/?a=1&b=<2>",) * 2
    assert [element.attributes["href"] for element in Html(view(client, "run.md")).all("a")] == ["/"]


def test_a_changed_document_is_not_shown_as_the_one_that_was_quoted(client: httpx2.Client) -> None:
    path = f"/documents/{document_id('bridges.txt')}/view"
    for query in (f"start=4&end=9&sha256={sha256('wiki.txt')}", "start=4&end=9&sha256=", "sha256=0"):
        response = client.get(f"{path}?{query}")
        assert "This document has changed since it was quoted" in message(response, 409)
        for word in re.findall(r"\w{6,}", FILES["bridges.txt"]):
            assert word not in response.text
        assert Html(response).all("a")[-1].attributes["href"] == path
    assert client.get(path).status_code == 200


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("start=4", "needs all of start, end and sha256"),
        ("end=9", "needs all of start, end and sha256"),
        ("start=4&end=9", "needs all of start, end and sha256"),
        ("start=4&sha256={sha256}", "needs all of start, end and sha256"),
        ("start=four&end=9&sha256={sha256}", "no number"),
        ("start=4&end=9.5&sha256={sha256}", "no number"),
        ("start=-4&end=9&sha256={sha256}", "no number"),
        ("start=&end=9&sha256={sha256}", "no number"),
        (f"start={'4' * 5_000}&end=9&sha256={{sha256}}", "no number"),
        ("start=9&end=9&sha256={sha256}", "no such quote"),
        ("start=9&end=4&sha256={sha256}", "no such quote"),
        ("start=4&end={beyond}&sha256={sha256}", "no such quote"),
        ("start=4&end=99999999999999999999&sha256={sha256}", "no such quote"),
    ],
    ids=lambda value: value[:50],
)
def test_a_wrong_address_is_a_page_that_says_what_is_wrong(client: httpx2.Client, query: str, words: str) -> None:
    beyond = len(FILES["bridges.txt"]) + 1
    query = query.format(sha256=sha256("bridges.txt"), beyond=beyond)
    assert words in message(client.get(f"/documents/{document_id('bridges.txt')}/view?{query}"), 422)


@pytest.mark.parametrize("name", ["0123456789abcdef", "%FF", "%00", "..%5C", "%F0%9F%8C%89", "%3Cscript%3Eran()"])
def test_an_unknown_document_is_a_page_that_says_so(client: httpx2.Client, name: str) -> None:
    response = client.get(f"/documents/{name}/view?start=1&end=2&sha256=0")
    assert "no such document" in message(response, 404)
    assert "ran()" not in response.text


def test_what_a_page_cannot_show_is_a_problem_for_programs_still(client: httpx2.Client) -> None:
    response = client.get("/documents/0123456789abcdef/text")
    assert response.headers["content-type"] == "application/problem+json"


# --- what the page asks for, to show a source itself


@pytest.mark.parametrize("name", ["wiki.txt", "line-ends.txt"])
def test_text_and_markup_come_with_the_sha256_of_the_same_file(client: httpx2.Client, name: str) -> None:
    path = f"/documents/{document_id(name)}"
    text, markup = client.get(f"{path}/text"), client.get(f"{path}/markup").json()
    assert text.content == FILES[name].encode()
    assert text.headers["etag"] == f'"{sha256(name)}"'
    assert markup["sha256"] == sha256(name)
    assert [(run["start"], run["end"], tuple(run["styles"])) for run in markup["runs"]] == [
        (run.start, run.end, run.styles) for run in runs(FILES[name])
    ]


def test_the_markup_of_an_unknown_document_is_a_problem(client: httpx2.Client) -> None:
    response = client.get("/documents/0123456789abcdef/markup")
    assert (response.status_code, response.json()["type"]) == (404, "urn:attest:problem:unknown-document")


@given(MARKUP, st.data())
def test_the_parts_of_a_text_are_the_text(text: str, data: st.DataObject) -> None:
    start, end = sorted(data.draw(st.tuples(*[st.integers(0, len(text))] * 2)))
    cut = list(pages.parts(text, (start, end)))
    assert [joined(part) for part, _ in cut] == [text[:start], text[start:end], text[end:]]
    assert [marked for _, marked in cut] == [False, True, False]
    ((whole, marked),) = pages.parts(text, None)
    assert (joined(whole), marked) == (text, False)


def joined(part: pages.Part) -> str:
    return "".join(words for _, pieces in part for words, _ in pieces)


# --- an answer without JavaScript


def test_an_answer_is_shown_as_its_quote_in_its_sentence(client: httpx2.Client) -> None:
    answer = client.post("/ask", json={"question": OPENED}).json()
    citation = answer["citations"][0]
    html = Html(client.get("/answer", params={"q": OPENED}))
    assert html.one("h1").text == OPENED
    assert html.one("title").text == f"{OPENED} – Attest"
    assert html.all("blockquote")[0].text == citation["sentence"]["text"] == "The old bridge opened on 3 March 1932."
    assert html.all("mark")[0].text == citation["quote"] == answer["answer"] == "3 March 1932"
    assert html.all("figcaption")[0].text.split() == "Quoted from Bridges, 4 May 2020 [1]".split()
    assert html.one("summary").text == f"{pages.sureness(answer['confidence'])} ({percent(answer['confidence'])}%)"
    assert f"about {percent(answer['confidence'])} in 100 were right" in html.one("details").text


def test_an_answer_links_to_its_quote_in_the_source(client: httpx2.Client) -> None:
    for link in Html(client.get("/answer", params={"q": OPENED})).all("a")[1:]:
        address = link.attributes["href"]
        assert address.endswith("#quote")
        quote = Html(client.get(address)).one("mark").text
        assert quote in ("3 March 1932", "4 May 1933")


def test_a_document_that_says_otherwise_is_quoted_too(client: httpx2.Client) -> None:
    html = Html(client.get("/answer", params={"q": OPENED}))
    assert [element.text for element in html.all("mark")] == ["3 March 1932", "4 May 1933"]
    (heading,) = html.all("h2")
    assert heading.text.startswith("Other documents")
    assert [link.text for link in html.all("a")[1:]] == ["[1]", "[1]", "[2]"]


def test_a_quote_with_any_line_end_is_exact_on_the_answer_page(client: httpx2.Client) -> None:
    question = "When was the treaty signed?"
    quote = client.post("/ask", json={"question": question}).json()["citations"][0]
    assert "\r" in quote["sentence"]["text"]
    html = Html(client.get("/answer", params={"q": question}))
    assert (html.all("blockquote")[0].text, html.all("mark")[0].text) == (quote["sentence"]["text"], quote["quote"])


def test_no_answer_is_said_plainly_beside_what_is_related(client: httpx2.Client) -> None:
    answer = client.post("/ask", json={"question": "What is the boiling point of ethanol?"}).json()
    html = Html(client.get("/answer", params={"q": "What is the boiling point of ethanol?"}))
    words = html.one("main").text
    assert f"No answer found. {pages.REASONS[answer['reason']]}" in words
    assert "Searched: all documents." in words
    assert [element.text for element in html.all("h2")] == ["Related, not an answer"]
    assert [quote.text for quote in html.all("blockquote")] == [c["sentence"]["text"] for c in answer["related"]]
    assert html.all("mark") == []
    assert "Quoted" not in words


def test_a_question_can_be_restricted_to_a_document(client: httpx2.Client) -> None:
    html = Html(client.get("/answer", params={"q": OPENED, "in": document_id("crossings.txt")}))
    assert [element.text for element in html.all("mark")] == ["4 May 1933"]
    chosen = [option.text for option in html.all("option") if "selected" in option.attributes]
    assert chosen == ["Crossings"]
    assert "in: Crossings" in html.one("main").text
    html = Html(client.get("/answer", params={"q": OPENED, "in": document_id("run.md")}))
    assert "Searched: Run." in html.one("main").text


def test_the_language_of_a_document_is_stated_wherever_it_is_named_or_quoted(client: httpx2.Client) -> None:
    within = document_id("markdown.md")
    html = Html(client.get("/answer", params={"q": "Which bridge is the rest of it?", "in": within}))
    (option,) = [option for option in html.all("option") if option.attributes["value"] == within]
    assert (option.text, option.attributes["lang"], option.attributes["dir"]) == ("Ties of two states", "en", "auto")
    named = [element for element in html.elements if element.name in ("cite", "blockquote", "span")]
    assert {element.name for element in named} == {"cite", "blockquote", "span"}
    assert {(element.attributes["lang"], element.attributes["dir"]) for element in named} == {("en", "auto")}


def test_the_form_offers_every_document_and_keeps_the_question(client: httpx2.Client) -> None:
    html = Html(client.get("/answer", params={"q": OPENED}))
    assert len(html.all("option")) == 1 + len(FILES)
    assert html.one("input").attributes["value"] == OPENED
    assert html.one("form").attributes == {"class": "ask", "action": "/answer"}


def test_the_documents_are_listed_once_and_not_for_every_answer(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(store: Store) -> None:
        raise AssertionError(f"{store} is asked for the length of every text")

    async def scene() -> None:
        async with started(Settings(index=index, embedder="hashing")) as client:
            monkeypatch.setattr(Store, "listing", refuse)
            assert len(Html(await client.get("/answer", params={"q": OPENED})).all("option")) == 1 + len(FILES)
            assert len((await client.get("/documents")).json()["documents"]) == len(FILES)

    asyncio.run(scene())


def test_of_too_many_unread_files_the_others_are_counted(tmp_path: Path) -> None:
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "a.txt").write_text("They trade.")
    for number in range(MAX_UNREAD + 3):
        (folder / f"{number}.bin").touch()
    build(folder, tmp_path / "index", HashingEmbedder())

    async def scene() -> None:
        async with started(Settings(index=tmp_path / "index", embedder="hashing")) as client:
            listed = (await client.get("/documents")).json()
            assert (len(listed["unread"]), listed["more_unread"]) == (MAX_UNREAD, 3)

    asyncio.run(scene())


@pytest.mark.parametrize(("question", "words"), [("x" * 1_001, "1,001 characters"), (" \t", "The question is empty.")])
def test_a_question_that_cannot_be_asked_is_kept_and_the_reason_said(
    client: httpx2.Client, question: str, words: str
) -> None:
    response = client.get("/answer", params={"q": question})
    assert words in message(response, 200)
    assert Html(response).one("input").attributes["value"] == question


def test_without_a_question_there_is_only_the_form(client: httpx2.Client) -> None:
    response = client.get("/answer")
    assert "No answer" not in message(response, 200)
    assert Html(response).one("form").attributes["action"] == "/answer"


@pytest.mark.parametrize("within", ["0123456789abcdef", "\ud83d\ude00", "<script>ran()</script>"])
def test_an_answer_from_an_unknown_document_is_a_page_that_says_so(client: httpx2.Client, within: str) -> None:
    query = urlencode({"q": OPENED, "in": within}, errors="surrogatepass")
    assert "no such document" in message(client.get(f"/answer?{query}"), 404)


# --- what looks like markup


def test_a_title_that_looks_like_markup_is_text(client: httpx2.Client) -> None:
    html = Html(view(client, "copies.txt"))
    assert html.one("h1").text == MARKED_UP
    assert html.one("title").text == f"{MARKED_UP} – Attest"
    html = Html(client.get("/answer", params={"q": "Until when did a ferry sail?"}))
    assert MARKED_UP in [cite.text for cite in html.all("cite")]
    assert f"Source 1: show it in {MARKED_UP}" in [link.attributes.get("aria-label") for link in html.all("a")]
    assert MARKED_UP in [option.text for option in html.all("option")]
    assert html.all("img") == []


def test_a_question_that_looks_like_markup_is_text(client: httpx2.Client) -> None:
    html = Html(client.get("/answer", params={"q": MARKED_UP}))
    assert html.one("h1").text == html.one("input").attributes["value"] == MARKED_UP
    assert html.one("title").text == f"{MARKED_UP} – Attest"
    assert html.all("img") == []


# --- the same words as the page's


def test_the_words_of_reasons_and_of_sureness_are_those_of_the_chat_page() -> None:
    script = (pages.STATIC / "answer.js").read_text(encoding="utf-8")
    reasons = re.search(r"const reasons = \{(.*?)\n\};", script, re.DOTALL)
    sureness = re.search(r"const sureness = \[(.*?)\n\];", script, re.DOTALL)
    assert reasons
    assert sureness
    assert dict(re.findall(r'(\w+): "([^"]+)"', reasons[1])) == pages.REASONS
    found = [(float(least), words) for least, words in re.findall(r'\[([\d.]+), "([^"]+)"\]', sureness[1])]
    assert found == list(pages.SURENESS)


@pytest.mark.parametrize(
    ("confidence", "words"),
    [
        (1.0, "Very likely right"),
        (0.9, "Very likely right"),
        (0.8999, "Likely right"),
        (0.5, "More likely right than wrong"),
        (0.4999, "Uncertain: check the source"),
        (0.0, "Uncertain: check the source"),
    ],
)
def test_a_confidence_is_said_in_words(confidence: float, words: str) -> None:
    assert pages.sureness(confidence) == words


# --- before it can answer


def links(response: httpx2.Response) -> list[tuple[str, str]]:
    """The links of a page that does not move on by itself."""
    html = Html(response)
    assert [meta for meta in html.all("meta") if "http-equiv" in meta.attributes] == []
    return [(link.text, link.attributes["href"]) for link in html.all("a")]


def test_while_models_and_index_load_a_page_says_so_and_offers_to_look_again(tmp_path: Path) -> None:
    async def scene() -> None:
        settings = Settings(index=tmp_path, embedder="hashing")
        app = create_app(settings)
        app.state.attest = State(settings, HashingEmbedder())  # never started: it loads for ever
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://127.0.0.1") as client:
            for path in ("/answer?q=bridge%26&in=a", "/documents/0123456789abcdef/view?start=1&end=2&sha256=3"):
                response = await client.get(path)
                assert "still loading" in message(response, 503)
                assert response.headers["retry-after"] == "2"
                assert links(response) == [("Attest", "/"), ("Look again", path)]
        app.state.attest.close()

    asyncio.run(scene())


def test_with_nothing_indexed_a_page_says_how_and_offers_to_look_again(tmp_path: Path) -> None:
    async def scene() -> None:
        async with started(Settings(index=tmp_path / "nowhere", embedder="hashing")) as client:
            response = await client.get("/answer?q=bridge")
            assert "attest index FOLDER" in message(response, 503)
            assert links(response) == [("Attest", "/"), ("Look again", "/answer?q=bridge")]

    asyncio.run(scene())


def test_with_a_damaged_index_a_page_says_so_once(tmp_path: Path) -> None:
    async def scene() -> None:
        (tmp_path / "attest.sqlite").write_bytes(b"no database at all")
        async with started(Settings(index=tmp_path, embedder="hashing")) as client:
            response = await client.get("/answer?q=bridge")
            assert message(response, 503)
            assert links(response) == [("Attest", "/")]

    asyncio.run(scene())
