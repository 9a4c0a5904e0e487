"""The data set of a training: pairs of images of one product, their split, and features of all images.

Kinds of pairs: ``consumer``, a consumer's photo and a shop image; ``views``, two shop images (worn, flat,
back), each of which may be the photo, with the others as shop images. A pair is never an image and its copy,
from which nothing is learned and which every space finds.
"""

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
    NearDuplicates,
    connected_products,
    duplicate_products,
    find_near_duplicates,
    uninformative_images,
)
from stylesearch.training.seen_products import SeenProducts
from stylesearch.training.split import SHARES, Split, given_split, split_products
from stylesearch.types import Box, Domain

if TYPE_CHECKING:
    from stylesearch.extractors.base import Extractor


__all__ = [
    "KINDS",
    "MIN_PRODUCTS",
    "TRAINING_PLAN",
    "PairDataset",
    "PairOptions",
    "PairRows",
    "PairedProduct",
    "Pairs",
    "PhotoRows",
    "describe_split",
    "find_pairs",
    "load_pairs",
    "number_pairs",
    "photo_features",
    "shop_features",
    "split_settings",
]

KINDS: Final = ("auto", "consumer", "views")

MIN_PRODUCTS: Final = 70
"""Products with pairs that training needs: 15 % of them are then 10 that choose when to stop and how much of
what was learned is used. With fewer, one product more or less weighs more than what there is to gain."""

TRAINING_PLAN: Final = "street"
"""Regions that photos are learned from by default: many, so that a garment is near to one of them."""

_DESCRIPTIONS: Final = {
    "consumer": "a consumer's photo and a shop picture",
    "views": "two or more shop pictures",
}


@dataclass(frozen=True, slots=True)
class PairedProduct:
    """A product that has a pair.

    Attributes:
        id, category: id and category, as in the catalog.
        photos: images to search with, at least one.
        shop: images to find, at least one; at least one has another content than some photo. For ``views``,
            both are all shop images of the product.
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
        products: the products, at least one.
    """

    kind: str
    products: tuple[PairedProduct, ...]


def find_pairs(
    images: Sequence[CatalogImage],
    kind: str = "auto",
    *,
    near: NearDuplicates | None = None,
    min_products: int = MIN_PRODUCTS,
) -> Pairs:
    """Finds the products of a catalog that have pairs.

    Args:
        images: all usable images (``stylesearch.features.images.list_images``).
        kind: ``consumer``, ``views``, or ``auto``: consumer where there are enough, else views.
        near: near-duplicates, which count as one image; by default only equal files do.
        min_products: smallest number of products.

    Raises:
        UnknownName: no such kind.
        TooFewPairs: fewer products have pairs.
    """
    if kind not in KINDS:
        raise unknown_name("kind of pairs", kind, dict.fromkeys(KINDS))
    near = near or NearDuplicates()
    skipped = uninformative_images(images, near)
    by_product: dict[str, list[CatalogImage]] = {}
    for one in sorted(images, key=lambda one: one.key):
        if near.image(one.image.sha256) not in skipped:
            by_product.setdefault(one.product.id, []).append(one)
    wanted = KINDS[1:] if kind == "auto" else (kind,)
    n_found = {}
    for name in wanted:
        candidates = [_product_with_pairs(name, found, near) for found in by_product.values()]
        products = tuple(product for product in candidates if product is not None)
        if products and len(products) >= min_products:
            return Pairs(name, products)
        n_found[name] = len(products)
    there_are = " and ".join(f"{n} products with {_DESCRIPTIONS[name]}" for name, n in n_found.items())
    raise TooFewPairs(
        f"learning takes at least {max(1, min_products)} products with pairs; there are {there_are}",
        hint="ingest customers' photos with --domain consumer under the ids of the products they show, "
        "or several pictures (worn, flat, back) of each product",
    )


def _product_with_pairs(
    kind: str, images: Sequence[CatalogImage], near: NearDuplicates
) -> PairedProduct | None:
    """Makes a paired product of a product's images; None if it has no pair."""
    shop = _drop_copies((one for one in images if one.image.domain == Domain.SHOP), near)
    if kind == "views":
        photos = shop
    else:
        in_shop = {near.image(one.image.sha256) for one in shop}
        taken = (one for one in images if one.image.domain == Domain.CONSUMER)
        photos = _drop_copies((one for one in taken if near.image(one.image.sha256) not in in_shop), near)
    if not photos or len(shop) < (2 if kind == "views" else 1):
        return None
    product = images[0].product
    return PairedProduct(product.id, product.category, photos, shop)


def _drop_copies(images: Iterable[CatalogImage], near: NearDuplicates) -> tuple[CatalogImage, ...]:
    """Keeps the first of the images that show the same; the same image with another box counts as another."""
    first: dict[object, CatalogImage] = {}
    for one in images:
        first.setdefault((near.image(one.image.sha256), one.image.box), one)
    return tuple(first.values())


@dataclass(frozen=True, slots=True, eq=False)
class PairRows:
    """Pairs and the whole gallery as numbered rows: the arrays that training needs.

    The gallery leaves out the same images as ``find_pairs``: further copies of an image of a product with
    pairs.

    Attributes:
        product_ids: of all products with a gallery image, sorted; a product's number is its place.
        product_category: category of each product, by its number.
        photos: the photo of each row.
        shop: the gallery image of each row, also of products without a pair.
        photo_product, shop_product: number of the product of each row, int64, rising.
        own: row of ``shop`` that is the photo itself, or -1; int64 (photos,).
        duplicates: group of each product, int64 (products,): equal for one product under several ids.
        has_no_pair: products without a pair, bool (products,).
    """

    product_ids: tuple[str, ...]
    product_category: tuple[str, ...]
    photos: tuple[CatalogImage, ...]
    shop: tuple[CatalogImage, ...]
    photo_product: npt.NDArray[np.int64]
    shop_product: npt.NDArray[np.int64]
    own: npt.NDArray[np.int64]
    duplicates: npt.NDArray[np.int64]
    has_no_pair: npt.NDArray[np.bool_]

    def mask(self, ids: Collection[str]) -> npt.NDArray[np.bool_]:
        """Selects products that are among these ids and have a pair, bool (products,)."""
        wanted = frozenset(ids)
        among = np.fromiter((one in wanted for one in self.product_ids), np.bool_, len(self.product_ids))
        return among & ~self.has_no_pair


def number_pairs(
    pairs: Pairs, images: Sequence[CatalogImage], copies: Sequence[frozenset[str]] = ()
) -> PairRows:
    """Numbers products, photos and the images of the gallery.

    Args:
        pairs: pairs from ``find_pairs``.
        images: all usable images; the shop's are the gallery.
        copies: groups of ids from ``stylesearch.training.near_duplicates.duplicate_products``.
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
        duplicates=groups.astype(np.int64),
        has_no_pair=np.fromiter((name not in paired for name in ids), np.bool_, len(ids)),
    )


def _int64(values: Iterable[int]) -> npt.NDArray[np.int64]:
    return np.array(list(values), np.int64)


@dataclass(frozen=True, slots=True)
class PairOptions:
    """Options of ``load_pairs``.

    Attributes:
        pairs: ``auto``, ``consumer`` or ``views``.
        regions: plan of the regions of photos.
        shares: shares of train, validation and test among the products of each category.
        seed: seed of the split.
        min_products: smallest number of products with pairs.
    """

    pairs: str = "auto"
    regions: str = TRAINING_PLAN
    shares: tuple[float, float, float] = SHARES
    seed: int = 0
    min_products: int = MIN_PRODUCTS

    def check(self) -> None:
        """Checks the options, before anything is computed.

        Raises:
            UnknownName: no such plan.
            ConfigError: shares that do not sum to one, or a share of 0 for training or validation.
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
    """Rows of photos by the part of the split that their product is in; int64 each, rising."""

    train: Ids
    validation: Ids
    test: Ids


@dataclass(frozen=True, slots=True, eq=False)
class PairDataset:
    """Pairs of a catalog, all of whose images have features.

    Attributes:
        kind: kind of the pairs: ``consumer`` or ``views``.
        regions: plan of the regions of the photos.
        split: split of the products with pairs.
        rows: photos, gallery and products as numbered rows.
        extractor: extractor of the features.
        feature_set: the catalog's feature set of these.
        n_failed: number of images without features, which are left out.
        n_connected: number of products that share an image with another one, and so are in the same part of
            the split, or in none where the source put them into several.
        seen: products that the network was fine-tuned on before; None where it was not fine-tuned here.
    """

    kind: str
    regions: str
    split: Split
    rows: PairRows
    extractor: Extractor
    feature_set: FeatureSet
    n_failed: int
    n_connected: int
    seen: SeenProducts | None = None

    def photos(self) -> PhotoRows:
        """Rows of the photos of each part of the split.

        A photo without an answer in the gallery other than itself is in neither of the last two.
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

    def learning_rows(self) -> Ids:
        """Rows of training and validation photos, int64 (n,), rising."""
        parts = self.photos()
        return np.union1d(parts.train, parts.validation)

    def n_products(self) -> dict[str, int]:
        """Number of products by part of the split."""
        split = self.split
        return {"train": len(split.train), "validation": len(split.validation), "test": len(split.test)}

    @property
    def shop_categories(self) -> list[str]:
        """Category of each image of the gallery."""
        return [self.rows.product_category[number] for number in self.rows.shop_product.tolist()]

    @property
    def shop_contents(self) -> list[tuple[str, Box | None]]:
        """Content and box of each image of the gallery: equal for images that show the same."""
        return [(one.image.sha256, one.image.box) for one in self.rows.shop]


def load_pairs(
    context: StudyContext, spec: str, options: PairOptions, seen: SeenProducts | None = None
) -> PairDataset:
    """Finds pairs, splits them, and computes the features that are missing; an interrupted run continues.

    Args:
        context: missing features are written to its catalog and cache.
        spec: of the extractor.
        options: options for pairs, regions and split.
        seen: products that the network was fine-tuned on: they are not validated or tested with.

    Raises:
        ConfigError: too few pairs, options that make no sense, or products that were seen with another split,
            or too many of them.
        UnknownName: no such extractor or plan.
        CatalogLocked: features are missing and another process is writing.
    """
    options.check()
    images = list_images(context.catalog)
    pairs = find_pairs(images, options.pairs, min_products=options.min_products)  # before any work is done
    extractor = context.load(spec)
    near = find_near_duplicates(
        images,
        context.cache,
        n_workers=context.extraction.n_workers,
        max_pixels=context.extraction.max_pixels,
        progress=context.tell("comparing pictures"),
    )
    pairs = find_pairs(images, options.pairs, near=near, min_products=options.min_products)
    photos = [photo for product in pairs.products for photo in product.photos]
    through_catalog, through_cache = split_queries(photos, options.regions)
    wanted = {one.pk: one for one in images if one.image.domain == Domain.SHOP}
    wanted |= {one.pk: one for one in through_catalog}
    stage = f"features of {spec}"
    feature_set, failures = compute_missing(
        context.catalog, extractor, list(wanted.values()), context.extraction, context.tell_extraction(stage)
    )
    if through_cache:
        cache = RegionCache(context.cache, extractor.fingerprint, extractor.dim, options.regions)
        stage = f"regions of {spec}"
        failures |= compute_regions(
            cache, extractor, through_cache, context.extraction, context.tell_extraction(stage)
        )
    if failures:
        images = [one for one in images if one.pk not in failures]
        pairs = find_pairs(images, pairs.kind, near=near, min_products=options.min_products)
    categories = {product.id: product.category for product in pairs.products}
    groups = connected_products(images, near)
    split = _given_split(images, categories, groups, options) or split_products(
        categories, groups, shares=options.shares, seed=options.seed
    )
    if seen is not None:
        split = seen.exclude(split, groups, split_settings(split, options))
    return PairDataset(
        kind=pairs.kind,
        regions=options.regions,
        split=split,
        rows=number_pairs(pairs, images, duplicate_products(images, near)),
        extractor=extractor,
        feature_set=feature_set,
        n_failed=len(failures),
        n_connected=len(set().union(*groups) & categories.keys()),
        seen=seen,
    )


def describe_split(split: Split, options: PairOptions) -> dict[str, Any]:
    """Describes how products were split, and how many are in no part, as JSON values by name."""
    counts = {"split_left_out": len(split.left_out), "split_seen_before": len(split.seen_before)}
    return split_settings(split, options) | counts


def split_settings(split: Split, options: PairOptions) -> dict[str, Any]:
    """Returns the settings that decide the split; shares and seed are None where they were not used."""
    is_given = split.origin == "given"
    return {
        "split": split.origin,
        "split_shares": None if is_given else list(options.shares),
        "split_seed": None if is_given else options.seed,
    }


def _given_split(
    images: Sequence[CatalogImage],
    categories: dict[str, str],
    groups: Sequence[frozenset[str]],
    options: PairOptions,
) -> Split | None:
    """Reads the split that the source of the catalog has; None if it has none."""
    said = {one.product.id: one.product.attributes.get("split") for one in images}
    splits = {name: None if said[name] is None else str(said[name]) for name in categories}
    return given_split(splits, categories, groups, shares=options.shares, seed=options.seed)


def shop_features(pool: ArrayPool, context: StudyContext, dataset: PairDataset) -> Floats:
    """Reads the features of the gallery, float32 (n, dim)."""
    return gallery_features(pool, context.catalog, dataset.feature_set, dataset.rows.shop)


def photo_features(pool: ArrayPool, context: StudyContext, dataset: PairDataset, rows: Ids) -> Floats:
    """Reads the features of the regions of some photos, float32 (n, regions, dim)."""
    photos = [dataset.rows.photos[row] for row in rows.tolist()]
    through_catalog, through_cache = split_queries(photos, dataset.regions)
    extractor = dataset.extractor
    plan = "whole" if dataset.regions == BOX else dataset.regions
    cache = RegionCache(context.cache, extractor.fingerprint, extractor.dim, plan)
    features, _ = query_features(
        pool, context.catalog, dataset.feature_set, photos, through_catalog, through_cache, cache
    )
    return features
