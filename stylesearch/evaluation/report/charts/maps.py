"""Maps of features by t-SNE, on which similar images lie side by side: as dots, or as small images."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from stylesearch.evaluation.report.charts.style import (
    CATEGORY_COLORS,
    WIDTH,
    drawable_text,
    marker_of,
    new_figure,
)

__all__ = [
    "MIN_IMAGES",
    "THUMBNAIL",
    "dot_map",
    "select_without_overlap",
    "thumbnail_map",
    "tsne_map",
]

Places = npt.NDArray[np.float64]
"""Places on a map, float64 (n, 2), within -1 to 1."""

MIN_IMAGES: Final = 8
"""Of fewer images a map says nothing."""
_PCA_AXES: Final = 50
_PERPLEXITY: Final = 30.0

THUMBNAIL: Final = 0.1
"""Side of a thumbnail on a map from -1 to 1."""
_LETTER: Final = 0.0034
"""Width of a letter for each point of its size, on a map from -1 to 1."""
_MIN_ASPECT: Final = 0.45
_THICK: Final = 2.0
_THIN: Final = 0.7
_LINES: Final[tuple[Literal["-", ":", "--"], ...]] = ("-", ":", "--")
_LEGEND_LETTERS: Final = 70
"""Letters of a legend that fit beside each other below a map."""
_LEGEND_LINE: Final = 0.175
"""Height of a line of the legend, in inches."""


def tsne_map(features: npt.NDArray[np.float32], seed: int) -> Places:
    """Maps features to the plane by t-SNE, after PCA; the same for the same features and seed.

    Args:
        features: float32 (n, dim), n at least ``MIN_IMAGES``.
        seed: seed of scikit-learn's t-SNE.

    Returns:
        places, float64 (n, 2), within -1 to 1.

    Raises:
        ValueError: too few features.

    References:
        L. van der Maaten and G. Hinton, "Visualizing data using t-SNE", JMLR 9, 2008. They too reduce by PCA
        first, to 30 axes.
    """
    n = len(features)
    if n < MIN_IMAGES:
        raise ValueError(f"a map needs at least {MIN_IMAGES} pictures. Received: {n}")
    # One thread: several would add in another order each time, which changes the map.
    with threadpool_limits(limits=1):
        values = features.astype(np.float64) - features.mean(axis=0, dtype=np.float64)
        if not values.any():
            return np.zeros((n, 2))  # all equal: there is nothing to spread
        reduced = PCA(min(_PCA_AXES, n, values.shape[1]), svd_solver="full").fit_transform(values)
        spread = float(reduced[:, 0].std())
        start = np.asarray(reduced[:, :2] / spread * 1e-4 if spread else reduced[:, :2])
        if start.shape[1] < 2:
            start = np.pad(start, ((0, 0), (0, 1)))
        places = TSNE(
            perplexity=min(_PERPLEXITY, (n - 1) / 3), init=start, random_state=seed, n_jobs=1
        ).fit_transform(reduced)
    places = places.astype(np.float64) - (places.max(axis=0) + places.min(axis=0)) / 2
    largest = float(np.abs(places).max())
    within_one: Places = places / (largest or 1.0)
    return within_one


def dot_map(
    places: Places, categories: Sequence[str], numbers: Mapping[str, int], n_filled: int | None = None
) -> Figure:
    """A map with a dot for each image, colored by category, each category named where most of it lies.

    Args:
        places: float64 (n, 2), within -1 to 1.
        categories: category of each image.
        numbers: number of each category's color and shape.
        n_filled: number of dots that are filled, from the first on; the others are hollow. By default all are
            filled.
    """
    names = np.asarray(categories)
    is_filled = np.arange(len(places)) < (len(places) if n_filled is None else n_filled)
    present = [name for name in numbers if name in set(categories)]
    figure, axes = _empty_map(places, present)
    for name in present:
        for which, face, line in (
            (is_filled, _category_color(numbers[name]), 0.0),
            (~is_filled, "none", 0.8),
        ):
            shown = places[(names == name) & which]
            axes.scatter(
                shown[:, 0],
                shown[:, 1],
                s=22 if len(places) < 300 else 12,
                facecolors=face,
                edgecolors=_category_color(numbers[name]),
                marker=marker_of(numbers[name]),
                alpha=0.8,
                linewidths=line,
                label=drawable_text(name) if which is is_filled else None,
            )
    _name_clusters(axes, places, names, {name: numbers[name] for name in present})
    figure.legend(loc="outside lower left", ncols=_n_columns(present), markerscale=1.2)
    return figure


def select_without_overlap(places: Places, limit: int) -> list[int]:
    """Selects at most ``limit`` images that do not overlap on the map; returns their numbers in order."""
    shown: list[int] = []
    for number in range(len(places)):
        apart = np.abs(places[shown] - places[number]).max(axis=1) if shown else np.array([np.inf])
        if apart.min() >= THUMBNAIL and len(shown) < limit:
            shown.append(number)
    return shown


def thumbnail_map(
    places: Places,
    thumbnails: Sequence[npt.NDArray[np.uint8]],
    categories: Sequence[str],
    numbers: Mapping[str, int],
    thin: Collection[int] = (),
) -> Figure:
    """A map of small images, each framed in its category's color and kind of line.

    Args:
        places: places of the images that are shown, float64 (n, 2).
        thumbnails: the images, uint8 (side, side, 3) each.
        categories: category of each.
        numbers: number of each category's frame.
        thin: numbers of the images that have a thin frame.
    """
    present = [name for name in numbers if name in set(categories)]
    figure, axes = _empty_map(places, present)
    limits = axes.get_xlim(), axes.get_ylim()
    half = THUMBNAIL * 0.46
    for number, ((x, y), pixels) in enumerate(zip(places.tolist(), thumbnails, strict=True)):
        axes.imshow(pixels, extent=(x - half, x + half, y - half, y + half), interpolation="antialiased")
        frame = _frame((x - half, y - half), 2 * half, numbers[categories[number]])
        frame.set_linewidth(_THIN if number in thin else _THICK)
        axes.add_patch(frame)
    axes.set_xlim(limits[0])
    axes.set_ylim(limits[1])
    handles = []
    for name in present:
        handle = _frame((0, 0), 1, numbers[name])
        handle.set_label(drawable_text(name))
        handles.append(handle)
    figure.legend(handles=handles, loc="outside lower left", ncols=_n_columns(present), handlelength=1.1)
    return figure


def _category_color(number: int) -> str:
    return CATEGORY_COLORS[number % len(CATEGORY_COLORS)]


def _frame(corner: tuple[float, float], side: float, number: int) -> Rectangle:
    line = _LINES[number // len(CATEGORY_COLORS) % len(_LINES)]
    return Rectangle(
        corner, side, side, fill=False, edgecolor=_category_color(number), linewidth=_THICK, linestyle=line
    )


def _n_columns(names: Sequence[str]) -> int:
    """Number of names that fit side by side below a map."""
    return max(1, min(4, _LEGEND_LETTERS // (5 + max(map(len, names)))))


def _empty_map(places: Places, names: Sequence[str]) -> tuple[Figure, Axes]:
    """Makes axes that are as high as the map needs, with one scale for both directions."""
    middle = (places.max(axis=0) + places.min(axis=0)) / 2
    margin = THUMBNAIL * 0.6
    half_x, half_y = np.maximum((places.max(axis=0) - places.min(axis=0)) / 2, 0.1) + margin
    half_y = max(half_y, _MIN_ASPECT * half_x)
    half_x = max(half_x, half_y)
    n_lines = -(-len(names) // _n_columns(names))
    figure = new_figure(WIDTH * half_y / half_x + 0.15 + _LEGEND_LINE * n_lines)
    axes = figure.subplots()
    axes.set_aspect("equal")
    axes.set_xlim(middle[0] - half_x, middle[0] + half_x)
    axes.set_ylim(middle[1] - half_y, middle[1] + half_y)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
    return figure, axes


def _name_clusters(
    axes: Axes, places: Places, names: npt.NDArray[np.str_], numbers: Mapping[str, int]
) -> None:
    """Writes each category's name at the image that is nearest to most others of the category."""
    taken: list[tuple[float, float, float]] = []
    size = 9.0 if len(numbers) <= len(CATEGORY_COLORS) + 3 else 7.0
    for name, number in numbers.items():
        of_category = places[names == name]
        apart = np.linalg.norm(of_category[:, None] - of_category[None], axis=2)
        at = of_category[np.median(apart, axis=1).argmin()] + (0, 0.05)
        half = len(name) * size * _LETTER / 2
        while any(abs(at[1] - y) < 0.07 and abs(at[0] - x) < half + other for x, y, other in taken):
            at = at - (0, 0.02)
        taken.append((at[0], at[1], half))
        dark = tuple(0.6 * part for part in to_rgb(_category_color(number)))
        label = axes.text(
            float(at[0]),
            float(at[1]),
            drawable_text(name),
            color=dark,
            fontweight="bold",
            fontsize=size,
            ha="center",
            va="center",
        )
        label.set_path_effects([patheffects.withStroke(linewidth=2.5, foreground="white")])
