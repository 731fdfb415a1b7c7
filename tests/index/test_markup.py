"""Markup and words: what is hidden, where each character stands, and quotes that cut no markup."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index import markup
from index.markup import constructs, joined, plain, widen
from tests.conftest import MOSCOW_TIMES, SEEDS


def words(text: str) -> str:
    return plain(text, 0, len(text)).text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Putin [congratulated](#) him.", "Putin congratulated him."),
        ('See [the site](https://e.org/a_(b) "Title").', "See the site."),
        ("![A flag](flag.png) flies.", "A flag flies."),
        ("[[Caracas]] and [[Moscow|the capital]].", "Caracas and the capital."),
        ("[https://e.org the page] says.", "the page says."),
        ("A **bold** and __strong__ word.", "A bold and strong word."),
        ("An *italic* and _slanted_ word.", "An italic and slanted word."),
        ("The '''Great''' and ''small''.", "The Great and small."),
        ("Type `make test` now.", "Type make test now."),
        ("At <https://e.org/x>.", "At https://e.org/x."),
        ('Oil<ref name="a">Smith 2008</ref> and gas<ref name="b" />.', "Oil and gas."),
        ("Ships {{cn|date=May}} sail.", "Ships sail."),
        ("One<!-- hidden --> two.", "One two."),
        ("CO<sub>2</sub> and <b>water</b>.", "CO2 and water."),
        ("**[bold link](#)** here", "bold link here"),
        ("[a link\nover two lines](#) ends", "a link over two lines ends"),
    ],
)
def test_markup_is_hidden_and_its_words_are_kept(text: str, expected: str) -> None:
    assert words(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "[Russian-Venezuelan relations], he said.",
        "snake_case_name stays",
        "2 * 3 * 4 = 24",
        "Don't and won't",
        "5 < 6 and 7 > 6",
        "an [open bracket",
        "a lone ** pair",
    ],
)
def test_what_only_looks_like_markup_is_words(text: str) -> None:
    assert words(text) == text
    assert list(constructs(text, 0, len(text))) == []


@pytest.mark.parametrize("prefix", ["- ", "* ", "• ", "12. ", "3) ", "## ", "> ", "  - "])
def test_a_list_bullet_is_not_words(prefix: str) -> None:
    text = f"{prefix}Caracas"
    found = plain(text, 0, len(text))
    assert found.text == "Caracas"
    assert found.source(0, 7) == (len(prefix), len(text))


def test_white_space_is_folded_and_each_character_knows_where_it_stands() -> None:
    text = " A\r\n\r\nb\u00a0 \u2028c "
    found = plain(text, 0, len(text))
    assert found.text == "A b c"
    assert found.offsets == (1, 2, 6, 7, 10)
    assert found.source(2, 5) == (6, 11)


def test_the_words_of_a_slice_have_offsets_into_the_whole_text() -> None:
    text = "Skip this. He [congratulated](#) her."
    found = plain(text, 11, len(text))
    assert found.text == "He congratulated her."
    start = found.text.index("congratulated")
    assert text[slice(*found.source(start, start + 13))] == "congratulated"
    assert found.source(start, start + 13) == (15, 28)


def test_a_slice_without_words_is_empty() -> None:
    assert plain("<!-- nothing -->", 0, 16).text == ""
    assert plain("  \n ", 0, 4).offsets == ()


def test_sentences_are_joined_by_the_white_space_between_them() -> None:
    found = joined("One. Two.", [(0, 4), (5, 9)])
    assert found.text == "One. Two."
    assert found.offsets == (0, 1, 2, 3, 4, 5, 6, 7, 8)
    assert found.source(0, 5) == (0, 5)


def test_what_lies_between_two_slices_is_not_among_their_words() -> None:
    text = "One.\n**A / B**\n- Two."
    found = joined(text, [(0, 4), (15, 21)])
    assert found.text == "One. Two."
    assert found.source(5, 9) == (17, 21)


def test_a_slice_without_words_joins_no_second_space() -> None:
    text = "One. {{x}} Two."
    assert joined(text, [(0, 4), (5, 10), (11, 15)]).text == "One. Two."


LINK = "[congratulated](#)"


def test_a_quote_that_cuts_a_link_is_widened_to_the_whole_link() -> None:
    text = (SEEDS / MOSCOW_TIMES).read_bytes().decode()
    link = text.index(LINK)
    begin, end = text.index("Putin on Monday"), text.index("Nicolas Maduro on his") + len("Nicolas Maduro")
    whole = (text.index("Russian President"), text.index("\n", link))
    assert widen(text, (begin, link + 5), whole) == (begin, link + len(LINK))
    assert widen(text, (begin, link + len("[congratulated")), whole) == (begin, link + len(LINK))
    assert widen(text, (begin, link + len("[congratulated](")), whole) == (begin, link + len(LINK))
    assert widen(text, (link + 1, end), whole) == (link, end)
    assert widen(text, (link + len(LINK) - 1, end), whole) == (link, end)


def test_a_quote_around_a_link_or_inside_its_words_stays_as_it_is() -> None:
    text = (SEEDS / MOSCOW_TIMES).read_bytes().decode()
    link = text.index(LINK)
    whole = (text.index("Russian President"), text.index("\n", link))
    inside = (link + 1, link + 1 + len("congratulated"))
    assert text[slice(*inside)] == "congratulated"
    for span in (whole, inside, (link, link + len(LINK)), (link - 7, link), (link + len(LINK), whole[1])):
        assert widen(text, span, whole) == span


def test_widening_goes_on_until_nothing_is_cut() -> None:
    text = "a *b [c d](#) e* f"
    assert widen(text, (0, text.index(" d")), (0, len(text))) == (0, text.index(" f"))
    assert widen(text, (text.index("c"), text.index("](")), (0, len(text))) == (6, 9)


def test_markup_outside_the_bounds_widens_nothing() -> None:
    text = "He [won](#) it."
    assert widen(text, (0, 5), (0, 6)) == (0, 5)
    assert widen(text, (0, 5), (0, len(text))) == (0, 11)


def test_constructs_lie_wholly_inside_the_slice() -> None:
    text = "[a](#) and **b**"
    found = list(constructs(text, 0, len(text)))
    assert [(c.start, c.inner_start, c.inner_end, c.end) for c in found] == [(0, 1, 2, 6), (11, 13, 14, 16)]
    assert list(constructs(text, 1, 15)) == []


PIECES = [
    "**",
    "*",
    "[",
    "](",
    ")",
    "[[",
    "]]",
    "`",
    "<ref>",
    "</ref>",
    "- ",
    "\n",
    " ",
    "\t",
    "\u00a0",
    "oil",
    "é",
    "🌉",
]


@given(
    st.lists(st.sampled_from(PIECES) | st.text(max_size=4), max_size=30).map("".join),
    st.lists(st.integers(0, 60), min_size=4, max_size=4).map(sorted),
    st.integers(0, 900),
)
def test_words_are_those_of_the_text_in_order_and_the_same_without_offsets(
    text: str, cuts: list[int], base: int
) -> None:
    slices = [(min(left, len(text)), min(right, len(text))) for left, right in (cuts[:2], cuts[2:])]
    found = joined(text, slices, base)
    assert found.text == markup.words(text, slices)
    assert len(found.offsets) == len(found.text)
    assert list(found.offsets) == sorted(found.offsets)
    for character, offset in zip(found.text, found.offsets, strict=True):
        if character != " ":
            assert character == text[offset - base]
    assert not re.search(r"^\s|\s$|\s\s|[^\S ]", found.text)
