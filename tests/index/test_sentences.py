"""Sentence boundaries as exact offsets."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.sentences import sentences
from tests.conftest import MOSCOW_TIMES, SEEDS, WIKIPEDIA


def split(text: str) -> list[str]:
    return [text[start:end] for start, end in sentences(text, 0, len(text))]


@pytest.mark.parametrize(
    "expected",
    [
        ["He met J. R. R. Tolkien in St. Petersburg.", "Then he left."],
        ["The U.S. Senate met.", "It left the U.S.", "He stayed."],
        ["The U.S. was attempting it.", "Nobody saw."],
        ["It cost $1.6 billion.", "Dr. Smith paid."],
        ["It rose by 51.2% of 3.14.", "It fell."],
        ["It is No. 5 in the U.K. list.", "Also No. 7."],
        ["A game vs. No. 6 seed was long.", "It ended."],
        ["They lost vs. $5 million.", "It ended."],
        ["According to 13stroy.ru, they built 10.", "Then they left."],
        ["Mr. and Mrs. Fox came at 5 p.m.", "They ate."],
        ["One e.g. two, i.e. three.", "Four."],
        ["Dec. 5 was cold.", "Gen. Lee left."],
        ["Prof. Ana M. Díaz spoke.", "She sat."],
        ["She left (see p. 5).", "He did not."],
        ["Wait... what?", "Yes!"],
        ['"I agree," he said.', '"Do you?" she asked.', "Yes."],
        ['He said "Stop."', "Then he left."],
        ["“I am here.”", "She nodded."],
        ["Hi 😀.", "Bye 😀!", "Family 👩‍👧 here."],
        ["El Sr. Pérez llegó.", "¿Dónde está?", "¡Aquí!", "Vive en Caracas."],
        ["Un cafe\u0301 solo.", "Otro."],
    ],
)
def test_a_text_is_split_where_its_sentences_end(expected: list[str]) -> None:
    assert split(" ".join(expected)) == expected


@pytest.mark.parametrize("space", [" ", "\n", "\r\n", "\r", "\t", "\u00a0", "\u2028", "\u2029", "\x85", "\u3000"])
def test_any_white_space_stands_between_sentences_and_inside_them(space: str) -> None:
    first, second = f"Hugo Chávez{space}died.", f"Maduro{space}won."
    text = f"{space}{first}{space}{second}{space}"
    assert split(text) == [first, second]
    begin = len(space)
    assert sentences(text, 0, len(text))[0] == (begin, begin + len(first))


def test_offsets_are_code_points_of_the_whole_text() -> None:
    text = "Über 😀 x. Él vino. Fin."
    assert sentences(text, 11, len(text)) == [(10 + 1 - 1, 18)] or sentences(text, 11, len(text)) == [
        (11, 18),
        (19, 23),
    ]


def test_white_space_alone_holds_no_sentence() -> None:
    assert sentences("", 0, 0) == []
    assert sentences(" \r\n\u2028 ", 0, 5) == []


def test_no_link_is_cut_in_two() -> None:
    text = "He read [the book. It was long](#) and left. She stayed."
    assert split(text) == ["He read [the book. It was long](#) and left.", "She stayed."]


@pytest.mark.parametrize("item", ["1. Oil is sold.", "12. Oil", "3) Oil is sold.", "- Oil is sold.", "* Oil"])
def test_the_number_of_a_list_item_is_no_sentence(item: str) -> None:
    assert split(item) == [item]


def test_a_whole_paragraph_in_bold_is_still_split() -> None:
    sentence = "A sentence of some length is repeated here until the paragraph is long."
    text = "**" + " ".join([sentence] * 6) + "**"
    assert split(text) == [f"**{sentence}", *[sentence] * 4, f"{sentence}**"]


def test_a_sentence_that_a_blank_line_breaks_is_one_when_given_whole() -> None:
    text = "It showed him as\n\ntaking home 51.2% of the vote. Then it closed."
    assert split(text) == ["It showed him as\n\ntaking home 51.2% of the vote.", "Then it closed."]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (WIKIPEDIA, "According to 13stroy.ru, they built about 10 thousand apartments in tenement houses."),
        (WIKIPEDIA, "In September 2009 Russia approved a $2 billion loan to Venezuela."),
        (WIKIPEDIA, "The relations were restored on April 16, 1970."),
        (MOSCOW_TIMES, '"Remember that you are always welcome on Russian soil," he added.'),
        (
            MOSCOW_TIMES,
            "Moscow and Washington regularly clash over Venezuela, with Moscow claiming in 2020 that the U.S. was "
            "attempting to create a pretext for a military intervention there.",
        ),
    ],
)
def test_sentences_of_the_seeds_are_whole(name: str, sentence: str) -> None:
    text = (SEEDS / name).read_bytes().decode()
    at = text.index(sentence)
    begin, end = text.rindex("\n", 0, at) + 1, text.index("\n", at)
    assert (at, at + len(sentence)) in sentences(text, begin, end)


FRAGMENTS = [
    *("\u00a0", "\u2028", "\u2029", "\x85", "\x1c", "\r\n", "\r", "\n\n", " "),
    *(". ", "! ", "? ", "。", "…", '."', ".) ", "U.S. ", "Dr. ", "No. ", "vs. ", "$1.6 ", "3.14"),
    *(
        "[a. b](#)",
        "**",
        "<br>",
        "''",
        "{{c}}",
        "“",
        "”",
        "¿",
        "Él",
        "e\u0301",
        "😀",
        "👩‍👧",
        "\u200b",
        "\ufeff",
        "A",
        "a",
    ),
]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=8), max_size=30).map("".join), st.integers(0, 9))
def test_every_character_but_white_space_is_covered_once_and_in_order(text: str, start: int) -> None:
    begin = min(start, len(text))
    at = begin
    for left, right in sentences(text, begin, len(text)):
        assert at <= left < right
        assert not text[at:left].strip()
        assert text[left:right] == text[left:right].strip()
        at = right
    assert not text[at:].strip()
