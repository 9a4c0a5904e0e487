"""Spaces, where distances are taken: transforms from stored features to the vectors that are compared."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from stylesearch.errors import SpaceError
from stylesearch.registry import Entry, Registry

if TYPE_CHECKING:
    from stylesearch.array_types import Floats
    from stylesearch.spaces.base import Transform

__all__ = ["SPACES", "fit_transform", "load_transform"]

SPACES: Final = Registry(
    "space",
    {
        "raw": Entry("stylesearch.spaces.unsupervised:RawTransform", "features as they are"),
        "whitened": Entry(
            "stylesearch.spaces.unsupervised:WhitenedTransform", "half-whitened principal axes of the gallery"
        ),
    },
)
"""Every space, by the name that ``--space`` takes."""


def fit_transform(
    space: str, blocks: Iterable[Floats], *, dim_in: int, n_rows: int, n_colors: int = 0
) -> Transform:
    """Fits the transform of a space on a gallery.

    Args:
        space: a name in ``SPACES``.
        blocks: features, float32 (n, dim_in) each; read at most once.
        dim_in: width of a feature.
        n_rows: how many features there are in all, roughly.
        n_colors: how many of a feature's last numbers are colors
            (``n_colors_of`` knows); they are then joined to what the space
            makes of the others, see ``stylesearch.spaces.joined``.

    Raises:
        UnknownName: no such space.
        SpaceError: features of another width.
    """
    kind = SPACES.load(space)
    if n_colors:
        from stylesearch.spaces.joined import JoinedTransform

        return JoinedTransform.fit(kind, blocks, dim_in=dim_in, n_rows=n_rows, n_colors=n_colors)
    transform: Transform = kind.fit(blocks, dim_in=dim_in, n_rows=n_rows)
    return transform


def load_transform(space: str, path: Path) -> Transform:
    """Reads a transform that was saved.

    Raises:
        UnknownName: no such space.
        SpaceError: the file is missing, damaged or of another space.
    """
    import numpy as np

    from stylesearch.spaces.joined import transform_from_arrays

    kind = SPACES.load(space)
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            return transform_from_arrays(kind, stored)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise SpaceError(f"{path} is no fit of the space {space}: {error}") from error
