"""A bench's figures: as tables on the terminal, as JSON, and as a plot of cost against size."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table

from eval.bench import Bench, Latency, Size

DATA, PLOT = "bench.json", "bench.svg"


def ratios(size: Size) -> dict[str, float]:
    """How many times better than the usual pipeline; empty if that was not run."""
    if not size.baseline or not size.baseline_rate:
        return {}
    ours, usual = size.service, size.baseline
    found = {"p50": usual.loads[0].latency.p50 / ours.loads[0].latency.p50}
    for one, other in zip(ours.loads, usual.loads, strict=True):
        found[f"answers a second, {one.clients} client{'s' if one.clients > 1 else ''}"] = one.a_second / other.a_second
    found["cold start"] = usual.cold_start / ours.cold_start
    found["building"] = size.build_rate / size.baseline_rate
    if ours.resident and usual.resident:
        found["memory"] = usual.resident / ours.resident
    return {name: round(value, 2) for name, value in found.items()}


def tables(found: Bench) -> Iterator[Table]:
    """What was measured, for a person."""
    yield _machine(found.machine)
    for size in found.sizes:
        yield from _tables(size)
    if found.vectors_only:
        table = Table("dense search only", "kind", "p50", "p95", "p99", "recall@10", "build", box=box.SIMPLE)
        for each in found.vectors_only:
            row = [f"{each.passages:,}", each.dense, *_quantiles(each.latency), f"{each.recall:.3f}"]
            table.add_row(*row, f"{each.build_seconds:,.0f} s")
        yield table


def _machine(machine: Mapping[str, Any]) -> Table:
    """On what it was measured."""
    table = Table(box=box.SIMPLE, show_header=False)
    for name, value in machine.items():
        words = value
        if isinstance(value, Mapping):
            words = ", ".join(f"{each} {what}" for each, what in value.items())
        elif isinstance(value, Sequence) and not isinstance(value, str):
            words = ", ".join(f"{each:.2f}" if isinstance(each, float) else str(each) for each in value)
        table.add_row(name.replace("_", " "), str(words))
    return table


def _tables(size: Size) -> Iterator[Table]:
    title = f"{size.passages:,} passages, dense search {size.dense}"
    table = Table(title, "p50", "p95", "p99", "a second", "right", "n", box=box.SIMPLE, title_justify="left")
    for stage, latency in size.stages.items():
        right = f"{size.right:.3f}" if stage == "total" else ""
        table.add_row(f"{stage}, ms", *_quantiles(latency), "", right, str(latency.n))
    for name, service in (("/ask", size.service), ("usual pipeline", size.baseline)):
        for load in service.loads if service else ():
            clients = f"{name}, {load.clients} client{'s' if load.clients > 1 else ''}, ms"
            row = [*_quantiles(load.latency), f"{load.a_second:.1f}", f"{load.right:.3f}", str(load.latency.n)]
            table.add_row(clients, *row)
    yield table
    table = Table("", "first right answer after", "memory", "passages built a second", box=box.SIMPLE)
    for name, service, rate in (
        ("attest", size.service, size.build_rate),
        ("usual pipeline", size.baseline, size.baseline_rate),
    ):
        if service:
            memory = f"{service.resident:.0f} MiB" if service.resident else "–"
            table.add_row(name, f"{service.cold_start:.2f} s", memory, f"{rate:.0f}")
    yield table
    if found := ratios(size):
        table = Table("times better than the usual pipeline", "", box=box.SIMPLE)
        for name, ratio in found.items():
            table.add_row(name, f"{ratio:.2f} ×")
        yield table


def _quantiles(latency: Latency) -> tuple[str, str, str]:
    return f"{latency.p50:.1f}", f"{latency.p95:.1f}", f"{latency.p99:.1f}"


def write(found: Bench, folder: Path) -> Path:
    """Write all figures as JSON and the plot into a folder; return the JSON's path. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    data = asdict(found)
    for fields, size in zip(data["sizes"], found.sizes, strict=True):
        fields["ratios"] = ratios(size)
    (folder / DATA).write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    plot(found, folder / PLOT)
    return folder / DATA


def plot(found: Bench, path: Path) -> None:
    """Draw milliseconds against passages, both logarithmic: of each stage, of the service and of the usual pipeline."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4), layout="constrained")
    axes = figure.subplots()
    sizes = [size.passages for size in found.sizes]
    lines = {
        "read": [size.stages["read"].p50 for size in found.sizes],
        "retrieve": [size.stages["retrieve"].p50 for size in found.sizes],
        "/ask": [size.service.loads[0].latency.p50 for size in found.sizes],
    }
    if all(size.baseline for size in found.sizes):
        lines["usual pipeline"] = [size.baseline.loads[0].latency.p50 for size in found.sizes if size.baseline]
    for name, values in lines.items():
        axes.plot(sizes, values, marker="o", label=name)
    if found.vectors_only:
        large = [each.passages for each in found.vectors_only]
        axes.plot(large, [each.latency.p50 for each in found.vectors_only], "s", label="retrieve, vectors only")
    axes.set(xscale="log", yscale="log", xlabel="passages", ylabel="milliseconds, median")
    axes.grid(alpha=0.3, which="both")
    axes.legend()
    figure.savefig(path)
