"""All pairs of bit patterns that differ in few bits: every one compared with every one, in small blocks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from stylesearch.cores import share_rows

__all__ = ["NEAR_BITS", "near_pairs"]

NEAR_BITS: Final = 32
"""Of 255: :mod:`stylesearch.training.picture_codes` says why."""

# What a block of pairs needs (8 bytes a pair, twice) stays in a core's cache.
_ROWS, _COLUMNS = 16, 4096
_ROWS_AT_ONCE: Final = 2048

Pairs = npt.NDArray[np.int64]


def near_pairs(patterns: npt.NDArray[np.uint64], max_bits: int) -> Iterator[Pairs]:
    """Finds them.

    Equal patterns are linked one to the next, not each with each: a thousand copies are a thousand pairs.
    So what is found joins what belongs together, and is not every pair.

    Args:
        patterns: uint64 (n, words).
        max_bits: pairs may differ in so many.

    Yields:
        places of pairs, int64 (m, 2), the smaller one first, each once, in a fixed order. Memory is bounded
        by what is near to a couple of thousand patterns.

    Example:
        >>> patterns = np.array([[0], [0b111], [0b110], [0]], np.uint64)
        >>> [pairs.tolist() for pairs in near_pairs(patterns, 1)]
        [[[0, 3]], [[1, 2]]]
    """
    distinct, first, inverse = np.unique(patterns, axis=0, return_index=True, return_inverse=True)
    by_pattern = np.argsort(inverse.ravel(), kind="stable")
    is_equal = np.diff(inverse.ravel()[by_pattern]) == 0
    equal = np.stack([by_pattern[:-1][is_equal], by_pattern[1:][is_equal]], axis=1)
    if len(equal):
        yield _sorted(equal)
    columns = [np.ascontiguousarray(distinct[:, word]) for word in range(distinct.shape[1])]
    for start in range(0, len(distinct), _ROWS_AT_ONCE):
        stop = min(start + _ROWS_AT_ONCE, len(distinct))
        found: list[Pairs] = []

        def work(begin: int, end: int, start: int = start, found: list[Pairs] = found) -> None:
            mine = _pairs_of_rows(columns, start + begin, start + end, max_bits)
            found.append(mine)

        share_rows(work, stop - start, (len(distinct) - start) * len(columns))
        pairs = np.concatenate(found) if found else np.empty((0, 2), np.int64)
        if len(pairs):
            yield _sorted(first[pairs])


def _sorted(pairs: Pairs) -> Pairs:
    pairs = np.sort(pairs, axis=1)
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))].astype(np.int64)


def _pairs_of_rows(columns: list[npt.NDArray[np.uint64]], begin: int, end: int, max_bits: int) -> Pairs:
    """Pairs of the rows from ``begin`` to ``end`` with later ones, as places, int64 (m, 2)."""
    n = len(columns[0])
    differing = np.empty(_ROWS * _COLUMNS, np.uint64)
    counts, total = np.empty((2, _ROWS * _COLUMNS), np.uint8)
    found = [np.empty((0, 2), np.int64)]
    for top in range(begin, end, _ROWS):
        n_rows = min(_ROWS, end - top)
        for left in range(top + 1, n, _COLUMNS):
            n_columns = min(_COLUMNS, n - left)
            n_pairs = n_rows * n_columns
            total[:n_pairs] = 0
            # Two words leave few of the pairs, for which all words are looked at.
            for column in columns[:2]:
                bits = differing[:n_pairs].reshape(n_rows, n_columns)
                np.bitwise_xor(column[top : top + n_rows, None], column[left : left + n_columns], out=bits)
                np.bitwise_count(differing[:n_pairs], out=counts[:n_pairs])
                np.add(total[:n_pairs], counts[:n_pairs], out=total[:n_pairs])
            near = np.flatnonzero(total[:n_pairs] <= max_bits)
            row, place = top + near // n_columns, left + near % n_columns
            row, place = row[place > row], place[place > row]
            n_bits = np.zeros(len(row), np.int64)
            for column in columns:
                n_bits += np.bitwise_count(column[row] ^ column[place])
            close = n_bits <= max_bits
            if close.any():
                found.append(np.stack([row[close], place[close]], axis=1))
    return np.concatenate(found)
