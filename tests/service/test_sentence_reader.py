"""The sentence reader on tiny documents."""

import pytest

from index.embedding import HashingEmbedder
from service.reader.sentence import SentenceReader
from tests.service.tiny import hit, quotes

BRIDGES = [
    hit("It rained for days. The bridge opened in 1932. Trains crossed it.", "a"),
    hit("The tunnel opened in 1992. It is long.", "b"),
    hit("The bridge was painted grey in 1950. Nobody liked it.", "c"),
]


@pytest.fixture
def reader(hashing: HashingEmbedder) -> SentenceReader:
    return SentenceReader(hashing)


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ("When was the bridge opened?", "The bridge opened in 1932."),
        ("When did the tunnel open?", "The tunnel opened in 1992."),
        ("Who painted the bridge grey?", "The bridge was painted grey in 1950."),
        ("What crossed it?", "Trains crossed it."),
        ("Did it rain for days?", "It rained for days."),
        ("BRIDGE OPENED 1932", "The bridge opened in 1932."),
    ],
)
def test_the_first_span_is_the_sentence_that_answers(reader: SentenceReader, question: str, sentence: str) -> None:
    assert quotes(reader.read(question, BRIDGES))[0] == sentence


def test_the_offsets_of_a_span_are_those_of_its_sentence_in_the_document(reader: SentenceReader) -> None:
    best = reader.read("When did the bridge open?", [hit("It rained. The bridge opened in 1932.", start=1_000)])[0]
    assert (best.start, best.end) == (1_011, 1_037)


def test_a_misspelt_word_stands_for_the_one_it_is_near(reader: SentenceReader) -> None:
    hits = [hit("The aqueduct was built by Caledonia."), hit("The castle was built by Hibernia.", "b")]
    assert quotes(reader.read("Who built the aquaduct?", hits))[0] == "The aqueduct was built by Caledonia."
    assert quotes(reader.read("What did Hybernia build?", hits))[0] == "The castle was built by Hibernia."


def test_a_number_stands_for_no_other_number(reader: SentenceReader) -> None:
    hits = [hit("The order of 123457 came."), hit("The order of 999999 came.", "b")]
    spans = reader.read("123456", hits)
    assert [span.score for span in spans] == [0.0, 0.0]


def test_accents_make_no_difference(reader: SentenceReader) -> None:
    hits = [hit("Nicolás won."), hit("Edmundo lost.", "b")]
    spans = reader.read("nicolas", hits)
    assert quotes(spans)[0] == "Nicolás won."
    assert spans[0].score >= 0.5 > spans[1].score


def test_a_sentence_that_is_the_question_scores_one(reader: SentenceReader) -> None:
    spans = reader.read("bridge opened 1932", [hit("Bridge opened 1932.")])
    assert [span.score for span in spans] == [pytest.approx(1.0, abs=1e-5)]


def test_a_rare_term_weighs_more_than_a_common_one(reader: SentenceReader) -> None:
    hits = [hit("Bridge of stone. Bridge of wood. Bridge of rope. Ferry of iron.")]
    assert quotes(reader.read("iron bridge", hits))[0] == "Ferry of iron."


def test_a_term_in_the_heading_above_counts_for_half(reader: SentenceReader) -> None:
    below = hit("It opened late.", "a", section="Bridge")
    beside = hit("It opened late.", "b", section="Tunnel")
    inside = hit("Bridge opened late.", "c")
    scores = {span.hit.document.id: span.score for span in reader.read("bridge", [below, beside, inside])}
    assert scores["a"] - scores["b"] == pytest.approx(0.25)
    assert scores["c"] - scores["b"] > 0.5


def test_markup_is_not_read(reader: SentenceReader) -> None:
    (marked,) = reader.read("bridge opened 1932", [hit("The **bridge** [opened](https://example.org/a) in 1932.")])
    (bare,) = reader.read("bridge opened 1932", [hit("The bridge opened in 1932.")])
    assert marked.score == bare.score


def test_spans_come_best_first_each_sentence_once(reader: SentenceReader) -> None:
    spans = reader.read("When did the bridge open in 1932?", BRIDGES)
    assert [span.score for span in spans] == sorted((span.score for span in spans), reverse=True)
    assert sorted(quotes(spans)) == [
        "It is long.",
        "It rained for days.",
        "Nobody liked it.",
        "The bridge opened in 1932.",
        "The bridge was painted grey in 1950.",
        "The tunnel opened in 1992.",
        "Trains crossed it.",
    ]


def test_every_span_is_a_sentence_of_its_passage(reader: SentenceReader) -> None:
    for span in reader.read("When did the bridge open?", BRIDGES):
        assert (span.start, span.end) in span.hit.passage.sentences


def test_a_sentence_that_two_passages_share_appears_once_with_the_better_hit(reader: SentenceReader) -> None:
    left = hit("It rained. The bridge opened.", start=100)
    right = hit("The bridge opened. It snowed.", start=111)
    spans = reader.read("Which bridge opened?", [right, left])
    assert sorted((span.start, span.end) for span in spans) == [(100, 110), (111, 129), (130, 140)]
    assert spans[0].hit is right


def test_the_order_of_the_hits_does_not_change_the_spans(reader: SentenceReader) -> None:
    forwards = reader.read("When did the bridge open?", BRIDGES)
    assert reader.read("When did the bridge open?", BRIDGES[::-1]) == forwards


def test_equal_sentences_come_in_the_order_of_their_documents(reader: SentenceReader) -> None:
    hits = [hit("The bridge opened.", "b"), hit("It rained. The bridge opened.", "a")]
    first, second, _ = reader.read("The bridge opened.", hits)
    assert (first.hit.document.id, second.hit.document.id) == ("a", "b")
    assert first.score == second.score


def test_without_hits_there_are_no_spans(reader: SentenceReader) -> None:
    assert reader.read("When did the bridge open?", []) == []


@pytest.mark.parametrize("question", ["?", "who did what", "🌉", "橋はいつ開通しましたか"])
def test_a_question_without_terms_still_gets_every_sentence(reader: SentenceReader, question: str) -> None:
    assert len(reader.read(question, BRIDGES)) == 7


def test_the_fingerprint_changes_with_the_embedder() -> None:
    small, large = SentenceReader(HashingEmbedder(64)), SentenceReader(HashingEmbedder(128))
    assert small.fingerprint != large.fingerprint
    assert small.fingerprint == SentenceReader(HashingEmbedder(64)).fingerprint
