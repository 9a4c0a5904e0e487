"""Top-k accuracy over k, with its interval as a band."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from stylesearch.evaluation.charts.dots import Series
from stylesearch.evaluation.charts.style import FAINT, color_of, line_style_of, new_figure, wrapped
from stylesearch.evaluation.results import StudySettings
from stylesearch.evaluation.scoring import top_k_curve

__all__ = ["curve_ks", "top_k_curves"]

_HEIGHT = 3.9
_LINE = 4.2
"""Height of a line of a label, in percent points of the axis."""
_N_KS = 24


def curve_ks(ks: Sequence[int], n_products: int) -> list[int]:
    """About two dozen k from 1 up, evenly on a logarithmic axis, with those asked for among them.

    Example:
        >>> curve_ks((1, 5), 8)
        [1, 2, 3, 4, 5]
    """
    last = max(2, min(max(ks), n_products))
    spread = np.unique(np.round(np.geomspace(1, last, _N_KS)).astype(int)).tolist()
    return sorted({*spread, *(k for k in ks if k <= last)})


def top_k_curves(series: Sequence[Series], settings: StudySettings, n_products: int) -> Figure:
    """A curve a series, named at its end, over the share that chance would find.

    Args:
        series: at least one.
        settings: of the study.
        n_products: in the gallery.
    """
    ks = curve_ks(settings.ks, n_products)
    figure = new_figure(_HEIGHT)
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
        # Curves that end alike are named in the order in which they come there.
        overall = sum(estimate.value for estimate in curve)
        ends.append((100 * curve[-1].value, overall, wrapped(one.label, 22), color))
    ends.sort(key=lambda end: end[:2])
    heights = _spread([end[0] for end in ends], [_LINE * (end[2].count("\n") + 1) for end in ends])
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


def _spread(values: Sequence[float], sizes: Sequence[float]) -> list[float]:
    """Places near rising values at which labels of those heights do not touch, within 0 to 100."""
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
