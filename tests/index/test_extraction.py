"""Text out of HTML, PDF and DOCX: what is read, what is refused, and what happens to a parser that goes wrong."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from index.build import add
from index.documents import UnreadableFileError, document
from index.embedding import HashingEmbedder
from index.extraction import MAX_TEXT, Extracted, ExtractionError, Extractor
from service.answering import Answerer
from service.reader import SENTENCES
from tests import files

PAGE = """
<nav><ul><li><a href="/">Home</a></li></ul></nav>
<h1>Bridge <i>opens</i></h1>
<article>loose <b>words</b>
<p>It rained.<br>The <a href="x">bridge</a> opened in <b>1932</b>.</p>
<h2>Cost</h2><div>It cost $4&nbsp;million.<p>More</p>tail</div>
<ul><li>Two lanes</li><li>One rail</li></ul>
<table><tr><th>Year</th><th>Cars</th></tr><tr><td>1932</td><td>5,000</td></tr></table></article>
<!-- no --><script>alert(1)</script><style>p {}</style><footer>Copyright</footer>
"""
HEAD = """<title>Bridge opens | The Times</title><link rel="canonical" href="https://times.example/b">
<meta property="article:published_time" content="1999-05-03T10:00:00Z">"""


@pytest.fixture(scope="module")
def extractor() -> Iterator[Extractor]:
    with Extractor() as started:
        yield started


def test_a_page_is_read_in_blocks_without_what_leads_elsewhere(extractor: Extractor) -> None:
    found = extractor.extract("a.html", files.html(PAGE, HEAD))
    assert found.text.split("\n\n") == [
        "# Bridge opens",
        "loose words",
        "It rained.\nThe bridge opened in 1932.",
        "## Cost",
        "It cost $4 million.",
        "More",
        "tail",
        "- Two lanes",
        "- One rail",
        "Year | Cars",
        "1932 | 5,000",
    ]
    assert (found.title, found.date, found.url) == ("Bridge opens | The Times", "1999-05-03", "https://times.example/b")


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("<p>Él vino</p>".encode(), "Él vino"),  # a page in UTF-8 that does not say so
        ('<meta charset="iso-8859-1"><p>Él vino</p>'.encode("latin-1"), "Él vino"),
        (b"\xef\xbb\xbf<p>Mark</p>", "Mark"),
        (b"only words", "only words"),
    ],
)
def test_letters_of_a_page_are_read_rightly(extractor: Extractor, data: bytes, text: str) -> None:
    assert extractor.extract("a.HTM", data).text == text


def test_tables_and_forms_are_read_like_the_rest(extractor: Extractor) -> None:
    body = """<form><p>Whole pages stand in forms.</p><input value="x"><select><option>No</option></select></form>
    <table><tr><td>H<sub>2</sub>O<script>no()</script></td><td>a<br>b</td></tr></table>
    <table><tr><td><h2>Layout</h2><p>Words in a cell.</p></td></tr></table>"""
    assert extractor.extract("a.html", files.html(body)).text.split("\n\n") == [
        "Whole pages stand in forms.",
        "H2O | a b",
        "## Layout",
        "Words in a cell.",
    ]


def test_pages_of_a_pdf_begin_where_it_says(extractor: Extractor) -> None:
    pages = [["The bridge opened in", "1932 in the rain."], ["It closed in 1977."], [], ["It fell."]]
    found = extractor.extract("a.pdf", files.pdf(pages, title="Bridges"))
    assert found.text == "The bridge opened in\n1932 in the rain.\n\nIt closed in 1977.\n\n\n\nIt fell."
    assert [found.text[start : start + 5] for start in found.pages] == ["The b", "It cl", "\n\nIt ", "It fe"]
    assert (found.title, found.date) == ("Bridges", "1999-05-03")


def test_a_document_of_a_word_processor_is_read_with_its_headings_items_and_tables(extractor: Extractor) -> None:
    blocks = [
        ("Title", "Bridges"),
        ("Heading 2", "Opening"),
        ("Normal", "It  opened\tin 1932."),
        ("List Bullet", "Two"),
    ]
    found = extractor.extract("a.docx", files.word([*blocks, ("Normal", "")], [["Year", "Cars"], ["1932", "5,000"]]))
    assert found.text.split("\n\n") == [
        "# Bridges",
        "## Opening",
        "It opened in 1932.",
        "- Two",
        "Year | Cars",
        "1932 | 5,000",
    ]


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.html", b"", "no .html file that can be read"),
        ("a.html", b"<script>x</script>", "no text in it"),
        ("a.pdf", b"%PDF-1.4 nothing", "no PDF that can be read"),
        ("a.pdf", files.pdf([[]]), "only images; it has to be recognised"),
        ("a.docx", b"PK", r"no .docx file that can be read \(BadZipFile"),
        ("a.docx", files.zip_bomb(12), "no .docx file that can be read"),
        ("a.docx", files.zip_bomb(2_000), "memory|no .docx file that can be read"),
        ("a.html", files.html("<p>" + "x" * (MAX_TEXT + 1)), "more than 10 MB of text"),
    ],
)
def test_what_cannot_be_read_is_told_and_the_next_file_is_read(
    extractor: Extractor, name: str, data: bytes, reason: str
) -> None:
    with pytest.raises(ExtractionError, match=reason):
        extractor.extract(name, data)
    assert extractor.extract("b.html", b"<p>Next</p>").text == "Next"


def test_a_page_is_read_whole_or_not_at_all(extractor: Extractor) -> None:
    assert extractor.extract("a.html", b"<div>" * 1_000 + b"deep").text == "deep"
    with pytest.raises(ExtractionError, match="its elements are nested too deeply"):
        extractor.extract("a.html", b"<p>One</p>" + b"<div>" * 100_000 + b"deep")


def test_a_parser_that_takes_too_long_is_ended() -> None:
    with Extractor(seconds=0.01) as hasty:
        began = time.monotonic()
        with pytest.raises(ExtractionError, match="its text was not out after 0 seconds"):
            hasty.extract("a.html", files.html("<p>x</p>" * 100_000))
        assert time.monotonic() - began < 5


def test_a_parser_that_crashes_is_started_again(extractor: Extractor) -> None:
    extractor.extract("a.html", b"<p>One</p>")
    assert extractor._process
    extractor._process.kill()
    extractor._process.wait()
    assert extractor.extract("b.html", b"<p>Two</p>").text == "Two"


def test_the_process_is_gone_when_it_is_closed_and_knows_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATTEST_API_KEY", "k" * 32)
    with Extractor() as started:
        started.extract("a.html", b"<p>One</p>")
        assert started._process
        number = started._process.pid
        assert b"ATTEST" not in Path(f"/proc/{number}/environ").read_bytes()
        limits = Path(f"/proc/{number}/limits").read_text()
        assert "Max file size             0" in limits
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)


def test_a_document_is_what_was_taken_out_and_keeps_the_hash_of_its_file() -> None:
    data = files.html("<p>The bridge opened in 1932.</p>", HEAD)
    read, _ = document("a.html", data)
    assert read.text == "The bridge opened in 1932."
    assert (read.ref.title, read.ref.date, read.url) == (
        "Bridge opens | The Times",
        "1999-05-03",
        "https://times.example/b",
    )
    with pytest.raises(UnreadableFileError, match="no PDF"):
        document("a.pdf", b"x")


def test_a_citation_names_the_page(tmp_path: Path, hashing: HashingEmbedder) -> None:
    add(tmp_path, [("a.pdf", files.pdf([["It rained."], ["The bridge opened in 1932."]]))], hashing)
    answerer = Answerer.open(tmp_path, hashing, SENTENCES)
    (citation, *_) = answerer.ask("When did the bridge open?", min_confidence=0).citations
    answerer.close()
    assert (citation.quote, citation.page) == ("The bridge opened in 1932.", 2)


def test_nothing_is_started_where_all_is_text() -> None:
    with Extractor() as started:
        document("a.txt", b"One.", extractor=started)
        assert started._process is None
    assert Extracted("x").pages == ()
