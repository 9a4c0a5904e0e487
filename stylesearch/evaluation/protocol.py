"""Chooses the queries and the gallery of a study, and parses the names of its methods.

- ``consumer``: the queries are consumers' photos. The gallery ``all`` is every shop image, ``queried`` those
  of products that a query shows, and ``PATTERN`` the files of such a name.
- ``views``: the queries are shop images. In the gallery ``all`` and in ``queried`` each product has the image
  that was listed first, and its others are the queries. ``PATTERN`` puts the files of such a name into the
  gallery, and all other shop images are queries. With ``others`` every image of a product that has several is
  a query in turn, and all others are searched.

A query whose product has no image in the gallery cannot be answered: it is left out and counted. The query's
own image is never searched. An image that is equal to it byte for byte under another name is, and is counted.

A method is named ``extractor[@size][/space]``, or ``siamese:NAME``, which implies its extractor.
"""

from __future__ import annotations

import fnmatch
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from stylesearch.catalog import Catalog
from stylesearch.errors import ConfigError, NotInCatalog
from stylesearch.evaluation.results import CatalogFacts, CategoryCounts, StudySettings
from stylesearch.features.images import CatalogImage
from stylesearch.models.card import is_trained, name_of
from stylesearch.registry import unknown_name
from stylesearch.spaces import SPACES
from stylesearch.types import Domain

__all__ = [
    "ANY_SPLIT",
    "DEFAULT_SPACE",
    "GALLERIES",
    "QUERIES",
    "MethodSpec",
    "Protocol",
    "choose",
    "count_catalog",
    "parse_method",
    "parse_methods",
    "with_gallery_split",
]

QUERIES: Final = ("consumer", "views")
GALLERIES: Final = ("all", "queried", "others")
ANY_SPLIT: Final = "any"
DEFAULT_SPACE: Final = "raw"
_NO_ANSWER: Final = "no right product in the gallery"


@dataclass(frozen=True, slots=True)
class Protocol:
    """The queries and the gallery of a study.

    Attributes:
        gallery: images of the gallery, sorted by product id, then path.
        queries: the queries, sorted likewise; the product of each has an image in the gallery besides the
            query.
        left_out: queries that were left out, by reason.
        unreadable: images of the gallery that were left out since they have no features.
    """

    gallery: tuple[CatalogImage, ...]
    queries: tuple[CatalogImage, ...]
    left_out: dict[str, tuple[CatalogImage, ...]]
    unreadable: tuple[CatalogImage, ...] = ()

    def without(self, failed: Mapping[int, str]) -> Protocol:
        """Copies the protocol without images that could not be used; ``failed`` has the reason by key."""
        if not failed:
            return self
        gallery = tuple(one for one in self.gallery if one.pk not in failed)
        left_out = dict(self.left_out)
        for one in self.queries:
            if one.pk in failed:
                reason = failed[one.pk]
                left_out[reason] = (*left_out.get(reason, ()), one)
        queries = [one for one in self.queries if one.pk not in failed]
        unreadable = tuple(one for one in self.gallery if one.pk in failed)
        return _drop_unanswerable(gallery, queries, left_out, (*self.unreadable, *unreadable))


def count_catalog(images: Sequence[CatalogImage], catalog: Catalog) -> CatalogFacts:
    """Counts the products and images of each category in the whole catalog."""
    n_images = Counter((one.product.category, one.image.domain) for one in images)
    n_products = Counter({one.product.id: one.product.category for one in images}.values())
    categories = tuple(
        CategoryCounts(name, n_products[name], n_images[name, Domain.SHOP], n_images[name, Domain.CONSUMER])
        for name in sorted(n_products)
    )
    return CatalogFacts(
        n_products=sum(one.n_products for one in categories),
        n_shop_images=sum(one.n_shop_images for one in categories),
        n_consumer_images=sum(one.n_consumer_images for one in categories),
        n_unusable_images=catalog.status().failed_images,
        categories=categories,
    )


def choose(images: Sequence[CatalogImage], settings: StudySettings) -> Protocol:
    """Chooses queries and gallery among all usable images of a catalog; see the module.

    Raises:
        ConfigError: a setting that makes no sense.
        NotInCatalog: there is no image for a query, or none for the gallery.
    """
    _check_choice(settings)
    by_name = settings.gallery not in GALLERIES
    shop = [one for one in images if one.image.domain == Domain.SHOP]
    in_split = [one for one in shop if _is_in(one, settings.gallery_split)]
    matching = [one for one in in_split if by_name and _matches(one, settings.gallery)]
    if settings.queries == "consumer":
        candidates = [one for one in images if one.image.domain == Domain.CONSUMER]
        gallery = matching if by_name else in_split
    else:
        candidates, gallery = _split_views(shop, in_split, matching, settings.gallery, by_name)
    candidates = [one for one in candidates if _is_in(one, settings.split)]
    if settings.gallery == "queried":
        queried = {one.product.id for one in candidates}
        gallery = [one for one in gallery if one.product.id in queried]
    _check_not_empty(images, candidates, gallery, settings)
    return _drop_unanswerable(tuple(gallery), candidates, {}, ())


def _split_views(
    shop: list[CatalogImage],
    in_split: list[CatalogImage],
    matching: list[CatalogImage],
    choice: str,
    by_name: bool,
) -> tuple[list[CatalogImage], list[CatalogImage]]:
    """Splits shop images into queries and gallery."""
    if by_name:
        kept = {one.pk for one in matching}
        return [one for one in shop if not _matches(one, choice)], [one for one in in_split if one.pk in kept]
    if choice == "others":
        n_images = Counter(one.product.id for one in shop)
        return [one for one in shop if n_images[one.product.id] > 1], in_split
    first: dict[str, int] = {}
    for one in shop:
        first[one.product.id] = min(one.pk, first.get(one.product.id, one.pk))
    mains = set(first.values())
    return [one for one in shop if one.pk not in mains], [one for one in in_split if one.pk in mains]


def _drop_unanswerable(
    gallery: tuple[CatalogImage, ...],
    candidates: list[CatalogImage],
    left_out: dict[str, tuple[CatalogImage, ...]],
    unreadable: tuple[CatalogImage, ...],
) -> Protocol:
    """Makes a protocol without the queries whose product has no image in the gallery."""
    of_product: dict[str, set[int]] = {}
    for one in gallery:
        of_product.setdefault(one.product.id, set()).add(one.pk)
    queries: list[CatalogImage] = []
    lost: list[CatalogImage] = []
    for one in candidates:
        has_answer = bool(of_product.get(one.product.id, set()) - {one.pk})
        (queries if has_answer else lost).append(one)
    if lost:
        left_out = {**left_out, _NO_ANSWER: (*left_out.get(_NO_ANSWER, ()), *lost)}
    if not queries:
        raise NotInCatalog(
            f"none of {len(candidates)} queries shows a product that is in the gallery",
            hint="are consumer photos and shop pictures of one product ingested under the same id?",
        )
    return Protocol(gallery, tuple(queries), left_out, unreadable)


def _check_choice(settings: StudySettings) -> None:
    if settings.queries not in QUERIES:
        raise ConfigError(f"queries are {' or '.join(QUERIES)}. Received: {settings.queries!r}")
    if settings.gallery == "others" and settings.queries == "consumer":
        raise ConfigError("the gallery `others` is for queries that are views", hint="--queries views")


def _check_not_empty(
    images: Sequence[CatalogImage],
    candidates: list[CatalogImage],
    gallery: list[CatalogImage],
    settings: StudySettings,
) -> None:
    splits = sorted({split for one in images if (split := one.product.attributes.get("split"))})
    of_split = f" of the split {settings.split!r}" if settings.split else ""
    known = f"the catalog's splits are: {', '.join(map(str, splits)) or 'none'}"
    if not candidates:
        kind = "consumer photos" if settings.queries == "consumer" else "products with several shop pictures"
        other = "views" if settings.queries == "consumer" else "consumer"
        hint = known if settings.split else f"--queries {other}, or ingest photos with --domain consumer"
        raise NotInCatalog(f"the catalog has no {kind}{of_split} to search with", hint=hint)
    if not gallery:
        hint = known if settings.gallery_split else f"the gallery was chosen by {settings.gallery!r}"
        raise NotInCatalog("no shop pictures are left to search in", hint=hint)


def _is_in(one: CatalogImage, splits: str) -> bool:
    """Whether a product is in one of several splits, separated by commas; empty for all."""
    if not splits or splits == ANY_SPLIT:
        return True
    wanted = {name.strip() for name in splits.split(",")}
    return str(one.product.attributes.get("split", "")) in wanted


def _matches(one: CatalogImage, pattern: str) -> bool:
    return fnmatch.fnmatchcase(Path(one.image.path).name, pattern)


def with_gallery_split(settings: StudySettings) -> StudySettings:
    """Fills in the gallery's split: that of the queries, unless another was asked for."""
    return settings if settings.gallery_split else replace(settings, gallery_split=settings.split)


@dataclass(frozen=True, slots=True)
class MethodSpec:
    """An extractor in a space.

    Attributes:
        extractor: a spec for ``load_extractor``; empty for that of the trained model.
        space: a name in ``stylesearch.spaces.SPACES``, or ``siamese:NAME``.
        is_implied: whether the extractor was not named, but is that of the trained model.
    """

    extractor: str
    space: str
    is_implied: bool = False

    @property
    def label(self) -> str:
        """Label in tables, without the space ``raw`` and without an implied extractor."""
        if self.is_implied or not self.extractor:
            return self.space
        return self.extractor if self.space == DEFAULT_SPACE else f"{self.extractor}/{self.space}"

    @property
    def is_trained(self) -> bool:
        """Whether the space is that of a trained model."""
        return is_trained(self.space)


def parse_method(text: str) -> MethodSpec:
    """Parses a method's name; the part before the space may be the path of a model.

    Raises:
        UnknownName: no such space.
        ConfigError: no extractor is named, or no trained model can have that name.

    Example:
        >>> parse_method("efficientnet-lite0@320/whitened")
        MethodSpec(extractor='efficientnet-lite0@320', space='whitened')
    """
    text = text.strip()
    extractor, slash, tail = text.rpartition("/")
    if is_trained(tail):
        name_of(tail)
        return MethodSpec(extractor, tail)
    if slash and tail in SPACES:
        spec = MethodSpec(extractor, tail)
    else:
        spec = MethodSpec(text, DEFAULT_SPACE)
        if slash and not Path(text).suffix and not Path(text).is_absolute():
            raise unknown_name("space", tail, SPACES)
    if not spec.extractor:
        raise ConfigError(f"a method is EXTRACTOR[@SIZE][+colors][/SPACE]. Received: {text!r}")
    return spec


def parse_methods(texts: list[str], extractor_of: Callable[[str], str] | None = None) -> list[MethodSpec]:
    """Parses several names; one that is given twice counts once.

    Args:
        texts: the names.
        extractor_of: returns the extractor of a trained model, given its space; it may raise.

    Raises:
        ConfigError: none is given, or one of them is empty.
        UnknownName: no such space.
    """
    methods = list(dict.fromkeys(parse_method(text) for text in texts))
    if extractor_of is not None:
        methods = [
            spec if spec.extractor else replace(spec, extractor=extractor_of(spec.space), is_implied=True)
            for spec in methods
        ]
    if not methods:
        raise ConfigError("no method is given", hint="resnet50, or efficientnet-lite0@320/whitened")
    return methods
