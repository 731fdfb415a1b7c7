"""What is measured: on one question and its answer, or on all of them as arrays."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eval.questions import Question
from index.markup import plain
from service.answering import Answer, Citation
from service.reader import squad
from service.values import Name, differ, value

RIGHT_F1 = 0.5  # an answer that shares this much with a gold answer counts as right


def exact_match(question: Question, answer: str | None) -> float:
    """1 if the answer is a gold answer after normalisation; for an unanswerable question, if there is no answer."""
    if not question.answers or answer is None:
        return float(not question.answers and answer is None)
    return squad.exact_match([gold.text for gold in question.answers], answer)


def token_f1(question: Question, answer: str | None) -> float:
    """The best harmonic mean of token precision and recall over the gold answers (Rajpurkar et al. 2016)."""
    if not question.answers or answer is None:
        return float(not question.answers and answer is None)
    return squad.token_f1([gold.text for gold in question.answers], answer)


def sentence_hit(question: Question, document: str, start: int, end: int) -> bool:
    """Whether the slice [start, end) of a document overlaps a gold answer."""
    return any(gold.document == document and gold.start < end and start < gold.end for gold in question.answers)


def is_right(question: Question, citation: Citation) -> bool:
    """Whether a quote says what a gold answer says; of whole sentences, whether they overlap one."""
    sentence = citation.sentence
    whole = (citation.start, citation.end) == (sentence.start, sentence.end)
    return says(question, citation.document.uri, citation.start, citation.end, None if whole else citation.quote)


def says(question: Question, document: str, start: int, end: int, words: str | None) -> bool:
    """Whether the words of a slice say what a gold answer says; of a whole sentence, given as None, see `is_right`."""
    if words is None:
        return sentence_hit(question, document, start, end)
    return any(_agree(_words(gold.text), _words(words)) for gold in question.answers)


def _agree(gold: str, words: str) -> bool:
    """Whether words share enough with a gold answer and give no other date or amount, as 4.42% is another than 44.2%.

    Names that share words are the same: "U.S." and "US".
    """
    is_another = differ(gold, words) and not isinstance(value(words), Name)
    return squad.token_f1([gold], words) >= RIGHT_F1 and not is_another


def expected_calibration_error(probabilities: ArrayLike, right: ArrayLike, bins: int = 10) -> float:
    """The mean distance of confidence and accuracy over equally wide bins, by their share (Naeini et al. 2015)."""
    p, r = np.asarray(probabilities, dtype=float), np.asarray(right, dtype=float)
    return float(sum(abs((p[held] - r[held]).sum()) for held in _bins(p, bins)) / len(p))


def reliability(probabilities: ArrayLike, right: ArrayLike, bins: int = 10) -> list[tuple[float, float, int]]:
    """Mean confidence, accuracy and count of each bin that is not empty (Niculescu-Mizil and Caruana 2005)."""
    p, r = np.asarray(probabilities, dtype=float), np.asarray(right, dtype=float)
    return [(float(p[held].mean()), float(r[held].mean()), int(held.sum())) for held in _bins(p, bins) if held.any()]


def brier_score(probabilities: ArrayLike, right: ArrayLike) -> float:
    """The mean squared distance of confidence and outcome (Brier 1950)."""
    return float(np.mean((np.asarray(probabilities, dtype=float) - np.asarray(right, dtype=float)) ** 2))


def risk_coverage(
    confidences: ArrayLike, right: ArrayLike, weights: ArrayLike | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Coverage and risk of every threshold, strictest first (El-Yaniv and Wiener 2010).

    Coverage is the share of questions answered, risk the share of these that are wrong, each question counting as much
    as its weight. Equal confidences are answered together.
    """
    p, r = np.asarray(confidences, dtype=float), np.asarray(right, dtype=float)
    w = np.ones(len(p)) if weights is None else np.asarray(weights, dtype=float)
    order = np.argsort(-p, kind="stable")
    answered = np.cumsum(w[order])
    risk = np.cumsum((w * (1 - r))[order]) / answered
    last = np.append(p[order][1:] != p[order][:-1], True)
    return answered[last] / w.sum(), risk[last]


def area_under_risk(confidences: ArrayLike, right: ArrayLike) -> float:
    """The mean risk over all coverages (Geifman, Uziel and El-Yaniv 2019): 0 is perfect, the error rate is chance."""
    coverage, risk = risk_coverage(confidences, right)
    return float(np.sum(np.diff(coverage, prepend=0.0) * risk))


def threshold_at(accuracy: float, confidences: ArrayLike, right: ArrayLike, weights: ArrayLike | None = None) -> float:
    """The least threshold at which this share of the answers is right; infinite if there is none."""
    _, risk = risk_coverage(confidences, right, weights)
    thresholds = np.unique(np.asarray(confidences, dtype=float))[::-1]
    return float(thresholds[risk <= 1 - accuracy + 1e-12].min(initial=np.inf))


def corroborations(question: Question, answer: Answer) -> Iterator[bool]:
    """Of each citation after the first, whether it gives the value of a gold answer, wherever it stands."""
    golds = {value(_words(gold.text)) for gold in question.answers}
    for citation in answer.citations[1:]:
        yield value(_words(citation.quote)) in golds


def _words(text: str) -> str:
    """The words of a quote, without markup."""
    return plain(text, 0, len(text)).text


def _bins(probabilities: NDArray[np.float64], bins: int) -> Iterator[NDArray[np.bool_]]:
    places = np.minimum((probabilities * bins).astype(int), bins - 1)
    for number in range(bins):
        yield places == number
