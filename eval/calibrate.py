"""Fit the confidence on SQuAD-like data in the open setting: `python -m eval.calibrate DATA [READER]`.

DATA is JSON lines as in `eval.squad`, of articles that the reader was not trained on; the seeds take no part.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_predict

from eval import squad
from eval.metrics import expected_calibration_error, says
from eval.questions import Question
from index.embedding import DEFAULT_EMBEDDER, load_embedder
from index.retrieval import Retriever
from service import confidence
from service.answering import TOP_K
from service.confidence import Features
from service.corroboration import words
from service.reader import SHIPPED_READER, Reader, Span
from service.reader.model import load_span_reader
from service.reader.sentence import SentenceReader

FOLDS = 4
RISK = 0.4  # of the answers that are given there, the share that may be wrong
SPAN = ("score",)  # with share and cosine the AUC on squad-dev is 0.81 as well
SENTENCE = ("score", "lead", "cosine")


@dataclass(frozen=True, slots=True)
class Case:
    """What a reader's best span for a question looks like, whether it is right, and the question's article."""

    features: Features
    right: bool
    article: str


def cases(path: Path, readers: Sequence[Reader]) -> list[list[Case]]:
    """Ask every question of a file over all its paragraphs: for each question the case of each reader."""
    embedder = load_embedder(DEFAULT_EMBEDDER)
    rows = squad.read(path)
    found = []
    with squad.indexed(rows, embedder) as directory:
        retriever = Retriever.open(directory, embedder)
        for row, question in zip(rows, squad.questions(rows), strict=True):
            hits = retriever.search(question.question, TOP_K)
            spans = [reader.read(question.question, hits) for reader in readers]
            if all(spans):
                found.append([Case(confidence.features(s), is_right(question, s[0]), row.title) for s in spans])
        retriever.close()
    return found


def is_right(question: Question, span: Span) -> bool:
    """Whether a span says what a gold answer says; of a whole sentence, whether it holds one."""
    whole = (span.start, span.end) in span.hit.passage.sentences
    return says(question, span.hit.document.uri, span.start, span.end, None if whole else words(span))


def fit(
    cases: Sequence[Case], names: Sequence[str], reader: str, source: str
) -> tuple[dict[str, Any], NDArray[np.float64]]:
    """The calibration of a reader, as JSON has it, and the probabilities of these cases when their article is left out.

    The threshold is the least with which at most RISK of the answers are wrong, by those probabilities.
    """
    inputs = np.array([[getattr(case.features, name) for name in names] for case in cases])
    right = np.array([case.right for case in cases])
    articles = [case.article for case in cases]
    model = LogisticRegression(C=10, max_iter=1_000)
    left_out = cross_val_predict(model, inputs, right, groups=articles, cv=GroupKFold(FOLDS), method="predict_proba")[
        :, 1
    ]
    model.fit(inputs, right)
    least = threshold(left_out, right)
    given = left_out >= least
    provenance = (
        f"{source}; n={len(right)}, {right.mean():.2f} right. With each article left out in turn: AUC "
        f"{roc_auc_score(right, left_out):.2f}, Brier score {brier_score_loss(right, left_out):.3f}, expected "
        f"calibration error {expected_calibration_error(left_out, right):.3f}. With the threshold, the least for a "
        f"risk of {RISK:.0%}, {given.sum()} are answered, {np.mean(~right[given]) if given.any() else 0:.2f} wrongly."
    )
    weights = dict.fromkeys(Features.__slots__, 0.0)
    weights |= {name: round(float(weight), 4) for name, weight in zip(names, model.coef_[0], strict=True)}
    fitted = {
        "weights": weights,
        "intercept": round(float(model.intercept_[0]), 4),
        "threshold": round(least, 4),
        "reader": reader,
        "provenance": provenance,
    }
    return fitted, left_out


def threshold(probabilities: NDArray[np.float64], right: NDArray[np.bool_], risk: float = RISK) -> float:
    """The least probability to answer with so that at most `risk` of the answers are wrong; 1 if there is none."""
    order = np.argsort(-probabilities, kind="stable")
    wrong = np.cumsum(~right[order]) / np.arange(1, len(order) + 1)
    fitting = np.flatnonzero(wrong <= risk)
    return float(probabilities[order[fitting[-1]]]) if len(fitting) else 1.0


def main(path: Path, reader: str = SHIPPED_READER) -> None:
    """Fit spans, sentences, and sentences where no span was sure enough; write `service/confidence.json`."""
    spans, sentences = load_span_reader(reader), SentenceReader(load_embedder(DEFAULT_EMBEDDER))
    found = cases(path, [spans, sentences])
    source = f"python -m eval.calibrate {path.name}, {date.today().isoformat()}: open setting, {TOP_K} passages"
    fitted = {}
    fitted["span"], sure = fit([case for case, _ in found], SPAN, spans.fingerprint, source)
    fitted["sentence"], _ = fit([case for _, case in found], SENTENCE, sentences.fingerprint, source)
    unsure = [case for (_, case), p in zip(found, sure, strict=True) if p < fitted["span"]["threshold"]]
    fitted["fallback"], _ = fit(unsure, SENTENCE, sentences.fingerprint, f"{source}, where no span was sure enough")
    confidence.FILE.write_text(json.dumps(fitted, indent=1) + "\n", encoding="utf-8")
    for kind, calibration in fitted.items():
        print(f"{kind}: {calibration['provenance']}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:3])
