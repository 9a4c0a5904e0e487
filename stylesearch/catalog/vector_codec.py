"""Encodes vectors as the catalog stores them: little-endian bytes, float16 where that is exact enough.

A vector is stored as float16, half the size, if its error is within ``MAX_RELATIVE_ERROR`` of its length;
otherwise (numbers over 65,504, or mostly under 6e-5) as float32. The number of bytes of a row tells which, so
one odd image neither stops an import nor loses precision.
"""

from __future__ import annotations

import functools
import zlib
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from stylesearch.errors import CatalogDamaged, CatalogError
from stylesearch.files import pack_vectors, unpack_vectors

__all__ = ["DTYPES", "MAX_RELATIVE_ERROR", "checksum", "decode_vectors", "encode_vectors", "vector_fault"]

DTYPES: Final = ("float16", "float32")
"""How a feature set may be stored: ``float16`` where it fits and else ``float32``, or all ``float32``."""

MAX_RELATIVE_ERROR: Final = 1e-3
"""Largest ``|x - float16(x)| / |x|`` that is stored as float16; ordinary features stay under 3e-4."""

_HALF, _SINGLE = "<f2", "<f4"


def encode_vectors(vectors: npt.NDArray[np.floating[Any]], dtype: str = "float16") -> list[bytes]:
    """Encodes each row as the bytes that are stored.

    Args:
        vectors: shape (n, dim), finite; not modified.
        dtype: one of ``DTYPES``.

    Returns:
        n byte strings of 2 * dim or 4 * dim bytes.

    Raises:
        CatalogError: a number is not finite, or too large for float32.

    Example:
        >>> [len(row) for row in encode_vectors(np.array([[0.5, 2.0, 0.0], [0.5, 1e6, 0.0]]))]
        [6, 12]
    """
    if dtype not in DTYPES:
        raise ValueError(f"vectors are stored as one of {', '.join(DTYPES)}. Received: {dtype!r}")
    if vectors.ndim != 2:
        raise ValueError(f"vectors have the shape (n, dim). Received: {vectors.shape}")
    with np.errstate(over="ignore"):
        single = np.ascontiguousarray(vectors, dtype=np.float32)
    if not np.isfinite(single).all():
        row = int(np.flatnonzero(~np.isfinite(single).all(axis=1))[0])
        raise CatalogError(
            f"a vector holds a number that is not finite (row {row} of {len(single)})",
            hint="the extractor returned NaN or infinity: try another picture, engine or precision",
        )
    if dtype == "float32":
        return pack_vectors(single, _SINGLE)
    with np.errstate(over="ignore", under="ignore"):
        half = single.astype(_HALF)
        fits = _relative_error(single, half) <= MAX_RELATIVE_ERROR
    if fits.all():
        return pack_vectors(half, _HALF)
    return [(half[row] if fits[row] else single[row].astype(_SINGLE)).tobytes() for row in range(len(single))]


def checksum(vector: bytes) -> int:
    """The checksum of a stored vector, CRC-32: any one to 32 neighboring bits that differ change it.

    Example:
        >>> checksum(bytes(6))
        2982322595
    """
    return zlib.crc32(vector)


def vector_fault(vector: bytes, stored_checksum: int, dim: int) -> str:
    """What is wrong with a stored vector; "" for a sound one.

    Args:
        vector: the stored bytes.
        stored_checksum: the checksum that was computed when it was stored.
        dim: width of the feature set.
    """
    if len(vector) not in (2 * dim, 4 * dim):
        return f"a vector has {len(vector)} bytes where {dim} numbers take {2 * dim} or {4 * dim}"
    if zlib.crc32(vector) != stored_checksum:
        return "a vector is not the one that was stored: its checksum differs"
    return ""


def decode_vectors(rows: Sequence[bytes], dim: int) -> npt.NDArray[np.float32]:
    """Decodes rows of ``encode_vectors`` to a new array, shape (len(rows), dim).

    Raises:
        CatalogDamaged: a row has neither 2 * dim nor 4 * dim bytes.
    """
    lengths = {len(row) for row in rows}
    if not lengths <= {2 * dim, 4 * dim}:
        raise CatalogDamaged(
            f"a stored vector has {min(lengths - {2 * dim, 4 * dim})} bytes where {dim} numbers take "
            f"{2 * dim} or {4 * dim}"
        )
    if lengths == {2 * dim}:
        return _decode_half(rows, dim)
    if lengths <= {4 * dim}:
        return unpack_vectors(list(rows), dim, _SINGLE)
    decoded = np.empty((len(rows), dim), np.float32)
    for slot, row in enumerate(rows):
        decoded[slot] = np.frombuffer(row, _HALF if len(row) == 2 * dim else _SINGLE)
    return decoded


def _decode_half(rows: Sequence[bytes], dim: int) -> npt.NDArray[np.float32]:
    """Decodes float16 rows by a table of all 65,536 values: five times faster than ``astype``."""
    codes = np.frombuffer(b"".join(rows), "<u2").reshape(len(rows), dim)
    decoded = np.empty(codes.shape, np.float32)
    np.take(_half_values(), codes, out=decoded, mode="clip")
    return decoded


@functools.cache
def _half_values() -> npt.NDArray[np.float32]:
    return np.arange(1 << 16, dtype=np.uint16).view(np.float16).astype(np.float32)


def _relative_error(
    single: npt.NDArray[np.float32], half: npt.NDArray[np.float16]
) -> npt.NDArray[np.float64]:
    """Length of each row's float16 error, divided by the row's length; 0 for zeros, inf on overflow."""
    exact = single.astype(np.float64)
    lost = np.linalg.norm(exact - half, axis=1)
    length = np.linalg.norm(exact, axis=1)
    relative: npt.NDArray[np.float64] = np.divide(lost, length, out=np.zeros_like(lost), where=length > 0)
    return relative
