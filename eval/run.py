"""The evaluation: every question through `Answerer.ask`, each scored, n beside every mean."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import ir_measures
from ir_measures import RR, Qrel, ScoredDoc, Success

from eval.metrics import exact_match, percentile, sentence_hit, token_f1
from eval.questions import Question, check_golds
from index.retrieval import Hit
from service.answering import Answer, Answerer

RANKING_DEPTH = 10


@dataclass(frozen=True, slots=True)
class Outcome:
    """One question, its answer, and what the answer is worth; `hit` is whether the cited sentence holds a gold."""

    question: Question
    answer: Answer
    ranking: tuple[Hit, ...]
    exact_match: float
    f1: float
    hit: bool
    exact_citations: bool

    @property
    def verdict(self) -> str:
        if self.answer.status == "abstained":
            return "abstained wrongly" if self.question.answers else "abstained rightly"
        return "answered rightly" if self.hit else "answered wrongly"


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean over n questions."""

    value: float
    n: int


def run(
    answerer: Answerer, questions: Sequence[Question], watch: Callable[[int], None] = lambda _done: None
) -> list[Outcome]:
    """Ask every question. Raises QuestionsError if a gold answer does not stand where it says."""
    store = answerer.retriever.store
    texts = {listing.ref.uri: store.document(listing.ref.id).text for listing in store.listing()}
    check_golds(questions, texts)
    outcomes = []
    for number, question in enumerate(questions, start=1):
        answer = answerer.ask(question.question)
        first = answer.citations[0] if answer.citations else None
        outcomes.append(
            Outcome(
                question=question,
                answer=answer,
                ranking=tuple(answerer.search(question.question, RANKING_DEPTH)),
                exact_match=exact_match(question, answer.answer),
                f1=token_f1(question, answer.answer),
                hit=first is not None
                and sentence_hit(question, first.document.uri, first.sentence.start, first.sentence.end),
                exact_citations=all(
                    texts[c.document.uri][c.start : c.end] == c.quote for c in (*answer.citations, *answer.related)
                ),
            )
        )
        watch(number)
    return outcomes


def measure(outcomes: Sequence[Outcome]) -> dict[str, Mean]:
    """All figures over these outcomes; a question without a prediction counts zero."""
    answerable = [o for o in outcomes if o.question.answers]
    unanswerable = [o for o in outcomes if not o.question.answers]
    answered = [o for o in answerable if o.answer.status == "answered"]
    ranked = _retrieval(answerable)
    verdicts = [o.verdict for o in outcomes]
    milliseconds = [o.answer.timings_ms.total for o in outcomes]
    count = len(outcomes)
    return {
        "exact match": _mean([o.exact_match for o in answerable]),
        "token F1": _mean([o.f1 for o in answerable]),
        "sentence hit": _mean([o.hit for o in answerable]),
        "sentence hit, of those answered": _mean([o.hit for o in answered]),
        "recall@1": Mean(ranked[Success @ 1], len(answerable)),
        "recall@5": Mean(ranked[Success @ 5], len(answerable)),
        "MRR@10": Mean(ranked[RR @ RANKING_DEPTH], len(answerable)),
        "answerable, answered": _mean([o.answer.status == "answered" for o in answerable]),
        "unanswerable, abstained": _mean([o.answer.status == "abstained" for o in unanswerable]),
        **{
            verdict: Mean(verdicts.count(verdict) / count, count)
            for verdict in ("answered rightly", "answered wrongly", "abstained rightly", "abstained wrongly")
        },
        "citations exact": _mean([o.exact_citations for o in outcomes]),
        "latency p50, ms": Mean(percentile(milliseconds, 50), count),
        "latency p95, ms": Mean(percentile(milliseconds, 95), count),
    }


def _retrieval(answerable: Sequence[Outcome]) -> dict[Any, float]:
    """Success@k and reciprocal rank of the passages that contain a gold answer, by ir-measures.

    Success@k, whether one such passage is among the first k, is what open-domain question answering calls recall@k.
    """
    measures = [Success @ 1, Success @ 5, RR @ RANKING_DEPTH]
    if not answerable:
        return dict.fromkeys(measures, 0.0)
    qrels, ranking = [], []
    for outcome in answerable:
        qrels.append(Qrel(outcome.question.id, "gold, found or not", 1))  # so that every question is scored
        for rank, hit in enumerate(outcome.ranking):
            ranking.append(ScoredDoc(outcome.question.id, hit.passage.id, -float(rank)))
            if _relevant(outcome, hit):
                qrels.append(Qrel(outcome.question.id, hit.passage.id, 1))
    return dict(ir_measures.calc_aggregate(measures, qrels, ranking))


def _relevant(outcome: Outcome, hit: Hit) -> bool:
    passage = hit.passage
    return any(
        gold.document == hit.document.uri and passage.start <= gold.start and gold.end <= passage.end
        for gold in outcome.question.answers
    )


def _mean(values: Sequence[float]) -> Mean:
    return Mean(statistics.fmean(values) if values else 0.0, len(values))
