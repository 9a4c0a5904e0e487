"""Transforms that are not a trained model's: fits one by the name of its space, or reads it from arrays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from stylesearch.array_types import Floats
from stylesearch.spaces.joined import JoinedTransform, Plain
from stylesearch.spaces.mixed import MixedTransform
from stylesearch.spaces.parts import FeatureParts
from stylesearch.spaces.unsupervised import RawTransform, WhitenedTransform

__all__ = ["Untrained", "fit_untrained", "transform_from_arrays"]

Untrained = RawTransform | WhitenedTransform | JoinedTransform | MixedTransform
"""Every transform that is not a trained model's."""

_PLAIN: Final[Mapping[str, type[Plain]]] = {one.name: one for one in (RawTransform, WhitenedTransform)}


def fit_untrained(
    space: str, blocks: Iterable[Floats], *, dim_in: int, n_rows: int, parts: FeatureParts
) -> Untrained:
    """Fits the transform of a space; arguments as of ``stylesearch.spaces.fit_transform``."""
    if space == MixedTransform.name:
        return MixedTransform.fit(blocks, dim_in=dim_in, n_rows=n_rows, parts=parts)
    if parts.n_colors or parts.n_texture:
        return JoinedTransform.fit(_PLAIN[space], blocks, dim_in=dim_in, n_rows=n_rows, parts=parts)
    return _PLAIN[space].fit(blocks, dim_in=dim_in, n_rows=n_rows)


def transform_from_arrays(space: str, stored: Mapping[str, Any]) -> Untrained:
    """The inverse of a transform's ``arrays()``.

    Args:
        space: name of the space.
        stored: arrays by name.

    Raises:
        KeyError: something is missing.
        SpaceError: the values do not fit each other.
    """
    if space == MixedTransform.name:
        return MixedTransform.from_arrays(stored)
    plain = _PLAIN[space].from_arrays(stored)
    return JoinedTransform.from_arrays(plain, stored) if "n_colors" in stored else plain
