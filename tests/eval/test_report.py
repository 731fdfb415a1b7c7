"""What is written of an evaluation: the rows, the figures, and the page, also in a real Chromium."""

import json
import math
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from rich.console import Console

from eval import plots
from eval.figures import FIGURES, Value
from eval.report import Report, as_json, below, by, interval, row, shown, tables, write
from eval.run import Outcome
from tests.eval.handmade import answered, cited, outcome

MARKUP = '"><script>alert(1)</script><img src=http://example.org/x onerror=alert(2)>'
OUTCOMES = [
    outcome(
        "q1", ["1901", "in 1901", "1901"], "1901", 0.9, part="tune", kind="date", style="plain", ranking=(True, False),
        relevant=1, further=["in 1901"],
    ),
    outcome("q2", ["1901"], "1920", 0.7, part="tune", kind="date", style="brief", ranking=(False, True), relevant=1),
    outcome("q3", ["grey"], None, 0.3, forced="grey", part="tune", kind="what", style="plain", ranking=(False,)),
    outcome("q4", [], None, 0.2, forced="red", part="tune", kind="none", style="plain", ranking=(False,)),
    outcome("q5", [], "red", 0.6, part="tune", kind="none", style="brief", ranking=(False,)),
    outcome("q6", [], None, 0.0, part="tune", kind="none", style="plain", ranking=(False,)),
    outcome("t1", ["blue"], "unseen", 0.8, part="test", kind="what", style="plain", ranking=(True,), relevant=1),
]  # fmt: skip


def written(folder: Path, outcomes: Sequence[Outcome] = OUTCOMES, title: str = "questions.jsonl") -> Path:
    return write(Report.of(title, outcomes), folder / "new" / "report")


def rows_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "run.jsonl").read_text(encoding="utf-8").splitlines()]


def test_three_files_are_written_into_a_folder_that_is_made(tmp_path: Path) -> None:
    page = written(tmp_path)
    assert page == tmp_path / "new" / "report" / "report.html"
    assert sorted(path.name for path in page.parent.iterdir()) == ["report.html", "report.json", "run.jsonl"]
    assert written(tmp_path) == page


def test_there_is_a_row_for_every_question_those_for_measuring_too(tmp_path: Path) -> None:
    rows = rows_of(written(tmp_path).parent)
    assert [fields["id"] for fields in rows] == ["q1", "q2", "q3", "q4", "q5", "q6", "t1"]
    assert rows == [json.loads(json.dumps(row(outcome))) for outcome in OUTCOMES]


def test_a_row_says_what_was_answered_and_what_it_is_worth() -> None:
    assert row(OUTCOMES[0]) == {
        "id": "q1",
        "question": "q1?",
        "fact": "q1",
        "part": "tune",
        "kind": "date",
        "style": "plain",
        "verdict": "answered rightly",
        "gold": ["1901", "in 1901", "1901"],
        "gold_sentence": ["", "1901", " it was."],
        "answer": "1901",
        "sentence": ["", "1901", " it was."],
        "confidence": 0.9,
        "reason": None,
        "exact_match": 1.0,
        "f1": 1.0,
        "forced": {
            "answer": "1901",
            "right": True,
            "exact_match": 1.0,
            "f1": 1.0,
        },
        "citations": [
            {"document": "a.txt", "start": 0, "end": 4, "quote": "1901", "score": 0.5},
            {"document": "a.txt", "start": 0, "end": 7, "quote": "in 1901", "score": 0.5},
        ],
        "gold_rank": 1,
        "timings_ms": {"retrieve": 1, "read": 2, "total": 3},
    }


def test_a_row_of_a_refused_question_says_what_was_held_back() -> None:
    fields = row(OUTCOMES[2])
    assert (fields["verdict"], fields["answer"], fields["citations"]) == ("abstained wrongly", None, [])
    assert fields["reason"] == "low_confidence"
    assert (fields["exact_match"], fields["f1"]) == (0.0, 0.0)
    assert fields["forced"] == {"answer": "grey", "right": True, "exact_match": 1.0, "f1": 1.0}
    assert fields["sentence"] == ["", "grey", " it was."]
    nothing = row(OUTCOMES[5])
    assert (nothing["gold_sentence"], nothing["forced"]["answer"], nothing["sentence"]) == (None, None, None)


def test_an_answer_that_was_given_is_shown_though_another_is_forced(tmp_path: Path) -> None:
    """The second reader may answer where the first is not sure enough, whose answer is the forced one."""
    given = replace(outcome("q1", ["1901"], "1920"), forced=answered([cited("1930")]))
    assert row(given)["sentence"] == ["", "1920", " it was."]
    text = written(tmp_path, [given]).read_text(encoding="utf-8")
    assert "<dt>given</dt><dd><mark>1920</mark> it was.</dd>" in text
    assert "1930" not in text


@pytest.mark.parametrize(
    ("golds", "ranking", "expected"),
    [
        (["grey"], (True, True), 1),
        (["grey"], (False, False, True), 3),
        (["grey"], (False,) * 10, 0),
        (["grey"], (), 0),
        (["grey"], None, None),
        ([], (False, False), None),
    ],
)
def test_the_rank_is_that_of_the_first_passage_with_a_gold_answer(
    golds: list[str], ranking: tuple[bool, ...] | None, expected: int | None
) -> None:
    assert row(outcome("q1", golds, "grey", ranking=ranking, relevant=1))["gold_rank"] == expected


def test_an_answer_is_marked_where_it_stands_in_its_sentence() -> None:
    given = OUTCOMES[0].answer
    sentence = replace(given.citations[0].sentence, start=10, text="It opened in 1901, they say.")
    inside = replace(given.citations[0], start=23, end=27, sentence=sentence)
    answer = replace(given, citations=(inside,))
    fields = row(replace(OUTCOMES[0], answer=answer, forced=answer, gold_sentence=("Early in 1901.", 6, 13)))
    assert fields["sentence"] == ["It opened in ", "1901", ", they say."]
    assert fields["gold_sentence"] == ["Early ", "in 1901", "."]


def test_the_json_has_every_figure_with_its_interval_and_no_number_that_json_lacks(tmp_path: Path) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    text = (written(tmp_path).parent / "report.json").read_text(encoding="utf-8")
    report = json.loads(text, parse_constant=refuse)
    assert (report["title"], report["questions"]) == ("questions.jsonl", 7)
    assert report["index"] == {"generation": 1, "embedder": "hashing", "reader": "sentence"}
    assert list(report["figures"]) == [figure.name for figure in FIGURES]
    assert report["figures"]["exact match"]["value"] == 0.25
    assert report["figures"]["exact match"]["n"] == 4
    assert report["figures"]["exact match"]["low"] <= 0.25 <= report["figures"]["exact match"]["high"]
    assert report["figures"]["citations exact"] == {"value": 1.0, "n": 7, "low": None, "high": None}
    assert report["by_kind"]["date"]["exact match"] == {"value": 0.5, "n": 2, "low": None, "high": None}
    assert report["by_kind"]["none"]["exact match"] == {"value": None, "n": 0, "low": None, "high": None}
    assert {name: figures["exact match or refusal"]["n"] for name, figures in report["by_part"].items()} == {
        "tune": 6,
        "test": 1,
    }


def test_groups_partition_the_questions_the_largest_first() -> None:
    groups = by(OUTCOMES, "kind")
    assert {kind: [member.question.id for member in members] for kind, members in groups.items()} == {
        "none": ["q4", "q5", "q6"],
        "date": ["q1", "q2"],
        "what": ["q3", "t1"],
    }
    assert next(iter(groups)) == "none"


def test_without_parts_kinds_and_styles_there_are_no_groups(tmp_path: Path) -> None:
    report = Report.of("one", [outcome("q1", ["grey"], "grey")])
    assert report.groups == {}
    assert [key for key in as_json(report) if key.startswith("by_")] == []
    assert "<h2>By" not in written(tmp_path, report.outcomes).read_text(encoding="utf-8")


def test_the_tables_have_n_beside_every_figure() -> None:
    console = Console(width=200, color_system=None)
    with console.capture() as capture:
        console.print(*tables(Report.of("all", OUTCOMES)))
    lines = [re.split(r"\s{2,}", line.strip()) for line in capture.get().splitlines()]
    cells = {line[0]: line[1:] for line in lines if line[0]}
    assert cells["exact match"] == ["0.250", "0.000–0.750", "4"]
    assert cells["corroborations right"][-1] == "1"
    assert cells["total p50, ms"] == ["3.0", "7"]
    assert cells["figure"] == ["value", "95% interval", "n"]
    assert cells["n"] == ["n"]  # above what it counts
    assert cells["kind"] == ["EM", "F1", "hit", "R@5", "answered", "abstained", "with", "without"]
    assert cells["date"] == ["0.500", "0.500", "1.000", "1.000", "1.000", "–", "2", "0"]
    assert cells["none"] == ["–", "–", "–", "–", "–", "0.667", "0", "3"]
    assert cells["plain"][-2:] == ["3", "2"]


def test_figures_for_people() -> None:
    assert (shown("token F1", 2 / 3), shown("total p50, ms", 12.345), shown("x", math.nan)) == ("0.667", "12.3", "–")
    assert interval(Value(0.5, 2, 0.25, 1.0)) == "0.250–1.000"
    assert interval(Value(0.5, 2)) == ""


def test_a_figure_below_the_wished_one_is_named_and_one_over_no_question_is_below() -> None:
    figures = {"token F1": Value(0.5, 2), "recall@5": Value(math.nan, 0)}
    assert below(figures, {"token F1": 0.5, "recall@5": 0.0}) == []
    assert below(figures, {"token F1": 0.51, "recall@5": 0.1}) == [
        "token F1 is 0.500, not 0.51",
        "recall@5 is –, not 0.1",
    ]


def test_the_page_asks_for_nothing_from_elsewhere(tmp_path: Path) -> None:
    text = written(tmp_path).read_text(encoding="utf-8")
    linked = re.findall(r"""\b(?:src|href|srcset|action|data)\s*=\s*["']?([^"'\s>]*)""", text)
    assert [target for target in linked if not target.startswith("#")] == []
    assert [target for target in re.findall(r"url\(([^)]*)\)", text) if not target.startswith("#")] == []
    assert not re.search(r"@import|<link|<iframe|\bfetch\(|<script [^>]*src", text)
    assert text.count("<svg") == 2


def test_the_page_shows_every_figure_with_its_definition(tmp_path: Path) -> None:
    text = written(tmp_path).read_text(encoding="utf-8")
    for figure in FIGURES:
        assert f"<td>{figure.name}<small>" in text
    assert "refused answerable questions count 0 (Rajpurkar et al. 2016)." in text


def test_the_page_says_what_is_dotted_and_how_many_questions_of_a_group_have_an_answer(tmp_path: Path) -> None:
    text = written(tmp_path).read_text(encoding="utf-8")
    assert "the dotted line the risk at 80% accuracy" in text
    by_part = text[text.index("<h2>By part") : text.index("<h2>By kind")]
    assert re.findall(r"<th[^>]*>(n [^<]*)</th>", by_part) == ["n with", "n without"]
    assert re.findall(r"<td>(\w+)</td>.*?>(\d+)</td><td[^>]*>(\d+)</td></tr>", by_part, re.DOTALL) == [
        ("tune", "3", "3"),
        ("test", "1", "0"),
    ]


def test_markup_in_questions_answers_and_titles_is_text_on_the_page(tmp_path: Path) -> None:
    odd = outcome(
        MARKUP, [MARKUP, f"or {MARKUP}"], f"no {MARKUP}", question=MARKUP, kind=MARKUP, style=MARKUP, part=MARKUP
    )
    text = written(tmp_path, [odd, outcome("q2", [], None)], MARKUP).read_text(encoding="utf-8")
    assert "alert(1)" in text
    assert "<script>alert" not in text
    assert "<img" not in text
    assert text.count("<script>") == text.count("</script>") == 1


def test_the_part_for_measuring_is_scored_but_not_shown(tmp_path: Path) -> None:
    text = written(tmp_path).read_text(encoding="utf-8")
    assert text.count("<li ") == 6
    assert "t1?" not in text
    assert "unseen" not in text
    assert "blue" not in text
    assert "Those of the part “test” are scored, but not shown" in text
    assert "Those of the part" not in written(tmp_path, OUTCOMES[:-1]).read_text(encoding="utf-8")


@pytest.mark.parametrize("plot", [plots.risk_coverage, plots.reliability])
@pytest.mark.parametrize("outcomes", [OUTCOMES, OUTCOMES[:1], OUTCOMES[5:6]])
def test_a_plot_of_the_same_answers_is_the_same_text(plot: Any, outcomes: list[Outcome]) -> None:
    drawn = plot(outcomes)
    assert drawn == plot(outcomes)
    assert drawn.startswith("<svg")
    assert drawn.rstrip().endswith("</svg>")


def test_plots_of_other_answers_differ() -> None:
    assert plots.risk_coverage(OUTCOMES) != plots.risk_coverage(OUTCOMES[:4])
    assert plots.reliability(OUTCOMES) != plots.reliability(OUTCOMES[:4])


def visible(page: Page) -> list[str]:
    """The questions on the page that are not hidden."""
    return page.locator("ol > li:visible > p:first-child").all_inner_texts()


def test_the_page_first_shows_what_is_wrong_and_then_what_is_asked_for(tmp_path: Path, page: Page) -> None:
    page.goto(written(tmp_path).as_uri())
    count = page.locator("output")
    assert visible(page) == ["q2?", "q3?", "q5?"]
    expect(count).to_have_text("3 of 6")

    verdict = page.get_by_label("verdict")
    verdict.select_option("all")
    assert visible(page) == ["q1?", "q2?", "q3?", "q4?", "q5?", "q6?"]
    verdict.select_option("abstained rightly")
    assert visible(page) == ["q4?", "q6?"]
    verdict.select_option("answered wrongly")
    assert visible(page) == ["q2?", "q5?"]

    page.get_by_label("kind").select_option("date")
    assert visible(page) == ["q2?"]
    page.get_by_label("style").select_option("plain")
    assert visible(page) == []
    expect(count).to_have_text("0 of 6")

    verdict.select_option("all")
    assert visible(page) == ["q1?"]
    page.get_by_label("kind").select_option("all")
    page.get_by_label("words").fill(" GREY ")
    assert visible(page) == ["q3?"]
    page.keyboard.press("Enter")
    assert visible(page) == ["q3?"]
    assert page.get_by_label("part").count() == 0


def test_a_question_on_the_page_shows_its_answer_marked_beside_the_gold_one(tmp_path: Path, page: Page) -> None:
    page.goto(written(tmp_path).as_uri())
    page.get_by_label("verdict").select_option("all")
    items = page.locator("ol > li")
    first, refused, nothing = (items.nth(number) for number in (0, 2, 5))
    assert first.locator("mark").all_inner_texts() == ["1901", "1901"]
    assert first.locator("dt").all_inner_texts() == ["gold", "given"]
    assert first.locator("dd").first.inner_text() == "1901 it was. or: in 1901"
    expect(first).to_contain_text("q1 · confidence 0.90 · F1 1.00 · gold passage retrieved at rank 1")
    assert refused.locator("dt").all_inner_texts() == ["gold", "held back"]
    expect(refused).to_contain_text("gold passage not among the first ten")
    assert nothing.locator("dd").all_inner_texts() == ["the documents do not answer", "nothing"]


def test_the_page_fits_a_narrow_phone_and_shows_its_plots(tmp_path: Path, page: Page) -> None:
    page.set_viewport_size({"width": 320, "height": 640})
    page.goto(written(tmp_path).as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") == 320
    for plot in page.locator("figure svg").all():
        box = plot.bounding_box()
        assert box
        assert box["width"] > 200
        assert box["height"] > 100


def test_odd_words_filter_the_page_as_text(tmp_path: Path, page: Page) -> None:
    odd = outcome("q1", [], "red", question=MARKUP, kind=MARKUP)
    page.goto(written(tmp_path, [odd, outcome("q2", [], "red", kind="none")]).as_uri())
    assert visible(page) == [MARKUP, "q2?"]
    page.get_by_label("kind").select_option(MARKUP)
    assert visible(page) == [MARKUP]
    assert page.locator("img, li script").count() == 0
