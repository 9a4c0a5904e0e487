"""The protocol of extractors, and the checks that all of them share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from stylesearch.array_types import Features, Images
from stylesearch.errors import ExtractorError
from stylesearch.files import digest_of

__all__ = ["Extractor", "ExtractorInfo", "check_images", "fingerprint_of"]


# Increased by one when the same parameters and weights begin to give other vectors: stored features are then
# computed anew instead of being mixed with vectors that they do not compare with.
FEATURES_VERSION = 1


@runtime_checkable
class Extractor(Protocol):
    """Turns square RGB images into vectors."""

    @property
    def name(self) -> str:
        """The name it was loaded by, without the input size (``"efficientnet-lite0"``)."""
        ...

    @property
    def dim(self) -> int:
        """Width of a vector."""
        ...

    @property
    def input_size(self) -> int:
        """Side of the square input in pixels."""
        ...

    @property
    def fingerprint(self) -> str:
        """Hexadecimal sha256 of all that decides the vectors; known before the model is loaded.

        That is name, parameters, weights digest and ``FEATURES_VERSION``. Neither engine nor precision
        are part of it, since their vectors agree.
        """
        ...

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Everything besides the weights that decides the vectors: JSON values by name."""
        ...

    @property
    def weights_digest(self) -> str:
        """Hexadecimal sha256 of the weights file, ``"random:SEED"``, or ``"none"`` where there are none."""
        ...

    @property
    def concurrency(self) -> int:
        """How many threads may usefully call ``extract`` at once."""
        ...

    def preload(self) -> None:
        """Starts loading what ``extract`` needs, and returns at once.

        An error of the loading is raised by ``extract``.
        """
        ...

    def extract(self, images: Images) -> Features:
        """Extracts vectors of images, in their order. Safe to call from several threads.

        Args:
            images: uint8 ``(n, input_size, input_size, 3)``, RGB, upright; not modified. ``n`` may be 0.

        Returns:
            A new float32 array ``(n, dim)``. An image's vector does not depend on its neighbours, beyond
            rounding.

        Raises:
            ExtractorError: the array has another shape or dtype, or the model cannot be run.
        """
        ...


@dataclass(frozen=True, slots=True)
class ExtractorInfo:
    """One row of ``stylesearch extractors``.

    Attributes:
        name: the name that ``load_extractor`` takes.
        layer: where the network is cut; ``"-"`` for what is not a network.
        dim: width of a vector.
        parameters: how many numbers the network learned, up to that layer; 0 for what is not a network.
        input_size: side of the default input in pixels.
        weights: where the ImageNet weights are, or what to do to get them.
        at_hand: whether they can be read now, without a connection; True where none are needed.
        engine, device: the engine and device that would run it (``"openvino"``, ``"numpy"`` or
            ``"tensorflow"``; ``"CPU"``).
        summary: one line for listings.
    """

    name: str
    layer: str
    dim: int
    parameters: int
    input_size: int
    weights: str
    at_hand: bool
    engine: str
    device: str
    summary: str


def check_images(images: Images, input_size: int) -> Images:
    """``images`` as a C-contiguous array, copied only if it is not one already.

    Raises:
        ExtractorError: it is not uint8 ``(n, input_size, input_size, 3)``.
    """
    wanted = f"uint8 of shape (n, {input_size}, {input_size}, 3), RGB"
    if not isinstance(images, np.ndarray):
        raise ExtractorError(f"images must be a NumPy array, {wanted}. Received: {type(images).__name__}")
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != (input_size, input_size, 3):
        raise ExtractorError(f"images must be {wanted}. Received: {images.dtype} of shape {images.shape}")
    return np.ascontiguousarray(images)


def fingerprint_of(name: str, parameters: Mapping[str, Any], weights_digest: str) -> str:
    """The fingerprint of an ``Extractor`` of this name, with these parameters and weights.

    Example:
        >>> fingerprint_of("resnet50", {"input_size": 224}, "ab")[:8]
        '673e1ea0'
    """
    return digest_of(
        {
            "name": name,
            "parameters": dict(parameters),
            "weights": weights_digest,
            "version": FEATURES_VERSION,
        }
    )
