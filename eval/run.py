"""The evaluation: every question through the two halves of `Answerer.ask`, each scored."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from eval.metrics import corroborations, exact_match, is_right, sentence_hit, token_f1
from eval.questions import Gold, Question, QuestionsError, check_golds
from index.passages import Passage
from index.sentences import sentences
from index.store import Store
from service.answering import TOP_K, Answer, Answerer, QuestionError

RANKING_DEPTH = 10

Setting = Literal["open", "reading"]
Verdict = Literal["answered rightly", "answered wrongly", "abstained rightly", "abstained wrongly"]


@dataclass(frozen=True)
class Outcome:
    """One question and its answer.

    `forced` is the answer when abstaining is not allowed: that of the first reader that points at anything, without
    an answer if none does. `ranking` says of the first passages found whether they contain a gold answer, and
    `relevant` how many passages of the index do; it is None if the document was given. `gold_sentence` is the
    sentence around the first gold answer, with the slice of that answer in it.
    """

    question: Question
    answer: Answer
    forced: Answer
    ranking: tuple[bool, ...] | None
    relevant: int
    exact_citations: bool
    gold_sentence: tuple[str, int, int] | None

    @property
    def answered(self) -> bool:
        return self.answer.status == "answered"

    @cached_property
    def exact_match(self) -> float:
        return exact_match(self.question, self.answer.answer)

    @cached_property
    def f1(self) -> float:
        return token_f1(self.question, self.answer.answer)

    @cached_property
    def forced_exact_match(self) -> float:
        return exact_match(self.question, self.forced.answer)

    @cached_property
    def forced_f1(self) -> float:
        return token_f1(self.question, self.forced.answer)

    @cached_property
    def right(self) -> bool:
        """Whether there is an answer and it is right; it never is where there is no gold answer."""
        return any(is_right(self.question, citation) for citation in self.answer.citations[:1])

    @cached_property
    def forced_right(self) -> bool:
        return any(is_right(self.question, citation) for citation in self.forced.citations[:1])

    @cached_property
    def hit(self) -> bool:
        """Whether the sentence that is cited first overlaps a gold answer."""
        return any(
            sentence_hit(self.question, cited.document.uri, cited.sentence.start, cited.sentence.end)
            for cited in self.answer.citations[:1]
        )

    @cached_property
    def corroborations(self) -> tuple[bool, ...]:
        return tuple(corroborations(self.question, self.answer))

    @property
    def verdict(self) -> Verdict:
        if not self.answered:
            return "abstained wrongly" if self.question.answers else "abstained rightly"
        return "answered rightly" if self.right else "answered wrongly"


def run(
    answerer: Answerer,
    questions: Sequence[Question],
    setting: Setting = "open",
    watch: Callable[[int], None] = lambda _done: None,
) -> list[Outcome]:
    """Ask every question; in the setting `reading`, of the document alone that the question names.

    Raises QuestionsError for a question that cannot be asked and if a gold answer does not stand where it says.
    """
    store = answerer.retriever.store
    ids = {listing.ref.uri: listing.ref.id for listing in store.listing()}
    check_golds(questions, {uri: store.document(ids[uri]).text for uri in ids})
    passages: dict[str, list[Passage]] = {}
    for gold in (gold for question in questions for gold in question.answers):
        if gold.document not in passages:
            numbers = store.numbers([ids[gold.document]])
            passages[gold.document] = [store.passage(int(number))[0] for number in numbers]
    answerer.warm_up()
    outcomes = []
    for number, question in enumerate(questions, start=1):
        among = [ids[question.document]] if setting == "reading" else None
        try:
            found = answerer.retrieve(question.question, RANKING_DEPTH, among)
        except QuestionError as error:
            raise QuestionsError(f"The question {question.id} cannot be asked: {error}") from error
        reading = replace(found, hits=found.hits[:TOP_K])
        answer = answerer.decide(reading)
        forced = answerer.decide(reading, min_confidence=0.0)
        golds = question.answers
        ranking = tuple(_contains(hit.document.uri, hit.passage, golds) for hit in found.hits)
        outcomes.append(
            Outcome(
                question=question,
                answer=answer,
                forced=forced,
                ranking=ranking if setting == "open" else None,
                relevant=sum(
                    _contains(uri, passage, golds)
                    for uri in {gold.document for gold in golds}
                    for passage in passages[uri]
                ),
                exact_citations=_exact(store, answer) and _exact(store, forced),
                gold_sentence=_in_sentence(store.document(ids[golds[0].document]).text, golds[0]) if golds else None,
            )
        )
        watch(number)
    return outcomes


def _contains(document: str, passage: Passage, golds: Sequence[Gold]) -> bool:
    return any(gold.document == document and passage.start <= gold.start and gold.end <= passage.end for gold in golds)


def _exact(store: Store, answer: Answer) -> bool:
    """Whether every quote of an answer, of whatever kind, equals the stored text where it says it stands."""
    return all(
        store.document(cited.document.id).text[cited.start : cited.end] == cited.quote
        for cited in (*answer.citations, *answer.differing, *answer.related)
    )


def _in_sentence(text: str, gold: Gold) -> tuple[str, int, int]:
    """The sentences of a gold answer's lines that it touches, and its place in them."""
    begin = text.rfind("\n", 0, gold.start) + 1
    end = text.find("\n", gold.end)
    touched = [
        (left, right)
        for left, right in sentences(text, begin, len(text) if end < 0 else end)
        if left < gold.end and gold.start < right
    ] or [(gold.start, gold.end)]  # of white space alone
    left, right = min(gold.start, touched[0][0]), max(gold.end, touched[-1][1])
    return text[left:right], gold.start - left, gold.end - left
