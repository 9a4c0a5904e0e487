"""A network and a color histogram as one extractor: ``efficientnet-lite0@320+colors``."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np

from stylesearch.array_types import Features, Images
from stylesearch.extractors.base import Extractor, check_images
from stylesearch.extractors.hsv_histogram import COLOR_SETTINGS, N_COLORS, color_histogram
from stylesearch.extractors.spec import COLORS
from stylesearch.files import digest_of

__all__ = ["ExtractorWithColors"]


class ExtractorWithColors:
    """Appends the histogram of ``stylesearch.extractors.hsv_histogram`` to the features of a network.

    Neither part is scaled: the space decides how much each counts. It finds in
    ``parameters["colors"]["dim"]`` how many of the last numbers are colors.

    Args:
        network: makes the first part, with its own engine and device.
    """

    def __init__(self, network: Extractor) -> None:
        self.network = network

    def __reduce__(self) -> tuple[Any, ...]:
        return ExtractorWithColors, (self.network,)

    @property
    def name(self) -> str:
        """The network's name and ``+colors``."""
        return self.network.name + COLORS

    @property
    def dim(self) -> int:
        """Width of a vector: that of the network's features plus 108."""
        return self.network.dim + N_COLORS

    @property
    def input_size(self) -> int:
        """Side of the square input in pixels."""
        return self.network.input_size

    @cached_property
    def parameters(self) -> Mapping[str, Any]:
        """The network's parameters, and under ``colors`` those of the histogram."""
        return MappingProxyType({**self.network.parameters, "colors": dict(COLOR_SETTINGS)})

    @cached_property
    def fingerprint(self) -> str:
        """Hexadecimal sha256 of the network's fingerprint and of all that decides the histogram."""
        return digest_of({"network": self.network.fingerprint, "colors": dict(COLOR_SETTINGS)})

    @property
    def weights_digest(self) -> str:
        """The network's digest: colors have no weights."""
        return self.network.weights_digest

    @property
    def concurrency(self) -> int:
        """The network's concurrency: colors take a hundredth of its time."""
        return self.network.concurrency

    def preload(self) -> None:
        """Starts loading the network."""
        self.network.preload()

    def extract(self, images: Images) -> Features:
        """Extracts vectors of images: see ``Extractor.extract``."""
        return self.append_colors(self.network.extract(images), images)

    def append_colors(self, features: Features, images: Images) -> Features:
        """Makes the vectors of ``extract`` from features of the network that are computed already.

        Args:
            features: the network's features of the images, float32 ``(n, network.dim)``; not modified.
            images: as ``extract`` takes them.

        Returns:
            A new float32 array ``(n, dim)``.
        """
        return np.concatenate([features, color_histogram(check_images(images, self.input_size))], axis=1)
