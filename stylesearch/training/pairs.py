"""Pairs of pictures of one product: what there is to learn from.

``consumer``: a consumer's photo and a shop picture. ``views``: two shop pictures (worn, flat, back); each may
be the photo, then the others are the shop's. A pair is never a picture and its copy: that would teach
nothing, and be found by everything.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from stylesearch.errors import TooFewPairs
from stylesearch.evaluation.protocol import CatalogImage
from stylesearch.registry import unknown_name
from stylesearch.training.near_equal import NearEqual, showing_no_product
from stylesearch.types import Domain

__all__ = ["KINDS", "MIN_PRODUCTS", "PairRows", "PairedProduct", "Pairs", "find_pairs", "pair_rows"]

KINDS: Final = ("auto", "consumer", "views")

MIN_PRODUCTS: Final = 70
"""Products with pairs that learning takes: 15 % of them are then 10 that choose when to stop and how much of
what was learned is used. With fewer, one product more or less weighs more than what there is to gain."""

_WITH: Final = {"consumer": "a consumer's photo and a shop picture", "views": "two or more shop pictures"}


@dataclass(frozen=True, slots=True)
class PairedProduct:
    """A product that can be learned from.

    Attributes:
        id, category: of the product.
        photos: what it may be searched with, at least one.
        shop: what it may be found by, at least one; at least one of another content than some photo.
            Of ``views``, both are all shop pictures of the product.
    """

    id: str
    category: str
    photos: tuple[CatalogImage, ...]
    shop: tuple[CatalogImage, ...]


@dataclass(frozen=True, slots=True)
class Pairs:
    """Products with pairs, sorted by id.

    Attributes:
        kind: ``consumer`` or ``views``.
        products: see there.
    """

    kind: str
    products: tuple[PairedProduct, ...]


def find_pairs(
    images: Sequence[CatalogImage],
    kind: str = "auto",
    *,
    near: NearEqual | None = None,
    min_products: int = MIN_PRODUCTS,
) -> Pairs:
    """The products of a catalog that have pairs.

    Args:
        images: all usable pictures (:func:`stylesearch.evaluation.protocol.list_images`).
        kind: ``consumer``, ``views``, or ``auto``: consumer where there are enough, else views.
        near: nearly equal pictures count as one; by default only equal ones do.
        min_products: fewer are too few.

    Raises:
        UnknownName: no such kind.
        TooFewPairs: fewer products than that have pairs.
    """
    if kind not in KINDS:
        raise unknown_name("kind of pairs", kind, dict.fromkeys(KINDS))
    near = near or NearEqual()
    none = showing_no_product(images, near)
    by_product: dict[str, list[CatalogImage]] = {}
    for one in sorted(images, key=lambda one: one.key):
        if near.picture(one.image.sha256) not in none:
            by_product.setdefault(one.product.id, []).append(one)
    wanted = KINDS[1:] if kind == "auto" else (kind,)
    n_found = {}
    for name in wanted:
        paired = [_paired(name, found, near) for found in by_product.values()]
        products = tuple(product for product in paired if product is not None)
        if products and len(products) >= min_products:
            return Pairs(name, products)
        n_found[name] = len(products)
    there_are = " and ".join(f"{n} products with {_WITH[name]}" for name, n in n_found.items())
    raise TooFewPairs(
        f"learning takes at least {max(1, min_products)} products with pairs; there are {there_are}",
        hint="ingest customers' photos with --domain consumer under the ids of the products they show, "
        "or several pictures (worn, flat, back) of each product",
    )


def _paired(kind: str, images: Sequence[CatalogImage], near: NearEqual) -> PairedProduct | None:
    """A product by its pictures, if it has a pair."""
    shop = _without_copies((one for one in images if one.image.domain == Domain.SHOP), near)
    if kind == "views":
        photos = shop
    else:
        in_shop = {near.picture(one.image.sha256) for one in shop}
        taken = (one for one in images if one.image.domain == Domain.CONSUMER)
        photos = _without_copies(
            (one for one in taken if near.picture(one.image.sha256) not in in_shop), near
        )
    if not photos or len(shop) < (2 if kind == "views" else 1):
        return None
    product = images[0].product
    return PairedProduct(product.id, product.category, photos, shop)


def _without_copies(images: Iterable[CatalogImage], near: NearEqual) -> tuple[CatalogImage, ...]:
    """The first of those that show the same; the same picture with another box shows something else."""
    first: dict[object, CatalogImage] = {}
    for one in images:
        first.setdefault((near.picture(one.image.sha256), one.image.box), one)
    return tuple(first.values())


@dataclass(frozen=True, slots=True, eq=False)
class PairRows:
    """Pairs and a whole gallery as numbered rows: the arrays that training wants.

    The gallery leaves out what :func:`find_pairs` did: of products with pairs, further copies of a picture.

    Attributes:
        product_ids: of all products with a gallery picture, sorted; a product's number is its place.
        product_category: likewise.
        photos: rows of photos.
        shop: rows of the gallery, also of products without a pair.
        photo_product, shop_product: number of the product of each row, int64, rising.
        own: row of ``shop`` that is the very picture of a photo, or -1; int64 (photos,).
        near_equal: group of each product, int64 (products,): equal for copies under several ids.
        unpaired: bool (products,): has no pair.
    """

    product_ids: tuple[str, ...]
    product_category: tuple[str, ...]
    photos: tuple[CatalogImage, ...]
    shop: tuple[CatalogImage, ...]
    photo_product: npt.NDArray[np.int64]
    shop_product: npt.NDArray[np.int64]
    own: npt.NDArray[np.int64]
    near_equal: npt.NDArray[np.int64]
    unpaired: npt.NDArray[np.bool_]

    def mask(self, ids: Collection[str]) -> npt.NDArray[np.bool_]:
        """Which products are among these ids and have a pair, bool (products,)."""
        wanted = frozenset(ids)
        among = np.fromiter((one in wanted for one in self.product_ids), np.bool_, len(self.product_ids))
        return among & ~self.unpaired


def pair_rows(
    pairs: Pairs, images: Sequence[CatalogImage], copies: Sequence[frozenset[str]] = ()
) -> PairRows:
    """Numbers everything.

    Args:
        pairs: from :func:`find_pairs`.
        images: all usable pictures; the shop's are the gallery.
        copies: from :func:`stylesearch.training.near_equal.copied_products`.
    """
    paired = {product.id: product for product in pairs.products}
    alone = [one for one in images if one.image.domain == Domain.SHOP and one.product.id not in paired]
    photos = [photo for product in pairs.products for photo in product.photos]
    shop = sorted(
        [*(one for product in pairs.products for one in product.shop), *alone], key=lambda one: one.key
    )
    category_of = {one.product.id: one.product.category for one in shop}
    ids = tuple(sorted(category_of))
    number_of = {name: number for number, name in enumerate(ids)}
    row_of = {one.pk: row for row, one in enumerate(shop)}
    groups = np.arange(len(ids))
    for group in copies:
        members = sorted(number_of[name] for name in group if name in number_of)
        if members:
            groups[members] = members[0]
    return PairRows(
        product_ids=ids,
        product_category=tuple(category_of[name] for name in ids),
        photos=tuple(photos),
        shop=tuple(shop),
        photo_product=_int64(number_of[one.product.id] for one in photos),
        shop_product=_int64(number_of[one.product.id] for one in shop),
        own=_int64(row_of.get(one.pk, -1) for one in photos),
        near_equal=groups.astype(np.int64),
        unpaired=np.fromiter((name not in paired for name in ids), np.bool_, len(ids)),
    )


def _int64(values: Iterable[int]) -> npt.NDArray[np.int64]:
    return np.array(list(values), np.int64)
