"""What changed between two evaluations, which of it is better or worse, and that nothing changes by itself."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import faiss
import pytest
from typer.testing import CliRunner, Result

from attest import app
from eval import diff
from eval.diff import Change, Difference, Effect
from eval.questions import Gold, Question, QuestionsError
from eval.report import Report, row
from eval.report import write as write_report
from eval.run import run
from index.build import build
from index.embedding import HashingEmbedder
from index.retrieval import Retriever
from service.answering import Answerer
from service.reader.sentence import SentenceReader
from tests.eval.handmade import answered, cited, outcome
from tests.service.tiny import SURE

Row = dict[str, Any]
RIGHT = row(outcome("q1", ["1901"], "1901"))
RIGHT_TOO = row(outcome("q1", ["1901"], "in 1901"))
ELSEWHERE = row(outcome("q1", ["1901"], "1901", document="b.txt"))
WRONG = row(outcome("q1", ["1901"], "1920"))
WRONG_TOO = row(outcome("q1", ["1901"], "1921"))
SILENT = row(outcome("q1", ["1901"], None, 0.3, forced="1901"))
SAID = row(outcome("q1", [], "1920"))
REFUSED = row(outcome("q1", [], None, 0.3, forced="1920"))


def pairs(*rows: Row) -> dict[str, Row]:
    """Rows as questions of their own, on facts of their own, in order."""
    return {f"q{number}": {**fields, "id": f"q{number}", "fact": f"f{number}"} for number, fields in enumerate(rows)}


@pytest.mark.parametrize(
    ("before", "after", "change", "effect"),
    [
        (RIGHT, RIGHT_TOO, "answer changed", "as right as before"),
        (RIGHT, WRONG, "answer changed", "broken"),
        (WRONG, RIGHT, "answer changed", "fixed"),
        (WRONG, WRONG_TOO, "answer changed", "as right as before"),
        (RIGHT, ELSEWHERE, "citation moved", "as right as before"),
        (RIGHT, SILENT, "newly abstained", "broken"),
        (WRONG, SILENT, "newly abstained", "as right as before"),
        (SAID, REFUSED, "newly abstained", "fixed"),
        (SILENT, RIGHT, "newly answered", "fixed"),
        (SILENT, WRONG, "newly answered", "as right as before"),
        (REFUSED, SAID, "newly answered", "broken"),
    ],
)
def test_a_change_is_named_with_its_effect(before: Row, after: Row, change: Change, effect: Effect) -> None:
    assert diff.differences({"q1": before}, {"q1": after}) == [Difference(change, effect, before, after)]


@pytest.mark.parametrize("same", [RIGHT, WRONG, SILENT, REFUSED])
def test_what_is_answered_alike_is_no_difference_whatever_it_took(same: Row) -> None:
    later = {**same, "confidence": 0.01, "timings_ms": {}}
    assert diff.differences({"q1": same}, {"q1": later}) == []


def test_a_citation_is_where_it_was_whatever_its_score() -> None:
    answer = answered([cited("1901", score=0.5)])
    again = answered([cited("1901", score=0.7)])
    given = outcome("q1", ["1901"], "1901")
    before, after = (row(replace(given, answer=one, forced=one)) for one in (answer, again))
    assert before["citations"] != after["citations"]
    assert diff.differences({"q1": before}, {"q1": after}) == []


@pytest.mark.parametrize("moved", [{"start": 1}, {"end": 5}, {"document": "b.txt"}])
def test_a_citation_of_another_place_is_a_difference(moved: dict[str, Any]) -> None:
    after = {**RIGHT, "citations": [{**RIGHT["citations"][0], **moved}]}
    (found,) = diff.differences({"q1": RIGHT}, {"q1": after})
    assert found.change == "citation moved"


def test_a_further_citation_is_a_difference() -> None:
    further = row(outcome("q1", ["1901"], "1901", further=["1901"]))
    (found,) = diff.differences({"q1": RIGHT}, {"q1": further})
    assert found.change == "citation moved"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([RIGHT], [RIGHT, RIGHT]),
        ([RIGHT, RIGHT], [RIGHT]),
        ([RIGHT, RIGHT], [RIGHT, {**RIGHT, "question": "Another?"}]),
        ([RIGHT, RIGHT], [RIGHT, {**RIGHT, "gold": ["1902"]}]),
    ],
)
def test_runs_of_different_questions_are_refused_naming_one(before: list[Row], after: list[Row]) -> None:
    with pytest.raises(QuestionsError, match=r"did not ask the same questions: .* 1 question; the first: “.*” \(q1\)"):
        diff.differences(pairs(*before), pairs(*after))


def test_runs_of_different_questions_say_how_many_and_name_none_of_the_part_test() -> None:
    before = pairs({**RIGHT, "part": "test"}, WRONG, {**RIGHT, "question": "When did it open?"}, WRONG)
    after = {"q3": before["q3"], **{f"r{number}": {**SAID, "part": "test"} for number in range(3)}}
    said = "they differ in 6 questions; the first: “q1?” (q1)."
    with pytest.raises(QuestionsError, match=re.escape(f"The two runs did not ask the same questions: {said}")):
        diff.differences(before, after)
    del before["q1"], before["q2"]
    with pytest.raises(QuestionsError, match=r"they differ in 4 questions\.$"):
        diff.differences(before, after)


def test_the_order_of_the_questions_makes_no_difference() -> None:
    before = pairs(RIGHT, WRONG)
    assert diff.differences(before, dict(reversed(before.items()))) == []


@pytest.mark.parametrize(
    ("fixed", "broken", "expected"),
    [
        (0, 0, 1.0),
        (1, 0, 1.0),
        (5, 1, 2 * (1 + 6) / 2**6),  # five or six of six, or none or one
        (0, 6, 2 / 2**6),
        (3, 3, 1.0),
        (8, 2, 2 * (1 + 10 + 45) / 2**10),
    ],
)
def test_the_probability_of_the_split_is_that_of_tossing_a_coin(fixed: int, broken: int, expected: float) -> None:
    before = pairs(*[WRONG] * fixed, *[RIGHT] * broken, *[WRONG] * 4)
    after = pairs(*[RIGHT] * fixed, *[WRONG] * broken, *[WRONG_TOO] * 4)
    found = diff.facts(diff.differences(before, after))
    assert found == (fixed, broken)
    assert diff.p_value(*found) == pytest.approx(expected)


def test_questions_on_one_fact_are_one_toss() -> None:
    before, after = pairs(*[WRONG] * 6, RIGHT, WRONG, RIGHT), pairs(*[RIGHT] * 6, WRONG, RIGHT, WRONG)
    assert diff.facts(diff.differences(before, after)) == (7, 2)
    facts = ["a"] * 5 + ["b"] * 2 + ["c"] * 2  # five fixed; one fixed and one broken; one fixed and one broken
    for rows in (before, after):
        for fields, fact in zip(rows.values(), facts, strict=True):
            fields["fact"] = fact
    assert diff.facts(diff.differences(before, after)) == (1, 0)
    assert diff.p_value(1, 0) == 1.0


def test_a_line_and_the_table_say_what_changed() -> None:
    before, after = pairs(WRONG, RIGHT, RIGHT, SILENT), pairs(RIGHT, WRONG, ELSEWHERE, RIGHT)
    found = diff.differences(before, after)
    assert list(diff.lines(found)) == [
        "q2, as right as before, citation moved: 1901",
        "q1, broken, answer changed: 1901 → 1920",
        "q0, fixed, answer changed: 1920 → 1901",
        "q3, fixed, newly answered: (abstained) → 1901",
    ]
    columns = [list(column.cells) for column in diff.table(found).columns]
    assert columns == [
        ["answer changed", "citation moved", "newly abstained", "newly answered"],
        ["1", "0", "0", "1"],
        ["1", "0", "0", "0"],
        ["0", "1", "0", "0"],
    ]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"\xff\n", "cannot be read: it is not UTF-8 (byte 0xff at 0)"),
        (b"not json\n", "is no run of an evaluation: line 1: it is not JSON"),
        (b"[" * 100_000, "is no run of an evaluation: line 1: it is not JSON"),
        (b"\n[]\n", "is no run of an evaluation: line 2: it is no JSON object"),
        (b'{"id": "a", "question": "Who?"}\n', "is no run of an evaluation: line 1: it has no fact"),
        (json.dumps({**RIGHT, "verdict": 3}).encode(), "is no run of an evaluation: line 1: it has no verdict"),
        (json.dumps({**RIGHT, "answer": 3}).encode(), "is no run of an evaluation: line 1: its answer is no text"),
        (json.dumps({**RIGHT, "citations": [3]}).encode(), "line 1: its citations cannot be read"),
    ],
)
def test_a_folder_without_a_run_is_refused_by_its_name(tmp_path: Path, content: bytes | None, reason: str) -> None:
    if content is not None:
        (tmp_path / "run.jsonl").write_bytes(content)
    with pytest.raises(QuestionsError, match=f"{tmp_path / 'run.jsonl'} .*{re.escape(reason)}$"):
        diff.read(tmp_path)


def test_a_run_is_read_as_it_is_written(tmp_path: Path) -> None:
    outcomes = [outcome("q1", ["1901"], "19\u2028\x8501 —"), outcome("q2", [], None)]
    write_report(Report.of("two", outcomes), tmp_path)
    assert diff.read(tmp_path) == {one.question.id: row(one) for one in outcomes}


WORDS = "amber basalt copper dolerite ebony feldspar garnet halite indigo jasper kaolin limestone".split()
QUESTIONS = [
    Question(f"q{number}", f"Which bridge was made of {word} in the year {1900 + number}?", (), word)
    for number, word in enumerate(WORDS)
] + [Question("made", "What was made?", (Gold("amber.txt", 4, 10, "bridge"),))]


def evaluated(index: Path, folder: Path) -> Path:
    embedder = HashingEmbedder()
    answerer = Answerer(Retriever.open(index, embedder), (SentenceReader(embedder), SURE))
    write_report(Report.of("bridges", run(answerer, QUESTIONS)), folder)
    answerer.close()
    return folder


def test_the_same_evaluation_twice_and_with_more_threads_has_no_difference(
    write: Callable[..., Path], tmp_path: Path
) -> None:
    texts = [f"The bridge was made of {word}. It was no other bridge than that of {word}. It fell.\n" for word in WORDS]
    folder = write({f"{word}.txt": text for word, text in zip(WORDS, texts, strict=True)})
    threads = faiss.omp_get_max_threads()
    try:
        folders: list[Path] = []
        for number in (1, 1, 2):
            faiss.omp_set_num_threads(number)
            index = tmp_path / f"index {number}"
            build(folder, index, HashingEmbedder())
            folders.append(evaluated(index, tmp_path / f"{len(folders)}"))
    finally:
        faiss.omp_set_num_threads(threads)
    first, *others = (diff.read(folder) for folder in folders)
    assert all(fields["answer"] for fields in first.values())
    assert [diff.differences(first, other) for other in others] == [[], []]
    untimed = [[{**fields, "timings_ms": None} for fields in found.values()] for found in (first, *others)]
    assert untimed[0] == untimed[1] == untimed[2]


def compared(tmp_path: Path, before: list[Row], after: list[Row], *options: str) -> Result:
    for name, rows in (("before", before), ("after", after)):
        (tmp_path / name).mkdir()
        lines = [json.dumps(fields) + "\n" for fields in pairs(*rows).values()]
        (tmp_path / name / "run.jsonl").write_text("".join(lines))
    return CliRunner().invoke(app, ["eval", "diff", str(tmp_path / "before"), str(tmp_path / "after"), *options])


@pytest.mark.parametrize(
    ("before", "after", "code", "exact_code"),
    [
        ([RIGHT, SILENT], [RIGHT, SILENT], 0, 0),
        ([WRONG, RIGHT], [RIGHT, RIGHT], 0, 1),
        ([RIGHT], [ELSEWHERE], 0, 1),
        ([WRONG, WRONG, RIGHT], [RIGHT, RIGHT, WRONG], 1, 1),
    ],
)
@pytest.mark.parametrize("exact", [False, True])
def test_the_command_fails_if_a_right_answer_is_wrong_now_or_if_anything_differs_at_all(
    tmp_path: Path, before: list[Row], after: list[Row], code: int, exact_code: int, exact: bool
) -> None:
    result = compared(tmp_path, before, after, *["--exact"] * exact)
    assert (result.exit_code, result.stderr) == (exact_code if exact else code, "")


def test_the_command_prints_every_difference_worst_together(tmp_path: Path) -> None:
    result = compared(tmp_path, [WRONG, RIGHT, WRONG, SILENT], [RIGHT, SILENT, RIGHT, SILENT])
    lines = result.stdout.splitlines()
    assert lines[:3] == [
        "q1, broken, newly abstained: 1901 → (abstained)",
        "q0, fixed, answer changed: 1920 → 1901",
        "q2, fixed, answer changed: 1920 → 1901",
    ]
    assert lines[-1] == "Facts, more fixed than broken: 2, the reverse: 1; p = 1.000 (exact sign test)"


def test_the_part_test_is_counted_and_not_shown(tmp_path: Path) -> None:
    before, after = ([{**fields, "part": "test"}, RIGHT] for fields in (WRONG, RIGHT))
    result = compared(tmp_path, [*before, WRONG], [*after, WRONG_TOO])
    lines = result.stdout.splitlines()
    assert lines[:2] == [
        "q2, as right as before, answer changed: 1920 → 1921",
        "1 of the part “test”: counted below, but not shown",
    ]
    assert lines[-1].startswith("Facts, more fixed than broken: 1, the reverse: 0; ")
    assert "q0" not in result.stdout
    assert "1901" not in result.stdout


def test_the_command_says_that_nothing_differs(tmp_path: Path) -> None:
    assert compared(tmp_path, [RIGHT], [RIGHT], "--exact").stdout == "No question is answered differently.\n"


def test_the_command_refuses_what_cannot_be_compared(tmp_path: Path) -> None:
    result = compared(tmp_path, [RIGHT], [RIGHT, RIGHT])
    assert (result.exit_code, result.stdout) == (2, "")
    assert "did not ask the same questions" in result.stderr
    (tmp_path / "after" / "run.jsonl").unlink()
    missing = CliRunner().invoke(app, ["eval", "diff", str(tmp_path / "before"), str(tmp_path / "after")])
    assert (missing.exit_code, missing.stdout) == (2, "")
    assert missing.stderr == f"{tmp_path / 'after' / 'run.jsonl'} cannot be read: No such file or directory\n"
