"""All white-box features in one vector, scaled so that none outweighs the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from stylesearch.array_types import Features, Images
from stylesearch.extractors.classical.color_coherence import COLOR_COHERENCE
from stylesearch.extractors.classical.color_histogram import COLOR_HISTOGRAM
from stylesearch.extractors.classical.feature import Feature
from stylesearch.extractors.classical.harris import HARRIS
from stylesearch.extractors.classical.hog import HOG

__all__ = ["WHITE_BOX", "WhiteBox"]


@dataclass(frozen=True)
class WhiteBox:
    """Concatenates HOG, color histogram, color coherence and Harris corners, in this order.

    Each part first gets a norm of about 1: the two of color and Harris have it, HOG, whose blocks have a
    norm of 1 each, is divided by the square root of their number. Then each part of d numbers is multiplied
    by d ** -0.25. Two such vectors of norm 1 are about 1 apart in l2 whatever d is, and about the square root
    of d apart in l1: no factor makes the parts equal in both. With d ** -0.25 the long part (HOG) weighs as
    much more in l1 as it weighs less in l2, and none vanishes in either.
    ``python -m benchmarks whitebox_parts`` prints the share of each part.

    Deviation from the study of 2018, which concatenates the same four: it names no scaling.

    Example:
        >>> WHITE_BOX.dim(64)
        1903
    """

    name: str = "whitebox"
    input_size: int = 64
    parts: tuple[Feature, ...] = (HOG, COLOR_HISTOGRAM, COLOR_COHERENCE, HARRIS)

    @property
    def min_size(self) -> int:
        """The smallest side that all parts are defined for."""
        return max(part.min_size for part in self.parts)

    @property
    def settings(self) -> Mapping[str, Any]:
        """Everything that decides the vectors, as JSON values by name."""
        return MappingProxyType(
            {"parts": {part.name: dict(part.settings) for part in self.parts}, "scaling": "unit * d^-1/4"}
        )

    def dim(self, size: int) -> int:
        """Width of a vector: the sum of the parts' widths."""
        return sum(part.dim(size) for part in self.parts)

    def weights(self, size: int) -> dict[str, float]:
        """The factor that each part is multiplied by, by its name.

        Example:
            >>> {name: round(weight, 3) for name, weight in WHITE_BOX.weights(64).items()}
            {'hog': 0.022, 'color-histogram': 0.447, 'color-coherence': 0.376, 'harris': 0.354}
        """
        weights = {part.name: part.dim(size) ** -0.25 for part in self.parts}
        weights[HOG.name] /= HOG.n_blocks(size) ** 0.5
        return weights

    def from_arrays(self, images: Images) -> Features:
        """See ``Feature.from_arrays``."""
        weights = self.weights(images.shape[1])
        return np.concatenate(
            [part.from_arrays(images) * np.float32(weights[part.name]) for part in self.parts], axis=1
        )

    def from_tensors(self, tensorflow: Any, images: Any) -> Any:
        """See ``Feature.from_tensors``."""
        weights = self.weights(images.shape[1])
        return tensorflow.concat(
            [part.from_tensors(tensorflow, images) * weights[part.name] for part in self.parts], axis=1
        )


WHITE_BOX = WhiteBox()
