"""Where errors go: categories of what came first, by category of what was looked for."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from stylesearch.evaluation.charts.style import FAINT, INK, WIDTH, drawable, new_figure
from stylesearch.evaluation.results import Ints

__all__ = ["category_confusion"]

_MANY = 12
"""With more columns their names stand upright."""
_DARK = 0.55
"""From this share on a cell is dark, and its number white."""


def category_confusion(names: list[str], counts: Ints) -> Figure:
    """A table of shares, one row a category.

    Args:
        names: categories with a query or a first hit, n of them.
        counts: int64 (queried, 1 + n): of each queried category how many queries found the right product
            first, then how many found a wrong product of each category. Rows are the first of ``names``.
    """
    n_rows, n_columns = counts.shape
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    many = n_columns > _MANY
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
                    color="white" if share > _DARK else INK,
                )
    rows = [
        f"{drawable(name)} ({total})" for name, total in zip(names, counts.sum(axis=1).tolist(), strict=False)
    ]
    axes.set_yticks(range(n_rows), rows)
    labels = ["right product", *map(drawable, names)]
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
