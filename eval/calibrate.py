"""Fit the confidence on SQuAD-like data in the open setting: `python -m eval.calibrate FIT CHECK`.

Both files are JSON lines as in `eval.squad`; the seeds take no part.
"""

import json
import sys
import tempfile
from dataclasses import asdict
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, roc_auc_score

from eval import squad
from eval.metrics import expected_calibration_error, sentence_hit
from eval.questions import Question
from index.build import build
from index.embedding import DEFAULT_EMBEDDER, load_embedder
from index.retrieval import Retriever
from service import confidence
from service.reader import Reader
from service.reader.sentence import SentenceReader

TOP_K = 5
MOST = 1_200  # questions of a file
THRESHOLD = 0.5  # answer when it is more probably right than wrong


def examples(path: Path, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The features of the best span of each question, shape (n, 3), and whether it holds the answer."""
    embedder = load_embedder(DEFAULT_EMBEDDER)
    reader = SentenceReader(embedder)
    questions = squad.read(path)
    order = np.random.default_rng(seed).permutation(len(questions))[:MOST]
    with tempfile.TemporaryDirectory() as directory:
        squad.write_paragraphs(path, Path(directory, "documents"))
        build(Path(directory, "documents"), Path(directory, "index"), embedder)
        retriever = Retriever.open(Path(directory, "index"), embedder)
        rows = [_example(questions[number], retriever, reader) for number in order]
        retriever.close()
    return np.array([row for row, _ in rows]), np.array([right for _, right in rows])


def _example(question: Question, retriever: Retriever, reader: Reader) -> tuple[list[float], bool]:
    spans = reader.read(question.question, retriever.search(question.question, TOP_K))
    best = spans[0]
    right = sentence_hit(question, best.hit.document.uri, best.start, best.end)
    return list(asdict(confidence.features(spans)).values()), right


def main(fit_on: Path, check_on: Path) -> None:
    """Fit, check on other articles, and write `service/confidence.json`."""
    inputs, right = examples(fit_on)
    model = LogisticRegression(C=10, max_iter=1_000).fit(inputs, right)
    checks, check_right = examples(check_on)
    probabilities = model.predict_proba(checks)[:, 1]
    provenance = (
        f"python -m eval.calibrate {fit_on.name} {check_on.name}, {date.today().isoformat()}: sentence reader, open "
        f"setting, {TOP_K} passages; right means that the sentence holds the gold answer. Fitted on n={len(right)} "
        f"({right.mean():.2f} right). On n={len(check_right)} of other articles ({check_right.mean():.2f} right): "
        f"AUC {roc_auc_score(check_right, probabilities):.2f}, "
        f"Brier score {brier_score_loss(check_right, probabilities):.3f}, "
        f"expected calibration error {expected_calibration_error(probabilities, check_right):.3f}. "
        f"The threshold {THRESHOLD} answers when that is more probably right than wrong."
    )
    names = confidence.Features.__slots__
    weights = {name: round(float(weight), 4) for name, weight in zip(names, model.coef_[0], strict=True)}
    fitted = {
        "weights": weights,
        "intercept": round(float(model.intercept_[0]), 4),
        "threshold": THRESHOLD,
        "provenance": provenance,
    }
    confidence.FILE.write_text(json.dumps(fitted, indent=1) + "\n", encoding="utf-8")
    print(provenance)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
