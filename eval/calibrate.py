"""Fit the confidence on SQuAD-like data in the open setting: `python -m eval.calibrate DATA [READER]`.

DATA is JSON lines as in `eval.squad`, of articles that the reader was not trained on. The fit uses nothing else; but
what the thresholds follow from, RISK and UNANSWERABLE, was chosen after looking at the figures on the seeds as well.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_predict

from eval import squad
from eval.metrics import brier_score, expected_calibration_error, says, threshold_at
from eval.questions import Question, QuestionsError
from index.compiled import load_embedder
from index.embedding import DEFAULT_EMBEDDER, Embedder, EmbedderError
from index.retrieval import Retriever
from service import confidence
from service.answering import TOP_K, normalised_question
from service.confidence import Features
from service.corroboration import words
from service.reader import SHIPPED_READER, Reader, ReaderError, Span
from service.reader.model import load_span_reader
from service.reader.sentence import SentenceReader

FOLDS = 4  # at most; no article is in two
# The share of the answers given that may be wrong, if this share of the questions has no answer. In the data it may be
# another, and the questions are weighed: of SQuAD 2.0's about half have none, and were written to look answerable.
RISK = 0.3
UNANSWERABLE = 0.25
FEWEST = 10  # answers that a threshold must give, to be taken for more than chance
SPAN = ("score",)  # with the cosine, and with the span's share of all spans, the AUC on squad-dev is 0.81 as well
SENTENCE = ("score", "lead", "cosine")


@dataclass(frozen=True, slots=True)
class Case:
    """What a reader's best span for a question looks like, whether it is right and could be, and the article."""

    features: Features
    right: bool
    answerable: bool
    article: str


Weigh = Callable[[Case], float]


def cases(path: Path, embedder: Embedder, readers: Sequence[Reader]) -> list[list[Case]]:
    """Ask every question of a file over all its paragraphs: for each question the case of each reader.

    Raises QuestionsError.
    """
    rows = squad.read(path)
    found = []
    with squad.indexed(rows, embedder) as directory:
        retriever = Retriever.open(directory, embedder)
        for row, question in zip(rows, squad.questions(rows), strict=True):
            asked = normalised_question(question.question)
            hits = retriever.search(asked, TOP_K)
            spans = [reader.read(asked, hits) for reader in readers]
            if all(spans):
                can = bool(question.answers)
                found.append([Case(confidence.features(s), is_right(question, s[0]), can, row.title) for s in spans])
        retriever.close()
    return found


def is_right(question: Question, span: Span) -> bool:
    """Whether a span says what a gold answer says; of a whole sentence, whether it overlaps one."""
    whole = (span.start, span.end) in span.hit.passage.sentences
    return says(question, span.hit.document.uri, span.start, span.end, None if whole else words(span))


def fit(
    cases: Sequence[Case], names: Sequence[str], reader: str, source: str, weigh: Weigh = lambda _: 1.0
) -> tuple[dict[str, Any], NDArray[np.float64]]:
    """The calibration of a reader, as JSON has it, and the probabilities of these cases when their article is left out.

    The threshold is the least with which at most RISK of the answers are wrong, by those probabilities and with the
    cases counted as `weigh` says; 1 if there is none, or none that gives FEWEST answers. Raises QuestionsError where
    nothing can be fitted.
    """
    inputs = np.array([[getattr(case.features, name) for name in names] for case in cases])
    right, answerable = (np.array([getattr(case, name) for case in cases]) for name in ("right", "answerable"))
    folds = _folds(cases, source)
    model = LogisticRegression(C=10, max_iter=1_000)
    predicted = cross_val_predict(model, inputs, right, cv=folds, method="predict_proba")
    left_out = predicted[:, 1].round(4)  # as a Calibration gives them
    model.fit(inputs, right)
    least = min(1.0, threshold_at(1 - RISK, left_out, right, list(map(weigh, cases))))
    if np.sum(left_out >= least) < FEWEST:
        least = 1.0
    given = left_out >= least
    provenance = (
        f"{source}; n={len(right)}, {right.mean():.2f} right. With each article left out in turn: AUC "
        f"{roc_auc_score(right, left_out):.2f}, Brier score {brier_score(left_out, right):.3f}, expected "
        f"calibration error {expected_calibration_error(left_out, right):.3f}. With the threshold, the least for a "
        f"risk of {RISK:.0%} if {UNANSWERABLE:.0%} of the questions have no answer, {given.sum()} are answered, "
        f"{np.mean(~right[given]) if given.any() else 0:.2f} wrongly, since {1 - answerable.mean():.0%} have none here."
    )
    weights = dict.fromkeys(Features.__slots__, 0.0)
    weights |= {name: round(float(weight), 4) for name, weight in zip(names, model.coef_[0], strict=True)}
    fitted = {
        "weights": weights,
        "intercept": round(float(model.intercept_[0]), 4),
        "threshold": least,
        "reader": reader,
        "provenance": provenance,
    }
    return fitted, left_out


def weighing(cases: Sequence[Case]) -> Weigh:
    """What each case counts, so that UNANSWERABLE of these have no answer; alike if all have one or none has."""
    share = sum(not case.answerable for case in cases) / max(1, len(cases))
    if share in (0, 1):
        return lambda _: 1.0
    return lambda case: (1 - UNANSWERABLE) / (1 - share) if case.answerable else UNANSWERABLE / share


def _folds(cases: Sequence[Case], source: str) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """The cases to fit on and those left out, article by article or, of more than FOLDS, some at a time."""
    articles = [case.article for case in cases]
    count = len(set(articles))
    if count < 2:
        raise QuestionsError(f"{source}: a confidence needs cases of at least two articles; there are {count}")
    folds = list(GroupKFold(min(FOLDS, count)).split(cases, groups=articles))
    if any(len({cases[at].right for at in fitting}) < 2 for fitting, _ in folds):
        raise QuestionsError(
            f"{source}: a confidence needs both right and wrong answers, also with some articles left out; of "
            f"{len(cases)} answers, {sum(case.right for case in cases)} are right"
        )
    return folds


def calibrations(found: Sequence[Sequence[Case]], fingerprints: tuple[str, str], source: str) -> dict[str, Any]:
    """Those of spans, of sentences, and of sentences where no span was sure enough. Raises QuestionsError."""
    of_spans, of_sentences = fingerprints
    fitted = {}
    weigh = weighing([case for case, _ in found])
    fitted["span"], sure = fit([case for case, _ in found], SPAN, of_spans, source, weigh)
    fitted["sentence"], _ = fit([case for _, case in found], SENTENCE, of_sentences, source, weigh)
    unsure = [case for (_, case), p in zip(found, sure, strict=True) if p < fitted["span"]["threshold"]]
    fitted["fallback"], _ = fit(unsure, SENTENCE, of_sentences, f"{source}, where no span was sure enough", weigh)
    return fitted


def main(arguments: Sequence[str]) -> None:
    """Write `service/confidence.json`."""
    parser = argparse.ArgumentParser(prog="python -m eval.calibrate", description="Fit the confidence.")
    parser.add_argument("data", type=Path, help="questions in SQuAD's form, not of articles the reader was trained on")
    parser.add_argument("reader", nargs="?", default=SHIPPED_READER, help="a span reader, by its name or folder")
    given = parser.parse_args(arguments)
    source = f"python -m eval.calibrate {given.data.name}, {date.today().isoformat()}: open setting, {TOP_K} passages"
    try:
        embedder = load_embedder(DEFAULT_EMBEDDER)
        spans, sentences = load_span_reader(given.reader), SentenceReader(embedder)
        found = cases(given.data, embedder, [spans, sentences])
        fitted = calibrations(found, (spans.fingerprint, sentences.fingerprint), source)
    except (QuestionsError, EmbedderError, ReaderError) as error:
        sys.exit(str(error))
    confidence.FILE.write_text(json.dumps(fitted, indent=1) + "\n", encoding="utf-8")
    for kind, calibration in fitted.items():
        print(f"{kind}: {calibration['provenance']}")


if __name__ == "__main__":
    main(sys.argv[1:])
