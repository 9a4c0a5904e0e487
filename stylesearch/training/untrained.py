"""What learning starts from and is compared with: the untrained space that finds most."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from stylesearch.evaluation.vectors import Vectors
from stylesearch.spaces.joined import Untrained
from stylesearch.training.data import TrainingData
from stylesearch.training.validation import Validation

__all__ = ["UntrainedSpaces", "best_untrained"]

Floats = npt.NDArray[np.float32]

TOP_K: Final = 20


@dataclass(frozen=True, slots=True, eq=False)
class UntrainedSpaces:
    """The untrained spaces, fitted on a gallery.

    Attributes:
        best: the one that finds more, in the metric that is learned for.
        whitened: the whitened one.
        scores: of each on validation photos: top-20 accuracy and mean reciprocal rank, by name.
    """

    best: Untrained
    whitened: Untrained
    scores: Mapping[str, tuple[float, float]]

    def base(self, metric: str) -> Untrained:
        """What a head sees.

        For cosine the whitened vectors, whose leading axes are a good start for a narrower embedding. For l1,
        where a head only weighs axes, those that pairs are best compared in as they are.
        """
        return self.whitened if metric == "cosine" else self.best


def best_untrained(
    room: Vectors, shop: Floats, photos: Floats, data: TrainingData, metric: str, *, n_colors: int = 0
) -> UntrainedSpaces:
    """Fits raw and whitened on the gallery, and compares them.

    Args:
        room: for vectors.
        shop: features of the gallery, float32 (n, dim), in the order of ``data.shop``.
        photos: features of photos' regions, float32 (p, regions, dim), in the order of ``data.photos``.
        data: says which of them are of validation products; its vectors are not looked at.
        metric: ``cosine`` or ``l1``.
        n_colors: how many of a feature's last numbers are colours.
    """
    whitened, raw = (room.fitted(space, shop, None, n_colors=n_colors) for space in ("whitened", "raw"))
    assert isinstance(whitened, Untrained)
    assert isinstance(raw, Untrained)
    scores = {}
    spaces = [whitened, raw]
    for transform in spaces:
        validation = Validation(data, metric, transform.dim)
        searched = room.transformed(transform, photos[validation.photos])
        scores[transform.name] = validation.score(searched, room.transformed(transform, shop), TOP_K)
    return UntrainedSpaces(max(spaces, key=lambda one: scores[one.name]), whitened, scores)
