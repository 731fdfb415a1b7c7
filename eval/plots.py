"""Plots as SVG, to be embedded; drawn in one colour that reads on light and on dark."""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from eval import metrics
from eval.figures import ACCURACY, Table
from eval.run import Outcome

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIZE = (4.6, 3.4)  # inches
GREY, BLUE = "#808890", "#3b82c4"


def risk_coverage(outcomes: Sequence[Outcome]) -> str:
    """The share of wrong answers against the share of questions answered, with the threshold's place."""
    table = Table.of(outcomes)
    coverage, risk = metrics.risk_coverage(table.confidence, table.forced_right)
    figure = _figure("questions answered, share", "answers that are wrong, share")
    axes = figure.axes[0]
    axes.plot(coverage, risk, color=BLUE, label="all questions")
    if table.answerable.any() and not table.answerable.all():
        has = table.answerable
        axes.plot(
            *metrics.risk_coverage(table.confidence[has], table.forced_right[has]), "--", color=BLUE, label="answerable"
        )
        axes.legend(frameon=False, labelcolor=GREY)
    axes.axhline(1 - ACCURACY, color=GREY, linewidth=0.8, linestyle=":")
    if table.answered.any():
        axes.plot(table.answered.mean(), 1 - table.right[table.answered].mean(), "o", color=BLUE)
    return _svg(figure)


def reliability(outcomes: Sequence[Outcome]) -> str:
    """The share of right answers against the confidence, ten bins; the area of a point is the bin's share."""
    table = Table.of(outcomes)
    figure = _figure("confidence", "answers that are right, share")
    axes = figure.axes[0]
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle=":")
    bins = metrics.reliability(table.confidence, table.forced_right)
    x, y, counts = zip(*bins, strict=True)
    axes.plot(x, y, color=BLUE, linewidth=1)
    axes.scatter(x, y, s=[20 + 400 * count / len(table.right) for count in counts], color=BLUE)
    return _svg(figure)


def _figure(x: str, y: str) -> "Figure":
    from matplotlib.figure import Figure

    figure = Figure(SIZE, layout="constrained")
    axes = figure.add_subplot(xlabel=x, ylabel=y, xlim=(0, 1.02), ylim=(0, 1.02))
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GREY)
    axes.tick_params(colors=GREY)
    axes.xaxis.label.set_color(GREY)
    axes.yaxis.label.set_color(GREY)
    return figure


def _svg(figure: "Figure") -> str:
    """The same drawing gives the same text."""
    import matplotlib

    text = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "attest", "svg.fonttype": "none", "font.family": "sans-serif"}):
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    return text.getvalue()[text.getvalue().index("<svg") :]
