"""Headings, paragraphs, list items and furniture, each as an exact slice."""

import time

import pytest

from index.documents import document
from index.structure import parse, parse_date
from tests.conftest import MOSCOW_TIMES, SEEDS, WIKIPEDIA


def blocks(text: str) -> list[tuple[str, str]]:
    return [(block.kind, text[block.start : block.end]) for block in parse(text).blocks]


@pytest.mark.parametrize(
    ("line", "date"),
    [
        ("July 29, 2024", "2024-07-29"),
        (" 29 July 2024 ", "2024-07-29"),
        ("Jul 9, 2024", "2024-07-09"),
        ("2024-07-29", "2024-07-29"),
        ("29.07.2024", "2024-07-29"),
        ("2024/07/29", "2024-07-29"),
        ("2024-07-29T08:15:00Z", "2024-07-29"),
        ("Published on July 29, 2024", "2024-07-29"),
        ("Updated: 29 July 2024", "2024-07-29"),
        ("July 32, 2024", None),
        ("2024-13-01T00:00", None),
        ("On July 29, 2024 he won", None),
        ("", None),
    ],
)
def test_a_line_that_is_a_date_and_nothing_else_is_read(line: str, date: str | None) -> None:
    assert parse_date(line) == date


def test_wiki_markup_gives_title_headings_and_paragraphs() -> None:
    text = "= Ties =\n\nThey trade.\n\n==Past==\nIt was 1945.\nIt was cold.\n"
    assert parse(text).title == "Ties"
    assert blocks(text) == [
        ("heading", "= Ties ="),
        ("paragraph", "They trade."),
        ("heading", "==Past=="),
        ("paragraph", "It was 1945.\nIt was cold."),
    ]
    assert [(b.title, b.level) for b in parse(text).blocks if b.kind == "heading"] == [("Ties", 1), ("Past", 2)]


def test_markdown_gives_the_same_whichever_way_headings_are_marked() -> None:
    marked = parse("# Ties\n\nThey trade.\n\n## Past ##\n\nIt was cold.\n")
    underlined = parse("Ties\n====\n\nThey trade.\n\nPast\n---\n\nIt was cold.\n")
    for structure in (marked, underlined):
        assert structure.title == "Ties"
        assert [(b.kind, b.title, b.level) for b in structure.blocks] == [
            ("heading", "Ties", 1),
            ("paragraph", "", 0),
            ("heading", "Past", 2),
            ("paragraph", "", 0),
        ]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_any_line_end_gives_the_same_blocks(end: str) -> None:
    text = end.join(
        ["# Ties", "", "One.", "Two.", "---", "", "Past", "===", "- First", "  goes on", "1. Second", "", "Rest."]
    )
    assert blocks(text) == [
        ("heading", "# Ties"),
        ("paragraph", f"One.{end}Two.{end}---"),
        ("heading", f"Past{end}==="),
        ("item", f"First{end}  goes on"),
        ("item", "Second"),
        ("paragraph", "Rest."),
    ]


def test_a_header_of_fields_states_title_date_and_address() -> None:
    text = '---\ntitle: "Ties"\ndate: 2024-07-29\nurl: https://e.org/x\n---\n\n# Head\n\nThey trade.'
    structure = parse(text)
    assert (structure.title, structure.date, structure.url) == ("Ties", "2024-07-29", "https://e.org/x")
    assert [kind for kind, _ in blocks(text)] == [*["furniture"] * 5, "heading", "paragraph"]


def test_a_header_with_an_empty_title_leaves_it_to_the_heading() -> None:
    assert parse("---\ntitle:\n---\n# Ties\n\nThey trade.").title == "Ties"


@pytest.mark.parametrize(
    ("fields", "lang"),
    [
        ("lang: en", "en"),
        ("language: 'pt-BR'", "pt"),
        ("Lang: DE_at", "de"),
        ("lang: yue-Hant-HK", "yue"),
        ("language: es\nlang: fr", "fr"),
        ("lang: English\nlanguage: en", "en"),
        ("lang: English", None),
        ("lang: en, fr", None),
        ("lang: e", None),
        ("title: Ties", None),
    ],
)
def test_a_front_matter_states_a_language_by_its_tag(fields: str, lang: str | None) -> None:
    assert parse(f"---\n{fields}\n---\n\nThey trade.").lang == lang


def test_a_header_that_never_ends_is_a_paragraph() -> None:
    assert blocks("---\ntitle: x\n\nThey trade.") == [("paragraph", "---\ntitle: x"), ("paragraph", "They trade.")]


def test_a_title_stands_alone_or_above_a_date() -> None:
    for text in ("Putin wins\n\nThey trade.", "Putin wins\nJuly 29, 2024\nThey trade."):
        assert parse(text).title == "Putin wins"
        kind = "furniture" if "July" in text else "paragraph"  # alone, it may be a first sentence: it stays evidence
        assert blocks(text)[0] == (kind, "Putin wins")
        assert blocks(text)[-1] == ("paragraph", "They trade.")
    assert parse("Putin wins\nJuly 29, 2024\nThey trade.").date == "2024-07-29"


@pytest.mark.parametrize(
    "text", ["It ends here.\n\nMore.", "Putin wins\nand stays.", "A\n", "- Item\n\nMore.", "x" * 201 + "\n\nY"]
)
def test_a_first_line_that_is_no_title_is_kept_as_text(text: str) -> None:
    assert parse(text).title is None
    assert "furniture" not in [kind for kind, _ in blocks(text)]


def test_a_date_deep_in_the_text_is_text() -> None:
    text = "One.\n\nTwo.\n\nThree.\n\nMay 1, 2020\n\nFour."
    assert parse(text).date is None
    assert ("paragraph", "May 1, 2020") in blocks(text)


@pytest.mark.parametrize(
    "line",
    [
        "![A flag](flag.png)",
        "[[File:flag.png|thumb|A flag]]",
        "Nicolas Maduro. **Fernando Vergara / AP / TASS**",
        "Related article: [Wagner Group Confirms](#)",
        "Read more: <https://e.org/more>",
        "Original url:",
        "Source: https://e.org/x",
        "<https://e.org/x>",
        "- Filetype: svg",
        "- Map: Russia Venezuela Locator.svg",
        "| image = flag.png",
    ],
)
def test_furniture_is_a_block_of_its_own(line: str) -> None:
    text = f"They trade.\n\n{line}\n\nThey talk."
    assert blocks(text) == [("paragraph", "They trade."), ("furniture", line), ("paragraph", "They talk.")]
    assert ("furniture", line) in blocks(f"They trade.\n{line}\nThey talk.")


@pytest.mark.parametrize(
    "line",
    [
        "See also the report on oil.",
        "The map: a locator in svg.",
        "He read https://e.org/x yesterday.",
        "Oil **matters** / gas too.",
        "Source: a person who asked not to be named.",
    ],
)
def test_prose_that_only_resembles_furniture_is_prose(line: str) -> None:
    assert blocks(f"They trade.\n\n{line}") == [("paragraph", "They trade."), ("paragraph", line)]


def test_the_address_is_read_from_its_label_or_from_the_line_below() -> None:
    assert parse("They trade.\n\nSource: https://e.org/a\n").url == "https://e.org/a"
    assert parse("They trade.\n\nOriginal url:\n\n<https://e.org/b>\n").url == "https://e.org/b"
    assert parse("They trade.\n\n<https://e.org/c>\n").url is None


def test_an_infobox_ends_where_prose_begins() -> None:
    text = "= Ties =\n\nInfobox\n- Mission: Embassy\n- Map: flag.svg\n\nThey trade."
    assert blocks(text) == [
        ("heading", "= Ties ="),
        ("heading", "Infobox"),
        ("item", "Mission: Embassy"),
        ("furniture", "- Map: flag.svg"),
        ("heading", ""),
        ("paragraph", "They trade."),
    ]


def test_a_paragraph_broken_inside_a_sentence_is_joined_with_its_rest() -> None:
    text = (
        "They trade.\n\nIt showed him as\n\ntaking home half.\n\n"
        "It ends\n\nUpper case begins anew.\n\nlower after a full stop."
    )
    assert blocks(text) == [
        ("paragraph", "They trade."),
        ("paragraph", "It showed him as\n\ntaking home half."),
        ("paragraph", "It ends"),
        ("paragraph", "Upper case begins anew."),
        ("paragraph", "lower after a full stop."),
    ]


def test_a_broken_paragraph_is_not_joined_across_furniture() -> None:
    text = "They trade.\n\nIt showed him as\n\n**A / B**\n\ntaking home half."
    assert [kind for kind, _ in blocks(text)] == ["paragraph", "paragraph", "furniture", "paragraph"]


@pytest.mark.parametrize(
    "line",
    ["# a" + " " * 1_500 + "b", " " * 10_000 + "end.", "= a" + " " * 20_000 + "b"],
    ids=["Markdown heading", "indented", "wiki heading"],
)
def test_a_line_with_many_spaces_is_read_in_a_moment(line: str) -> None:
    began = time.perf_counter()
    parse(f"They trade.\n\n{line}\n\nThey talk.")
    assert time.perf_counter() - began < 1


def test_the_layout_of_the_wikipedia_seed() -> None:
    structure = parse((SEEDS / WIKIPEDIA).read_bytes().decode())
    assert (structure.title, structure.date, structure.url) == ("Russia–Venezuela relations", None, None)
    assert [(b.title, b.level) for b in structure.blocks if b.kind == "heading"] == [
        ("Russia–Venezuela relations", 1),
        ("Infobox", 6),
        ("", 6),
        ("Background", 2),
        ("Chávez era", 2),
        ("Maduro era", 2),
        ("Resident diplomatic missions", 2),
        ("See also", 2),
    ]
    kinds = [block.kind for block in structure.blocks]
    assert (kinds.count("paragraph"), kinds.count("item"), kinds.count("furniture")) == (23, 6, 2)


def test_the_layout_of_the_moscow_times_seed() -> None:
    text = (SEEDS / MOSCOW_TIMES).read_bytes().decode()
    structure = parse(text)
    assert structure.title == "Putin Congratulates Venezuela's Maduro on Election Victory"
    assert structure.date == "2024-07-29"
    assert structure.url == (
        "https://www.themoscowtimes.com/2024/07/29/putin-congratulates-venezuelas-maduro-on-election-victory-a85860"
    )
    assert [found for kind, found in blocks(text) if kind == "furniture"] == [
        "Putin Congratulates Venezuela's Maduro on Election Victory",
        "July 29, 2024",
        "Nicolas Maduro. **Fernando Vergara / AP / TASS**",
        "Related article: [Wagner Group Confirms Fighters Killed Battling Mali Rebels](#)",
        "Original url:",
        f"<{structure.url}>",
    ]
    assert [found[:12] for kind, found in blocks(text) if kind == "paragraph"] == [
        "Russian Pres",
        '"I am confid',
        '"Remember th',
        "Maduro and h",
        "Despite poll",
        "Venezuela ha",
        "Russia, for ",
        "Venezuela pu",
        "Moscow and W",
        "AFP contribu",
    ]


def test_a_number_that_begins_a_broken_line_is_no_list_item() -> None:
    assert blocks("He was old and he died on March\n12. Nobody came.") == [
        ("paragraph", "He was old and he died on March\n12. Nobody came.")
    ]
    assert blocks("Goods:\n\n1. Oil\n2. Gas") == [("paragraph", "Goods:"), ("item", "Oil"), ("item", "Gas")]


def test_code_between_fences_has_no_headings() -> None:
    assert blocks("Run this:\n\n```sh\n# not a heading\nmake\n```\n\n# Past") == [
        ("paragraph", "Run this:"),
        ("furniture", "```sh"),
        ("paragraph", "# not a heading\nmake"),
        ("furniture", "```"),
        ("heading", "# Past"),
    ]


@pytest.mark.parametrize("line", ["a b\n\n", "a b c\n", "## H\n\nx\n\n", "- x\n", "1. x\n\n"])
def test_the_time_to_read_grows_with_the_length_alone(line: str) -> None:
    began = time.process_time()
    document("a.txt", (line * 20_000).encode())
    assert time.process_time() - began < 3
