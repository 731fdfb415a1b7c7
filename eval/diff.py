"""What changed between two evaluations of the same questions."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rich.box import SIMPLE
from rich.table import Column, Table
from scipy.stats import binomtest

from eval.questions import QuestionsError

Change = Literal["answer changed", "citation moved", "newly abstained", "newly answered"]
Effect = Literal["fixed", "broken", "as right as before"]
RUN = "run.jsonl"
_FIELDS = ("id", "question", "gold", "answer", "citations", "verdict")
_FIELDS = ("id", "question", "gold", "answer", "citations", "verdict")
_CHANGES: tuple[Change, ...] = ("answer changed", "citation moved", "newly abstained", "newly answered")
_EFFECTS: tuple[Effect, ...] = ("fixed", "broken", "as right as before")


@dataclass(frozen=True, slots=True)
class Difference:
    """A question that is answered differently; the rows are those of `run.jsonl`."""

    change: Change
    effect: Effect
    before: Mapping[str, Any]
    after: Mapping[str, Any]


def read(folder: Path) -> dict[str, dict[str, Any]]:
    """The rows of a report by the question's id. Raises QuestionsError."""
    path = folder / RUN
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
        return {row["id"]: row | {name: row[name] for name in _FIELDS} for row in rows}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise QuestionsError(f"{path} is no run of an evaluation: {error}") from error


def differences(before: Mapping[str, Mapping[str, Any]], after: Mapping[str, Mapping[str, Any]]) -> list[Difference]:
    """All questions of both runs that are answered differently. Raises QuestionsError if their questions differ."""
    asked = [{(row["id"], row["question"], str(row["gold"])) for row in rows.values()} for rows in (before, after)]
    if odd := sorted(asked[0] ^ asked[1]):
        raise QuestionsError(f"The two runs did not ask the same questions; {odd[0][0]}, for one, differs")
    pairs = [(before[name], after[name]) for name in before]
    return [Difference(change, _effect(*pair), *pair) for pair in pairs if (change := _change(*pair))]


def p_value(found: Sequence[Difference]) -> float:
    """The probability that as uneven a split of fixed and broken comes by chance: McNemar's test (1947), exact."""
    effects = Counter(difference.effect for difference in found)
    fixed, broken = effects["fixed"], effects["broken"]
    return float(binomtest(fixed, fixed + broken).pvalue) if fixed + broken else 1.0


def table(found: Sequence[Difference]) -> Table:
    """How many questions changed in which way, to which effect."""
    counts = Counter((difference.change, difference.effect) for difference in found)
    shown = Table("change", *(Column(effect, justify="right") for effect in _EFFECTS), box=SIMPLE)
    for change in _CHANGES:
        shown.add_row(change, *(str(counts[change, effect]) for effect in _EFFECTS))
    return shown


def line(difference: Difference) -> str:
    """A difference in a line, for people."""
    before, after = (row["answer"] or "(abstained)" for row in (difference.before, difference.after))
    answers = before if before == after else f"{before} → {after}"
    return f"{difference.before['id']}, {difference.effect}, {difference.change}: {answers}"


def _change(old: Mapping[str, Any], new: Mapping[str, Any]) -> Change | None:
    if old["answer"] is None or new["answer"] is None:
        if old["answer"] == new["answer"]:
            return None
        return "newly abstained" if new["answer"] is None else "newly answered"
    if old["answer"] != new["answer"]:
        return "answer changed"
    return "citation moved" if old["citations"] != new["citations"] else None


def _effect(old: Mapping[str, Any], new: Mapping[str, Any]) -> Effect:
    was, is_now = (row["verdict"].endswith("rightly") for row in (old, new))
    if was == is_now:
        return "as right as before"
    return "fixed" if is_now else "broken"
