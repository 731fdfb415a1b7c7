"""The figures: each defined in one sentence, with its source, and computed over all questions that it is about."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import ir_measures
import numpy as np
from ir_measures import RR, Qrel, ScoredDoc, Success, nDCG
from numpy.typing import NDArray

from eval import metrics
from eval.run import RANKING_DEPTH, Outcome
from service.reader import squad

RESAMPLES = 1_000
SEED = 1
ACCURACY = 0.8  # at which coverage is given

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Value:
    """A figure over n questions, NaN over none, with its 95% interval, NaN if there is none."""

    value: float
    n: int
    low: float = math.nan
    high: float = math.nan


@dataclass(frozen=True, slots=True)
class Table:
    """What the figures are computed from: a row for each question, a column for each thing known of it.

    `ranking` has a column for each of `RANKED`; `corroborations` holds how many further citations there are and how
    many of them are right; `milliseconds` has a column for each of `STAGES`.
    """

    answerable: Flags
    answered: Flags
    right: Flags
    hit: Flags
    confidence: Array
    exact_match: Array
    f1: Array
    forced_exact_match: Array
    forced_f1: Array
    forced_right: Flags
    exact_citations: Flags
    ranked: Flags
    ranking: Array
    corroborations: Array
    milliseconds: Array

    @classmethod
    def of(cls, outcomes: Sequence[Outcome]) -> "Table":
        def column(value: Callable[[Outcome], Any], kind: type = float) -> NDArray[Any]:
            return np.array([value(outcome) for outcome in outcomes], dtype=kind)

        return cls(
            answerable=column(lambda o: bool(o.question.answers), bool),
            answered=column(lambda o: o.answered, bool),
            right=column(lambda o: o.right, bool),
            hit=column(lambda o: o.hit, bool),
            confidence=column(lambda o: o.forced.confidence),
            exact_match=column(lambda o: o.exact_match),
            f1=column(lambda o: o.f1),
            forced_exact_match=column(lambda o: o.forced_exact_match),
            forced_f1=column(lambda o: o.forced_f1),
            forced_right=column(lambda o: o.forced_right, bool),
            exact_citations=column(lambda o: o.exact_citations, bool),
            ranked=column(lambda o: bool(o.question.answers) and o.ranking is not None, bool),
            ranking=_ranking(outcomes),
            corroborations=column(lambda o: (len(o.corroborations), sum(o.corroborations))),
            milliseconds=column(lambda o: [getattr(o.answer.timings_ms, stage) for stage in STAGES]),
        )

    def take(self, rows: NDArray[np.intp]) -> "Table":
        return Table(*(getattr(self, name)[rows] for name in Table.__slots__))


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure's name, its definition, and its value over a table, with the number of questions that it is over."""

    name: str
    definition: str
    of: Callable[[Table], tuple[float, int]]
    resampled: bool = True


def measure(outcomes: Sequence[Outcome], resamples: int = RESAMPLES) -> dict[str, Value]:
    """All figures, with 95% bootstrap intervals (Efron 1979; percentiles, seeded) if `resamples` is not 0.

    Questions about the same fact are drawn together, since they are not independent. Where the resamples agree, they
    say nothing of how far off a figure may be: it has no interval then.
    """
    table = Table.of(outcomes)
    found = {figure.name: Value(*figure.of(table)) for figure in FIGURES}
    if not resamples:
        return found
    drawn = [table.take(rows) for rows in _resamples([outcome.question.fact for outcome in outcomes], resamples)]
    for figure in FIGURES:
        if figure.resampled and found[figure.name].n:
            values = [figure.of(sample)[0] for sample in drawn]
            low, high = np.nanpercentile(values, [2.5, 97.5])
            if not np.isclose(low, high):
                found[figure.name] = Value(found[figure.name].value, found[figure.name].n, float(low), float(high))
    return found


def _resamples(facts: Sequence[str], count: int) -> Iterator[NDArray[np.intp]]:
    """Draws with replacement of as many facts as there are, as the rows of their questions."""
    rows_of: dict[str, list[int]] = {}
    for row, fact in enumerate(facts):
        rows_of.setdefault(fact, []).append(row)
    groups = [np.array(rows) for rows in rows_of.values()]
    random = np.random.default_rng(SEED)
    for _ in range(count):
        yield np.concatenate([groups[at] for at in random.integers(len(groups), size=len(groups))])


def _mean(values: NDArray[Any], over: Flags | None = None) -> tuple[float, int]:
    chosen = values if over is None else values[over]
    return (float(chosen.mean()) if len(chosen) else math.nan), len(chosen)


def _ranking(outcomes: Sequence[Outcome]) -> Array:
    """Each of `RANKED` for each question, by ir-measures; 0 where no passage with a gold answer was found."""
    qrels, run = [], []
    for number, outcome in enumerate(outcomes):
        ranking = outcome.ranking or ()
        for rank, contains in enumerate(ranking):
            run.append(ScoredDoc(str(number), str(rank), -float(rank)))
            if contains:
                qrels.append(Qrel(str(number), str(rank), 1))
        missing = range(outcome.relevant - sum(ranking))
        qrels += [Qrel(str(number), f"missing {at}", 1) for at in missing]
    found = np.zeros((len(outcomes), len(RANKED)))
    if qrels:
        for metric in ir_measures.iter_calc(RANKED, qrels, run):
            found[int(metric.query_id), RANKED.index(metric.measure)] = metric.value
    return found


def _best_threshold(table: Table) -> tuple[float, int]:
    worth = [float(f1) if has else None for f1, has in zip(table.forced_f1, table.answerable, strict=True)]
    return squad.best_threshold(list(zip(table.confidence.tolist(), worth, strict=True)))[0], len(worth)


def _corroboration(table: Table) -> tuple[float, int]:
    given, right = table.corroborations.sum(axis=0)
    return (float(right / given) if given else math.nan), int(given)


def _over_all(compute: Callable[[Array, Flags], float]) -> Callable[[Table], tuple[float, int]]:
    """A figure of confidence and of what is right, over all questions."""
    return lambda table: (compute(table.confidence, table.forced_right), len(table.forced_right))


def _coverage(table: Table) -> tuple[float, int]:
    """Of the answerable questions, the share that the threshold for ACCURACY answers."""
    if not table.answerable.any():
        return math.nan, 0
    least = metrics.threshold_at(ACCURACY, table.confidence, table.forced_right)
    return _mean(table.confidence >= least, table.answerable)


def _stage(stage: str, share: float) -> Callable[[Table], tuple[float, int]]:
    at = STAGES.index(stage)
    return lambda table: (float(np.percentile(table.milliseconds[:, at], share)), len(table.milliseconds))


STAGES = ("retrieve", "read", "total")
RANKED = [Success @ 1, Success @ 5, RR @ RANKING_DEPTH, nDCG @ RANKING_DEPTH]
_SQUAD = "Rajpurkar et al. 2016"
_RANKED = "of the passages that contain a gold answer, over answerable questions, by ir-measures"
FIGURES = [
    Figure(
        "exact match",
        f"The answer is a gold answer after normalisation; refused answerable questions count 0 ({_SQUAD}).",
        lambda t: _mean(t.exact_match, t.answerable),
    ),
    Figure(
        "token F1",
        "The harmonic mean of token precision and recall against the nearest gold answer; refused answerable "
        f"questions count 0 ({_SQUAD}).",
        lambda t: _mean(t.f1, t.answerable),
    ),
    Figure(
        "exact match, forced",
        "Exact match over answerable questions when abstaining is not allowed (SQuAD 2.0's HasAns without a null).",
        lambda t: _mean(t.forced_exact_match, t.answerable),
    ),
    Figure(
        "token F1, forced",
        "Token F1 over answerable questions when abstaining is not allowed.",
        lambda t: _mean(t.forced_f1, t.answerable),
    ),
    Figure(
        "exact match or refusal",
        "Over all questions: exact match if there is a gold answer, else 1 for abstaining (SQuAD 2.0, Rajpurkar et "
        "al. 2018).",
        lambda t: _mean(t.exact_match),
    ),
    Figure(
        "token F1 or refusal",
        "Over all questions: token F1 if there is a gold answer, else 1 for abstaining (SQuAD 2.0).",
        lambda t: _mean(t.f1),
    ),
    Figure(
        "token F1 or refusal, best threshold",
        "The same with the one threshold on the confidence that is best for these very questions (SQuAD 2.0's "
        "best_f1): an upper bound.",
        _best_threshold,
    ),
    Figure(
        "sentence hit",
        "The sentence that is cited first overlaps a gold answer; refused answerable questions count 0.",
        lambda t: _mean(t.hit, t.answerable),
    ),
    Figure(
        "right, of those answered",
        f"Precision: of all questions answered, the share whose answer reaches token F1 {metrics.RIGHT_F1} against "
        "a gold answer and gives no other date or amount than it, or, quoted as a whole sentence, overlaps one.",
        lambda t: _mean(t.right, t.answered),
    ),
    Figure(
        "answerable, answered",
        "Of the questions with a gold answer, the share answered, rightly or not.",
        lambda t: _mean(t.answered, t.answerable),
    ),
    Figure(
        "unanswerable, abstained",
        "Recall of abstention: of the questions without a gold answer, the share refused (SQuAD 2.0's NoAns).",
        lambda t: _mean(~t.answered, ~t.answerable),
    ),
    Figure(
        "abstained, unanswerable",
        "Precision of abstention: of the questions refused, the share without a gold answer.",
        lambda t: _mean(~t.answerable, ~t.answered),
    ),
    Figure("recall@1", f"Success@1 {_RANKED}.", lambda t: _mean(t.ranking[:, 0], t.ranked)),
    Figure(
        "recall@5",
        f"Success@5 {_RANKED}: whether one of the first five is such a passage, which open-domain question answering "
        "calls recall@5.",
        lambda t: _mean(t.ranking[:, 1], t.ranked),
    ),
    Figure("MRR@10", f"The reciprocal rank of the first {_RANKED}.", lambda t: _mean(t.ranking[:, 2], t.ranked)),
    Figure(
        "nDCG@10",
        f"Normalised discounted cumulative gain {_RANKED} (Järvelin and Kekäläinen 2002).",
        lambda t: _mean(t.ranking[:, 3], t.ranked),
    ),
    Figure(
        f"coverage at {ACCURACY:.0%} accuracy",
        "The share of answerable questions answered with the least threshold on the confidence at which "
        f"{ACCURACY:.0%} of all answers are right, those to unanswerable questions, which never are, among them.",
        _coverage,
    ),
    Figure(
        f"coverage at {ACCURACY:.0%} accuracy, answerable only",
        "The same where nothing but the answerable questions is asked.",
        lambda t: _coverage(t.take(np.flatnonzero(t.answerable))),
    ),
    Figure(
        "area under risk–coverage",
        "The mean share of wrong answers over all coverages of all questions (Geifman, Uziel and El-Yaniv 2019); "
        "less is better.",
        _over_all(metrics.area_under_risk),
    ),
    Figure(
        "expected calibration error",
        "The mean distance of confidence and share of right answers over ten equally wide bins (Naeini et al. 2015), "
        "forced answers to all questions; less is better.",
        _over_all(metrics.expected_calibration_error),
    ),
    Figure(
        "Brier score",
        "The mean squared distance of confidence and outcome (Brier 1950), forced answers to all questions; less is "
        "better.",
        _over_all(metrics.brier_score),
    ),
    Figure(
        "citations exact",
        "The share of questions all of whose quotes equal the stored text where they say they stand.",
        lambda t: _mean(t.exact_citations),
    ),
    Figure(
        "corroborations right",
        "Of the citations after the first, the share that give the value of a gold answer; n counts citations.",
        _corroboration,
    ),
    *(
        Figure(
            f"{stage} p{share}, ms",
            f"The time that {share}% of the answers do not exceed in the stage {stage!r}, interpolated linearly.",
            _stage(stage, share),
            resampled=False,
        )
        for stage in STAGES
        for share in (50, 95, 99)
    ),
]
