"""Pictures that are equal or nearly so, and the products that they join.

Two degrees, by :mod:`stylesearch.training.picture_codes`. Pictures of *one shape* (a picture scaled, saved
again, padded or slightly cropped, and the same photo with the garment coloured anew) must not straddle a
split. Pictures that are also of *one colour* are copies: they make no pair with each other, and products that
share one are a product under several ids, which no batch tells apart. A garment in two colours is two things
that a network has to tell apart.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from stylesearch.errors import StyleSearchError
from stylesearch.evaluation.protocol import CatalogImage
from stylesearch.images.decode import decode
from stylesearch.ingest.flow import map_in_order
from stylesearch.storage import sha256_bytes
from stylesearch.training.code_cache import CodeCache
from stylesearch.training.near_pairs import NEAR_BITS, near_pairs
from stylesearch.training.picture_codes import DECODED_SIDE, PictureCode, of_one_colour, picture_code
from stylesearch.types import Domain

__all__ = [
    "MANY_PRODUCTS",
    "NearEqual",
    "copied_products",
    "find_near_equal",
    "joined_products",
    "showing_no_product",
]

log = logging.getLogger(__name__)

MANY_PRODUCTS: Final = 50
"""A picture of more products than this shows none of them (a logo, `no picture yet`): it joins nothing and
makes no pair. Joined by it, half a shop could be one group, which no split can divide. For the same reason of
a shape of more products (a mock-up in many colours) only the copies join."""

KEPT_AT_ONCE: Final = 4096
CHANGED: Final = "the file has changed since it was ingested: ingest again"

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class NearEqual:
    """Which pictures show the same. Both mappings hold only pictures that are like another one.

    Attributes:
        same_shape: of the sha256 of a picture, the smallest of its group, whatever the colours.
        same_picture: likewise, of pictures that have their colours in common too.
        blank: sha256 of pictures without a shape: swatches of one colour. Not compared with others.
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

    What a batch must not tell apart. Two garments in one street photo, or one garment in two colours, are
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

    Those of one colour, and those that more than :data:`MANY_PRODUCTS` products have.
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
    colours = np.stack([code.colours for code in codes])
    of_shape, of_picture = _Groups(len(codes)), _Groups(len(codes))
    for pairs in near_pairs(np.stack([code.shape for code in codes]), NEAR_BITS):
        of_shape.join(pairs)
        of_picture.join(pairs[of_one_colour(colours[pairs[:, 0]], colours[pairs[:, 1]])])
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
