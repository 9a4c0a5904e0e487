"""Pictures that are equal or nearly so, and the products that they join.

Two degrees, by :mod:`stylesearch.training.perceptual_hash`. Pictures of *one shape* (a picture scaled, saved
again, padded or slightly cropped, and the same photo with the garment colored anew) must not straddle a
split. Pictures that are also of *one color* are copies: they make no pair with each other, and products that
share one are a product under several ids, which no batch tells apart. A garment in two colors is two things
that a network has to tell apart.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from stylesearch.errors import StyleSearchError
from stylesearch.features.images import CatalogImage
from stylesearch.features.stream import map_in_order
from stylesearch.files import sha256_bytes
from stylesearch.images.decode import decode
from stylesearch.parallel import parallel_rows
from stylesearch.training.perceptual_hash import (
    DECODED_SIDE,
    CodeCache,
    PictureCode,
    of_one_color,
    picture_code,
)
from stylesearch.types import Domain

__all__ = [
    "MANY_PRODUCTS",
    "NEAR_BITS",
    "NearEqual",
    "copied_products",
    "find_near_equal",
    "joined_products",
    "near_pairs",
    "showing_no_product",
]

# All pairs of bit patterns that differ in few bits: every one compared with every one, in small blocks.

NEAR_BITS: Final = 32
"""Of 255: :mod:`stylesearch.training.perceptual_hash` says why."""

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

        parallel_rows(work, stop - start, (len(distinct) - start) * len(columns))
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


log = logging.getLogger(__name__)

MANY_PRODUCTS: Final = 50
"""A picture of more products than this shows none of them (a logo, `no picture yet`): it joins nothing and
makes no pair. Joined by it, half a shop could be one group, which no split can divide. For the same reason of
a shape of more products (a mock-up in many colors) only the copies join."""

KEPT_AT_ONCE: Final = 4096
CHANGED: Final = "the file has changed since it was ingested: ingest again"

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class NearEqual:
    """Which pictures show the same. Both mappings hold only pictures that are like another one.

    Attributes:
        same_shape: of the sha256 of a picture, the smallest of its group, whatever the colors.
        same_picture: likewise, of pictures that have their colors in common too.
        blank: sha256 of pictures without a shape: swatches of one color. Not compared with others.
        failures: pictures that could not be looked at, and why, by sha256. They are only compared by sha256.
    """

    same_shape: Mapping[str, str] = field(default_factory=dict)
    same_picture: Mapping[str, str] = field(default_factory=dict)
    blank: frozenset[str] = frozenset()
    failures: Mapping[str, str] = field(default_factory=dict)

    def shape(self, sha256: str) -> str:
        """A name that pictures of one shape share."""
        return self.same_shape.get(sha256, sha256)

    def picture(self, sha256: str) -> str:
        """A name that copies of a picture share."""
        return self.same_picture.get(sha256, sha256)

    def looks(self, sha256: str, but: Collection[str]) -> tuple[str, str]:
        """What pictures of one shape share; where the shape is one of ``but``, only copies do."""
        shape = self.shape(sha256)
        return (shape, self.picture(sha256) if shape in but else "")


def find_near_equal(
    images: Sequence[CatalogImage],
    cache: Path,
    *,
    n_workers: int = 2,
    max_pixels: int = 200_000_000,
    progress: Progress | None = None,
) -> NearEqual:
    """Compares all pictures with each other; what was seen of them is kept, so it is quick the next time.

    Args:
        images: of a catalog, both domains.
        cache: the workspace's cache folder.
        n_workers: threads that read and decode.
        max_pixels: larger pictures are not looked at.
        progress: called as ``progress(n_done, n_missing)`` while pictures are decoded.
    """
    codes = CodeCache(cache)
    paths: dict[str, list[str]] = {}
    for one in images:
        paths.setdefault(one.image.sha256, []).append(one.image.path)
    known = codes.read()
    missing = {sha256: found for sha256, found in sorted(paths.items()) if sha256 not in known}
    failures: dict[str, str] = {}
    new: dict[str, PictureCode] = {}
    try:
        with ThreadPoolExecutor(n_workers, "decode") as decoders:
            look = partial(_look_at, max_pixels=max_pixels)
            seen = map_in_order(decoders, look, missing.items(), window=8 * n_workers)
            for n_done, (sha256, code) in enumerate(zip(missing, seen, strict=True), start=1):
                if isinstance(code, str):
                    failures[sha256] = code
                else:
                    new[sha256] = known[sha256] = code
                if len(new) == KEPT_AT_ONCE:
                    codes.add(new)
                    new = {}
                if progress:
                    progress(n_done, len(missing))
    finally:
        codes.add(new)  # also when somebody stops it
    if failures:
        log.info(
            "%d pictures cannot be compared, the first: %s", len(failures), next(iter(failures.values()))
        )
    names = [sha256 for sha256 in sorted(paths) if sha256 in known]
    return _grouped(names, [known[sha256] for sha256 in names], failures)


def joined_products(images: Sequence[CatalogImage], near: NearEqual) -> list[frozenset[str]]:
    """Ids of products joined by pictures of one shape, of either domain: what a split keeps together.

    Returns:
        groups of two or more, disjoint, each in one piece however long the chain; sorted.
    """
    none = showing_no_product(images, near)
    shown = [one for one in images if near.picture(one.image.sha256) not in none]
    frequent = _of_many_products((near.shape(one.image.sha256), one.product.id) for one in shown)
    return _joined((one.product.id, near.looks(one.image.sha256, but=frequent)) for one in shown)


def copied_products(images: Sequence[CatalogImage], near: NearEqual) -> list[frozenset[str]]:
    """Ids of products joined by a common shop picture (and box in it): one product under several ids.

    What a batch must not tell apart. Two garments in one street photo, or one garment in two colors, are
    joined for the split but not here.

    Returns:
        as :func:`joined_products`.
    """
    none = showing_no_product(images, near)
    return _joined(
        (one.product.id, (near.picture(one.image.sha256), one.image.box))
        for one in images
        if one.image.domain == Domain.SHOP and near.picture(one.image.sha256) not in none
    )


def showing_no_product(images: Iterable[CatalogImage], near: NearEqual) -> frozenset[str]:
    """Names (:meth:`NearEqual.picture`) of pictures that show none of the products they are listed of.

    Those of one color, and those that more than :data:`MANY_PRODUCTS` products have.
    """
    return near.blank | _of_many_products((near.picture(one.image.sha256), one.product.id) for one in images)


def _of_many_products(pairs: Iterable[tuple[str, str]]) -> frozenset[str]:
    """Names that stand beside more than :data:`MANY_PRODUCTS` products."""
    counts = Counter(name for name, _ in set(pairs))
    return frozenset(name for name, n_products in counts.items() if n_products > MANY_PRODUCTS)


def _look_at(item: tuple[str, list[str]], *, max_pixels: int) -> PictureCode | str:
    """The code of a picture, from the first of its files that can be read; else why there is none."""
    sha256, paths = item
    reason = ""
    for path in paths:
        try:
            data = Path(path).read_bytes()
            if sha256_bytes(data) == sha256:
                return picture_code(decode(data, reduce_to=DECODED_SIDE, max_pixels=max_pixels).pixels)
            reason = f"{path}: {CHANGED}"
        except StyleSearchError as error:
            reason = f"{path}: {error}"
        except OSError as error:
            reason = f"{path}: {error.strerror or error}"
    return reason


def _grouped(names: list[str], codes: list[PictureCode], failures: Mapping[str, str]) -> NearEqual:
    blank = frozenset(name for name, code in zip(names, codes, strict=True) if code.is_blank)
    names = [name for name in names if name not in blank]
    codes = [code for code in codes if not code.is_blank]
    if not codes:
        return NearEqual(blank=blank, failures=failures)
    colors = np.stack([code.colors for code in codes])
    of_shape, of_picture = _Groups(len(codes)), _Groups(len(codes))
    for pairs in near_pairs(np.stack([code.shape for code in codes]), NEAR_BITS):
        of_shape.join(pairs)
        of_picture.join(pairs[of_one_color(colors[pairs[:, 0]], colors[pairs[:, 1]])])
    return NearEqual(of_shape.by_name(names), of_picture.by_name(names), blank, failures)


class _Groups:
    """Numbers joined in pairs; each group is called by its smallest number."""

    def __init__(self, n: int) -> None:
        self._parent = list(range(n))

    def find(self, one: int) -> int:
        """The smallest number of its group."""
        parent = self._parent
        while parent[one] != one:
            parent[one] = parent[parent[one]]
            one = parent[one]
        return one

    def join(self, pairs: npt.NDArray[np.int64]) -> None:
        """Joins the two of each pair, int64 (n, 2)."""
        for one, other in pairs.tolist():
            first, second = sorted((self.find(one), self.find(other)))
            self._parent[second] = first

    def members(self) -> list[list[int]]:
        """Groups of two or more, by their smallest number."""
        groups: dict[int, list[int]] = {}
        for one in range(len(self._parent)):
            groups.setdefault(self.find(one), []).append(one)
        return [group for group in groups.values() if len(group) > 1]

    def by_name(self, names: Sequence[str]) -> dict[str, str]:
        """The first name of its group for each that is in one, of sorted names."""
        return {names[one]: names[group[0]] for group in self.members() for one in group}


def _joined(pairs: Iterable[tuple[str, object]]) -> list[frozenset[str]]:
    """Products joined by what they have in common."""
    known = sorted(set(pairs), key=lambda pair: pair[0])
    names = sorted({product for product, _ in known})
    number_of = {name: number for number, name in enumerate(names)}
    first_with: dict[object, int] = {}
    links = [(first_with.setdefault(what, number_of[name]), number_of[name]) for name, what in known]
    groups = _Groups(len(names))
    groups.join(np.array(links, np.int64).reshape(-1, 2))
    return [frozenset(names[one] for one in group) for group in groups.members()]
