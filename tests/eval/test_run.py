"""The evaluation on a few documents, where it is known what is found, answered and held back."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from eval.questions import Gold, Question, QuestionsError
from eval.run import Outcome, run
from index.build import build
from index.documents import document_id
from index.embedding import HashingEmbedder
from index.retrieval import Retriever
from service.answering import Answer, Answerer, Reading
from service.confidence import Calibration, Features
from service.reader.sentence import SentenceReader
from tests.service.tiny import NEVER, SURE, PointingReader

Write = Callable[..., Path]
BRIDGE = "The bridge opened in 1901.\n"
MILL = "The mill burned down in 1920.\n"
HALF = Calibration(Features(20.0, 0.0, 0.0), -8.0, 0.5, "answers when a sentence holds about half of the words")
QUESTIONS = [
    Question("q1", "When was the bridge opened in 1901?", (Gold("a.txt", 0, 26, BRIDGE.strip()),), "a"),
    Question("q2", "The mill burned", (Gold("b.txt", 24, 28, "1920"),), "b"),
    Question("q3", "Did the bridge sing?", (), "a"),
    Question("q4", "Quux zyzzyva", (), "c"),
    Question("q5", "Quux frobnicated", (Gold("b.txt", 4, 8, "mill"),), "b"),
]


@contextmanager
def answering(folder: Path, calibration: Calibration, words: str | None = None) -> Iterator[Answerer]:
    """Answer over a folder with whole sentences, or with the given words wherever they stand."""
    embedder = HashingEmbedder()
    build(folder, folder.parent / "index", embedder)
    reader = SentenceReader(embedder) if words is None else PointingReader(words)
    answerer = Answerer(Retriever.open(folder.parent / "index", embedder), (reader, calibration))
    yield answerer
    answerer.close()


@pytest.fixture
def outcomes(write: Write) -> Iterator[list[Outcome]]:
    with answering(write({"a.txt": BRIDGE, "b.txt": MILL}), HALF) as answerer:
        yield run(answerer, QUESTIONS)


def test_every_question_has_a_verdict(outcomes: list[Outcome]) -> None:
    assert [(outcome.question.id, outcome.verdict) for outcome in outcomes] == [
        ("q1", "answered rightly"),
        ("q2", "answered rightly"),
        ("q3", "answered wrongly"),
        ("q4", "abstained rightly"),
        ("q5", "abstained wrongly"),
    ]


def test_an_answer_that_was_given_is_the_forced_one_and_a_refused_question_has_another(outcomes: list[Outcome]) -> None:
    assert [outcome.forced.answer == outcome.answer.answer for outcome in outcomes] == [True, True, True, False, False]
    for outcome in outcomes[3:]:
        assert (outcome.answer.status, outcome.answer.answer) == ("abstained", None)
        assert outcome.forced.status == "answered"
        assert outcome.forced.answer in (BRIDGE.strip(), MILL.strip())
        assert outcome.forced.confidence == outcome.answer.confidence < 0.5


@pytest.mark.parametrize("setting", ["open", "reading"])
def test_an_answer_is_the_one_that_is_given_when_the_question_is_asked(
    write: Write, setting: Literal["open", "reading"]
) -> None:
    """Among more passages than are read, by a first reader that is not sure enough or by the one behind it."""
    files = {f"{number:02}.txt": f"The mill number {number} burned in {1900 + number}.\n" for number in range(12)}
    asked = ["The mill number 5 burned in 1905", "Which mill number 7 burned?", "Quux zyzzyva mill"]
    questions = [Question(words, words, (), document="05.txt") for words in asked]
    embedder = HashingEmbedder()
    folder = write(files)
    build(folder, folder.parent / "index", embedder)
    retriever = Retriever.open(folder.parent / "index", embedder)
    answerer = Answerer(retriever, (PointingReader("1905"), NEVER), (SentenceReader(embedder), HALF))
    outcomes = run(answerer, questions, setting)
    assert {outcome.answered for outcome in outcomes} == {True, False}
    assert "1905" in {outcome.forced.answer for outcome in outcomes}
    for outcome, question in zip(outcomes, questions, strict=True):
        among = [document_id(question.document)] if setting == "reading" else None
        for given, least in ((outcome.answer, None), (outcome.forced, 0.0)):
            alone = answerer.ask(question.question, documents=among, min_confidence=least)
            assert replace(given, timings_ms=alone.timings_ms) == alone
    answerer.close()


def test_refusing_costs_the_answer_but_not_the_forced_one(write: Write) -> None:
    questions = [QUESTIONS[0], Question("q6", "Is the bridge open?", (), "a")]
    with answering(write({"a.txt": BRIDGE}), NEVER) as answerer:
        answerable, unanswerable = run(answerer, questions)
    assert (answerable.verdict, answerable.right, answerable.hit) == ("abstained wrongly", False, False)
    assert (answerable.exact_match, answerable.f1) == (0.0, 0.0)
    assert (answerable.forced_right, answerable.forced_exact_match, answerable.forced_f1) == (True, 1.0, 1.0)
    assert (unanswerable.verdict, unanswerable.right) == ("abstained rightly", False)
    assert (unanswerable.exact_match, unanswerable.forced_exact_match) == (1.0, 0.0)


def test_where_nothing_is_read_nothing_is_forced(write: Write) -> None:
    with answering(write({"a.txt": BRIDGE}), SURE, "tunnel") as answerer:
        (outcome,) = run(answerer, QUESTIONS[:1])
    assert (outcome.verdict, outcome.right) == ("abstained wrongly", False)
    assert (outcome.forced.answer, outcome.forced.confidence, outcome.forced_f1) == (None, 0.0, 0.0)


@pytest.mark.parametrize(("words", "right", "hit", "f1"), [("1901", True, True, 1.0), ("bridge", False, True, 0.0)])
def test_a_span_is_right_by_its_words_and_hits_by_its_sentence(
    write: Write, words: str, right: bool, hit: bool, f1: float
) -> None:
    question = Question("q1", "When did the bridge open?", (Gold("a.txt", 21, 25, "1901"),))
    with answering(write({"a.txt": BRIDGE, "b.txt": MILL}), SURE, words) as answerer:
        (outcome,) = run(answerer, [question])
    assert (outcome.right, outcome.hit, outcome.f1) == (right, hit, f1)


def test_the_ranking_says_which_passages_hold_a_gold_answer_and_how_many_there_are(outcomes: list[Outcome]) -> None:
    assert [(outcome.ranking, outcome.relevant) for outcome in outcomes[:4]] == [
        ((True, False), 1),
        ((True, False), 1),
        ((False, False), 0),
        ((False, False), 0),
    ]
    assert sorted(outcomes[4].ranking or ()) == [False, True]


def test_only_the_first_ten_passages_are_ranked_but_all_relevant_ones_are_counted(write: Write) -> None:
    files = {f"{number:02}.txt": "The mill burned." for number in range(12)}
    golds = tuple(Gold(name, 4, 8, "mill") for name in files)
    with answering(write(files), HALF) as answerer:
        (outcome,) = run(answerer, [Question("q1", "mill", golds)])
    assert (outcome.ranking, outcome.relevant) == ((True,) * 10, 12)


@pytest.mark.parametrize(("gold", "relevant"), [("burned", 1), ("It", 1), ("opened.\n\n## Mill\n\nIt", 0)])
def test_a_passage_is_relevant_if_it_holds_a_gold_answer_whole(write: Write, gold: str, relevant: int) -> None:
    text = "## Bridge\n\nThe bridge opened.\n\n## Mill\n\nIt burned.\n"
    start = text.index(gold)
    with answering(write({"a.md": text}), HALF) as answerer:
        (outcome,) = run(answerer, [Question("q1", "What?", (Gold("a.md", start, start + len(gold), gold),))])
    assert (len(outcome.ranking or ()), outcome.relevant, sum(outcome.ranking or ())) == (2, relevant, relevant)


def test_the_reading_setting_asks_only_the_document_that_the_question_names(write: Write) -> None:
    golds = (Gold("b.txt", 24, 28, "1920"),)
    questions = [Question(name, "The bridge opened", golds, document=name) for name in ("a.txt", "b.txt")]
    with answering(write({"a.txt": BRIDGE, "b.txt": MILL}), SURE) as answerer:
        first, second = run(answerer, questions, "reading")
        (found,) = run(answerer, questions[1:])
    assert (first.answer.answer, first.verdict) == (BRIDGE.strip(), "answered wrongly")
    assert (second.answer.answer, second.verdict) == (MILL.strip(), "answered rightly")
    assert [cited.document.id for cited in second.answer.citations] == [document_id("b.txt")]
    assert (first.ranking, second.ranking, found.ranking) == (None, None, (False, True))
    assert (found.answer.answer, found.verdict) == (BRIDGE.strip(), "answered wrongly")


SENTENCES = "It rained.\nThe old mill (built in 1850) burned. It was rebuilt. Nobody came\n"


@pytest.mark.parametrize(
    ("gold", "expected"),
    [
        ("mill", ("The old mill (built in 1850) burned.", "mill")),
        ("The old mill", ("The old mill (built in 1850) burned.", "The old mill")),
        ("burned. It was", ("The old mill (built in 1850) burned. It was rebuilt.", "burned. It was")),
        ("rained.", ("It rained.", "rained.")),
        ("rained.\nThe old", ("It rained.\nThe old mill (built in 1850) burned.", "rained.\nThe old")),
        ("Nobody", ("Nobody came", "Nobody")),
        (" It was", (" It was rebuilt.", " It was")),
        ("\n", ("\n", "\n")),
    ],
)
@pytest.mark.parametrize("end", ["", "\n"])
def test_the_gold_sentence_is_the_one_around_the_first_gold_answer(
    write: Write, gold: str, expected: tuple[str, str], end: str
) -> None:
    text = SENTENCES.rstrip() + end
    start = text.index(gold)
    golds = (Gold("a.txt", start, start + len(gold), gold), Gold("a.txt", 3, 9, "rained"))
    with answering(write({"a.txt": text}), HALF) as answerer:
        (outcome,) = run(answerer, [Question("q1", "Which mill burned?", golds)])
    assert outcome.gold_sentence
    sentence, left, right = outcome.gold_sentence
    assert (sentence, sentence[left:right]) == expected


def test_an_unanswerable_question_has_no_gold_sentence(outcomes: list[Outcome]) -> None:
    assert [outcome.gold_sentence is None for outcome in outcomes] == [False, False, True, True, False]


def test_every_quote_is_compared_with_the_stored_text(outcomes: list[Outcome]) -> None:
    assert [outcome.exact_citations for outcome in outcomes] == [True] * 5


class Misquoting(Answerer):
    """Answers as an Answerer does, and then changes a letter of one quote."""

    which: Literal["citations", "related"] = "citations"

    def decide(self, reading: Reading, min_confidence: float | None = None) -> Answer:
        answer = super().decide(reading, min_confidence)
        *others, last = getattr(answer, self.which) or [None]
        changed = (*others, replace(last, quote=last.quote.replace("e", "a"))) if last else ()
        return replace(answer, citations=changed) if self.which == "citations" else replace(answer, related=changed)


@pytest.mark.parametrize(
    ("which", "exact"), [("citations", [False] * 5), ("related", [True, True, True, False, False])]
)
def test_a_quote_that_is_not_in_the_text_is_noticed_even_where_it_is_held_back_or_only_related(
    write: Write, which: Literal["citations", "related"], exact: list[bool]
) -> None:
    with answering(write({"a.txt": BRIDGE, "b.txt": MILL}), HALF) as answerer:
        misquoting = Misquoting(answerer.retriever, (SentenceReader(HashingEmbedder()), HALF))
        misquoting.which = which
        assert [outcome.exact_citations for outcome in run(misquoting, QUESTIONS)] == exact


def test_progress_is_reported_after_every_question(write: Write) -> None:
    done: list[int] = []
    with answering(write({"a.txt": BRIDGE, "b.txt": MILL}), HALF) as answerer:
        run(answerer, QUESTIONS, watch=done.append)
    assert done == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        (Question("q1", "When?", (Gold("a.txt", 0, 6, "bridge"),)), r"q1: a.txt\[0:6\] is not 'bridge'"),
        (Question("q1", "When?", (Gold("c.txt", 0, 3, "The"),)), "q1 refers to c.txt, which the index does not hold"),
        (Question("q1", "  ", ()), "q1 cannot be asked: The question is empty"),
        (Question("q1", "why " * 251, ()), "q1 cannot be asked: The question has 1,004 characters; at most 1,000"),
    ],
)
def test_a_question_that_cannot_be_scored_is_refused(write: Write, question: Question, reason: str) -> None:
    with answering(write({"a.txt": BRIDGE}), HALF) as answerer, pytest.raises(QuestionsError, match=reason):
        run(answerer, [question])
