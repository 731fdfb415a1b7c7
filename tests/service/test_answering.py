"""From a question to an answer: what is quoted, what is cited beside it, and when nothing is said."""

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch

from index.build import build
from index.documents import document_id
from index.embedding import Embedder, HashingEmbedder
from index.errors import DamagedStoreError
from index.retrieval import FUSION, Hit, Retriever, UnknownDocumentError, Weights
from service.answering import Answer, Answerer, QuestionError, Timings, nearest, normalised_question
from service.confidence import Calibration
from service.reader import SHIPPED_READER, Span
from service.reader.sentence import SentenceReader
from tests.conftest import MOSCOW_TIMES, WIKIPEDIA
from tests.service.contract import check_answer, seed_texts
from tests.service.tiny import NEVER, SURE, PointingReader, hit

Write = Callable[..., Path]
RELATIONS = "When did the Soviet Union establish diplomatic relations with Venezuela?"
TOP_K = 3  # enough for three related passages, and less to read than the five of the product
Asked = dict[tuple[str, float | None], Answer]
QUESTIONS = [
    RELATIONS,
    "Which bombers did Russia send to Venezuela in December 2018?",
    "Who won the special presidential election held after Chávez died?",
    "when did hugo chavez die",
    "How many AK-103 rifles did Caracas buy?",
    "What share of the vote did Gonzales receive?",
    "What did Putin say in the statement published by the Kremlin?",
    "Which contry vetoed a United Nations resolusion together with Russia?",
    "How old is Vladimir Putin?",
    "Кто такой Мадуро?",
    "How do I bake sourdough bread?",
    "?!",
]
FIRST = QUESTIONS[:3]


def _untimed(answer: Answer) -> Answer:
    return replace(answer, timings_ms=Timings(0, 0, 0))


@contextmanager
def _answering(folder: Path, embedder: Embedder, words: str | None = None) -> Iterator[Answerer]:
    """Answer over a folder, always sure; with `words`, by a reader that points at them."""
    directory = folder.parent / "index"
    build(folder, directory, embedder)
    reader = SentenceReader(embedder) if words is None else PointingReader(words)
    answerer = Answerer(Retriever.open(directory, embedder), (reader, SURE))
    yield answerer
    answerer.close()


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """Two threads of torch on two busy cores wait for each other most of the time."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def asked(seeds: Answerer) -> Asked:
    """Every question of the list with no confidence asked for and with full, the first also as the product asks."""
    wanted = [*product(QUESTIONS, (0.0, 1.0)), *product(FIRST, (None,))]
    return {(question, least): seeds.ask(question, TOP_K, min_confidence=least) for question, least in wanted}


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("min_confidence", [0.0, 1.0])
def test_every_quote_sentence_and_passage_is_a_slice_of_the_file(
    asked: Asked, question: str, min_confidence: float
) -> None:
    answer = asked[question, min_confidence]
    assert answer.citations or answer.related
    check_answer(asdict(answer), seed_texts())


@pytest.mark.parametrize(
    ("question", "uri", "start", "end", "quote", "section"),
    [
        (RELATIONS, WIKIPEDIA, 652, 665, "March 3, 1945", "Background"),
        ("when did hugo chavez die", WIKIPEDIA, 5454, 5464, "March 2013", "Maduro era"),
        ("What share of the vote did Gonzales receive?", MOSCOW_TIMES, 1000, 1005, "44.2%", None),
    ],
)
def test_a_known_question_is_answered_with_this_quote(
    seeds: Answerer, question: str, uri: str, start: int, end: int, quote: str, section: str | None
) -> None:
    answer = seeds.ask(question)
    citation = answer.citations[0]
    assert answer.status == "answered"
    assert answer.answer == citation.quote == quote == seed_texts()[uri][start:end]
    assert (citation.document.uri, citation.start, citation.end, citation.section) == (uri, start, end, section)
    assert citation.document.date == ("2024-07-29" if uri == MOSCOW_TIMES else None)


@pytest.mark.parametrize(
    ("position", "words"), [(0, "March 3, 1945"), (1, "44.2%"), (2, "100,000"), (3, "Nicolás Maduro")]
)
def test_each_suggested_question_is_answered_rightly(seeds: Answerer, position: int, words: str) -> None:
    suggestion = seeds.retriever.meta.suggestions[position]
    assert words in (seeds.ask(suggestion).answer or "")


def test_there_are_four_suggestions(seeds: Answerer) -> None:
    assert len(seeds.retriever.meta.suggestions) == 4


def test_the_same_question_has_the_same_answer_and_id_again_and_reopened(
    asked: Asked, seeds: Answerer, seeds_index: Path, minilm: Embedder
) -> None:
    reopened = Answerer.open(seeds_index, minilm)
    for question in FIRST:
        first = _untimed(asked[question, None])
        assert _untimed(seeds.ask(question, TOP_K)) == first
        assert _untimed(reopened.ask(question, TOP_K)) == first
    reopened.close()


def test_the_answer_is_the_same_with_one_thread_and_with_two(asked: Asked, seeds: Answerer) -> None:
    alone = [_untimed(asked[question, None]) for question in FIRST]
    torch.set_num_threads(2)
    try:
        assert [_untimed(seeds.ask(question, TOP_K)) for question in FIRST] == alone
    finally:
        torch.set_num_threads(1)


def test_different_questions_have_different_ids(asked: Asked) -> None:
    assert len({answer.id for answer in asked.values()}) == len(QUESTIONS)


def test_an_id_belongs_to_one_generation(write: Write, hashing: HashingEmbedder) -> None:
    folder = write({"a.txt": "The bridge opened in 1932."})
    with _answering(folder, hashing) as answerer:
        before = answerer.ask("When did the bridge open?")
    write({"b.txt": "The tunnel opened in 1992."})
    with _answering(folder, hashing) as answerer:
        after = answerer.ask("When did the bridge open?")
    assert (before.answer, before.index.generation) == (after.answer, 1) == ("The bridge opened in 1932.", 1)
    assert after.index.generation == 2
    assert before.id != after.id


def test_an_id_belongs_to_one_way_to_search_and_to_decide_but_not_to_how_much_was_asked_for(
    write: Write, hashing: HashingEmbedder
) -> None:
    folder = write({"a.txt": "The bridge opened in 1932.", "b.txt": "The tunnel opened in 1992."})
    with _answering(folder, hashing) as answerer:
        index, reader = answerer.retriever.store.directory, (SentenceReader(hashing), SURE)

        def asked(threshold: float | None = None, weights: Weights = FUSION, **options: Any) -> str:
            other = Answerer(Retriever.open(index, hashing, weights), reader, threshold=threshold)
            try:
                return other.ask("When did the bridge open?", **options).id
            finally:
                other.close()

        ids = [asked(), asked(weights=(1.0, 0.0)), asked(0.5), asked(0.25)]
        assert len(set(ids)) == len(ids)
        assert {asked(top_k=4), asked(documents=[document_id("b.txt")]), asked(min_confidence=0.5)} == {ids[0]}


def test_white_space_around_and_between_the_words_of_a_question_makes_no_difference(
    asked: Asked, seeds: Answerer
) -> None:
    spaced = seeds.ask(
        "\n  When did the\tSoviet Union   establish\r\ndiplomatic relations with Venezuela?\u2003", TOP_K
    )
    assert _untimed(replace(spaced, question=RELATIONS)) == _untimed(asked[RELATIONS, None])
    assert spaced.question.startswith("\n  When did the\tSoviet")


def test_a_normalised_question_has_single_spaces() -> None:
    assert normalised_question(" who\u00a0\n won ?\t") == "who won ?"


@pytest.mark.parametrize("question", ["", " ", "\n\t", "\u2003\u00a0"])
def test_an_empty_question_cannot_be_asked(seeds: Answerer, question: str) -> None:
    with pytest.raises(QuestionError, match="empty"):
        seeds.ask(question)
    with pytest.raises(QuestionError, match="empty"):
        seeds.search(question)


def test_a_question_has_at_most_a_thousand_characters(seeds: Answerer) -> None:
    assert seeds.ask("é" * 1_000).status == "abstained"
    with pytest.raises(QuestionError, match=r"1,001 characters; at most 1,000"):
        seeds.ask("é" * 1_001)


@pytest.mark.parametrize("question", ["\ud800", "who won \udcff?"])
def test_a_question_that_is_no_unicode_text_cannot_be_asked(
    write: Write, hashing: HashingEmbedder, question: str
) -> None:
    with (
        _answering(write({"a.txt": "The bridge opened in 1932."}), hashing) as answerer,
        pytest.raises(QuestionError),
    ):
        answerer.ask(question)


@pytest.mark.parametrize("question", QUESTIONS)
def test_with_no_confidence_asked_for_there_is_always_an_answer(asked: Asked, question: str) -> None:
    assert asked[question, 0.0].status == "answered"


@pytest.mark.parametrize("question", QUESTIONS)
def test_with_full_confidence_asked_for_it_abstains_with_reason_and_related_passages(
    asked: Asked, question: str
) -> None:
    answer = asked[question, 1.0]
    assert (answer.status, answer.answer, answer.citations) == ("abstained", None, ())
    assert answer.reason in {"low_confidence", "no_relevant_passage"}
    places = {(related.document.id, related.start, related.end) for related in answer.related}
    in_two = question == "How many AK-103 rifles did Caracas buy?"  # sentences, over all five passages
    assert len(places) == len(answer.related) == (2 if in_two else 3)


def test_the_confidence_is_the_same_whatever_is_asked_for(asked: Asked, seeds: Answerer) -> None:
    (confidence,) = {asked[RELATIONS, least].confidence for least in (None, 0.0, 1.0)}
    assert seeds.ask(RELATIONS, TOP_K, min_confidence=confidence).status == "answered"
    assert seeds.ask(RELATIONS, TOP_K, min_confidence=confidence + 0.0001).answer != "March 3, 1945"


@pytest.mark.parametrize(
    "question", ["How do I bake sourdough bread?", "What is the boiling point of tungsten?", "Who painted Mona Lisa?"]
)
def test_a_question_about_something_else_is_not_answered(seeds: Answerer, question: str) -> None:
    answer = seeds.ask(question)
    assert (answer.status, answer.answer, answer.citations) == ("abstained", None, ())
    assert answer.reason == "no_relevant_passage"


def test_a_question_on_the_subject_without_an_answer_is_not_answered(seeds: Answerer) -> None:
    answer = seeds.ask("How old is Vladimir Putin?", TOP_K)
    assert (answer.status, answer.answer, answer.reason) == ("abstained", None, "low_confidence")
    assert answer.related[0].document.uri == MOSCOW_TIMES


@pytest.mark.parametrize("uri", [WIKIPEDIA, MOSCOW_TIMES])
def test_only_the_named_documents_are_searched(seeds: Answerer, uri: str) -> None:
    answer = seeds.ask("Who won the presidential election?", TOP_K, [document_id(uri)], min_confidence=0.0)
    related = seeds.ask("Who won the presidential election?", TOP_K, [document_id(uri)], min_confidence=1.0).related
    assert len(related) == 3
    assert {citation.document.uri for citation in (*answer.citations, *related)} == {uri}


def test_a_document_that_is_not_there_cannot_be_searched(seeds: Answerer) -> None:
    with pytest.raises(UnknownDocumentError) as raised:
        seeds.ask(RELATIONS, documents=[document_id(WIKIPEDIA), "0123456789abcdef"])
    assert raised.value.args == ("0123456789abcdef",)


def test_an_answer_says_which_index_and_models_gave_it(asked: Asked) -> None:
    index = asked[RELATIONS, None].index
    assert (index.generation, index.embedder, index.reader) == (1, "all-MiniLM-L6-v2", SHIPPED_READER)


def test_a_search_gives_the_hits_unread_best_first(seeds: Answerer) -> None:
    hits = seeds.search(RELATIONS, 4)
    assert len(hits) == 4
    assert "March 3, 1945" in hits[0].passage.text
    assert [h.scores.fused for h in hits] == sorted((h.scores.fused for h in hits), reverse=True)


def test_an_answer_becomes_json_and_back_unchanged(asked: Asked) -> None:
    answer = json.loads(json.dumps(asdict(asked[RELATIONS, None])))
    check_answer(answer, seed_texts())
    assert answer["answer"] == asked[RELATIONS, None].answer


LINKED = "Russian President Putin on Monday [congratulated](#) Nicolas Maduro."


@pytest.mark.parametrize(
    ("words", "quote"),
    [
        ("Putin on Monday [congratulated", "Putin on Monday [congratulated](#)"),
        ("congratulated](#) Nicolas Maduro", "[congratulated](#) Nicolas Maduro"),
        ("congratulated](#", "[congratulated](#)"),
        ("congratulated", "congratulated"),
        ("gratul", "gratul"),
        ("[congratulated](#)", "[congratulated](#)"),
        ("Putin on Monday", "Putin on Monday"),
        ("Putin on Monday [congratulated](#) Nicolas", "Putin on Monday [congratulated](#) Nicolas"),
    ],
)
def test_a_quote_is_widened_rather_than_cut_through_a_link(
    write: Write, hashing: HashingEmbedder, words: str, quote: str
) -> None:
    with _answering(write({"a.txt": LINKED}), hashing, words) as answerer:
        answer = answerer.ask("Whom did Putin congratulate?")
    (citation,) = answer.citations
    start = LINKED.index(quote)
    assert answer.answer == citation.quote == quote
    assert (citation.start, citation.end) == (start, start + len(quote))
    assert citation.sentence.text == citation.passage.text == LINKED
    check_answer(asdict(answer), {"a.txt": LINKED})


def test_a_quote_over_two_sentences_has_both_as_its_sentence(write: Write, hashing: HashingEmbedder) -> None:
    text = "It rained. The bridge opened. Trains ran. Nobody cheered."
    with _answering(write({"a.txt": text}), hashing, "opened. Trains") as answerer:
        (citation,) = answerer.ask("What opened?").citations
    assert citation.quote == "opened. Trains"
    assert (citation.sentence.start, citation.sentence.end) == (11, 41)
    assert citation.sentence.text == "The bridge opened. Trains ran."


@pytest.mark.parametrize(
    ("first", "second", "answer", "confidence"),
    [(SURE, SURE, "1932", 0.5), (NEVER, SURE, "The bridge opened in 1932.", 0.5), (NEVER, NEVER, None, 0.2689)],
)
def test_the_second_reader_is_asked_if_the_first_is_not_sure(
    write: Write,
    hashing: HashingEmbedder,
    first: Calibration,
    second: Calibration,
    answer: str | None,
    confidence: float,
) -> None:
    folder = write({"a.txt": "The bridge opened in 1932. Trains ran."})
    build(folder, folder.parent / "index", hashing)
    readers = ((PointingReader("1932"), first), (SentenceReader(hashing), second))
    answerer = Answerer(Retriever.open(folder.parent / "index", hashing), *readers)
    given = answerer.ask("When did the bridge open?")
    answerer.close()
    assert (given.answer, given.confidence) == (answer, confidence)


def test_related_passages_are_quoted_in_whole_sentences(write: Write, hashing: HashingEmbedder) -> None:
    with _answering(write({"a.txt": "It rained. The bridge opened in 1932. Trains ran."}), hashing, "1932") as answerer:
        answer = answerer.ask("When did the bridge open?", min_confidence=1.0)
    assert [citation.quote for citation in answer.related] == ["The bridge opened in 1932."]


def test_what_of_a_question_is_not_read_is_said(write: Write, minilm: Embedder) -> None:
    folder = write({"a.txt": "The bridge opened in 1932."})
    with _answering(folder, minilm) as answerer:
        assert answerer.ask("When did the bridge open?").warnings == ()
        (warning,) = answerer.ask("a? " * 300).warnings
    assert warning == "The question has 600 tokens; the embedder read the first 254."


def test_offsets_count_code_points(write: Write, hashing: HashingEmbedder) -> None:
    text = "Ελλάδα 🇻🇪 e\u0301 𝔘. The bridge 🌉 opened in 1932.\r\nTrains ran."
    with _answering(write({"a.txt": b"\xef\xbb\xbf" + text.encode()}), hashing, "🌉 opened in 1932") as answerer:
        answer = answerer.ask("When did the bridge open?")
    start = text.index("🌉")
    assert (answer.answer, answer.citations[0].start) == ("🌉 opened in 1932", start)
    check_answer(asdict(answer), {"a.txt": text})


def test_a_reader_that_finds_nothing_makes_it_abstain_without_confidence(
    write: Write, hashing: HashingEmbedder
) -> None:
    with _answering(write({"a.txt": "The bridge opened in 1932."}), hashing, "no such words") as answerer:
        answer = answerer.ask("When did the bridge open in 1932?", min_confidence=0.0)
    assert (answer.status, answer.answer, answer.confidence, answer.related) == ("abstained", None, 0.0, ())
    assert answer.reason == "low_confidence"


def test_the_same_sentence_in_a_second_document_is_cited_too(write: Write, hashing: HashingEmbedder) -> None:
    folder = write({
        "a.txt": "It rained. The bridge opened in 1932.",
        "b.txt": "The **bridge** opened\nin 1932! It snowed.",
        "c.txt": "The bridge closed in 1999.",
    })  # fmt: skip
    with _answering(folder, hashing) as answerer:
        answer = answerer.ask("When was it that the bridge opened in 1932?")
    assert {(c.document.uri, c.start, c.end, c.quote) for c in answer.citations} == {
        ("a.txt", 11, 37, "The bridge opened in 1932."),
        ("b.txt", 0, 30, "The **bridge** opened\nin 1932!"),
    }
    assert answer.answer == answer.citations[0].quote


def test_an_answer_from_the_overlap_of_two_passages_is_cited_once(write: Write, hashing: HashingEmbedder) -> None:
    sentences = [
        f"In year {year} the town built house number {year - 1900} by the river." for year in range(1920, 1950)
    ]
    with _answering(write({"a.txt": " ".join(sentences)}), hashing) as answerer:
        everything = answerer.search("In which year did the town build houses?", 50)
        first, second = sorted((h.passage for h in everything), key=lambda passage: passage.start)[:2]
        shared = answerer.retriever.store.document(first.document_id).text[second.start : first.end]
        wanted = next(sentence for sentence in sentences if sentence in shared)
        answer = answerer.ask(wanted, 50)
    assert [citation.quote for citation in answer.citations] == [wanted]


def test_the_nearest_are_the_best_spans_of_the_three_best_passages() -> None:
    hits = [hit(f"Bridge {letter} opened. It rained.", letter) for letter in "abcd"]
    ranked = [replace(h, scores=replace(h.scores, fused=0.1 * rank)) for rank, h in enumerate(hits)]
    spans = [Span(h, start, start + 3, score) for score, start in ((0.9, 0), (0.2, 17)) for h in ranked]
    assert [(span.hit.document.id, span.start) for span in nearest(spans)] == [("d", 0), ("c", 0), ("b", 0)]


def test_a_sentence_that_passages_share_is_one_of_the_nearest_once() -> None:
    text = "It rained. The bridge opened. It snowed."
    first, second, third = hit(text[:29]), hit(text[11:], start=11), hit("A tower fell.", "b")
    ranked = [
        replace(h, scores=replace(h.scores, fused=fused)) for h, fused in ((first, 0.3), (second, 0.2), (third, 0.1))
    ]
    spans = [Span(ranked[0], 22, 28, 0.5), Span(ranked[1], 15, 21, 0.4), Span(ranked[2], 2, 7, 0.3)]
    found = nearest(spans)
    assert [(span.hit.passage.id, span.start, span.end) for span in found] == [
        (first.passage.id, 11, 29),
        (third.passage.id, 0, 13),
    ]


def test_damaged_text_is_not_quoted(write: Write, hashing: HashingEmbedder) -> None:
    folder = write({"a.txt": "The bridge opened in 1932."})
    directory = folder.parent / "index"
    build(folder, directory, hashing)
    with closing(sqlite3.connect(directory / "attest.sqlite")) as connection, connection:
        connection.execute("UPDATE documents SET text = 'The bridge opened in 1933.'")
    answerer = Answerer(Retriever.open(directory, hashing), (SentenceReader(hashing), SURE))
    with pytest.raises(DamagedStoreError, match=r"is not what was stored.*attest index"):
        answerer.ask("When did the bridge open?")
    answerer.close()


def test_damaged_text_is_mended_by_indexing_the_folder_again(write: Write, hashing: HashingEmbedder) -> None:
    folder = write({"a.txt": "The bridge opened in 1932."})
    directory = folder.parent / "index"
    build(folder, directory, hashing)
    with closing(sqlite3.connect(directory / "attest.sqlite")) as connection, connection:
        connection.execute("UPDATE documents SET text = 'The bridge opened in 1933.'")
    with _answering(folder, hashing) as answerer:
        assert answerer.ask("When did the bridge open?").answer == "The bridge opened in 1932."


def test_the_index_that_was_opened_answers_on_while_a_new_one_is_made(write: Write, hashing: HashingEmbedder) -> None:
    folder = write({"a.txt": "The bridge opened in 1932."})
    with _answering(folder, hashing) as answerer:
        write({"a.txt": "The bridge opened in 1933, not before."})
        build(folder, folder.parent / "index", hashing)
        answer = answerer.ask("When did the bridge open?")
        assert (answer.answer, answer.index.generation) == ("The bridge opened in 1932.", 1)


class _Counting(PointingReader):
    """Counts how often it reads."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.times = 0

    def read(self, question: str, hits: Sequence[Hit]) -> list[Span]:
        self.times += 1
        return super().read(question, hits)


def _reading(write: Write, hashing: HashingEmbedder, remembered: int) -> tuple[Answerer, _Counting]:
    folder = write({"a.txt": "It rained. The bridge opened in 1932."})
    build(folder, folder.parent / "index", hashing)
    reader = _Counting("1932")
    return Answerer(Retriever.open(folder.parent / "index", hashing), (reader, SURE), remembered=remembered), reader


def test_the_answers_asked_for_last_are_remembered(write: Write, hashing: HashingEmbedder) -> None:
    answerer, reader = _reading(write, hashing, remembered=2)
    first = answerer.ask("When did the bridge open?")
    again = answerer.ask(" When did the bridge\n open?")
    assert reader.times == 1
    assert _untimed(again) == replace(_untimed(first), question=" When did the bridge\n open?")
    assert (again.timings_ms.retrieve, again.timings_ms.read) == (0, 0)
    assert first.timings_ms.total > again.timings_ms.total
    others: list[dict[str, Any]] = [{"top_k": 1}, {"min_confidence": 0.5}]
    for times, options in enumerate(others, start=2):
        answerer.ask("When did the bridge open?", **options)
        assert reader.times == times
    answerer.ask("When did the bridge open?")  # two others were asked for since
    assert reader.times == 4
    answerer.close()


def test_by_default_no_answer_is_remembered(write: Write, hashing: HashingEmbedder) -> None:
    answerer, reader = _reading(write, hashing, remembered=0)
    assert _untimed(answerer.ask("When did the bridge open?")) == _untimed(answerer.ask("When did the bridge open?"))
    assert reader.times == 2
    answerer.close()
