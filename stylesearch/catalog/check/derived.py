"""Checks what the catalog makes of its own rows: merged fields, amounts, categories, copies and marks."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Integer, String, exists, func, or_, select

from stylesearch.catalog.categories import Categories
from stylesearch.catalog.check.findings import Finding, Problem
from stylesearch.catalog.check.rows import DROP_VECTOR, MERGE
from stylesearch.catalog.merging import product_values, strange_fields, values_of
from stylesearch.catalog.queries import product_from_row
from stylesearch.catalog.records import SourceListing
from stylesearch.catalog.schema_version import CATALOG_ID, NEEDS_STYLESEARCH
from stylesearch.catalog.shown_counts import COUNTED
from stylesearch.catalog.tables import (
    ImageState,
    about,
    category_map,
    feature_sets,
    features,
    image_listings,
    images,
    listings,
    product_columns,
    products,
    shown_counts,
    sources,
)
from stylesearch.catalog.value_rows import read_values, values_to_filter
from stylesearch.errors import CatalogDamaged
from stylesearch.types import Domain, Product

__all__ = ["COUNT_ANEW", "DROP_MARK", "READ_PRICES", "REFILE", "VALUES", "check_derived", "read_listings"]

READ_PRICES: Final = "reads the prices and the category anew"
REFILE: Final = "files the vectors anew"
DROP_MARK: Final = "drops the mark"
COUNT_ANEW: Final = "counts anew"
VALUES: Final = "makes the values anew"

_Read = tuple[int, str, Product, list[SourceListing]]
"""Key, shop category, product, and what the sources say of it."""

PAGE: Final = 500
DERIVED: Final = ("category", "amount", "amount_max", "currency")
"""Columns of a product that follow from others."""

COMPLETE: Final = "complete:"

REMOVE: Final = "remove these products, and ingest their source again"


def check_derived(connection: Connection) -> Iterator[Finding]:
    """Yields where the catalog disagrees with itself. Rows that cannot be read are left out."""
    yield from _check_products(connection)
    yield _check_listed(connection)
    yield _check_copies(connection)
    yield _check_counts(connection)
    yield _check_marks(connection)


def _check_products(connection: Connection) -> Iterator[Finding]:
    merged = Finding("merged fields, as the sources say them", 0, "products")
    prices = Finding("amounts and categories of products", 0, "products")
    categories = Categories(dict(connection.execute(select(category_map)).all()))
    for pk, shop_category, product, said in _products(connection):
        values = values_of(product, shop_category)
        merged.n_checked += 1
        prices.n_checked += 1
        if wrong := strange_fields(product.id, values, said):
            names = ", ".join(sorted(wrong))
            what = f"no source says what {product.id!r} has: {names}"
            merged.add(Problem(what, product.id, MERGE, pk))
            continue
        row = product_values(product.id, values, categories)
        if wrong := {name for name in DERIVED if row[name] != getattr(product, name)}:
            what = (
                f"{product.id!r} has another {', '.join(sorted(wrong))} than follows from what the shop says"
            )
            prices.add(Problem(what, product.id, READ_PRICES, pk))
    yield merged
    yield prices
    yield _check_values(connection)


def _check_values(connection: Connection) -> Finding:
    """The values that filters look up, against the attributes and options of their products."""
    found = Finding("values that filters look up", 0, "products")
    left = _products(connection)
    while page := list(itertools.islice(left, PAGE)):
        stored = read_values(connection, [pk for pk, *_ in page])
        for pk, _, product, _ in page:
            found.n_checked += 1
            options = [one.options for one in product.variants]
            if values_to_filter(product.attributes, options) != stored[pk]:
                what = f"{product.id!r} has other attributes than filters look up"
                found.add(Problem(what, product.id, VALUES, pk))
    return found


def _products(connection: Connection) -> Iterator[_Read]:
    """Yields key, shop category, product and listings of all products that can be read."""
    last = -1
    while True:
        page = select(products.c.pk).where(products.c.pk > last).order_by(products.c.pk).limit(PAGE)
        pks = connection.execute(page).scalars().all()
        if not pks:
            return
        last = pks[-1]
        try:
            found = _read(connection, pks)
        except CatalogDamaged:  # named by the check of the rows: the others one by one
            found = list(_read_singly(connection, pks))
        yield from found


def _read(connection: Connection, pks: Sequence[int]) -> list[_Read]:
    statement = select(products.c.pk, products.c.shop_category, *product_columns)
    said = read_listings(connection, pks)
    return [
        (row[0], row[1], product_from_row(*row[2:]), said.get(row[0], []))
        for row in connection.execute(statement.where(products.c.pk.in_(pks)).order_by(products.c.pk))
    ]


def _read_singly(connection: Connection, pks: Sequence[int]) -> Iterator[_Read]:
    for pk in pks:
        with contextlib.suppress(CatalogDamaged):
            yield from _read(connection, [pk])


def read_listings(connection: Connection, product_pks: Sequence[int]) -> dict[int, list[SourceListing]]:
    """Reads what all sources say of products; by product, the one that came last first."""
    statement = (
        select(
            listings.c.product_pk,
            sources.c.name,
            listings.c.place,
            listings.c.said,
            listings.c.guesses,
            listings.c.lists,
        )
        .join_from(listings, sources, sources.c.pk == listings.c.source_pk)
        .where(listings.c.product_pk.in_(product_pks))
        .order_by(sources.c.run.desc())
    )
    found: dict[int, list[SourceListing]] = {}
    for pk, *columns in connection.execute(statement):
        found.setdefault(pk, []).append(SourceListing(*columns))
    return found


def _check_listed(connection: Connection) -> Finding:
    """Products and images that no source lists: what none lists is removed when it is no longer listed."""
    n = connection.execute(select(func.count()).select_from(products)).scalar_one()
    n_images = connection.execute(select(func.count()).select_from(images)).scalar_one()
    found = Finding("listings of the sources", n + n_images, "products and images", hint=REMOVE)
    is_listed = exists().where(listings.c.product_pk == products.c.pk, listings.c.lists)
    for (product_id,) in connection.execute(select(_raw(products.c.id)).where(~is_listed)):
        found.add(Problem(f"no source lists the product {product_id!r}", product_id))
    unlisted = (
        select(_raw(products.c.id), _raw(images.c.path))
        .join_from(images, products, products.c.pk == images.c.product_pk)
        .where(~exists().where(image_listings.c.image_pk == images.c.pk))
    )
    for product_id, path in connection.execute(unlisted):
        found.add(Problem(f"no source lists the image {path!r} of the product {product_id!r}", product_id))
    return found


def _check_copies(connection: Connection) -> Finding:
    """Vectors that are filed under another domain or category than their image and product."""
    n = connection.execute(select(func.count()).select_from(features)).scalar_one()
    found = Finding("domain and category of vectors, as their images have them", n, "vectors")
    differs = (
        select(features.c.id, features.c.image_pk, _raw(products.c.id))
        .join_from(features, images, images.c.pk == features.c.image_pk)
        .join(products, products.c.pk == images.c.product_pk)
        .where(
            images.c.domain.in_(
                [domain.value for domain in Domain]
            ),  # others are named by the check of the rows
            or_(
                features.c.domain != images.c.domain,
                features.c.category != products.c.category,
            ),
        )
    )
    for feature_id, image_pk, product_id in connection.execute(differs):
        what = f"row {feature_id} of features is filed elsewhere than its image"
        found.add(Problem(what, product_id, REFILE, image_pk))
    failed = (
        select(features.c.id, _raw(products.c.id))
        .join_from(features, images, images.c.pk == features.c.image_pk)
        .join(products, products.c.pk == images.c.product_pk)
        .where(images.c.state == ImageState.FAILED.value)
    )
    for feature_id, product_id in connection.execute(failed):
        what = f"row {feature_id} of features is of an image that could not be used"
        found.add(Problem(what, product_id, DROP_VECTOR, feature_id))
    return found


def _check_counts(connection: Connection) -> Finding:
    """The table ``shown_counts``, which writers keep up, against a count."""
    stored = select(
        _raw(shown_counts.c.category), func.coalesce(shown_counts.c.n_products, 0, type_=Integer())
    )
    counted = COUNTED.with_only_columns(_raw(products.c.category), func.count())
    kept: dict[str, int] = dict(connection.execute(stored).all())
    right: dict[str, int] = dict(connection.execute(counted).all())
    found = Finding("products with pictures by category, as they are counted", len(right), "categories")
    for name in sorted(kept.keys() | right.keys(), key=repr):
        if kept.get(name) != right.get(name):
            what = f"shown_counts has {kept.get(name, 0)} products of {name!r}. Counted: {right.get(name, 0)}"
            found.add(Problem(what, None, COUNT_ANEW, name))
    return found


def _check_marks(connection: Connection) -> Finding:
    """The rows of the table ``about``."""
    names = set(connection.execute(select(_raw(about.c.name))).scalars())
    known = set(connection.execute(select(_raw(feature_sets.c.fingerprint))).scalars())
    found = Finding("facts about the catalog itself", len(names), "facts", hint="restore a backup")
    for name in sorted({CATALOG_ID, NEEDS_STYLESEARCH} - names):
        found.add(Problem(f"about has no {name}"))
    for name in sorted(names - {CATALOG_ID, NEEDS_STYLESEARCH}):
        if not name.startswith(COMPLETE):
            found.add(Problem(f"about has an unknown name: {name!r}"))
        elif name.removeprefix(COMPLETE) not in known:
            found.add(
                Problem(f"about says {name!r}, and there is no such feature set", None, DROP_MARK, name)
            )
    return found


def _raw(column: Any) -> Any:
    """A text without its check, which may stand beside a damaged one: by its bytes, where it is no UTF-8."""
    return func.coalesce(column, "", type_=String())
