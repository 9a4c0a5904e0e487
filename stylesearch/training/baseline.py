"""Selects the baseline: the best untrained space, which a trained model starts from and must beat."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from stylesearch.array_types import Floats
from stylesearch.features.arrays import ArrayPool
from stylesearch.spaces.joined import Untrained
from stylesearch.training.data import TrainingData
from stylesearch.training.validation import Validation

__all__ = ["UntrainedSpaces", "select_baseline"]

TOP_K: Final = 20


@dataclass(frozen=True, slots=True, eq=False)
class UntrainedSpaces:
    """The untrained spaces, fitted on a gallery.

    Attributes:
        best: the baseline: the space with the best validation scores.
        whitened: the whitened space.
        scores: top-20 accuracy and mean reciprocal rank of validation photos, by the name of the space.
    """

    best: Untrained
    whitened: Untrained
    scores: Mapping[str, tuple[float, float]]

    def base(self, metric: str) -> Untrained:
        """Returns the space whose vectors are the input of a head.

        For cosine the whitened space, whose leading axes are a good start for a narrower embedding. For l1,
        where a head only weighs axes, the best space.
        """
        return self.whitened if metric == "cosine" else self.best


def select_baseline(
    pool: ArrayPool, shop: Floats, photos: Floats, data: TrainingData, metric: str, *, n_colors: int = 0
) -> UntrainedSpaces:
    """Selects the best untrained space: the baseline that a trained model must beat.

    Args:
        pool: allocates the vectors.
        shop: features of the gallery, float32 (n, dim), in the order of ``data.shop``.
        photos: features of photos' regions, float32 (p, regions, dim), in the order of ``data.photos``.
        data: has the validation photos; its vectors are not used.
        metric: ``cosine`` or ``l1``.
        n_colors: how many of a feature's last numbers are colors.
    """
    whitened, raw = (pool.fit(space, shop, None, n_colors=n_colors) for space in ("whitened", "raw"))
    assert isinstance(whitened, Untrained)
    assert isinstance(raw, Untrained)
    scores = {}
    spaces = [whitened, raw]
    for transform in spaces:
        validation = Validation(data, metric, transform.dim)
        searched = pool.transform(transform, photos[validation.photos])
        scores[transform.name] = validation.score(searched, pool.transform(transform, shop), TOP_K)
    return UntrainedSpaces(max(spaces, key=lambda one: scores[one.name]), whitened, scores)
