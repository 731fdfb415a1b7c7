"""The reader that is shipped: what it answers on the seeds, however it is run."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from index.retrieval import Hit
from service.answering import Answerer
from service.reader import SHIPPED_READER, Span
from service.reader.model import (
    NETWORK,
    TOKENIZER,
    WEIGHTS,
    ShippedNetwork,
    SpanReader,
    check_weights,
    load_span_reader,
)
from tests.service.tiny import quotes

ANSWERS = {
    "When did the Soviet Union establish diplomatic relations with Venezuela?": "March 3, 1945",
    "when did hugo chavez die": "March 2013",
    "What share of the vote did Gonzales receive?": "44.2%",
    "Who won the special presidential election held after Chávez died?": "Nicolás Maduro",
    "How many AK-103 rifles did Caracas buy?": "100,000",
    "Why did Venezuela buy AK-103 rifles?": "to replace outdated FN FAL rifles for its military",
    "Which contry vetoed a United Nations resolusion together with Russia?": "China",
    "When were the relations with the Soviets restored?": "April 16, 1970",
    "How much worth of arms did Venezuela purchase from Russia from 2005?": "more than $4 billion",
    "Who broke off relations with the Soviets?": "Venezuela",
}
# The best span and its score by the network in float32, before its matrices were rounded to int8.
FLOAT32 = json.loads(Path(__file__).with_name("float32.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def reader() -> SpanReader:
    return load_span_reader(SHIPPED_READER)


@pytest.fixture(scope="module")
def threaded() -> list[SpanReader]:
    """The reader with one thread and with two."""
    tokenizer = Tokenizer.from_file(str(WEIGHTS / TOKENIZER))
    return [
        SpanReader(SHIPPED_READER, ShippedNetwork(WEIGHTS / NETWORK, threads=threads), tokenizer) for threads in (1, 2)
    ]


@pytest.fixture(scope="module")
def found(seeds: Answerer) -> dict[str, list[Hit]]:
    return {question: seeds.search(question) for question in ANSWERS}


def test_the_weights_are_those_that_were_shipped_and_small() -> None:
    check_weights()
    assert sum(file.stat().st_size for file in WEIGHTS.iterdir()) < 30_000_000
    assert b"site-packages" not in (WEIGHTS / NETWORK).read_bytes()  # nor any other path of where it was exported


@pytest.mark.parametrize(("question", "quote"), ANSWERS.items())
def test_a_question_on_the_seeds_is_answered_with_this_quote(seeds: Answerer, question: str, quote: str) -> None:
    answer = seeds.ask(question)
    assert (answer.status, answer.answer) == ("answered", quote)


def test_int8_points_where_float32_does(reader: SpanReader, found: dict[str, list[Hit]]) -> None:
    best = [reader.read(question, hits)[0] for question, hits in found.items()]
    assert [[span.hit.document.uri, span.start, span.end] for span in best] == [row["place"] for row in FLOAT32]
    assert [span.score for span in best] == pytest.approx([row["score"] for row in FLOAT32], abs=0.5)


def test_a_passage_is_scored_the_same_alone_and_among_others(reader: SpanReader, found: dict[str, list[Hit]]) -> None:
    for question, hits in found.items():
        together = {(span.hit.document.id, span.start, span.end): span for span in reader.read(question, hits)}
        alone = reader.read(question, hits[:1])
        assert alone
        for span in alone:
            among = together[span.hit.document.id, span.start, span.end]
            if among.hit.passage.id == span.hit.passage.id:
                assert among.score == span.score
            else:  # two passages share the sentence: the better score counts
                assert among.score > span.score


def test_one_thread_and_two_give_the_same_spans(threaded: list[SpanReader], found: dict[str, list[Hit]]) -> None:
    for question, hits in found.items():
        one, two = (list(_by_place(reader.read(question, hits))) for reader in threaded)
        assert one == two


def test_spans_are_words_of_their_passages(reader: SpanReader, found: dict[str, list[Hit]]) -> None:
    for question, hits in found.items():
        for quote in quotes(reader.read(question, hits)):
            assert quote == quote.strip() != ""


def _by_place(spans: list[Span]) -> Iterator[tuple[str, int, int, float]]:
    for span in spans:
        yield span.hit.passage.id, span.start, span.end, span.score
