"""What a study searched in and with: the parts of its results that are known before anything is ranked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from stylesearch.types import Box

__all__ = [
    "CatalogFacts",
    "CategoryCounts",
    "EqualPictures",
    "GalleryFacts",
    "LeftOut",
    "Picture",
    "QueryFacts",
]


@dataclass(frozen=True, slots=True)
class CategoryCounts:
    """How much the whole catalog has of a category (the seed's Figure 2)."""

    category: str
    n_products: int
    n_shop_images: int
    n_consumer_images: int


@dataclass(frozen=True, slots=True)
class CatalogFacts:
    """How much the whole catalog has, whatever the split.

    Attributes:
        n_products, n_shop_images, n_consumer_images: usable ones.
        n_unusable_images: pictures that were ingested but could not be read.
        categories: by name.
    """

    n_products: int
    n_shop_images: int
    n_consumer_images: int
    n_unusable_images: int
    categories: tuple[CategoryCounts, ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of the gallery or a query.

    Attributes:
        product: id of the product it shows (for a query: the right answer).
        title: of the product.
        category: of the product.
        path: of the file, absolute.
        sha256: of the file's bytes.
        box: where the garment is, if the catalog knows.
    """

    product: str
    title: str
    category: str
    path: str
    sha256: str
    box: Box | None = None


@dataclass(frozen=True, slots=True)
class GalleryFacts:
    """What was searched in; ``description`` belongs beside every table.

    Attributes:
        description: one line: which pictures, how many, of how many products.
        n_images, n_products: how many.
        categories: images by category.
        n_unreadable: pictures that belong to it but whose features could not be computed.
        digest: of product ids and sha256 of all pictures: equal digests, equal galleries.
        pictures: sorted by product id, then path; runs refer to them by their place in this list.
    """

    description: str
    n_images: int
    n_products: int
    categories: Mapping[str, int]
    n_unreadable: int
    digest: str
    pictures: tuple[Picture, ...]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Queries that are in no score.

    Attributes:
        reason: why, in words.
        n: how many.
        examples: paths of the first few.
    """

    reason: str
    n: int
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EqualPictures:
    """Queries whose very bytes are in the gallery too; they are searched all the same.

    Attributes:
        n_queries: how many queries.
        n_same_product: of these, how many have an equal picture of the right product: too easy.
        examples: the first few, as paths of the query and of the gallery's picture.
    """

    n_queries: int
    n_same_product: int
    examples: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class QueryFacts:
    """What was searched with; ``description`` belongs beside every table.

    Attributes:
        description: one line: which photos, how many, through which regions.
        n_listed: queries there were before any were left out.
        n_queries: queries in the scores.
        n_products: products that these show.
        categories: queries by category.
        n_without_box: with regions ``box``: queries without one, looked at whole.
        left_out: the others, by reason.
        equal_pictures: queries whose picture is in the gallery as well.
        digest: of product ids and sha256 of all queries in the scores.
        pictures: sorted by product id, then path: the order of every column of a run.
    """

    description: str
    n_listed: int
    n_queries: int
    n_products: int
    categories: Mapping[str, int]
    n_without_box: int
    left_out: tuple[LeftOut, ...]
    equal_pictures: EqualPictures
    digest: str
    pictures: tuple[Picture, ...]
