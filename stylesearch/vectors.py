"""Matrices of vectors: rows brought to length one, and products with one."""

from __future__ import annotations

from typing import Final

import numpy as np

from stylesearch.array_types import Floats
from stylesearch.distance_kernels import matrix_product

__all__ = ["multiply", "normalize_rows"]

FEW: Final = 64
"""Up to so many vectors are those of one query."""


def normalize_rows(vectors: Floats) -> Floats:
    """Each vector divided by its length, in a new array; vectors of zeros stay.

    Args:
        vectors: float32, shape (..., dim); not modified.
    """
    lengths = np.sqrt(np.einsum("...j,...j->...", vectors, vectors))[..., None]
    unit: Floats = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    return unit


def multiply(vectors: Floats, matrix: Floats, rows: Floats) -> Floats:
    """``vectors @ matrix``; few vectors, as those of one query, on one core.

    Threads of BLAS wait in a busy loop after a product, which would slow down the next step of a search.

    Args:
        vectors: float32, shape (n, i).
        matrix: float32, shape (i, o).
        rows: the same transposed, contiguous, shape (o, i): kept by the caller.

    Returns:
        float32, shape (n, o).
    """
    if len(vectors) <= FEW:
        return np.ascontiguousarray(matrix_product(rows, np.ascontiguousarray(vectors.T)).T)
    product: Floats = vectors @ matrix
    return product
