from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt
import pillow_heif
import pytest
from PIL import Image

RED, GREEN, BLUE, YELLOW = (220, 30, 30), (30, 180, 40), (30, 40, 200), (230, 220, 40)


@pytest.fixture
def quadrants() -> npt.NDArray[np.uint8]:
    """64 wide, 96 high: red and green above, blue and yellow below."""
    pixels = np.empty((96, 64, 3), np.uint8)
    pixels[:48, :32], pixels[:48, 32:] = RED, GREEN
    pixels[48:, :32], pixels[48:, 32:] = BLUE, YELLOW
    return pixels


@pytest.fixture
def garment() -> Image.Image:
    """A smooth drawn picture, 300 x 400, without noise: a striped dress on a light ground."""
    y, x = np.mgrid[0:400, 0:300].astype(np.float64)
    inside = np.abs(x - 150) < 40 + y / 5
    stripes = 128 + 100 * np.sin(y / 9)
    pixels = np.stack(
        [
            np.where(inside, stripes, 235 - y / 20),
            np.where(inside, 90, 230 - x / 20),
            np.where(inside, x / 2, 225),
        ],
        axis=-1,
    )
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def _encode(image: Image.Image | npt.NDArray[Any], file_format: str, **options: Any) -> bytes:
    if not isinstance(image, Image.Image):
        image = Image.fromarray(image)
    buffer = BytesIO()
    if file_format == "HEIF":
        # HEIF turns pictures by a property of its own, which this encoder takes from the EXIF block.
        if "exif" in options:
            options["exif"] = options["exif"].tobytes()
        pillow_heif.encode(image.mode, image.size, image.tobytes(), buffer, **options)
    else:
        image.save(buffer, file_format, **options)
    return buffer.getvalue()


@pytest.fixture
def encode() -> Callable[..., bytes]:
    """A picture (PIL image or array) as the bytes of a file."""
    return _encode


@pytest.fixture
def near() -> Callable[..., None]:
    """Asserts that two pictures differ little on average, and nowhere much (but for compression)."""

    def check(ours: npt.NDArray[np.uint8], expected: Any, mean: float = 3.0) -> None:
        expected = np.asarray(expected)
        assert ours.shape == expected.shape
        assert np.abs(ours.astype(int) - expected.astype(int)).mean() <= mean

    return check
