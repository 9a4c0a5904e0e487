"""Charts of scores and counts: top-k curves, dots with intervals, image counts, and category confusions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import NullLocator

from stylesearch.array_types import Ints
from stylesearch.evaluation.report.charts.style import (
    FAINT,
    GRID,
    INK,
    WIDTH,
    color_of,
    drawable_text,
    line_style_of,
    marker_of,
    new_figure,
    wrap_label,
)
from stylesearch.evaluation.results import CatalogFacts, Estimate, Run, StudySettings
from stylesearch.evaluation.scores import top_k_curve

__all__ = [
    "Series",
    "category_confusion",
    "curve_ks",
    "image_counts",
    "score_dots",
    "top_k_curves",
]

_CURVE_HEIGHT: Final = 3.9
_LABEL_LINE: Final = 4.2
"""Height of a line of a curve's label, in percent points of the axis."""
_N_CURVE_KS: Final = 24
_LEGEND_LETTERS: Final = 62
"""Letters of a legend that fit beside each other above a chart."""
_BAR_HEIGHT: Final = 0.38
_MAX_SLANTED_COLUMNS: Final = 12
"""With more columns in a confusion their names stand upright."""
_DARK_SHARE: Final = 0.55
"""From this share on a cell of a confusion is dark, and its number white."""


@dataclass(frozen=True, slots=True)
class Series:
    """A run in a chart.

    Attributes:
        label: name in the chart.
        run: the run whose scores are shown; all series of a chart have the same categories.
        number: number of its color and shape.
    """

    label: str
    run: Run
    number: int


def curve_ks(ks: Sequence[int], n_products: int) -> list[int]:
    """Chooses about two dozen k from 1 up, evenly on a logarithmic axis, including those asked for.

    Example:
        >>> curve_ks((1, 5), 8)
        [1, 2, 3, 4, 5]
    """
    last = max(2, min(max(ks), n_products))
    spread = np.unique(np.round(np.geomspace(1, last, _N_CURVE_KS)).astype(int)).tolist()
    return sorted({*spread, *(k for k in ks if k <= last)})


def top_k_curves(series: Sequence[Series], settings: StudySettings, n_products: int) -> Figure:
    """Draws a curve for each series, named at its end, and the share that chance would find.

    Args:
        series: at least one.
        settings: settings of the study.
        n_products: number of products in the gallery.
    """
    ks = curve_ks(settings.ks, n_products)
    figure = new_figure(_CURVE_HEIGHT)
    axes = figure.subplots()
    axes.plot(
        ks, [100 * min(1.0, k / n_products) for k in ks], color=FAINT, linewidth=1, linestyle=(0, (2, 2))
    )
    ends = [(100 * min(1.0, ks[-1] / n_products), 0.0, "chance", FAINT)]
    for one in series:
        curve = top_k_curve(one.run.columns, ks, settings)
        color = color_of(one.number)
        axes.fill_between(
            ks,
            [100 * estimate.low for estimate in curve],
            [100 * estimate.high for estimate in curve],
            color=color,
            alpha=0.13,
            linewidth=0,
        )
        axes.plot(
            ks,
            [100 * estimate.value for estimate in curve],
            color=color,
            linewidth=1.8,
            linestyle=line_style_of(one.number),
            clip_on=False,
        )
        # Curves that end at the same value are named in the order of their values before.
        overall = sum(estimate.value for estimate in curve)
        ends.append((100 * curve[-1].value, overall, wrap_label(one.label, 22), color))
    ends.sort(key=lambda end: end[:2])
    heights = _spread_labels(
        [end[0] for end in ends], [_LABEL_LINE * (end[2].count("\n") + 1) for end in ends]
    )
    for (value, _, label, color), height in zip(ends, heights, strict=True):
        axes.annotate(
            label,
            (ks[-1], value),
            (1.035, height / 100),
            textcoords=axes.transAxes,
            color=color,
            fontsize=8,
            va="center",
            linespacing=1.05,
            arrowprops={
                "arrowstyle": "-",
                "color": color,
                "linewidth": 0.6,
                "shrinkA": 0,
                "shrinkB": 1,
                "relpos": (0, 0.5),
            },
        )
    axes.set_xscale("log")
    axes.set_xlim(1, ks[-1])
    axes.xaxis.set_minor_locator(NullLocator())
    shown = [k for k in ks if k in settings.ks or k in (1, ks[-1])]
    axes.set_xticks(shown, [str(k) for k in shown])
    axes.set_ylim(0, 100)
    axes.grid(axis="both")
    axes.set_xlabel("k")
    axes.set_ylabel("right product among the first k, % of queries")
    return figure


def _spread_labels(values: Sequence[float], sizes: Sequence[float]) -> list[float]:
    """Finds places near rising values, within 0 to 100, at which labels of those heights do not touch."""
    places: list[float] = []
    floor = 0.0
    for value, size in zip(values, sizes, strict=True):
        place = max(value, floor + size / 2)
        places.append(place)
        floor = place + size / 2
    ceiling = 100.0
    for number in range(len(places) - 1, -1, -1):
        places[number] = min(places[number], ceiling - sizes[number] / 2)
        ceiling = places[number] - sizes[number] / 2
    return places


def score_dots(series: Sequence[Series], score: str, top: float = 1.0) -> Figure:
    """Draws a dot with its interval for every series in every category, then macro and micro.

    Args:
        series: at least one.
        score: name of the score, for example ``top-20``.
        top: end of the axis, from 0 to 1; the same in all charts that are compared.
    """
    first = series[0].run
    rows = [(f"{wrap_label(one.category, 24)} ({one.n_queries})", False) for one in first.categories]
    rows += [("macro", True), ("micro", True)]
    step = max(0.15, 0.105 * len(series) + 0.09)
    columns = max(1, _LEGEND_LETTERS // (max(len(one.label) for one in series) + 4))
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
            label=drawable_text(one.label),
            clip_on=False,
            zorder=3,
        )
    for row in range(1, len(rows)):
        # The averages stand apart from the categories.
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


def image_counts(catalog: CatalogFacts) -> Figure:
    """Draws bars for the numbers of consumer photos and shop images of each category."""
    names = [drawable_text(one.category) for one in catalog.categories]
    places = np.arange(len(names), dtype=float)
    figure = new_figure(0.75 + 0.36 * len(names))
    axes = figure.subplots()
    most = 1
    for number, (label, counts) in enumerate(
        (
            ("consumer photos", [one.n_consumer_images for one in catalog.categories]),
            ("shop pictures", [one.n_shop_images for one in catalog.categories]),
        )
    ):
        at = places + (number - 0.5) * _BAR_HEIGHT
        axes.barh(at, counts, height=_BAR_HEIGHT * 0.92, color=color_of(1 - number), label=label)
        for place, count in zip(at, counts, strict=True):
            axes.annotate(
                f"{count:,}",
                (count, place),
                (3, 0),
                textcoords="offset points",
                va="center",
                fontsize=8,
                color=FAINT,
            )
        most = max(most, *counts)
    axes.set_yticks(places, names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlim(0, most * 1.12)
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    figure.legend(loc="outside upper left", ncols=2)
    return figure


def category_confusion(names: list[str], counts: Ints) -> Figure:
    """Draws a table of shares: categories of the first hits, one row for each category of the queries.

    Args:
        names: categories with a query or a first hit, n of them.
        counts: int64 (queried, 1 + n): for each queried category the number of queries that found the right
            product first, then the numbers of those that found a wrong product of each category. Rows are
            the first of ``names``.
    """
    n_rows, n_columns = counts.shape
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    many = n_columns > _MAX_SLANTED_COLUMNS
    figure = new_figure(1.5 + 0.3 * n_rows, max(WIDTH, 2.2 + 0.27 * n_columns))
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for row in range(n_rows):
        for column in range(n_columns):
            share = shares[row, column]
            if share:
                axes.text(
                    column,
                    row,
                    f"{100 * share:.0f}",
                    ha="center",
                    va="center",
                    fontsize=7 if many else 8,
                    color="white" if share > _DARK_SHARE else INK,
                )
    rows = [
        f"{drawable_text(name)} ({total})"
        for name, total in zip(names, counts.sum(axis=1).tolist(), strict=False)
    ]
    axes.set_yticks(range(n_rows), rows)
    labels = ["right product", *map(drawable_text, names)]
    axes.set_xticks(range(n_columns), labels, rotation=90 if many else 40, ha="left", rotation_mode="anchor")
    axes.xaxis.tick_top()
    axes.tick_params(axis="x", labelcolor=INK)
    axes.axvline(0.5, color=FAINT, linewidth=1)
    axes.set_ylabel("query (how many)")
    axes.set_xlabel(
        "what came first: the right product, or a wrong one of a category, % of a row", fontsize=8
    )
    axes.xaxis.set_label_position("bottom")
    for number in range(min(n_rows, n_columns - 1)):
        # The category is right there, the product is not.
        axes.add_patch(
            Rectangle((number + 0.5, number - 0.5), 1, 1, fill=False, edgecolor=FAINT, clip_on=False)
        )
    for spine in axes.spines.values():
        spine.set_visible(False)
    return figure
