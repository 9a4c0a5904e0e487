"""Where distances are taken: transforms from stored features to the vectors that are compared."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from stylesearch.registry import Entry, Registry

if TYPE_CHECKING:
    from stylesearch.spaces.base import Floats, Transform

__all__ = ["SPACES", "fit_transform", "load_transform"]

SPACES: Final = Registry(
    "space",
    {
        "raw": Entry("stylesearch.spaces.raw:RawTransform", "features as they are"),
        "whitened": Entry(
            "stylesearch.spaces.whitened:WhitenedTransform", "half-whitened principal axes of the gallery"
        ),
    },
)
"""Every space, by the name that ``--space`` takes."""


def fit_transform(space: str, blocks: Iterable[Floats], *, dim_in: int, n_rows: int) -> Transform:
    """Fits the transform of a space on a gallery.

    Args:
        space: its name.
        blocks: features, float32 (n, dim_in) each; read at most once.
        dim_in: width of a feature.
        n_rows: how many features there are in all, roughly.

    Raises:
        UnknownName: no such space.
        SpaceError: features of another width.
    """
    transform: Transform = SPACES.load(space).fit(blocks, dim_in=dim_in, n_rows=n_rows)
    return transform


def load_transform(space: str, path: Path) -> Transform:
    """Reads a transform that was saved.

    Raises:
        UnknownName: no such space.
        SpaceError: the file is missing, damaged or of another space.
    """
    transform: Transform = SPACES.load(space).load(path)
    return transform
