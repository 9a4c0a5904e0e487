"""Vectors as pgvector's ``halfvec``: numbers of 16 bits, in the binary forms of COPY and of parameters."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from pgvector import HalfVector
from pgvector.psycopg.halfvec import HalfVectorBinaryDumper
from pgvector.sqlalchemy import HALFVEC
from sqlalchemy import Connection, Dialect

from stylesearch.array_types import Floats, Ids
from stylesearch.vectors import normalize_rows

if TYPE_CHECKING:
    import psycopg

__all__ = [
    "COPY_END",
    "COPY_START",
    "MOST_INDEXED",
    "MOST_STORED",
    "Half",
    "copy_rows",
    "scale_of",
    "send_in_binary",
    "to_half",
]

MOST_INDEXED: Final = 4_000
"""Widest vectors of which pgvector makes an HNSW index."""

MOST_STORED: Final = 16_000
"""Widest vectors that pgvector stores."""

_LARGEST: Final = 65_504.0
_USUAL: Final = 512.0

COPY_START: Final = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
COPY_END: Final = struct.pack(">h", -1)


class Half(HALFVEC):
    """The column type ``halfvec(dim)``; parameters are ``pgvector.HalfVector``, sent in binary."""

    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Any:
        return None


def send_in_binary(connection: Connection) -> None:
    """Lets a connection send ``pgvector.HalfVector`` in binary.

    As text, 16 vectors of a query would take longer to write and to read than to compare. psycopg and
    SQLAlchemy copy what connections can send when these are made, so each is told by itself.
    """
    driver: psycopg.Connection[Any] = connection.connection.driver_connection  # type: ignore[assignment]
    driver.adapters.register_dumper(HalfVector, HalfVectorBinaryDumper)


def scale_of(vectors: Floats, metric: str) -> float:
    """A factor, a power of two, by which vectors have numbers of a usual size; 1 for cosine.

    The order of distances is the same with it, for l1 and l2.
    """
    largest = float(np.abs(vectors).max(initial=0))
    if metric == "cosine" or largest == 0:
        return 1.0
    return float(2.0 ** np.floor(np.log2(_USUAL / largest))) if not 1 / 64 < largest < _USUAL else 1.0


def to_half(vectors: Floats, metric: str, scale: float) -> Floats:
    """Vectors as they are stored and asked with: of length one for cosine, else scaled and clipped.

    Args:
        vectors: float32, shape (n, dim); not modified.
        metric: ``l1``, ``l2`` or ``cosine``.
        scale: from ``scale_of``.

    Returns:
        float32, of which each number fits into 16 bits.
    """
    if metric == "cosine":
        return normalize_rows(vectors)
    clipped: Floats = np.clip(vectors * np.float32(scale), -_LARGEST, _LARGEST)
    return clipped


def copy_rows(ids: Ids, category: str, halves: Floats) -> bytes:
    """Rows ``(id, category, vector)`` as COPY reads them in its binary format.

    Args:
        ids: int64, shape (n,).
        category: category of all.
        halves: from ``to_half``, shape (n, dim).
    """
    name, dim = category.encode(), halves.shape[1]
    row = np.dtype(
        [
            ("n_fields", ">i2"),
            ("id_bytes", ">i4"),
            ("id", ">i8"),
            ("category_bytes", ">i4"),
            ("category", np.void, len(name)),
            ("vector_bytes", ">i4"),
            ("dim", ">i2"),
            ("unused", ">i2"),
            ("vector", ">f2", (dim,)),
        ]
    )
    rows = np.zeros(len(ids), row)
    rows["n_fields"], rows["id_bytes"], rows["category_bytes"] = 3, 8, len(name)
    rows["vector_bytes"], rows["dim"] = 4 + 2 * dim, dim
    rows["id"], rows["vector"] = ids, halves
    rows["category"] = np.frombuffer(name, np.void(name).dtype)[0] if name else b""
    return rows.tobytes()
