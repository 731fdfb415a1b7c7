"""Ablations: the same questions with each kind of search and each reader, side by side."""

from collections.abc import Callable, Sequence
from datetime import date
from functools import partial
from pathlib import Path

from eval.figures import Value, measure
from eval.questions import Question
from eval.report import interval, shown
from eval.run import run
from index.embedding import Embedder
from index.retrieval import FUSION, Weights
from service.answering import Answerer
from service.console import counted
from service.reader import SENTENCES

STRENGTH = sum(FUSION)  # of what retrieval says to the reader, alike in all searches
SEARCHES: dict[str, Weights] = {"dense": (STRENGTH, 0.0), "lexical": (0.0, STRENGTH), "fused": FUSION}
COLUMNS = {
    "recall@5": "recall@5",
    "exact match, forced": "EM, forced",
    "token F1, forced": "F1, forced",
    "token F1 or refusal": "F1 or refusal",
    "right, of those answered": "right, of those answered",
    "answerable, answered": "answered",
    "unanswerable, abstained": "refused",
    "expected calibration error": "ECE",
    "total p50, ms": "p50, ms",
}


def compare(
    index: Path,
    embedder: Embedder,
    reader: str,
    questions: Sequence[Question],
    watch: Callable[[int], None] = lambda _done: None,
) -> dict[tuple[str, str], dict[str, Value]]:
    """All figures by (search, reader), for whole sentences and for `reader`; one run of all questions each."""
    found: dict[tuple[str, str], dict[str, Value]] = {}
    for name in dict.fromkeys([SENTENCES, reader]):
        for search, weights in SEARCHES.items():
            answerer = Answerer.open(index, embedder, name, weights)
            outcomes = run(answerer, questions, watch=partial(_later, watch, len(found) * len(questions)))
            answerer.close()
            found[search, name] = measure(outcomes)
    return found


def _later(watch: Callable[[int], None], done: int, number: int) -> None:
    watch(done + number)


def markdown(found: dict[tuple[str, str], dict[str, Value]], command: str, day: date) -> str:
    """The main figures as a table, with the interval of the F1 that counts refusals, under what made it and n."""
    counts = next(iter(found.values()))
    n, answerable = counts["token F1 or refusal"].n, counts["answerable, answered"].n
    lines = [f"{day.isoformat()}, `{command}`: {counted(n, 'question')}, {answerable} of them answerable", ""]
    lines += [f"| search | reader | {' | '.join(COLUMNS.values())} |", "|---" * (2 + len(COLUMNS)) + "|"]
    for (search, reader), figures in found.items():
        cells = [shown(name, figures[name].value) for name in COLUMNS]
        cells[list(COLUMNS).index("token F1 or refusal")] += f" ({interval(figures['token F1 or refusal'])})"
        lines.append(f"| {search} | {reader} | {' | '.join(cells)} |")
    return "\n".join(lines)
