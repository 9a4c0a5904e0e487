"""Finds near-duplicate images, and the products that they connect.

Two degrees, by ``stylesearch.training.perceptual_hash``. Images of *one shape* (an image scaled, saved
again, padded or slightly cropped, and the same photo with the garment colored anew) must not straddle a
split. Images that are also of *one color* are copies: they make no pair with each other, and products that
share one are a product under several ids, which are no wrong pairs in a batch. A garment in two colors is two
things that a network has to tell apart.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from stylesearch.array_types import Ints
from stylesearch.errors import StyleSearchError
from stylesearch.features.images import CatalogImage
from stylesearch.features.stream import Sample, extract_stream
from stylesearch.images.decode import decode
from stylesearch.images.source import read_listed
from stylesearch.training.perceptual_hash import (
    DECODED_SIDE,
    HashCache,
    PerceptualHash,
    perceptual_hash,
    same_colors,
)
from stylesearch.types import Domain, ReportCount

__all__ = [
    "MAX_PRODUCTS_OF_IMAGE",
    "NEAR_BITS",
    "NearDuplicates",
    "connected_products",
    "duplicate_products",
    "find_near_duplicates",
    "near_pairs",
    "uninformative_images",
]

log = logging.getLogger(__name__)

NEAR_BITS: Final = 32
"""Of 255: ``stylesearch.training.perceptual_hash`` says why."""

MAX_PRODUCTS_OF_IMAGE: Final = 50
"""An image of more products than this shows none of them (a logo, `no picture yet`): it connects nothing and
makes no pair. Connected by it, half a shop could be one group, which no split can divide. For the same reason
of a shape of more products (a mock-up in many colors) only the copies connect."""

KEPT_AT_ONCE: Final = 4096

_ROWS_AT_ONCE: Final = 2048
"""Bit patterns that are compared with all others at once: bounds the memory for what is found."""


@dataclass(frozen=True, slots=True)
class NearDuplicates:
    """Groups of near-duplicate images. Both mappings have only images that are like another one.

    Attributes:
        same_shape: the smallest sha256 of its group by the sha256 of an image, whatever the colors.
        same_image: the same for images that have their colors in common too.
        blank: sha256 of images without a shape, which are swatches of one color; not compared with others.
        failures: the reason why an image could not be hashed, by its sha256; it is compared by its sha256
            only.
    """

    same_shape: Mapping[str, str] = field(default_factory=dict)
    same_image: Mapping[str, str] = field(default_factory=dict)
    blank: frozenset[str] = frozenset()
    failures: Mapping[str, str] = field(default_factory=dict)

    def shape(self, sha256: str) -> str:
        """Returns a name that images of one shape share."""
        return self.same_shape.get(sha256, sha256)

    def image(self, sha256: str) -> str:
        """Returns a name that copies of an image share."""
        return self.same_image.get(sha256, sha256)

    def link(self, sha256: str, frequent_shapes: Collection[str]) -> tuple[str, str]:
        """Returns a key that images of one shape share, or only copies if the shape is frequent."""
        shape = self.shape(sha256)
        return (shape, self.image(sha256) if shape in frequent_shapes else "")


def find_near_duplicates(
    images: Sequence[CatalogImage],
    cache: Path,
    *,
    n_workers: int = 2,
    max_pixels: int = 200_000_000,
    max_bits: int = NEAR_BITS,
    progress: ReportCount | None = None,
) -> NearDuplicates:
    """Compares all images of a catalog with each other. Their hashes are cached, so the next call is quick.

    Args:
        images: images of both domains.
        cache: the workspace's cache folder.
        n_workers: threads that read and decode.
        max_pixels: larger images are not hashed.
        max_bits: in how many of 255 bits two images of one shape may differ.
        progress: called as ``progress(n_done, n_missing)`` while images are hashed.
    """
    stored = HashCache(cache)
    paths: dict[str, list[str]] = {}
    for one in images:
        paths.setdefault(one.image.sha256, []).append(one.image.path)
    hashes = stored.read()
    missing = {sha256: found for sha256, found in sorted(paths.items()) if sha256 not in hashes}
    failures: dict[str, str] = {}
    new: dict[str, PerceptualHash] = {}
    try:
        look = partial(_look_at, max_pixels=max_pixels)
        with closing(extract_stream(missing.items(), look, n_workers=n_workers)) as samples:
            for n_done, (sha256, sample) in enumerate(zip(missing, samples, strict=True), start=1):
                if sample.hash is None:
                    failures[sha256] = sample.failure or ""
                else:
                    new[sha256] = hashes[sha256] = sample.hash
                if len(new) == KEPT_AT_ONCE:
                    stored.add(new)
                    new = {}
                if progress:
                    progress(n_done, len(missing))
    finally:
        stored.add(new)  # also when it is interrupted
    if failures:
        log.info(
            "%d pictures cannot be compared, the first: %s", len(failures), next(iter(failures.values()))
        )
    names = [sha256 for sha256 in sorted(paths) if sha256 in hashes]
    return _group(names, [hashes[sha256] for sha256 in names], failures, max_bits)


def connected_products(images: Sequence[CatalogImage], near: NearDuplicates) -> list[frozenset[str]]:
    """Groups products that share an image of one shape, of either domain, and stay together in a split.

    Returns:
        disjoint groups of two or more ids, sorted; products are connected through any number of others.
    """
    skipped = uninformative_images(images, near)
    shown = [one for one in images if near.image(one.image.sha256) not in skipped]
    frequent = _names_of_many_products((near.shape(one.image.sha256), one.product.id) for one in shown)
    return _connect_products((one.product.id, near.link(one.image.sha256, frequent)) for one in shown)


def duplicate_products(images: Sequence[CatalogImage], near: NearDuplicates) -> list[frozenset[str]]:
    """Groups products that share a shop image (and the box in it): one product under several ids.

    They are no wrong pairs in a batch. Two garments in one street photo, or one garment in two colors, are
    connected in the split but are no duplicates.

    Returns:
        groups, as ``connected_products``.
    """
    skipped = uninformative_images(images, near)
    return _connect_products(
        (one.product.id, (near.image(one.image.sha256), one.image.box))
        for one in images
        if one.image.domain == Domain.SHOP and near.image(one.image.sha256) not in skipped
    )


def uninformative_images(images: Iterable[CatalogImage], near: NearDuplicates) -> frozenset[str]:
    """Finds images that show none of their products; returns their names (``NearDuplicates.image``).

    These are images of one color, and images of more than ``MAX_PRODUCTS_OF_IMAGE`` products.
    """
    names = ((near.image(one.image.sha256), one.product.id) for one in images)
    return near.blank | _names_of_many_products(names)


def _names_of_many_products(pairs: Iterable[tuple[str, str]]) -> frozenset[str]:
    """Finds names that are paired with more than ``MAX_PRODUCTS_OF_IMAGE`` products."""
    counts = Counter(name for name, _ in set(pairs))
    return frozenset(name for name, n_products in counts.items() if n_products > MAX_PRODUCTS_OF_IMAGE)


@dataclass(eq=False, slots=True)
class _HashSample(Sample):
    """The hash of an image; None where it could not be read."""

    hash: PerceptualHash | None = None


def _look_at(item: tuple[str, list[str]], *, max_pixels: int) -> _HashSample:
    """Hashes an image, from the first of its files that can be read; else has the reason of the failure."""
    sha256, paths = item
    reason = ""
    for path in paths:
        try:
            pixels = decode(read_listed(path, sha256), reduce_to=DECODED_SIDE, max_pixels=max_pixels).pixels
            return _HashSample(perceptual_hash(pixels))
        except StyleSearchError as error:
            reason = f"{path}: {error}"
        except OSError as error:
            reason = f"{path}: {error.strerror or error}"
    return _HashSample(failure=reason)


def near_pairs(patterns: npt.NDArray[np.uint64], max_bits: int) -> Iterator[Ints]:
    """Finds pairs of bit patterns that differ in few bits, by comparing every one with every one.

    Equal patterns are paired one with the next, not each with each, so a thousand copies give a thousand
    pairs. The pairs connect all near patterns, but are not all near pairs.

    Args:
        patterns: uint64 (n, words).
        max_bits: number of bits in which a pair may differ.

    Yields:
        places of pairs, int64 (m, 2), the smaller one first, each once, in a fixed order. Memory is bounded
        by the pairs of some thousand patterns.

    Example:
        >>> patterns = np.array([[0], [0b111], [0b110], [0]], np.uint64)
        >>> [pairs.tolist() for pairs in near_pairs(patterns, 1)]
        [[[0, 3]], [[1, 2]]]
    """
    import faiss

    distinct, first, inverse = np.unique(patterns, axis=0, return_index=True, return_inverse=True)
    by_pattern = np.argsort(inverse.ravel(), kind="stable")
    is_equal = np.diff(inverse.ravel()[by_pattern]) == 0
    if is_equal.any():
        yield _sort_pairs(np.stack([by_pattern[:-1][is_equal], by_pattern[1:][is_equal]], axis=1))
    codes = np.ascontiguousarray(distinct).view(np.uint8)
    index = faiss.IndexBinaryFlat(8 * codes.shape[1])
    index.add(codes)
    for start in range(0, len(codes), _ROWS_AT_ONCE):
        # The results of a row lie between two limits; distances are less than the radius.
        ends, _, found = index.range_search(codes[start : start + _ROWS_AT_ONCE], max_bits + 1)
        rows = start + np.repeat(np.arange(len(ends) - 1), np.diff(ends).astype(np.int64))
        later = found > rows
        if later.any():
            yield _sort_pairs(first[np.stack([rows[later], found[later]], axis=1)])


def _sort_pairs(pairs: Ints) -> Ints:
    pairs = np.sort(pairs, axis=1)
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))].astype(np.int64)


def _group(
    names: list[str], hashes: list[PerceptualHash], failures: Mapping[str, str], max_bits: int
) -> NearDuplicates:
    """Groups images by their hashes.

    Args:
        names: sha256 of each image, sorted.
        hashes: hash of each image.
        failures: failures of other images.
        max_bits: in how many bits two images of one shape may differ.
    """
    blank = frozenset(name for name, one in zip(names, hashes, strict=True) if one.is_blank)
    names = [name for name in names if name not in blank]
    hashes = [one for one in hashes if not one.is_blank]
    if not hashes:
        return NearDuplicates(blank=blank, failures=failures)
    colors = np.stack([one.colors for one in hashes])
    same_shape = list(near_pairs(np.stack([one.shape for one in hashes]), max_bits))
    same_image = [pairs[same_colors(colors[pairs[:, 0]], colors[pairs[:, 1]])] for pairs in same_shape]
    first_of_shape, first_of_image = (
        {names[one]: names[group[0]] for group in _connect(len(names), pairs) for one in group}
        for pairs in (same_shape, same_image)
    )
    return NearDuplicates(first_of_shape, first_of_image, blank, failures)


def _connect_products(links: Iterable[tuple[str, object]]) -> list[frozenset[str]]:
    """Groups products that have a key in common.

    Args:
        links: the id of a product and a key, any number of each.
    """
    distinct = sorted(set(links), key=lambda link: link[0])
    names = sorted({product for product, _ in distinct})
    number_of = {name: number for number, name in enumerate(names)}
    first_with: dict[object, int] = {}
    pairs = [(first_with.setdefault(key, number_of[name]), number_of[name]) for name, key in distinct]
    groups = _connect(len(names), [np.array(pairs, np.int64).reshape(-1, 2)])
    return [frozenset(names[one] for one in group) for group in groups]


def _connect(n: int, pairs: Sequence[Ints]) -> list[list[int]]:
    """Finds connected components, of two or more, of the numbers below n: each rising, by smallest number."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if not n:
        return []
    edges = np.concatenate([np.empty((0, 2), np.int64), *pairs])
    graph = coo_array((np.ones(len(edges), np.bool_), (edges[:, 0], edges[:, 1])), shape=(n, n))
    _, component = connected_components(graph, directed=False)
    groups: dict[int, list[int]] = {}
    for number, label in enumerate(component.tolist()):
        groups.setdefault(label, []).append(number)
    return [group for group in groups.values() if len(group) > 1]
