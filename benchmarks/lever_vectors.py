"""Principal axes of any width and strength, distances of regions, ranks of products, and sure differences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks.lever_features import Floats
from stylesearch.distance import distances
from stylesearch.spaces import fit_transform
from stylesearch.spaces.parts import FeatureParts
from stylesearch.spaces.untrained import Untrained

__all__ = [
    "Principal",
    "fit_space",
    "product_ranks",
    "region_distances",
    "resampled_gain",
    "signed_root",
    "unit",
]

N_RESAMPLES = 2000
Doubles = npt.NDArray[np.float64]


def signed_root(features: Floats) -> Floats:
    """Power normalisation: square roots that keep their signs."""
    rooted: Floats = np.sign(features) * np.sqrt(np.abs(features))
    return rooted


def unit(vectors: Floats) -> Floats:
    """Each at length one; zero stays zero."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.where(length > 0, length, 1), np.float32)


@dataclass(frozen=True)
class Principal:
    """Mean and principal axes of square roots of features.

    With ``width`` and ``strength`` of the library's ``whitened`` space it is that space.

    Attributes:
        mean: (dim,). variances: falling, (n_axes,). axes: columns, (dim, n_axes).
    """

    mean: Floats
    variances: Doubles
    axes: Doubles

    @classmethod
    def of(cls, features: Floats) -> Principal:
        """Fitted to features, (n, dim)."""
        rooted = signed_root(features).astype(np.float64)
        mean = rooted.mean(axis=0)
        variances, axes = np.linalg.eigh(np.cov(rooted, rowvar=False, bias=True))
        n_axes = min(len(features) - 1, int((variances > variances[-1] * 1e-7).sum()))
        return cls(mean.astype(np.float32), variances[::-1][:n_axes], axes[:, ::-1][:, :n_axes])

    def apply(self, features: Floats, width: int, strength: float) -> Floats:
        """Vectors of features (..., dim): (..., width), or as many axes as there are.

        Args:
            features: not modified.
            width: how many axes.
            strength: each axis is divided by this power of its deviation.
        """
        scaled = self.axes[:, :width] / self.variances[:width] ** (strength / 2)
        moved: Floats = (signed_root(features) - self.mean) @ scaled.astype(np.float32)
        return moved


def fit_space(space: str, gallery: Floats, parts: FeatureParts) -> Untrained:
    """Fits the transform of a space to the features of a gallery, (m, dim)."""
    return fit_transform(space, iter([gallery]), dim_in=gallery.shape[1], n_rows=len(gallery), parts=parts)


def region_distances(photos: Floats, gallery: Floats, metric: str = "cosine") -> Floats:
    """Of every region of every photo (n, regions, dim) to every picture (m, dim): (n, regions, m)."""
    if metric == "cosine":
        found: Floats = 1 - unit(photos) @ unit(gallery).T
        return found
    return np.stack([distances(regions, gallery, metric) for regions in photos])


def product_ranks(
    to_images: npt.NDArray[np.floating], products: Sequence[str], right: Sequence[str]
) -> Doubles:
    """How many other products are nearer than the right one; ties count half.

    Args:
        to_images: distance of each photo to each picture, (n, m); a product's nearest picture counts.
        products: of each picture.
        right: the product that each photo shows.
    """
    names, product_of = np.unique(np.asarray(products), return_inverse=True)
    order = np.argsort(product_of, kind="stable")
    starts = np.searchsorted(product_of[order], np.arange(len(names)))
    to_products = np.minimum.reduceat(to_images[:, order], starts, axis=1)
    to_right = np.take_along_axis(to_products, np.searchsorted(names, right)[:, None], axis=1)
    nearer = (to_products < to_right).sum(axis=1)
    ranks: Doubles = nearer + ((to_products == to_right).sum(axis=1) - 1) / 2
    return ranks


def resampled_gain(values: npt.NDArray[np.floating], groups: Sequence[str]) -> tuple[float, float, float]:
    """Mean with its 95 % bootstrap interval, drawn by group: photos of one product hang together.

    Args:
        values: of each photo: whether it was found, or how much was gained.
        groups: the product of each photo.
    """
    _, group_of = np.unique(np.asarray(groups), return_inverse=True)
    sums = np.bincount(group_of, values)
    sizes = np.bincount(group_of)
    drawn = np.random.default_rng(0).integers(0, len(sums), (N_RESAMPLES, len(sums)))
    means = sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(values.mean()), float(low), float(high)
