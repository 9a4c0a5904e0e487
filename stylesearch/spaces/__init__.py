"""Spaces, where distances are taken: transforms from stored features to the vectors that are compared."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from stylesearch.errors import SpaceError
from stylesearch.registry import unknown_name

if TYPE_CHECKING:
    from stylesearch.array_types import Floats
    from stylesearch.spaces.parts import FeatureParts
    from stylesearch.spaces.untrained import Untrained

__all__ = ["SPACES", "check_space", "fit_transform", "load_transform"]

SPACES: Final = {
    "mixed": "raw and whitened features, texture, colors and kinds of garments together",
    "raw": "features as they are",
    "whitened": "half-whitened principal axes of the gallery",
}
"""Every untrained space, by the name that ``--space`` takes, with what its vectors are."""


def fit_transform(
    space: str,
    blocks: Iterable[Floats],
    *,
    dim_in: int,
    n_rows: int,
    parts: FeatureParts | None = None,
) -> Untrained:
    """Fits the transform of a space on a gallery.

    Args:
        space: a name in ``SPACES``.
        blocks: features, float32 (n, dim_in) each; read at most once.
        dim_in: width of a feature.
        n_rows: how many features there are in all, roughly.
        parts: the parts of a feature, from ``FeatureParts.of``; by default all of it is the network's.

    Raises:
        UnknownName: no such space.
        SpaceError: features of another width.
    """
    check_space(space)
    from stylesearch.spaces.parts import FeatureParts
    from stylesearch.spaces.untrained import fit_untrained

    return fit_untrained(space, blocks, dim_in=dim_in, n_rows=n_rows, parts=parts or FeatureParts())


def load_transform(space: str, path: Path) -> Untrained:
    """Reads a transform that was saved.

    Raises:
        UnknownName: no such space.
        SpaceError: the file is missing, damaged or of another space.
    """
    check_space(space)
    from stylesearch.data_files import read_arrays
    from stylesearch.spaces.untrained import transform_from_arrays

    try:
        return transform_from_arrays(space, read_arrays(path))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise SpaceError(f"{path} cannot be read as a fit of the space {space}: {error}") from error


def check_space(space: str) -> None:
    """Checks that there is a space of that name which is not a trained model's.

    Raises:
        UnknownName: there is none.
    """
    if space not in SPACES:
        raise unknown_name("space", space, SPACES)
