"""Text out of HTML, PDF and DOCX: what is read, what is refused, and what happens to a parser that goes wrong."""

import io
import os
import threading
import time
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path

import docx
import pytest

from index.build import add
from index.documents import UnreadableFileError, document
from index.embedding import HashingEmbedder
from index.extraction import MAX_TEXT, MAX_TITLE, Extracted, ExtractionError, Extractor, _read
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


def test_another_answer_than_a_parser_gives_is_refused() -> None:
    assert _read(b'{"text": "It rained.", "pages": [0], "title": "A", "date": "1999-05-03"}').title == "A"
    with pytest.raises(ExtractionError, match="a\N{REPLACEMENT CHARACTER}b"):
        _read(b'{"error": "a\\u001bb"}')
    for answer in (
        b"",
        b"[]",
        b"null",
        b'{"error": 5}',
        b'{"pages": []}',
        b'{"text": 5, "pages": []}',
        b'{"text": " ", "pages": []}',
        b'{"text": "\\ud800", "pages": []}',
        b'{"text": "a\\u0000", "pages": []}',
        b'{"text": "a", "pages": [2]}',
        b'{"text": "a", "pages": [1, 0]}',
        b'{"text": "a", "pages": [0.5]}',
        b'{"text": "a", "pages": [], "title": "%b"}' % (b"x" * 301),
        b'{"text": "a", "pages": [], "date": "2024-02-30"}',
        b'{"text": "a", "pages": [], "url": "javascript:ran()"}',
        b'{"text": "a", "pages": [], "lang": "%b"}' % (b"x" * 36),
        b'{"text": "a", "pages": [], "more": 1}',
        b'{"text": "%b", "pages": []}' % (b"x" * 10_000_001),
        b"[" * 100_000,
    ):
        with pytest.raises((ValueError, TypeError, KeyError, AttributeError, RecursionError)):
            _read(answer)


def test_what_a_file_says_of_itself_is_cut_short_or_left_out(extractor: Extractor) -> None:
    head = f"<title>{'x' * 1_000_000}</title><link rel=canonical href='https://e.org/{'y' * 5_000}'>"
    head += "<meta name=date content='2024-02-30'>"
    found = extractor.extract("a.html", files.html("<p>It rained.</p>", head))
    assert found == Extracted("It rained.", title="x" * MAX_TITLE)
    found = extractor.extract("a.html", files.html("<p>It rained.</p>", "<meta name=date content='2024-02-29T10:00'>"))
    assert found == Extracted("It rained.", date="2024-02-29")


def test_a_parser_that_nobody_ends_ends_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading.Timer, "run", lambda _: None)
    with Extractor(seconds=0.5) as hasty:
        hasty.extract("a.html", b"<p>It rained.</p>")
        with pytest.raises(ExtractionError, match="its text was not out after"):
            hasty.extract(
                "b.html", files.html(f"<p {' '.join(f'a{number}=1' for number in range(200_000))}>It rained.")
            )


def test_a_document_of_many_paragraphs_and_wide_tables_is_read_soon(extractor: Extractor) -> None:
    made = docx.Document()
    paragraph = made.add_paragraph("It rained.")._p
    for _ in range(20_000):
        paragraph.addnext(deepcopy(paragraph))
    cell = made.add_table(rows=1, cols=1).cell(0, 0)
    cell.text = "1932"
    cell._tc.grid_span = 100_000_000
    out = io.BytesIO()
    made.save(out)
    assert extractor.extract("a.docx", out.getvalue()).text.split("\n\n") == ["It rained."] * 20_001 + ["1932"]


def test_a_cell_over_several_rows_stands_in_each_of_them(extractor: Extractor) -> None:
    made = docx.Document()
    table = made.add_table(rows=3, cols=3)
    for number, cell in enumerate(cell for row in table.rows for cell in row.cells):
        cell.text = str(number)
    table.cell(0, 0).merge(table.cell(1, 0)).text = "tall"
    table.cell(2, 0).merge(table.cell(2, 1)).text = "wide"
    out = io.BytesIO()
    made.save(out)
    assert extractor.extract("a.docx", out.getvalue()).text.split("\n\n") == [
        "tall | 1 | 2",
        "tall | 4 | 5",
        "wide | 8",
    ]
