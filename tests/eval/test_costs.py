"""A bench's figures as they are shown: ratios by hand, tables, JSON and a plot."""

import json
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from eval import costs
from eval.bench import Bench, Latency, Load, Service, Size, VectorsOnly

LATENCY = Latency(100, 20.0, 30.0, 40.0)
OURS = Service(2.0, (Load(1, LATENCY, 40.0, 1.0), Load(32, LATENCY, 50.0, 0.99)), 400.0)
USUAL = Service(8.0, (Load(1, replace(LATENCY, p50=90.0), 10.0, 0.9), Load(32, LATENCY, 8.0, 0.9)), 1_600.0)
SIZE = Size(
    10_019, 769, 240.0, "exact", {"read": LATENCY, "retrieve": LATENCY, "total": LATENCY}, 1.0, OURS, USUAL, 60.0
)
FOUND = Bench({"cores": 2}, (SIZE,), (VectorsOnly(1_000_000, "approximate", 300.0, LATENCY, 0.987),))


def shown(found: Bench) -> str:
    console = Console(width=110, record=True)
    for table in costs.tables(found):
        console.print(table)
    return console.export_text()


def test_ratios_say_how_many_times_better() -> None:
    assert costs.ratios(SIZE) == {
        "p50": 4.5,  # 90 against 20
        "answers a second, 1 client": 4.0,
        "answers a second, 32 clients": 6.25,
        "cold start": 4.0,
        "building": 4.0,
        "memory": 4.0,
    }


def test_without_the_usual_pipeline_there_are_no_ratios() -> None:
    alone = replace(SIZE, baseline=None, baseline_rate=None)
    assert costs.ratios(alone) == {}
    assert "usual pipeline" not in shown(replace(FOUND, sizes=(alone,)))


def test_tables_show_every_figure() -> None:
    text = shown(FOUND)
    for words in (
        "10,019 passages, dense search exact",
        "/ask, 32 clients",
        "usual pipeline, 1 client",
        "6.25",
        "0.987",
    ):
        assert words in text


def test_figures_are_written_with_their_ratios_and_a_plot(tmp_path: Path) -> None:
    path = costs.write(FOUND, tmp_path / "reports")
    data = json.loads(path.read_text())
    assert data["sizes"][0]["ratios"]["p50"] == 4.5
    assert data["sizes"][0]["service"]["loads"][1]["latency"]["p99"] == 40.0
    assert "<svg" in (tmp_path / "reports" / costs.PLOT).read_text()
