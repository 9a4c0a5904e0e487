"""A square of noise for everything uneven: threads, plaster, the grain of a photo."""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

__all__ = ["grain"]


@functools.cache
def grain() -> npt.NDArray[np.float32]:
    """Returns grey noise of mean 0 and deviation 1, shape (256, 256); the same in every process."""
    return np.random.default_rng(20_240_501).standard_normal((256, 256)).astype(np.float32)
