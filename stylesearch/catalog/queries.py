"""Prepared SQL of the catalog: statements of queries, conditions, and conversion of rows to values.

Statements are built at import, not per call: building one takes longer than running it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt
from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    Select,
    String,
    and_,
    bindparam,
    cast,
    exists,
    func,
    select,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from stylesearch.array_types import Ids
from stylesearch.catalog.records import FeatureSet, KnownImage, Source
from stylesearch.catalog.tables import (
    ImageState,
    feature_sets,
    features,
    image_columns,
    images,
    product_columns,
    products,
)
from stylesearch.catalog.vector_codec import decode_vectors, vector_fault
from stylesearch.errors import CatalogDamaged
from stylesearch.types import Box, Domain, ImageRecord, Product

__all__ = [
    "BATCH",
    "CATEGORY_NAMES",
    "FEATURE_SETS",
    "HAS_SHOWN_IMAGE",
    "HITS",
    "IS_SHOWN",
    "IS_USABLE",
    "KNOWN_IMAGES",
    "PRODUCT_CATEGORIES",
    "SAME_CONTENT",
    "FeatureBlock",
    "VectorDamaged",
    "box_from_text",
    "each_value",
    "feature_block",
    "feature_set_from_row",
    "feature_sets_of_images",
    "image_from_row",
    "in_batches",
    "is_filed_under",
    "is_of_gallery",
    "is_of_set",
    "known_image_from_row",
    "not_by_index",
    "product_from_row",
    "read_numbers",
    "source_from_row",
]

T = TypeVar("T")

BATCH: Final = 500
"""Values in one statement: well below what any database allows."""

SEPARATOR: Final = ","
"""Stands between numbers that are read as one text."""

FeatureBlock = tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]
"""Feature ids, shape (n,), rising; their vectors, shape (n, dim)."""


class not_by_index(FunctionElement[Any]):  # noqa: N801 - stands in statements as a function does
    """A column by which SQLite looks up nothing: it knows not how many rows have a value, PostgreSQL does."""

    inherit_cache = True


@compiles(not_by_index)
def _compile_column(element: not_by_index, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(element.clauses, **options)


@compiles(not_by_index, "sqlite")
def _compile_for_sqlite(element: not_by_index, compiler: SQLCompiler, **options: Any) -> str:
    return f"+{compiler.process(element.clauses, **options)}"


IS_USABLE: Final[ColumnElement[bool]] = not_by_index(images.c.state) == ImageState.OK.value
"""Images that can be used: nearly all, so that no index of states should find them."""

IS_SHOWN: Final[ColumnElement[bool]] = and_(images.c.domain == Domain.SHOP.value, IS_USABLE)
"""Images that a shop's pages show: its own, and usable."""

HAS_SHOWN_IMAGE: Final = exists().where(images.c.product_pk == products.c.pk, IS_SHOWN)
"""Products with an image that is shown."""

FEATURE_SETS: Final = select(feature_sets).order_by(feature_sets.c.pk)
"""All feature sets, oldest first."""

HITS: Final = (
    select(features.c.id, *product_columns, *image_columns)
    .select_from(
        features.join(images, images.c.pk == features.c.image_pk).join(
            products, products.c.pk == images.c.product_pk
        )
    )
    .where(features.c.id.in_(bindparam("ids", expanding=True)))
)
"""Feature id, product and image of the features with these ``ids``."""

KNOWN_IMAGES: Final = (
    select(
        *product_columns,
        images.c.pk,
        images.c.path,
        images.c.domain,
        images.c.box,
        images.c.sha256,
        images.c.width,
        images.c.height,
        images.c.stat_key,
        images.c.error,
        images.c.file,
    )
    .join_from(products, images, images.c.product_pk == products.c.pk)
    .where(products.c.id.in_(bindparam("ids", expanding=True)))
)
"""All images of the products with these ``ids``; see ``known_image_from_row``."""

SAME_CONTENT: Final = (
    select(images.c.width, images.c.height, features.c.id, features.c.vector, features.c.checksum)
    .join_from(images, features, features.c.image_pk == images.c.pk)
    .where(
        images.c.sha256 == bindparam("sha256"),
        images.c.state == ImageState.OK.value,
        images.c.box.is_not_distinct_from(bindparam("box")),
        features.c.feature_set_pk == bindparam("feature_set_pk"),
    )
    .limit(1)
)
"""Size of one image with this ``sha256`` and ``box``, and its vector as ``feature_block`` takes it."""


def each_value(column: ColumnElement[str], *conditions: ColumnElement[bool]) -> Select[str]:
    """Statement that finds the values of an indexed column: one look-up for each, however many rows it has.

    Args:
        column: texts; its index begins with the columns of the conditions.
        conditions: conditions for the rows.

    Returns:
        a statement whose rows are the values, rising, with a null at the end.
    """
    values = select(func.min(column).label("name")).where(*conditions).cte("names", recursive=True)
    following = select(func.min(column)).where(*conditions, column > values.c.name)
    values = values.union_all(select(following.scalar_subquery()).where(values.c.name.is_not(None)))
    return select(values.c.name)


CATEGORY_NAMES: Final = each_value(
    features.c.category,
    features.c.feature_set_pk == bindparam("feature_set_pk"),
    features.c.domain == bindparam("domain"),
)
"""Names of categories of features; a null at the end."""

PRODUCT_CATEGORIES: Final = each_value(products.c.category)
"""Names of categories of products; a null at the end."""


def is_filed_under(feature_set: FeatureSet, category: str | None, domain: Domain) -> ColumnElement[bool]:
    """Condition for features of a set, a domain and, unless it is None, a category."""
    of_set = and_(features.c.feature_set_pk == feature_set.pk, features.c.domain == domain.value)
    return of_set if category is None else and_(of_set, features.c.category == category)


def is_of_set(feature_set: FeatureSet) -> ColumnElement[bool]:
    """Condition for features of a set, for statements in which another condition finds the rows.

    By an index, SQLite would begin with all features of the set and read their rows, instead of looking up
    those of a few products, or of more than some ten ids.
    """
    return not_by_index(features.c.feature_set_pk) == feature_set.pk


def is_of_gallery(feature_set: FeatureSet) -> list[ColumnElement[bool]]:
    """Conditions for features, joined to their images, of a set and of shop images."""
    return [is_of_set(feature_set), images.c.domain == Domain.SHOP.value]


def feature_sets_of_images(
    connection: Connection, image_pks: Sequence[int], feature_set_pks: Collection[int]
) -> dict[int, set[int]]:
    """Finds the feature sets that have a vector of each image: their keys by the image's key."""
    found: dict[int, set[int]] = {}
    if not feature_set_pks:
        return found
    for batch in in_batches(image_pks):
        statement = select(features.c.image_pk, features.c.feature_set_pk).where(
            features.c.image_pk.in_(batch), features.c.feature_set_pk.in_(feature_set_pks)
        )
        for image_pk, feature_set_pk in connection.execute(statement):
            found.setdefault(image_pk, set()).add(feature_set_pk)
    return found


def in_batches(values: Sequence[T], size: int = BATCH) -> Iterator[Sequence[T]]:
    """Yields slices of ``values``, in order.

    Example:
        >>> list(in_batches([1, 2, 3], 2))
        [[1, 2], [3]]
    """
    for start in range(0, len(values), size):
        yield values[start : start + size]


def read_numbers(
    connection: Connection, statement: Select[*tuple[Any, ...]] | CompoundSelect[*tuple[Any, ...]]
) -> Ids:
    """Reads the whole numbers that a statement selects, int64, shape (columns, rows), in any order of rows.

    The database joins them to one text: a tenth of the time of a row for each of many thousands.

    Raises:
        CatalogDamaged: a value is something else.
    """
    rows = statement.subquery()
    columns = list(rows.c)
    one: ColumnElement[str] = cast(columns[0], String)
    for column in columns[1:]:
        one = one.concat(SEPARATOR).concat(cast(column, String))
    text = connection.execute(select(func.aggregate_strings(one, SEPARATOR))).scalar() or ""
    try:
        numbers = np.fromstring(text, np.int64, sep=SEPARATOR)
        if len(numbers) != (text.count(SEPARATOR) + 1 if text else 0):  # some versions of NumPy only warn
            raise ValueError("there is something else than numbers")
    except (ValueError, DeprecationWarning) as error:
        names = ", ".join(column.name for column in columns)
        raise CatalogDamaged(f"there is a row in which one of {names} is not a whole number") from error
    return numbers.reshape(-1, len(columns)).T


def product_from_row(*columns: Any) -> Product:
    """Makes a product of the values of ``tables.product_columns``.

    Raises:
        CatalogDamaged: it has no title, category or attributes, or no id.
    """
    product = Product(*columns)
    if product.id is None or product.title is None or product.category is None or product.attributes is None:
        raise CatalogDamaged(f"products has a row without a title, category or attributes: {product.id!r}")
    return product


def box_from_text(text: str | None) -> Box | None:
    """Parses a box; the inverse of ``str(box)``."""
    return None if text is None else Box(*map(int, text.split(",")))


def image_from_row(
    path: str,
    sha256: str | None,
    domain: str,
    width: int,
    height: int,
    box: str | None,
    file: str | None,
    options: dict[str, str] | None,
) -> ImageRecord:
    """Makes an image of the values of ``tables.image_columns``.

    Raises:
        CatalogDamaged: it has no path, domain or size.
    """
    if path is None or domain is None or width is None or height is None:
        raise CatalogDamaged(f"images has a row without a path, domain or size: {path!r}")
    return ImageRecord(
        file or path,
        sha256 or "",
        Domain(domain),
        width,
        height,
        box_from_text(box),
        url=path if file else None,
        options=options or {},
    )


def source_from_row(row: Any) -> Source:
    """Makes a source of a row of the table ``sources``."""
    return Source(row.pk, row.name, row.path, row.format, row.options, row.run, row.ingested_at)


def feature_set_from_row(row: Any) -> FeatureSet:
    """Makes a feature set of a row of the table ``feature_sets``."""
    return FeatureSet(
        pk=row.pk,
        fingerprint=row.fingerprint,
        extractor=row.extractor,
        parameters=row.parameters,
        weights_digest=row.weights_digest,
        dim=row.dim,
        dtype=row.dtype,
    )


def known_image_from_row(row: Any, of_feature_sets: Collection[int]) -> KnownImage:
    """A row of ``KNOWN_IMAGES``, and keys of feature sets that have a vector of it, as a value."""
    return KnownImage(
        pk=row.pk,
        product=product_from_row(*row[: len(product_columns)]),
        path=row.path,
        domain=Domain(row.domain),
        box=box_from_text(row.box),
        sha256=row.sha256,
        width=row.width,
        height=row.height,
        stat_key=row.stat_key,
        error=row.error,
        file=row.file,
        feature_sets=frozenset(of_feature_sets),
    )


def feature_block(rows: Sequence[Any], dim: int) -> FeatureBlock:
    """Converts rows of feature id, stored vector and its checksum to arrays.

    Raises:
        VectorDamaged: a vector is not the one that was stored.
    """
    for feature_id, vector, stored in rows:
        if fault := vector_fault(vector, stored, dim):
            raise VectorDamaged(feature_id, fault)
    ids = np.fromiter((row[0] for row in rows), np.int64, len(rows))
    return ids, decode_vectors([row[1] for row in rows], dim)


class VectorDamaged(CatalogDamaged):
    """A stored vector is not the one that was computed.

    Args:
        feature_id: its row in the table ``features``.
        fault: what is wrong with it.
        product_id: the product that it belongs to, if known.
    """

    def __init__(self, feature_id: int, fault: str, product_id: str | None = None) -> None:
        of_product = "" if product_id is None else f", of the product {product_id!r}"
        super().__init__(f"row {feature_id} of the table features{of_product}: {fault}")
        self.feature_id = feature_id
        self.fault = fault
        self._product_id = product_id

    def __reduce__(self) -> tuple[Any, ...]:
        """Copies it to another process by its arguments."""
        return type(self), (self.feature_id, self.fault, self._product_id)
