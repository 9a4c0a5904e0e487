"""The tables of the catalog's database.

Every column checks what is read from it: see ``stylesearch.catalog.stored_types``.

They are Core tables with typed columns (``sqlalchemy.TypedColumns``), not mapped classes: rows become
the frozen values of ``stylesearch.types``, no session is needed, and a cold start does not import the ORM.
The tables are created by the migrations; a test compares the two.

```text
sources 1 --- n listings n --- 1 products 1 --- n product_values
                                 products 1 --- n images 1 --- n features n --- 1 feature_sets
sources 1 --- n image_listings n ------------------ 1 images
artifacts 1 --- n artifact_parts
```
"""

from __future__ import annotations

import dataclasses
import enum
from typing import Any, Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Named,
    String,
    Table,
    TypedColumns,
    TypeDecorator,
    UniqueConstraint,
    true,
)
from sqlalchemy.engine import Dialect

from stylesearch.catalog.stored_types import (
    check_box,
    check_finite,
    check_guesses,
    check_object,
    check_positive,
    check_said,
    check_size,
    check_texts,
    check_variants,
    one_of,
    store_checked,
)
from stylesearch.catalog.vector_codec import DTYPES
from stylesearch.types import Domain, Variant

__all__ = [
    "VECTOR_TABLES",
    "ImageState",
    "about",
    "artifact_parts",
    "artifacts",
    "category_map",
    "counters",
    "exported_tables",
    "feature_sets",
    "features",
    "image_columns",
    "image_listings",
    "images",
    "listings",
    "metadata",
    "product_columns",
    "product_values",
    "products",
    "shown_counts",
    "sources",
]

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)
"""All tables. Every constraint has a name, so that a migration can drop it on any database."""


VECTOR_TABLES: Final = "vectors_"
"""With this begin the names of tables of vectors of a space, on PostgreSQL; none of these begins so."""


class ImageState(enum.StrEnum):
    """Whether an image could be used."""

    OK = "ok"
    FAILED = "failed"


class VariantsType(TypeDecorator[tuple[Variant, ...]]):
    """Variants of a product, as a list of JSON objects."""

    impl = JSON
    cache_ok = True

    def process_bind_param(self, value: tuple[Variant, ...] | None, dialect: Dialect) -> Any:
        return [dataclasses.asdict(one) for one in value or ()]

    def process_result_value(self, value: Any, dialect: Dialect) -> tuple[Variant, ...]:
        return tuple(Variant(**one) for one in value or ())


class AboutColumns(TypedColumns):
    """Facts about the database itself.

    ``needs_stylesearch`` is the oldest version that can read it, ``catalog_id`` a random name from its
    creation; ``complete:FINGERPRINT`` stands for features that all shop images have got.
    """

    name = Column(String, primary_key=True)
    value: Named[str]


class SourceColumns(TypedColumns):
    """Sources of products: the folders, tables and datasets that were ingested, and the API.

    ``path`` is where the source lay last, "" for the API. ``options`` are those it is read with. ``run``
    counts the ingests of all sources: the one with the largest number came last.
    """

    pk = Column(Integer, primary_key=True)
    name: Named[str] = Column(unique=True)
    path: Named[str]
    format: Named[str]
    options: Named[dict[str, Any]] = Column(JSON, info={"check": check_object})
    run: Named[int]
    ingested_at: Named[str | None]


class ProductColumns(TypedColumns):
    """Products; ``id`` is the shop's own.

    Each field has the value that the sources' listings agree on, or the one that came last. ``category`` is
    what ``category_map`` makes of ``shop_category``, the sources' own. ``amount``, ``amount_max`` and
    ``currency`` are read from the prices.
    """

    pk = Column(Integer, primary_key=True)
    id: Named[str] = Column(unique=True)
    title: Named[str]
    category: Named[str]
    url: Named[str | None]
    price: Named[str | None]
    attributes: Named[dict[str, Any]] = Column(JSON, info={"check": check_object})
    in_stock: Named[bool | None] = Column(Boolean)
    variants: Named[tuple[Variant, ...]] = Column(
        VariantsType, server_default="[]", info={"check": check_variants}
    )
    amount: Named[float | None] = Column(Float, info={"check": check_finite})
    amount_max: Named[float | None] = Column(Float, info={"check": check_finite})
    currency: Named[str | None]
    shop_category: Named[str] = Column(server_default="")


class ProductValueColumns(TypedColumns):
    """What filters ask of attributes and options of variants: see ``stylesearch.catalog.value_rows``.

    ``name`` and ``value`` are in their plain form, ``value`` is "" where it is too long to compare.
    ``number`` is that of a value that is one, with or without a unit; ``label`` is the value as it is shown.
    """

    product_pk: Named[int] = Column(ForeignKey("products.pk", ondelete="CASCADE"), primary_key=True)
    name = Column(String, primary_key=True)
    value = Column(String, primary_key=True)
    number: Named[float | None] = Column(Float, info={"check": check_finite})
    label: Named[str]


class ListingColumns(TypedColumns):
    """What each source says of each product: see ``stylesearch.listing.Listing``.

    ``said`` has no empty values. ``place`` is "" in a source whose ids are the shop's own, unless it has
    another name for the product. ``lists`` is whether the source lists the product; if not, it only changed
    some fields of a product of others, which goes with them.
    """

    product_pk: Named[int] = Column(ForeignKey("products.pk", ondelete="CASCADE"), primary_key=True)
    source_pk: Named[int] = Column(ForeignKey("sources.pk", ondelete="CASCADE"), primary_key=True)
    place: Named[str]
    said: Named[dict[str, Any]] = Column(JSON, info={"check": check_said})
    guesses: Named[dict[str, Any]] = Column(JSON, info={"check": check_guesses})
    lists: Named[bool] = Column(Boolean, server_default=true())


class ImageListingColumns(TypedColumns):
    """Which sources list an image; one that none lists is removed."""

    image_pk: Named[int] = Column(ForeignKey("images.pk", ondelete="CASCADE"), primary_key=True)
    source_pk: Named[int] = Column(ForeignKey("sources.pk", ondelete="CASCADE"), primary_key=True)


class CategoryMapColumns(TypedColumns):
    """The category that products are searched in, by the category that their sources say."""

    shop_category = Column(String, primary_key=True)
    category: Named[str]


class ImageColumns(TypedColumns):
    """Images of products.

    ``path`` names the image: its file, or its URL. ``file`` is the file that an image behind a URL was
    fetched to, null for others. ``sha256`` is null where the file could not be read. ``box`` is text,
    ``x0,y0,x1,y1``. ``stat_key`` identifies the state of the file when it was hashed (see
    ``stylesearch.files.stat_key``), null where it cannot. ``error`` is the reason why an image failed.
    ``options`` are those of the product's options that the image shows. ``position`` is the image's place
    among those of its product, from 0: the first is the main one.
    """

    pk = Column(Integer, primary_key=True)
    product_pk: Named[int] = Column(ForeignKey("products.pk", ondelete="CASCADE"))
    path: Named[str]
    sha256: Named[str | None]
    domain: Named[str] = Column(info={"check": one_of(Domain)})
    box: Named[str | None] = Column(info={"check": check_box})
    width: Named[int] = Column(info={"check": check_size})
    height: Named[int] = Column(info={"check": check_size})
    state: Named[str] = Column(info={"check": one_of(ImageState)})
    error: Named[str | None]
    stat_key: Named[str | None]
    file: Named[str | None]
    options: Named[dict[str, str] | None] = Column(JSON(none_as_null=True), info={"check": check_texts})
    position: Named[int] = Column(server_default="0", info={"check": check_size})


class ShownCountColumns(TypedColumns):
    """Number of products with an image that a shop's pages show, by category.

    A category without such a product has no row. See ``stylesearch.catalog.shown_counts``.
    """

    category = Column(String, primary_key=True)
    n_products: Named[int] = Column(info={"check": check_positive})


class FeatureSetColumns(TypedColumns):
    """Extractor and parameters that made a set of vectors; the fingerprint covers all of them."""

    pk = Column(Integer, primary_key=True)
    fingerprint: Named[str] = Column(unique=True)
    extractor: Named[str]
    parameters: Named[dict[str, Any]] = Column(JSON, info={"check": check_object})
    weights_digest: Named[str]
    dim: Named[int] = Column(info={"check": check_positive})
    dtype: Named[str] = Column(info={"check": one_of(DTYPES)})


class FeatureColumns(TypedColumns):
    """One vector of one image.

    An id is never used twice, and a row is never changed: an image with new content, or a product that moves
    to another category, gets new rows. So the largest id of an index tells which rows it holds. ``domain``
    and ``category`` are copied from the image and its product, so that one index of the database finds these
    rows. ``checksum`` is that of ``vector``: see ``stylesearch.catalog.vector_codec.checksum``.
    """

    id = Column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    feature_set_pk: Named[int] = Column(ForeignKey("feature_sets.pk", ondelete="CASCADE"))
    image_pk: Named[int] = Column(ForeignKey("images.pk", ondelete="CASCADE"))
    domain: Named[str] = Column(info={"check": one_of(Domain)})
    category: Named[str]
    vector: Named[bytes]
    # No checksum is negative: a row of which nobody computed it is noticed.
    checksum: Named[int] = Column(BigInteger, server_default="-1")


class ArtifactColumns(TypedColumns):
    """Fits of spaces and trained models that all machines on this catalog share.

    ``kind`` is ``fit`` or ``model``. ``files`` has the sha256 of each file by its name, ``version`` is the
    sha256 of that: it changes with any byte of any file.
    """

    kind = Column(String, primary_key=True)
    name = Column(String, primary_key=True)
    version: Named[str]
    files: Named[dict[str, str]] = Column(JSON, info={"check": check_texts})


class ArtifactPartColumns(TypedColumns):
    """The files of artifacts by their sha256, in parts of at most ``artifact_table.PART_BYTES`` bytes."""

    kind = Column(String, primary_key=True)
    name = Column(String, primary_key=True)
    sha256 = Column(String, primary_key=True)
    position = Column(Integer, primary_key=True)
    content: Named[bytes]


class CounterColumns(TypedColumns):
    """What PostgreSQL does not count by itself: see ``stylesearch.catalog.backends``; empty in SQLite.

    ``changes`` is the number of transactions of writers, ``highest_feature_id`` the largest id of a feature
    that was ever committed.
    """

    name = Column(String, primary_key=True)
    value: Named[int] = Column(BigInteger, info={"check": check_size})


DERIVED: Final = {"derived": True}
"""``info`` of tables that follow from others, or from the database: they are in no export."""

about = Table("about", metadata, AboutColumns)

counters = Table("counters", metadata, CounterColumns, info=DERIVED)

sources = Table("sources", metadata, SourceColumns)

products = Table(
    "products",
    metadata,
    ProductColumns,
    Index(None, "category", "id"),
    Index(None, "shop_category"),
    Index(None, "amount", "amount_max", "in_stock"),
)

product_values = Table(
    "product_values",
    metadata,
    ProductValueColumns,
    Index(None, "name", "value", "product_pk"),
    Index(None, "name", "number", "product_pk"),
    sqlite_with_rowid=False,
    info=DERIVED,
)

listings = Table("listings", metadata, ListingColumns, Index(None, "source_pk", "place"))

category_map = Table("category_map", metadata, CategoryMapColumns)

images = Table(
    "images",
    metadata,
    ImageColumns,
    UniqueConstraint("product_pk", "path"),
    Index(None, "sha256", "state"),
    Index(None, "state"),
)

image_listings = Table("image_listings", metadata, ImageListingColumns, Index(None, "source_pk", "image_pk"))

shown_counts = Table("shown_counts", metadata, ShownCountColumns, info=DERIVED)

feature_sets = Table("feature_sets", metadata, FeatureSetColumns)

features = Table(
    "features",
    metadata,
    FeatureColumns,
    UniqueConstraint("image_pk", "feature_set_pk"),
    Index(None, "feature_set_pk", "domain", "category", "id"),
    Index(None, "feature_set_pk", "domain", "id"),
    sqlite_autoincrement=True,
)

artifacts = Table("artifacts", metadata, ArtifactColumns, info=DERIVED)

artifact_parts = Table(
    "artifact_parts",
    metadata,
    ArtifactPartColumns,
    ForeignKeyConstraint(["kind", "name"], ["artifacts.kind", "artifacts.name"], ondelete="CASCADE"),
    info=DERIVED,
)

for _table in metadata.tables.values():
    store_checked(_table)


def exported_tables() -> list[Table]:
    """The tables that hold what a catalog is made of, each after those that it refers to."""
    return [one for one in metadata.sorted_tables if not one.info.get("derived")]


product_columns: Final = (
    products.c.id,
    products.c.title,
    products.c.category,
    products.c.url,
    products.c.price,
    products.c.attributes,
    products.c.in_stock,
    products.c.variants,
    products.c.amount,
    products.c.amount_max,
    products.c.currency,
)
"""What makes a ``stylesearch.types.Product``, in the order of its fields."""

image_columns: Final = (
    images.c.path,
    images.c.sha256,
    images.c.domain,
    images.c.width,
    images.c.height,
    images.c.box,
    images.c.file,
    images.c.options,
)
"""What ``stylesearch.catalog.queries.image_from_row`` makes an ``ImageRecord`` of."""
