"""How many pictures there are of each category (the seed's Figure 2)."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from stylesearch.evaluation.charts.style import FAINT, color_of, drawable, new_figure
from stylesearch.evaluation.facts import CatalogFacts

__all__ = ["picture_counts"]

_BAR = 0.38


def picture_counts(catalog: CatalogFacts) -> Figure:
    """Two bars a category, each with its number: consumer photos and shop pictures."""
    names = [drawable(one.category) for one in catalog.categories]
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
        at = places + (number - 0.5) * _BAR
        axes.barh(at, counts, height=_BAR * 0.92, color=color_of(1 - number), label=label)
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
