"""The figures as tables and as JSON."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.box import SIMPLE
from rich.table import Column, Table

from eval.run import Mean, Outcome, measure

GROUPS = ("kind", "style")
_SHORT = {  # the last one is over unanswerable questions, the others over answerable ones
    "exact match": "EM",
    "token F1": "F1",
    "sentence hit": "hit",
    "recall@5": "R@5",
    "answerable, answered": "answered",
    "unanswerable, abstained": "abstained",
}


def tables(outcomes: Sequence[Outcome]) -> Iterator[Table]:
    """All figures, then the main ones by kind and by style of question; n stands beside every mean."""
    table = Table("figure", Column("value", justify="right"), Column("n", justify="right"), box=SIMPLE)
    for name, figure in measure(outcomes).items():
        table.add_row(name, f"{figure.value:.1f}" if name.endswith("ms") else _cell(figure), str(figure.n))
    yield table
    for field in GROUPS:
        *over_answerable, over_unanswerable = _SHORT.values()
        numbers = (*over_answerable, "n", over_unanswerable, "n")
        table = Table(field, *(Column(name, justify="right") for name in numbers), box=SIMPLE)
        for group, members in by(outcomes, field).items():
            figures = measure(members)
            *answerable, unanswerable = (figures[name] for name in _SHORT)
            cells = [*map(_cell, answerable), str(answerable[0].n), _cell(unanswerable), str(unanswerable.n)]
            table.add_row(group, *cells)
        yield table


def write_json(outcomes: Sequence[Outcome], folder: Path) -> Path:
    """Write the figures and a row for each question to `report.json` in a folder; return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "report.json"
    path.write_text(json.dumps(as_json(outcomes), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return path


def as_json(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The figures, by kind and style too, and a row for each question."""
    groups = {
        f"by_{field}": {name: _figures(members) for name, members in by(outcomes, field).items()} for field in GROUPS
    }
    return {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "index": asdict(outcomes[0].answer.index),
        "figures": _figures(outcomes),
        **groups,
        "questions": [_row(outcome) for outcome in outcomes],
    }


def by(outcomes: Sequence[Outcome], field: str) -> dict[str, list[Outcome]]:
    """Group outcomes by a field of their question, the largest group first."""
    groups: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault(getattr(outcome.question, field), []).append(outcome)
    return dict(sorted(groups.items(), key=lambda group: -len(group[1])))


def _cell(figure: Mean) -> str:
    return f"{figure.value:.3f}" if figure.n else "–"


def _figures(outcomes: Sequence[Outcome]) -> dict[str, dict[str, float]]:
    return {name: {"value": round(figure.value, 4), "n": figure.n} for name, figure in measure(outcomes).items()}


def _row(outcome: Outcome) -> dict[str, Any]:
    answer = outcome.answer
    return {
        "id": outcome.question.id,
        "question": outcome.question.question,
        "verdict": outcome.verdict,
        "gold": [gold.text for gold in outcome.question.answers],
        "answer": answer.answer,
        "confidence": answer.confidence,
        "exact_match": outcome.exact_match,
        "f1": round(outcome.f1, 4),
        "citations": [
            {"document": citation.document.uri, "start": citation.start, "end": citation.end, "quote": citation.quote}
            for citation in answer.citations
        ],
        "timings_ms": asdict(answer.timings_ms),
    }
