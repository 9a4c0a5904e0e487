"""What there is to train with in a catalog: pairs, their split, and features of everything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from stylesearch.catalog import FeatureSet
from stylesearch.errors import ConfigError
from stylesearch.evaluation.features import compute_missing, compute_regions
from stylesearch.evaluation.protocol import BOX, CatalogImage, list_images, split_queries
from stylesearch.evaluation.region_cache import RegionCache
from stylesearch.evaluation.surroundings import Surroundings
from stylesearch.evaluation.vectors import Vectors, gallery_features, query_features
from stylesearch.images.regions import REGION_PLANS
from stylesearch.registry import unknown_name
from stylesearch.training.known_products import KnownProducts
from stylesearch.training.near_equal import copied_products, find_near_equal, joined_products
from stylesearch.training.pairs import MIN_PRODUCTS, PairRows, find_pairs, pair_rows
from stylesearch.training.split import SHARES, Split, given_split, split_products
from stylesearch.types import Box, Domain

if TYPE_CHECKING:
    from stylesearch.extractors.base import Extractor

__all__ = [
    "Material",
    "MaterialChoice",
    "PhotoRows",
    "find_material",
    "how_split",
    "photo_features",
    "shop_features",
    "split_facts",
]

Floats = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int64]


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
    around: Surroundings, spec: str, choice: MaterialChoice, known: KnownProducts | None = None
) -> Material:
    """Finds pairs, splits them, and computes what features are missing; stopped and run again it goes on.

    Args:
        around: where; missing features are written to its catalog and cache.
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
    images = list_images(around.catalog)
    pairs = find_pairs(images, choice.pairs, min_products=choice.min_products)  # before any work is done
    extractor = around.load(spec)
    near = find_near_equal(
        images,
        around.cache,
        n_workers=around.work.n_workers,
        max_pixels=around.work.max_pixels,
        progress=around.tell("comparing pictures"),
    )
    pairs = find_pairs(images, choice.pairs, near=near, min_products=choice.min_products)
    photos = [photo for product in pairs.products for photo in product.photos]
    through_catalog, through_cache = split_queries(photos, choice.regions)
    wanted = {one.pk: one for one in images if one.image.domain == Domain.SHOP}
    wanted |= {one.pk: one for one in through_catalog}
    stage = f"features of {spec}"
    feature_set, failures = compute_missing(
        around.catalog, extractor, list(wanted.values()), around.work, around.tell(stage)
    )
    if through_cache:
        cache = RegionCache(around.cache, extractor.fingerprint, extractor.dim, choice.regions)
        stage = f"regions of {spec}"
        failures |= compute_regions(cache, extractor, through_cache, around.work, around.tell(stage))
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


def shop_features(room: Vectors, around: Surroundings, material: Material) -> Floats:
    """Features of the gallery, float32 (n, dim)."""
    return gallery_features(room, around.catalog, material.feature_set, material.rows.shop)


def photo_features(room: Vectors, around: Surroundings, material: Material, rows: Ids) -> Floats:
    """Features of the regions of some photos, float32 (n, regions, dim)."""
    photos = [material.rows.photos[row] for row in rows.tolist()]
    through_catalog, through_cache = split_queries(photos, material.regions)
    extractor = material.extractor
    plan = "whole" if material.regions == BOX else material.regions
    cache = RegionCache(around.cache, extractor.fingerprint, extractor.dim, plan)
    return query_features(
        room, around.catalog, material.feature_set, photos, through_catalog, through_cache, cache
    )
