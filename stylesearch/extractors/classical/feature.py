"""The protocol of white-box features, and the extractor that each of them becomes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np

from stylesearch.array_types import Features, Images
from stylesearch.extractors.base import Extractor, check_images, fingerprint_of
from stylesearch.registry import Entry, Registry

__all__ = [
    "WHITE_BOXES",
    "Compute",
    "Feature",
    "WhiteBoxExtractor",
]

Compute = Callable[[Images], Features]

_HERE = "stylesearch.extractors.classical"


class Feature(Protocol):
    """A feature that is defined once and can be computed in two ways.

    Attributes:
        name: the name that ``load_extractor`` takes.
        input_size: side of the square images in pixels, unless another is asked for.
        min_size: the smallest side it is defined for.
        settings: everything else that decides the vectors, as JSON values by name.
    """

    @property
    def name(self) -> str: ...

    @property
    def input_size(self) -> int: ...

    @property
    def min_size(self) -> int: ...

    @property
    def settings(self) -> Mapping[str, Any]: ...

    def dim(self, size: int) -> int:
        """Width of the vector of an image of ``size`` x ``size`` pixels."""
        ...

    def from_arrays(self, images: Images) -> Features:
        """Computes vectors of images with NumPy.

        Args:
            images: uint8 ``(n, s, s, 3)``, RGB, n at least 1, contiguous; not modified.

        Returns:
            A new float32 array ``(n, dim(s))``.
        """
        ...

    def from_tensors(self, tensorflow: Any, images: Any) -> Any:
        """Computes ``from_arrays`` in TensorFlow operations, which can be traced into a graph.

        Args:
            tensorflow: the module, imported by the caller, who keeps its messages quiet.
            images: uint8 tensor ``(n, s, s, 3)`` with a static ``s``.

        Returns:
            A float32 tensor ``(n, dim(s))``.
        """
        ...


class WhiteBoxExtractor:
    """A feature at one input size: an ``Extractor``.

    Args:
        feature: the definition of the vectors.
        input_size: side of the square input in pixels.
        open_compute: gives the function that computes it; called once, by the first ``extract``.
        concurrency: how many threads may usefully call ``extract`` at once.
        load: loads it anew, in another process: it is pickled as this function. None: it cannot be pickled.
    """

    weights_digest = "none"

    def __init__(
        self,
        feature: Feature,
        input_size: int,
        open_compute: Callable[[], Compute],
        concurrency: int = 1,
        load: Callable[[], Extractor] | None = None,
    ) -> None:
        self.feature = feature
        self.concurrency = concurrency
        self._input_size = input_size
        self._open_compute = open_compute
        self._load = load

    def __reduce__(self) -> tuple[Any, ...]:
        if self._load is None:
            raise TypeError(f"{self.name} was not loaded by its name: other processes cannot load it")
        return self._load, ()

    @property
    def name(self) -> str:
        """The name it was loaded by, without the input size."""
        return self.feature.name

    @property
    def dim(self) -> int:
        """Width of a vector."""
        return self.feature.dim(self._input_size)

    @property
    def input_size(self) -> int:
        """Side of the square input in pixels."""
        return self._input_size

    @cached_property
    def parameters(self) -> Mapping[str, Any]:
        """Everything that decides the vectors."""
        return MappingProxyType({"input_size": self._input_size, **self.feature.settings})

    @cached_property
    def fingerprint(self) -> str:
        """Hexadecimal sha256 of all that decides the vectors."""
        return fingerprint_of(self.name, self.parameters, self.weights_digest)

    @cached_property
    def _compute(self) -> Compute:
        # Two threads that come first may both open it: they get equal functions, and one is dropped.
        return self._open_compute()

    def preload(self) -> None:
        """Does nothing: there is nothing to load that takes long."""

    def extract(self, images: Images) -> Features:
        """Extracts vectors of images: see ``Extractor.extract``."""
        images = check_images(images, self._input_size)
        if len(images) == 0:
            return np.empty((0, self.dim), np.float32)
        return self._compute(images)


WHITE_BOXES = Registry(
    "white-box feature",
    {
        "color-coherence": Entry(
            f"{_HERE}.color_coherence:COLOR_COHERENCE", "25 colors, in large regions or scattered"
        ),
        "color-histogram": Entry(f"{_HERE}.color_histogram:COLOR_HISTOGRAM", "shares of 25 colors"),
        "harris": Entry(f"{_HERE}.harris:HARRIS", "corner strength over an 8 x 8 grid"),
        "hog": Entry(f"{_HERE}.hog:HOG", "histograms of oriented gradients: edges and their direction"),
        "whitebox": Entry(f"{_HERE}.combined:WHITE_BOX", "the four white-box features in one vector"),
    },
)
"""The white-box features by name. Another one is another row."""
