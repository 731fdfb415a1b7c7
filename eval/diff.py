"""What changed between two evaluations of the same questions."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rich.box import SIMPLE
from rich.table import Column, Table
from scipy.stats import binomtest

from eval.questions import QuestionsError, read_object, read_text
from service.console import counted

Change = Literal["answer changed", "citation moved", "newly abstained", "newly answered"]
Effect = Literal["fixed", "broken", "as right as before"]
RUN = "run.jsonl"
_FIELDS = {"id": str, "question": str, "fact": str, "part": str, "gold": list, "citations": list, "verdict": str}
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
    rows = {}
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line:
            continue
        try:
            row = _row(line)
        except ValueError as error:
            raise QuestionsError(f"{path} is no run of an evaluation: line {number}: {error}") from error
        rows[row["id"]] = row
    return rows


def _row(line: str) -> dict[str, Any]:
    """Read one question of a run. Raises ValueError."""
    row = read_object(line)
    for name, kind in _FIELDS.items():
        if not isinstance(row.get(name), kind):
            raise ValueError(f"it has no {name}")  # noqa: TRY004 - the file is wrong, not the program
    if not isinstance(row.get("answer", 0), str | None):
        raise ValueError("its answer is no text")  # noqa: TRY004
    try:
        _places(row)
    except (KeyError, TypeError):
        raise ValueError("its citations cannot be read") from None
    return row


def differences(before: Mapping[str, Mapping[str, Any]], after: Mapping[str, Mapping[str, Any]]) -> list[Difference]:
    """All questions of both runs that are answered differently. Raises QuestionsError if their questions differ."""
    both = {**before, **after}
    if odd := [row for name, row in both.items() if _asked(before.get(name)) != _asked(after.get(name))]:
        first = next((f"; the first: “{row['question']}” ({row['id']})" for row in odd if row["part"] != "test"), "")
        differ = f"they differ in {counted(len(odd), 'question')}{first}"
        raise QuestionsError(f"The two runs did not ask the same questions: {differ}.")
    pairs = [(before[name], after[name]) for name in before]
    return [Difference(change, _effect(*pair), *pair) for pair in pairs if (change := _change(*pair))]


def _asked(row: Mapping[str, Any] | None) -> tuple[Any, ...] | None:
    return None if row is None else (row["question"], row["gold"])


def facts(found: Sequence[Difference]) -> tuple[int, int]:
    """On how many facts more questions were fixed than broken, and on how many more were broken."""
    net: Counter[str] = Counter()
    for difference in found:
        net[difference.before["fact"]] += (difference.effect == "fixed") - (difference.effect == "broken")
    return sum(count > 0 for count in net.values()), sum(count < 0 for count in net.values())


def p_value(better: int, worse: int) -> float:
    """The probability that as uneven a split of facts comes by chance: the sign test (Dixon and Mood 1946), exact."""
    return float(binomtest(better, better + worse).pvalue) if better + worse else 1.0


def table(found: Sequence[Difference]) -> Table:
    """How many questions changed in which way, to which effect."""
    counts = Counter((difference.change, difference.effect) for difference in found)
    shown = Table("change", *(Column(effect, justify="right") for effect in _EFFECTS), box=SIMPLE)
    for change in _CHANGES:
        shown.add_row(change, *(str(counts[change, effect]) for effect in _EFFECTS))
    return shown


def lines(found: Sequence[Difference]) -> Iterator[str]:
    """Each difference in a line, for people, by effect; those of the part `test` are only counted."""
    shown = [difference for difference in found if "test" not in (difference.before["part"], difference.after["part"])]
    for difference in sorted(shown, key=lambda difference: (difference.effect, difference.change)):
        before, after = (row["answer"] or "(abstained)" for row in (difference.before, difference.after))
        answers = before if before == after else f"{before} → {after}"
        yield f"{difference.before['id']}, {difference.effect}, {difference.change}: {answers}"
    if hidden := len(found) - len(shown):
        yield f"{hidden} of the part “test”: counted below, but not shown"


def _change(old: Mapping[str, Any], new: Mapping[str, Any]) -> Change | None:
    if old["answer"] is None or new["answer"] is None:
        if old["answer"] == new["answer"]:
            return None
        return "newly abstained" if new["answer"] is None else "newly answered"
    if old["answer"] != new["answer"]:
        return "answer changed"
    return "citation moved" if _places(old) != _places(new) else None


def _places(row: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    return [(cited["document"], cited["start"], cited["end"]) for cited in row["citations"]]


def _effect(old: Mapping[str, Any], new: Mapping[str, Any]) -> Effect:
    was, is_now = (row["verdict"].endswith("rightly") for row in (old, new))
    if was == is_now:
        return "as right as before"
    return "fixed" if is_now else "broken"
