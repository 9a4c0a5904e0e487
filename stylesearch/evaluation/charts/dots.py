"""Scores with their intervals, a row a category and a dot a series (the seed's Figures 6, 7 and 9)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from stylesearch.evaluation.charts.style import (
    GRID,
    INK,
    WIDTH,
    color_of,
    drawable,
    marker_of,
    new_figure,
    wrapped,
)
from stylesearch.evaluation.results import Estimate, Run

__all__ = ["Series", "score_dots"]

_LETTERS_ABOVE = 62
"""As many as fit beside each other above a chart."""


@dataclass(frozen=True, slots=True)
class Series:
    """A run in a chart.

    Attributes:
        label: what it is called.
        run: whose scores are shown; all series of a chart have the same categories.
        number: of its colour and shape.
    """

    label: str
    run: Run
    number: int


def score_dots(series: Sequence[Series], score: str, top: float = 1.0) -> Figure:
    """Every series in every category, then macro and micro: a dot with its interval.

    Args:
        series: at least one.
        score: its name, for example ``top-20``.
        top: where the axis ends, from 0 to 1: the same in all charts that are to be compared.
    """
    first = series[0].run
    rows = [(f"{wrapped(one.category, 24)} ({one.n_queries})", False) for one in first.categories]
    rows += [("macro", True), ("micro", True)]
    step = max(0.15, 0.105 * len(series) + 0.09)
    columns = max(1, _LETTERS_ABOVE // (max(len(one.label) for one in series) + 4))
    lines = -(-len(series) // columns)
    figure = new_figure(0.65 + 0.17 * lines + max(step, 0.24) * len(rows), WIDTH)
    axes = figure.subplots()
    for number, one in enumerate(series):
        offset = (number - (len(series) - 1) / 2) * 0.8 / max(len(series), 2)
        estimates = _estimates(one.run, score)
        for row, estimate in enumerate(estimates):
            axes.plot(
                [100 * estimate.low, 100 * estimate.high],
                [row + offset] * 2,
                color=color_of(one.number),
                linewidth=1.3,
                alpha=0.55,
                solid_capstyle="butt",
            )
        axes.plot(
            [100 * estimate.value for estimate in estimates],
            [row + offset for row in range(len(rows))],
            linestyle="",
            marker=marker_of(one.number),
            markersize=4.8,
            color=color_of(one.number),
            label=drawable(one.label),
            clip_on=False,
            zorder=3,
        )
    for row in range(1, len(rows)):
        # The averages stand apart from what they are averages of.
        axes.axhline(row - 0.5, color=INK if row == len(rows) - 2 else GRID, linewidth=0.8)
    axes.set_yticks(range(len(rows)), [label for label, _ in rows])
    for tick, (_, bold) in zip(axes.get_yticklabels(), rows, strict=True):
        tick.set_fontweight("bold" if bold else "normal")
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlim(0, 100 * top)
    axes.grid(axis="x")
    axes.set_xlabel(f"{score}, % of queries" if score.startswith("top-") else f"{score}, %")
    axes.spines["left"].set_visible(False)
    if len(series) > 1:
        figure.legend(loc="outside upper left", ncols=columns, borderpad=0.1)
    return figure


def _estimates(run: Run, score: str) -> list[Estimate]:
    return [scores.values[score] for scores in (*run.categories, run.macro, run.micro)]
