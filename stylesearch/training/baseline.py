"""Selects the baseline: the best untrained space, which a trained model starts from and must beat."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from stylesearch.array_types import Floats
from stylesearch.features.arrays import ArrayPool
from stylesearch.spaces.parts import FeatureParts
from stylesearch.spaces.untrained import Untrained
from stylesearch.training.data import TrainingData
from stylesearch.training.validation import Validation

__all__ = ["UntrainedSpaces", "select_baseline"]

TOP_K: Final = 20


@dataclass(frozen=True, slots=True, eq=False)
class UntrainedSpaces:
    """The untrained spaces, fitted on a gallery.

    Attributes:
        best: the baseline: the space with the best validation scores.
        whitened, raw: the spaces of these names.
        scores: top-20 accuracy and mean reciprocal rank of validation photos, by the name of the space.
    """

    best: Untrained
    whitened: Untrained
    raw: Untrained
    scores: Mapping[str, tuple[float, float]]

    def base(self, metric: str) -> Untrained:
        """Returns the space whose vectors are the input of a head.

        For cosine the whitened space, whose leading axes are a good start for a narrower embedding. For l1,
        where a head only weighs axes, the better one of raw and whitened: in the mixed space a photo's rows
        are weighed otherwise than images, and a head sees no difference between them.
        """
        if metric == "cosine" or self.scores[self.whitened.name] >= self.scores[self.raw.name]:
            return self.whitened
        return self.raw


def select_baseline(
    pool: ArrayPool, shop: Floats, photos: Floats, data: TrainingData, metric: str, *, parts: FeatureParts
) -> UntrainedSpaces:
    """Selects the best untrained space: the baseline that a trained model must beat.

    Args:
        pool: allocates the vectors.
        shop: features of the gallery, float32 (n, dim), in the order of ``data.shop``.
        photos: features of photos' regions, float32 (p, regions, dim), in the order of ``data.photos``.
        data: has the validation photos; its vectors are not used.
        metric: ``cosine`` or ``l1``.
        parts: the parts of a feature.
    """
    mixed, whitened, raw = (
        pool.fit(space, shop, None, parts=parts) for space in ("mixed", "whitened", "raw")
    )
    assert isinstance(mixed, Untrained)
    assert isinstance(whitened, Untrained)
    assert isinstance(raw, Untrained)
    scores = {}
    spaces = [mixed, whitened, raw]
    for transform in spaces:
        validation = Validation(data, metric, transform.dim)
        searched = pool.transform_photos(transform, photos[validation.photos])
        scores[transform.name] = validation.score(searched, pool.transform(transform, shop), TOP_K)
    return UntrainedSpaces(max(spaces, key=lambda one: scores[one.name]), whitened, raw, scores)
