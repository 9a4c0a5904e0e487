"""Names of array types; shapes are documented where the arrays are used."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["AnyFloats", "Counts", "Doubles", "Features", "Floats", "Ids", "Images", "Ints", "Pixels"]

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
AnyFloats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.int64]
Counts = npt.NDArray[np.int32]

Ids = npt.NDArray[np.int64]
"""Ids of features, or numbers of rows."""
Pixels = npt.NDArray[np.uint8]
"""RGB values of one or several pictures."""
Images = npt.NDArray[np.uint8]
"""RGB images of one size, shape (n, height, width, 3)."""
Features = npt.NDArray[np.float32]
"""What an extractor makes of images, shape (n, dim)."""
