"""The tables of the catalog's database.

They are Core tables with typed columns (``sqlalchemy.TypedColumns``), not mapped classes: rows become
the frozen values of ``stylesearch.types``, no session is needed, and a cold start does not import the ORM.
The tables are created by the migrations; a test compares the two.

```text
products 1 --- n images 1 --- n features n --- 1 feature_sets
```
"""

from __future__ import annotations

import enum
from typing import Any, Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Named,
    String,
    Table,
    TypedColumns,
    UniqueConstraint,
)

__all__ = [
    "ImageState",
    "about",
    "feature_sets",
    "features",
    "image_columns",
    "images",
    "metadata",
    "product_columns",
    "products",
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


class ImageState(enum.StrEnum):
    """Whether an image could be used."""

    OK = "ok"
    FAILED = "failed"


class AboutColumns(TypedColumns):
    """Facts about the database itself.

    ``needs_stylesearch`` is the oldest version that can read it, ``catalog_id`` a random name from its
    creation; ``complete:FINGERPRINT`` stands for features that all shop images have got.
    """

    name = Column(String, primary_key=True)
    value: Named[str]


class ProductColumns(TypedColumns):
    """Products; ``id`` is the shop's own."""

    pk = Column(Integer, primary_key=True)
    id: Named[str] = Column(unique=True)
    title: Named[str]
    category: Named[str]
    url: Named[str | None]
    price: Named[str | None]
    attributes: Named[dict[str, Any]] = Column(JSON)


class ImageColumns(TypedColumns):
    """Images of products.

    ``sha256`` is null where the file could not be read. ``box`` is text, ``x0,y0,x1,y1``. ``source`` names
    the import that listed the image last. ``stat_key`` identifies the state of the file when it was hashed
    (see ``stylesearch.files.stat_key``), null where it cannot. ``error`` is the reason why an image
    failed.
    """

    pk = Column(Integer, primary_key=True)
    product_pk: Named[int] = Column(ForeignKey("products.pk", ondelete="CASCADE"))
    path: Named[str]
    sha256: Named[str | None]
    domain: Named[str]
    box: Named[str | None]
    width: Named[int]
    height: Named[int]
    state: Named[str]
    error: Named[str | None]
    stat_key: Named[str | None]
    source: Named[str]


class FeatureSetColumns(TypedColumns):
    """Extractor and parameters that made a set of vectors; the fingerprint covers all of them."""

    pk = Column(Integer, primary_key=True)
    fingerprint: Named[str] = Column(unique=True)
    extractor: Named[str]
    parameters: Named[dict[str, Any]] = Column(JSON)
    weights_digest: Named[str]
    dim: Named[int]
    dtype: Named[str]


class FeatureColumns(TypedColumns):
    """One vector of one image.

    An id is never used twice, and a row is never changed: an image with new content, or a product that moves
    to another category, gets new rows. So the largest id of an index tells which rows it holds. ``domain``
    and ``category`` are copied from the image and its product, so that one index of the database finds these
    rows.
    """

    id = Column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    feature_set_pk: Named[int] = Column(ForeignKey("feature_sets.pk", ondelete="CASCADE"))
    image_pk: Named[int] = Column(ForeignKey("images.pk", ondelete="CASCADE"))
    domain: Named[str]
    category: Named[str]
    vector: Named[bytes]


about = Table("about", metadata, AboutColumns)

products = Table("products", metadata, ProductColumns, Index(None, "category", "id"))

images = Table(
    "images",
    metadata,
    ImageColumns,
    UniqueConstraint("product_pk", "path"),
    Index(None, "sha256", "state"),
    Index(None, "state"),
)

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

product_columns: Final = (
    products.c.id,
    products.c.title,
    products.c.category,
    products.c.url,
    products.c.price,
    products.c.attributes,
)
"""What makes a ``stylesearch.types.Product``, in the order of its fields."""

image_columns: Final = (
    images.c.path,
    images.c.sha256,
    images.c.domain,
    images.c.width,
    images.c.height,
    images.c.box,
)
"""What makes a ``stylesearch.types.ImageRecord``, in the order of its fields."""
