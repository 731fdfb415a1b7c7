"""How markup is shown: each look a slice of the text, in order, and never beyond it."""

import time
from itertools import pairwise

import pytest
from hypothesis import given

from index.styles import Style, runs
from tests.awkward import MARKUP
from tests.conftest import SEEDS, WIKIPEDIA


def looks(text: str) -> list[tuple[str, tuple[Style, ...]]]:
    return [(text[run.start : run.end], run.styles) for run in runs(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("They *trade* oil.", [("*", "sign"), ("trade", "emphasis"), ("*", "sign")]),
        ("They ''trade'' oil.", [("''", "sign"), ("trade", "emphasis"), ("''", "sign")]),
        ("They **trade** oil.", [("**", "sign"), ("trade", "strong"), ("**", "sign")]),
        ("They '''trade''' oil.", [("'''", "sign"), ("trade", "strong"), ("'''", "sign")]),
        ("They `trade` oil.", [("`", "sign"), ("trade", "code"), ("`", "sign")]),
        ("They [trade](#a) oil.", [("[", "sign"), ("trade", "link"), ("](#a)", "sign")]),
        ("They [[Trade|trade]] oil.", [("[[Trade|", "sign"), ("trade", "link"), ("]]", "sign")]),
        ("They [https://e.org trade] oil.", [("[https://e.org ", "sign"), ("trade", "link"), ("]", "sign")]),
        ("See <https://e.org>.", [("<", "sign"), ("https://e.org", "link"), (">", "sign")]),
        ("They trade<ref>Smith</ref> oil.", [("<ref>Smith</ref>", "sign")]),
        ("They trade{{cn}} oil.", [("{{cn}}", "sign")]),
        ("They trade<!-- or not --> oil.", [("<!-- or not -->", "sign")]),
        ("CO<sub>2</sub> falls.", [("<sub>", "sign"), ("</sub>", "sign")]),
    ],
)
def test_markup_in_a_sentence_is_the_words_in_their_look_between_signs(
    text: str, expected: list[tuple[str, str]]
) -> None:
    assert looks(text) == [(words, (style,)) for words, style in expected]


@pytest.mark.parametrize(
    ("text", "before", "behind"),
    [
        ("# Ties\n\nThey trade.", "# ", ""),
        ("## Ties ##\n\nThey trade.", "## ", " ##"),
        ("== Ties ==\r\nThey trade.", "== ", " =="),
        ("Ties\n====\n\nThey trade.", "", "\n===="),
    ],
)
def test_a_heading_is_its_words_between_signs_that_are_of_the_heading_too(text: str, before: str, behind: str) -> None:
    signs = ("heading", "sign")
    expected = [(before, signs), ("Ties", ("heading",)), (behind, signs)]
    assert looks(text) == [(words, styles) for words, styles in expected if words]


def test_what_stands_in_another_has_both_looks() -> None:
    assert looks("# On *oil*") == [
        ("# ", ("heading", "sign")),
        ("On ", ("heading",)),
        ("*", ("heading", "sign")),
        ("oil", ("heading", "emphasis")),
        ("*", ("heading", "sign")),
    ]
    assert looks("**[oil](#)**") == [
        ("**", ("sign",)),
        ("[", ("strong", "sign")),
        ("oil", ("strong", "link")),
        ("](#)", ("strong", "sign")),
        ("**", ("sign",)),
    ]


@pytest.mark.parametrize(
    "text",
    ["", "They trade.", "2 * 3 * 4 = 24", "a snake_case_name", "an [open bracket", "- Oil\n- Gas", "*a\n\nb*", "5 < 6"],
)
def test_words_without_markup_have_no_look(text: str) -> None:
    assert looks(text) == []


def test_the_headings_of_the_wikipedia_seed_look_like_headings() -> None:
    text = (SEEDS / WIKIPEDIA).read_bytes().decode()
    assert [words for words, styles in looks(text) if styles == ("heading",)] == [
        "Russia–Venezuela relations",
        "Infobox",
        "Background",
        "Chávez era",
        "Maduro era",
        "Resident diplomatic missions",
        "See also",
    ]


@given(MARKUP)
def test_the_looks_of_any_text_stand_in_it_in_order_and_apart(text: str) -> None:
    found = list(runs(text))
    for run in found:
        assert 0 <= run.start < run.end <= len(text)
        assert run.styles
    for one, next_one in pairwise(found):
        assert one.end <= next_one.start
        assert one.end < next_one.start or one.styles != next_one.styles


@pytest.mark.parametrize("line", ["*a* ", "# a\n\n", "**a ", "`a", "[a](a(", "<!-- ", "''a ", "[[a|"])
def test_the_time_grows_with_the_length_alone(line: str) -> None:
    began = time.perf_counter()
    sum(1 for _ in runs(line * (100_000 // len(line))))
    assert time.perf_counter() - began < 3
