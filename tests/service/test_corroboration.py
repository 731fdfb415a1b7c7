"""What is cited beside the best span: other passages that give the same value, other documents that give another."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from index.retrieval import Hit
from service.corroboration import CLOSE, differing, supporting, words
from service.reader import Span
from tests.service.tiny import hit, quotes

RAIN = "It rained all over the old town for weeks."
SNOW = "Nobody on the hill had ever seen such snow."


def span(found: Hit, quote: str, score: float = 1.0) -> Span:
    """The first place of a quote in a hit's passage."""
    start = found.passage.start + found.passage.text.index(quote)
    return Span(found, start, start + len(quote), score)


def two(one: str, other: str) -> list[Span]:
    """Spans that are quotes of two passages which have no other words in common."""
    return [span(hit(f"{RAIN} {one}", "a"), one), span(hit(f"{other} {SNOW}", "b"), other, 0.5)]


def test_a_span_alone_supports_itself() -> None:
    only = [span(hit("The bridge opened in 1932."), "1932", -3.0)]
    assert supporting(only) == only


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1932", "1932"),
        ("March 3, 1945", "3 March 1945"),
        ("March 3, 1945", "on Saturday, 3rd March 1945"),
        ("March 3, 1945", "1945-03-03"),
        ("March 2013", "Mar. 2013"),
        ("$4 billion", "US$4bn"),
        ("$4 billion", "four billion dollars"),
        ("51.2%", "51.2 percent"),
        ("100,000", "one hundred thousand"),
        ("Nicolás Maduro", "President Nicolas Maduro"),
        ("The Kremlin", "the **Kremlin**"),
        ("The bridge opened.", "The [bridge](#)\nopened!"),
    ],
)
def test_the_same_value_written_differently_elsewhere_supports(one: str, other: str) -> None:
    assert quotes(supporting(two(one, other))) == [one, other]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1932", "1933"),
        ("March 3, 1945", "March 1945"),
        ("1998–2004", "1998"),
        ("The change was -5% in May.", "The change was 5% in May."),
        ("+5%", "-5%"),
        ("The loan was $4 in May.", "The loan was €4 in May."),
        ("$4", "€4"),
        ("5 km", "5 miles"),
        ("C++", "C"),
        ("The bridge opened.", "The bridge never opened."),
        ("🌧🌧🌧", "🌞🌞🌞"),
    ],
)
def test_what_says_something_else_does_not_support(one: str, other: str) -> None:
    assert quotes(supporting(two(one, other))) == [one]


@pytest.mark.parametrize(("score", "count"), [(0.5, 2), (0.0, 2), (-0.0001, 1), (-9.0, 1)])
def test_a_passage_that_rather_does_not_answer_does_not_support(score: float, count: int) -> None:
    best, other = two("1932", "1932")
    assert len(supporting([best, replace(other, score=score)])) == count


def test_the_best_span_is_kept_whatever_its_score() -> None:
    best, other = two("1932", "1932")
    assert supporting([replace(best, score=-1.0), other]) == [replace(best, score=-1.0), other]


def test_all_that_support_are_cited_in_their_order() -> None:
    texts = [f"{RAIN} 1932", "1932 was the year.", "Some say 1931.", f"{SNOW} In 1932 it opened."]
    spans = [span(hit(text, letter), "193", 0.9) for text, letter in zip(texts, "abcd", strict=True)]
    spans = [replace(found, end=found.end + 1) for found in spans]
    assert supporting(spans) == [spans[0], spans[1], spans[3]]


def test_the_same_words_twice_in_one_passage_are_cited_once() -> None:
    text = "The bridge opened in 1932. It rained. The bridge opened in 1932."
    found = hit(text)
    spans = [Span(found, 0, 26, 0.9), Span(found, 38, 64, 0.9), Span(found, 21, 25, 0.8)]
    assert supporting(spans) == spans[:1]


def test_a_second_passage_of_the_same_document_supports() -> None:
    left, right = hit(f"{RAIN} It opened in 1932."), hit(f"{SNOW} Since 1932 trains ran.", start=1_000)
    spans = [span(left, "1932"), span(right, "1932")]
    assert supporting(spans) == spans


def test_a_second_span_of_a_passage_that_supports_is_left_out() -> None:
    other = hit(f"In 1932 it opened; {SNOW} So it was in 1932.", "b")
    later = replace(span(other, "1932"), start=other.passage.text.rindex("1932"), end=other.passage.text.rindex("."))
    spans = [span(hit(f"{RAIN} 1932"), "1932"), span(other, "1932"), later]
    assert quotes(spans) == ["1932"] * 3
    assert supporting(spans) == spans[:2]


def test_the_sentence_that_two_passages_share_is_cited_once() -> None:
    left = hit(f"{RAIN} The bridge opened.", start=100)
    right = hit(f"The bridge opened. {SNOW}", start=100 + len(RAIN) + 1)
    elsewhere = hit("It was then that the bridge opened.", "b")
    spans = [span(left, "The bridge opened."), span(right, "The bridge opened."), span(elsewhere, "the bridge opened.")]
    assert (spans[0].start, spans[0].end) == (spans[1].start, spans[1].end)
    assert supporting(spans) == [spans[0], spans[2]]


def test_overlapping_spans_of_one_document_are_cited_once() -> None:
    left = hit(f"{RAIN} The old bridge", start=100)
    right = hit(f"old bridge {SNOW}", start=100 + len(RAIN) + 5)
    assert len(supporting([span(left, "The old bridge"), span(right, "old bridge")])) == 1


STORY = "The old bridge opened in 1932 after three years of work by four hundred masons from the north."


@pytest.mark.parametrize(
    "copy",
    [
        STORY,
        STORY.upper(),
        STORY.replace(" ", "\n"),
        f"**{STORY}**",
        STORY.replace("old", "great"),
        f"{STORY} (Reuters)",
        STORY.removesuffix(" from the north."),
    ],
)
def test_a_copy_of_a_passage_in_another_document_is_the_same_source(copy: str) -> None:
    assert len(supporting([span(hit(STORY), "1932"), span(hit(copy, "b"), "1932")])) == 1


def test_copies_of_each_other_are_one_source_beside_the_best() -> None:
    best = span(hit(f"{RAIN} It was 1932."), "1932")
    copies = [span(hit(STORY, letter), "1932") for letter in "bcd"]
    assert supporting([best, *copies]) == [best, copies[0]]


@pytest.mark.parametrize(
    ("one", "other", "sources"),
    [
        ("a b c d e f 1932", "b c d e f 1932 g", 1),  # three shingles of five in common
        ("a b c d e 1932", "c d e 1932 f", 2),  # one of four
        ("a b c d 1932", "x a b c d 1932", 1),  # two of three
        ("a b c 1932 d", "z a b c 1932", 2),  # one of three
        ("x a b c 1932", "a b c 1932", 1),  # one of two: half is enough
        ("in 1932", "in 1932", 1),
        ("in 1932", "by 1932", 2),
    ],
)
def test_passages_are_one_source_if_half_of_their_runs_of_four_words_are_common(
    one: str, other: str, sources: int
) -> None:
    assert len(supporting([span(hit(one), "1932"), span(hit(other, "b"), "1932")])) == sources


def test_the_words_of_a_span_are_without_markup() -> None:
    found = hit("Long ago the **old** [stone\nbridge](#) opened.", start=50)
    assert words(span(found, "the **old** [stone\nbridge](#)")) == "the old stone bridge"


def is_sure(spans: Sequence[Span]) -> bool:
    return spans[0].score >= 0


def test_another_document_that_is_as_sure_of_another_date_differs() -> None:
    spans = two("It opened in 1932.", "It opened in 1933.")
    best, other = (span(found.hit, quote, 1.0) for found, quote in zip(spans, ("1932", "1933"), strict=True))
    assert differing([best, other], is_sure) == [other]
    near = replace(other, score=best.score - CLOSE)
    assert differing([best, near], lambda _: True) == [near]
    assert differing([best, replace(other, score=best.score - CLOSE - 0.01)], lambda _: True) == []
    assert differing([best, replace(other, score=-0.5)], is_sure) == []


def test_only_the_first_span_of_another_document_counts() -> None:
    passage = hit(f"{SNOW} In 1932, not in 1933.", "b")
    best = span(hit("It opened in 1932.", "a"), "1932")
    assert differing([best, span(passage, "1932", 0.9), span(passage, "1933", 0.8)], is_sure) == []


def test_the_same_document_does_not_differ_from_itself() -> None:
    passage = hit("It opened in 1932. It opened in 1933.", "a")
    assert differing([span(passage, "1932"), span(passage, "1933")], is_sure) == []
