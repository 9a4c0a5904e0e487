"""Brightness of RGB images in whole numbers, so that NumPy and TensorFlow give the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from stylesearch.array_types import Images

__all__ = ["luma", "luma_tensor"]

# The weights of ITU-R BT.601 (0.299, 0.587, 0.114) in 256ths; they sum to 256.
_WEIGHTS = (77, 150, 29)


def luma(images: Images) -> npt.NDArray[np.uint8]:
    """Computes the brightness of each pixel: 0.299 R + 0.587 G + 0.114 B, in 256ths, rounded.

    No gamma is applied or removed: values are used as the file has them.

    Args:
        images: uint8 ``(..., 3)``, RGB; not modified.

    Returns:
        A new uint8 array of shape ``(...)``.

    Example:
        >>> luma(np.array([[255, 255, 255], [255, 0, 0], [0, 0, 0]], np.uint8)).tolist()
        [255, 77, 0]
    """
    total = images[..., 0] * np.uint16(_WEIGHTS[0])
    total += images[..., 1] * np.uint16(_WEIGHTS[1])
    total += images[..., 2] * np.uint16(_WEIGHTS[2])
    total += np.uint16(128)
    total >>= np.uint16(8)
    return total.astype(np.uint8)


def luma_tensor(tensorflow: Any, images: Any) -> Any:
    """Computes ``luma`` as int32 from a uint8 tensor ``(..., 3)``."""
    weights = tensorflow.constant(_WEIGHTS, tensorflow.int32)
    total = tensorflow.reduce_sum(tensorflow.cast(images, tensorflow.int32) * weights, axis=-1)
    return tensorflow.bitwise.right_shift(total + 128, 8)
