"""A fast extractor for tests, without network or weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from stylesearch.array_types import Features, Images
from stylesearch.extractors.base import check_images, fingerprint_of

__all__ = ["FakeExtractor"]

_GRID = 4


@dataclass(frozen=True)
class FakeExtractor:
    """Mixes mean colors of a 4 x 4 grid by a fixed random matrix: similar images get similar vectors.

    Attributes:
        name: name of the extractor.
        dim: width of a vector.
        input_size: side of the square input in pixels, a multiple of 4.
        seed: seed of the matrix; another seed is another extractor with another fingerprint.
        concurrency: number of threads that may call it at once.

    Example:
        >>> fake = FakeExtractor(dim=8)
        >>> fake.extract(np.zeros((2, 64, 64, 3), np.uint8)).shape
        (2, 8)
    """

    name: str = "fake"
    dim: int = 32
    input_size: int = 64
    seed: int = 0
    concurrency: int = 2

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Everything besides the weights that decides the vectors."""
        return MappingProxyType({"dim": self.dim, "input_size": self.input_size})

    @property
    def weights_digest(self) -> str:
        """Name of the matrix."""
        return f"random:{self.seed}"

    @property
    def fingerprint(self) -> str:
        """Hexadecimal sha256 of all that decides the vectors."""
        return fingerprint_of(self.name, self.parameters, self.weights_digest)

    def preload(self) -> None:
        """Does nothing: there is nothing to load."""

    def extract(self, images: Images) -> Features:
        """Extracts vectors of images: see ``Extractor.extract``."""
        images = check_images(images, self.input_size)
        cell = self.input_size // _GRID
        cells = images.reshape(len(images), _GRID, cell, _GRID, cell, 3)
        colors = cells.mean(axis=(2, 4), dtype=np.float64).reshape(len(images), _GRID * _GRID * 3) / 255.0
        matrix = np.random.default_rng(self.seed).standard_normal((colors.shape[1], self.dim))
        # Row by row: a product of whole matrices may round differently for another number of rows.
        features = np.empty((len(images), self.dim), np.float32)
        for row, color in zip(features, colors, strict=True):
            row[...] = color @ matrix
        return features
