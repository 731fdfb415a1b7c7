"""The figures and every question: as tables on the terminal, as JSON, and as a page."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from rich.box import SIMPLE
from rich.table import Column, Table

from eval import plots
from eval.diff import RUN
from eval.figures import ACCURACY, FIGURES, Value, measure
from eval.run import Outcome
from service.answering import Answer

GROUPS = ("part", "kind", "style")
PAGE = "report.html"
_SHORT = {
    "exact match": "EM",
    "token F1": "F1",
    "sentence hit": "hit",
    "recall@5": "R@5",
    "answerable, answered": "answered",
    "unanswerable, abstained": "abstained",
}
_COUNTS = {"answerable, answered": "n with", "unanswerable, abstained": "n without"}  # a gold answer


@dataclass(frozen=True, slots=True)
class Report:
    """Outcomes with their figures, over all and by group: groups[field][value][figure]."""

    title: str
    outcomes: Sequence[Outcome]
    figures: dict[str, Value]
    groups: dict[str, dict[str, dict[str, Value]]]
    made: str

    @classmethod
    def of(cls, title: str, outcomes: Sequence[Outcome]) -> "Report":
        groups = {
            field: {name: measure(members, resamples=0) for name, members in by(outcomes, field).items()}
            for field in GROUPS
            if any(getattr(outcome.question, field) for outcome in outcomes)
        }
        return cls(title, outcomes, measure(outcomes), groups, datetime.now(UTC).isoformat(timespec="seconds"))


def tables(report: Report) -> Iterator[Table]:
    """All figures with their intervals, then the main ones by group; n stands beside every mean."""
    columns = [Column(name, justify="right") for name in ("value", "95% interval", "n")]
    table = Table("figure", *columns, box=SIMPLE)
    for name, value in report.figures.items():
        table.add_row(name, shown(name, value.value), interval(value), str(value.n))
    yield table
    for field, groups in report.groups.items():
        columns = [Column(name, justify="right", no_wrap=True) for name in _SHORT.values()]
        columns += [Column(name, justify="right", width=max(map(len, name.split()))) for name in _COUNTS.values()]
        table = Table(Column(field, overflow="fold"), *columns, box=SIMPLE, collapse_padding=True, pad_edge=False)
        for group, figures in groups.items():
            cells = [shown(name, figures[name].value) for name in _SHORT]
            table.add_row(group or "–", *cells, *(str(figures[name].n) for name in _COUNTS))
        yield table


def write(report: Report, folder: Path) -> Path:
    """Write `report.json`, `run.jsonl` and the page `report.html` into a folder; return the page's path."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [row(outcome) for outcome in report.outcomes]
    lines = [json.dumps(fields, ensure_ascii=False) + "\n" for fields in rows]
    (folder / RUN).write_text("".join(lines), encoding="utf-8")
    text = json.dumps(as_json(report), ensure_ascii=False, indent=1, allow_nan=False) + "\n"
    (folder / "report.json").write_text(text, encoding="utf-8")
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    drawn = {
        "Risk and coverage": plots.risk_coverage(report.outcomes),
        "Reliability": plots.reliability(report.outcomes),
    }
    page = environment.get_template(PAGE).render(
        report=report,
        rows=rows,
        plots=drawn,
        definitions=FIGURES,
        accuracy=ACCURACY,
        shown=shown,
        interval=interval,
        short=_SHORT,
        counts=_COUNTS,
    )
    (folder / PAGE).write_text(page, encoding="utf-8")
    return folder / PAGE


def below(figures: Mapping[str, Value], wished: Mapping[str, float]) -> list[str]:
    """What to say of each figure that is below the wished one; one over no question is, unless 0 is wished."""
    return [
        f"{name} is {shown(name, figures[name].value)}, not {least}"
        for name, least in wished.items()
        if least and not figures[name].value >= least
    ]


def as_json(report: Report) -> dict[str, Any]:
    """What the report says of all questions together."""
    return {
        "title": report.title,
        "made": report.made,
        "index": asdict(report.outcomes[0].answer.index),
        "questions": len(report.outcomes),
        "figures": _figures(report.figures),
        **{
            f"by_{field}": {name: _figures(figures) for name, figures in groups.items()}
            for field, groups in report.groups.items()
        },
    }


def row(outcome: Outcome) -> dict[str, Any]:
    """One question: what was answered and cited, what should have been, and what it is worth."""
    answer, question = outcome.answer, outcome.question
    return {
        "id": question.id,
        "question": question.question,
        **{field: getattr(question, field) for field in ("fact", *GROUPS)},
        "verdict": outcome.verdict,
        "gold": [gold.text for gold in question.answers],
        "gold_sentence": _parts(*outcome.gold_sentence) if outcome.gold_sentence else None,
        "answer": answer.answer,
        "sentence": _sentence(answer if answer.citations else outcome.forced),
        "confidence": answer.confidence,
        "reason": answer.reason,
        "exact_match": outcome.exact_match,
        "f1": round(outcome.f1, 4),
        "forced": {
            "answer": outcome.forced.answer,
            "right": outcome.forced_right,
            "exact_match": outcome.forced_exact_match,
            "f1": round(outcome.forced_f1, 4),
        },
        "citations": [
            {
                "document": cited.document.uri,
                "start": cited.start,
                "end": cited.end,
                "quote": cited.quote,
                "score": cited.score,
            }
            for cited in answer.citations
        ],
        "gold_rank": _rank(outcome),
        "timings_ms": asdict(answer.timings_ms),
    }


def by(outcomes: Sequence[Outcome], field: str) -> dict[str, list[Outcome]]:
    """Group outcomes by a field of their question, the largest group first."""
    groups: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault(getattr(outcome.question, field), []).append(outcome)
    return dict(sorted(groups.items(), key=lambda group: -len(group[1])))


def shown(name: str, value: float) -> str:
    """A figure for people: milliseconds with one decimal, shares with three, a dash for none."""
    if math.isnan(value):
        return "–"
    return f"{value:.1f}" if name.endswith("ms") else f"{value:.3f}"


def interval(value: Value) -> str:
    return "" if math.isnan(value.low) else f"{value.low:.3f}–{value.high:.3f}"


def _figures(figures: dict[str, Value]) -> dict[str, dict[str, float | None]]:
    return {
        name: {key: None if math.isnan(number) else round(number, 4) for key, number in asdict(value).items()}
        for name, value in figures.items()
    }


def _rank(outcome: Outcome) -> int | None:
    """The rank of the first passage with a gold answer, 0 below the ranking; None where nothing was ranked."""
    if outcome.ranking is None or not outcome.question.answers:
        return None
    return outcome.ranking.index(True) + 1 if True in outcome.ranking else 0


def _sentence(answer: Answer) -> list[str] | None:
    """An answer in its sentence."""
    for cited in answer.citations[:1]:
        begin = cited.start - cited.sentence.start
        return _parts(cited.sentence.text, begin, begin + len(cited.quote))
    return None


def _parts(text: str, start: int, end: int) -> list[str]:
    """What stands before a slice, the slice, and what stands after it."""
    return [text[:start], text[start:end], text[end:]]
