"""What there is to train with in a catalog: pairs, their split, and features of everything."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from stylesearch.array_types import Floats, Ids
from stylesearch.catalog import FeatureSet
from stylesearch.errors import ConfigError, TooFewPairs
from stylesearch.features.arrays import ArrayPool, gallery_features, query_features
from stylesearch.features.compute import compute_missing, compute_regions
from stylesearch.features.context import StudyContext
from stylesearch.features.images import BOX, CatalogImage, list_images, split_queries
from stylesearch.features.region_cache import RegionCache
from stylesearch.images.regions import REGION_PLANS
from stylesearch.registry import unknown_name
from stylesearch.training.near_duplicates import (
    NearEqual,
    copied_products,
    find_near_equal,
    joined_products,
    showing_no_product,
)
from stylesearch.training.split import SHARES, KnownProducts, Split, given_split, split_products
from stylesearch.types import Box, Domain

if TYPE_CHECKING:
    from stylesearch.extractors.base import Extractor


__all__ = [
    "KINDS",
    "MIN_PRODUCTS",
    "Material",
    "MaterialChoice",
    "PairRows",
    "PairedProduct",
    "Pairs",
    "PhotoRows",
    "find_material",
    "find_pairs",
    "how_split",
    "pair_rows",
    "photo_features",
    "shop_features",
    "split_facts",
]

# Pairs of pictures of one product: what there is to learn from.
#
# ``consumer``: a consumer's photo and a shop picture. ``views``: two shop pictures (worn, flat, back); each
# may be the photo, then the others are the shop's. A pair is never a picture and its copy: that would teach
# nothing, and be found by everything.

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
        images: all usable pictures (:func:`stylesearch.features.images.list_images`).
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
        copies: from :func:`stylesearch.training.near_duplicates.copied_products`.
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


@dataclass(frozen=True, slots=True)
class MaterialChoice:
    """What is asked for.

    Attributes:
        pairs: ``auto``, ``consumer`` or ``views``.
        regions: plan through which photos are looked at; as a query does by default where none is given.
        shares: of train, validation and test, of the products of each category.
        seed: of the split.
        min_products: fewer products with pairs are too few.
    """

    pairs: str = "auto"
    regions: str = "street"
    shares: tuple[float, float, float] = SHARES
    seed: int = 0
    min_products: int = MIN_PRODUCTS

    def check(self) -> None:
        """Refuses what makes no sense, before anything is computed.

        Raises:
            UnknownName: no such plan.
            ConfigError: shares that do not sum to one, or none to learn from or to choose with.
        """
        plans = {BOX: None, **REGION_PLANS}
        if self.regions not in plans:
            raise unknown_name("region plan", self.regions, plans)
        train, validation, test = self.shares
        if min(train, validation) <= 0 or test < 0 or abs(sum(self.shares) - 1) > 1e-6:
            raise ConfigError(
                "the shares of train, validation and test sum to 1, and only that of test may be 0. "
                f"Received: {', '.join(f'{share:g}' for share in self.shares)}"
            )


@dataclass(frozen=True, slots=True, eq=False)
class PhotoRows:
    """Rows of photos by what their product is for, int64 each, rising."""

    train: Ids
    validation: Ids
    test: Ids


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """Pairs of a catalog, all of whose pictures have features.

    Attributes:
        kind: of the pairs: ``consumer`` or ``views``.
        regions: plan through which the photos are looked at.
        split: of the products with pairs.
        rows: everything by numbers.
        extractor: whose features.
        feature_set: the same, in the catalog.
        n_failed: pictures without features, which are left out.
        n_joined: products that share a picture with another one, and so are in one part of the split, or in
            none where the source gave them to several.
        known: what the network knew of the shop before; None where it was not fine-tuned on one.
    """

    kind: str
    regions: str
    split: Split
    rows: PairRows
    extractor: Extractor
    feature_set: FeatureSet
    n_failed: int
    n_joined: int
    known: KnownProducts | None = None

    def photos(self) -> PhotoRows:
        """Which photos are learned from, chosen with and tested with.

        A photo that nothing in the gallery but itself could answer is in neither of the last two.
        """
        rows = self.rows
        n_right = np.bincount(rows.shop_product, minlength=len(rows.product_ids))[rows.photo_product]
        findable = n_right - (rows.own >= 0) > 0
        of_part = [
            rows.mask(ids)[rows.photo_product]
            for ids in (self.split.train, self.split.validation, self.split.test)
        ]
        return PhotoRows(
            np.flatnonzero(of_part[0]),
            np.flatnonzero(of_part[1] & findable),
            np.flatnonzero(of_part[2] & findable),
        )

    def n_products(self) -> dict[str, int]:
        """Products by part."""
        split = self.split
        return {"train": len(split.train), "validation": len(split.validation), "test": len(split.test)}

    @property
    def shop_categories(self) -> list[str]:
        """The category of each picture of the gallery."""
        return [self.rows.product_category[number] for number in self.rows.shop_product.tolist()]

    @property
    def shop_contents(self) -> list[tuple[str, Box | None]]:
        """What tells pictures of the gallery apart: equal ones are equal here."""
        return [(one.image.sha256, one.image.box) for one in self.rows.shop]


def find_material(
    context: StudyContext, spec: str, choice: MaterialChoice, known: KnownProducts | None = None
) -> Material:
    """Finds pairs, splits them, and computes what features are missing; stopped and run again it goes on.

    Args:
        context: where; missing features are written to its catalog and cache.
        spec: of the extractor.
        choice: what is asked for.
        known: products that nothing is chosen with or tested on.

    Raises:
        ConfigError: too few pairs, a choice that makes no sense, or products are known by another split or
            too many of them.
        UnknownName: no such extractor or plan.
        CatalogLocked: features are missing and another process is writing.
    """
    choice.check()
    images = list_images(context.catalog)
    pairs = find_pairs(images, choice.pairs, min_products=choice.min_products)  # before any work is done
    extractor = context.load(spec)
    near = find_near_equal(
        images,
        context.cache,
        n_workers=context.extraction.n_workers,
        max_pixels=context.extraction.max_pixels,
        progress=context.tell("comparing pictures"),
    )
    pairs = find_pairs(images, choice.pairs, near=near, min_products=choice.min_products)
    photos = [photo for product in pairs.products for photo in product.photos]
    through_catalog, through_cache = split_queries(photos, choice.regions)
    wanted = {one.pk: one for one in images if one.image.domain == Domain.SHOP}
    wanted |= {one.pk: one for one in through_catalog}
    stage = f"features of {spec}"
    feature_set, failures = compute_missing(
        context.catalog, extractor, list(wanted.values()), context.extraction, context.tell(stage)
    )
    if through_cache:
        cache = RegionCache(context.cache, extractor.fingerprint, extractor.dim, choice.regions)
        stage = f"regions of {spec}"
        failures |= compute_regions(cache, extractor, through_cache, context.extraction, context.tell(stage))
    if failures:
        images = [one for one in images if one.pk not in failures]
        pairs = find_pairs(images, pairs.kind, near=near, min_products=choice.min_products)
    categories = {product.id: product.category for product in pairs.products}
    groups = joined_products(images, near)
    split = _given(images, categories, groups, choice) or split_products(
        categories, groups, shares=choice.shares, seed=choice.seed
    )
    if known is not None:
        split = known.without(split, groups, how_split(split, choice))
    return Material(
        kind=pairs.kind,
        regions=choice.regions,
        split=split,
        rows=pair_rows(pairs, images, copied_products(images, near)),
        extractor=extractor,
        feature_set=feature_set,
        n_failed=len(failures),
        n_joined=len(set().union(*groups) & categories.keys()),
        known=known,
    )


def split_facts(split: Split, choice: MaterialChoice) -> dict[str, Any]:
    """How products were split, and how many are in no part, JSON values.

    Args:
        split: of the products.
        choice: what was asked for.
    """
    counts = {"split_left_out": len(split.left_out), "split_seen_before": len(split.seen_before)}
    return how_split(split, choice) | counts


def how_split(split: Split, choice: MaterialChoice) -> dict[str, Any]:
    """What decides which products are learned from; shares and seed are None where they were not used."""
    is_given = split.origin == "given"
    return {
        "split": split.origin,
        "split_shares": None if is_given else list(choice.shares),
        "split_seed": None if is_given else choice.seed,
    }


def _given(
    images: Sequence[CatalogImage],
    categories: dict[str, str],
    groups: Sequence[frozenset[str]],
    choice: MaterialChoice,
) -> Split | None:
    """The split that the source gave, if it gave one."""
    said = {one.product.id: one.product.attributes.get("split") for one in images}
    splits = {name: None if said[name] is None else str(said[name]) for name in categories}
    return given_split(splits, categories, groups, shares=choice.shares, seed=choice.seed)


def shop_features(pool: ArrayPool, context: StudyContext, material: Material) -> Floats:
    """Features of the gallery, float32 (n, dim)."""
    return gallery_features(pool, context.catalog, material.feature_set, material.rows.shop)


def photo_features(pool: ArrayPool, context: StudyContext, material: Material, rows: Ids) -> Floats:
    """Features of the regions of some photos, float32 (n, regions, dim)."""
    photos = [material.rows.photos[row] for row in rows.tolist()]
    through_catalog, through_cache = split_queries(photos, material.regions)
    extractor = material.extractor
    plan = "whole" if material.regions == BOX else material.regions
    cache = RegionCache(context.cache, extractor.fingerprint, extractor.dim, plan)
    return query_features(
        pool, context.catalog, material.feature_set, photos, through_catalog, through_cache, cache
    )
