"""Writes to a catalog: adds, updates and removes products, images and feature vectors.

Rows of the table ``features`` are added, removed and filed anew under another id, never changed.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Integer,
    MetaData,
    Table,
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    select,
    text,
    update,
)

from stylesearch.catalog.queries import BATCH, feature_set_from_row, in_batches
from stylesearch.catalog.records import Change, FeatureSet, ImageEntry, ImageKey, Pruned
from stylesearch.catalog.schema_version import complete_mark
from stylesearch.catalog.tables import (
    ImageState,
    about,
    feature_sets,
    features,
    images,
    product_columns,
    products,
)
from stylesearch.catalog.vector_codec import DTYPES, encode_vectors
from stylesearch.errors import CatalogError, DatasetError, NotInCatalog
from stylesearch.types import Product

__all__ = ["Writer", "microseconds_since_1970"]

_URL: Final = re.compile("[a-z][a-z0-9+.-]*://", re.IGNORECASE)

# Temporary tables belong to the connection and lie outside the catalog's file: marking every image of an
# unchanged shop writes nothing to it, and a run that is cut short leaves no marks.
_seen: Final = Table(
    "seen_images", MetaData(), Column("image_pk", Integer, nullable=False, index=True), prefixes=["TEMPORARY"]
)
_thinned: Final = Table(
    "thinned_products", MetaData(), Column("product_pk", Integer, primary_key=True), prefixes=["TEMPORARY"]
)

_entry_columns: Final = (
    images.c.sha256,
    images.c.domain,
    images.c.box,
    images.c.width,
    images.c.height,
    images.c.state,
    images.c.error,
    images.c.stat_key,
    images.c.source,
)
"""What an import says about an image, in the order of ``_image_values``."""

_insert_filed: Final = insert(features).from_select(
    ["feature_set_pk", "image_pk", "domain", "category", "vector"],
    select(
        bindparam("row_feature_set_pk", type_=features.c.feature_set_pk.type),
        images.c.pk,
        images.c.domain,
        products.c.category,
        bindparam("row_vector", type_=features.c.vector.type),
    )
    .join_from(images, products, products.c.pk == images.c.product_pk)
    .where(images.c.pk == bindparam("row_image_pk"), images.c.state == ImageState.OK.value),
)
"""Files a vector under what its image and product say at this moment, so the copies cannot disagree."""

_raise_sequence: Final = text("UPDATE sqlite_sequence SET seq = max(seq, :now) WHERE name = 'features'")
_begin_sequence: Final = text("INSERT INTO sqlite_sequence (name, seq) VALUES ('features', :now)")


class Writer:
    """Changes a catalog, from one thread; ``Catalog.writing`` gives one.

    Every method but ``transaction`` is called inside ``with writer.transaction():``. Readers see all
    changes when that ends, or none. Every method takes many rows and costs a few statements.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Begins a transaction: an exception, a kill or a power cut inside leaves the catalog as it was.

        Raises:
            CatalogLocked: another program's transaction did not end in time.
            CatalogError: no space left, or not allowed.
        """
        if self._connection.in_transaction():
            raise RuntimeError("a transaction is open already: they do not nest")
        with self._connection.begin():
            yield

    def feature_set(
        self,
        *,
        extractor: str,
        parameters: Mapping[str, Any],
        weights_digest: str,
        fingerprint: str,
        dim: int,
        dtype: str = "float16",
    ) -> FeatureSet:
        """Returns the feature set with this fingerprint, and creates it if it is new.

        Raises:
            CatalogError: there is one of another width, so the fingerprint misses something.
        """
        if dtype not in DTYPES:
            raise ValueError(f"vectors are stored as one of {', '.join(DTYPES)}. Received: {dtype!r}")
        connection = self._open()
        statement = select(feature_sets).where(feature_sets.c.fingerprint == fingerprint)
        row = connection.execute(statement).one_or_none()
        if row is None:
            connection.execute(
                insert(feature_sets).values(
                    fingerprint=fingerprint,
                    extractor=extractor,
                    parameters=dict(parameters),
                    weights_digest=weights_digest,
                    dim=dim,
                    dtype=dtype,
                )
            )
            row = connection.execute(statement).one()
        known = feature_set_from_row(row)
        if known.dim != dim:
            raise CatalogError(
                f"the vectors of {extractor} ({fingerprint[:12]}) have {known.dim} numbers, not {dim}",
                hint="two different extractors have the same fingerprint: that is a mistake in one of them",
            )
        return known

    def upsert_products(self, wanted: Iterable[Product]) -> dict[str, Change]:
        """Adds or updates products; of two with one id the first counts.

        A product that moves to another category takes its vectors along, under new feature ids.

        Returns:
            the change by product id.

        Raises:
            DatasetError: a product has no id or no category; an empty category stands for all elsewhere.
        """
        connection = self._open()
        by_id: dict[str, Product] = {}
        for product in wanted:
            if not product.id or not product.category:
                raise DatasetError(f"every product has an id and a category. Received: {product}")
            by_id.setdefault(product.id, product)
        known: dict[str, tuple[int, Product]] = {}
        for batch in in_batches(list(by_id)):
            statement = select(products.c.pk, *product_columns).where(products.c.id.in_(batch))
            known.update({row[1]: (row[0], Product(*row[1:])) for row in connection.execute(statement)})
        changes: dict[str, Change] = {}
        new: list[dict[str, Any]] = []
        changed: list[dict[str, Any]] = []
        moved: list[int] = []
        for product_id, product in by_id.items():
            if product_id not in known:
                changes[product_id] = Change.NEW
                new.append(_product_values(product))
                continue
            pk, before = known[product_id]
            if _is_same_product(before, product):
                changes[product_id] = Change.UNCHANGED
                continue
            changes[product_id] = Change.CHANGED
            changed.append({"row_pk": pk, **_product_values(product)})
            if before.category != product.category:
                moved.append(pk)
        if new:
            connection.execute(insert(products), new)
        if changed:
            connection.execute(update(products).where(products.c.pk == bindparam("row_pk")), changed)
        self._refile(self._images_of_products(moved))
        return changes

    def upsert_images(
        self, entries: Iterable[ImageEntry], *, source: str
    ) -> dict[ImageKey, tuple[int, Change]]:
        """Adds or updates images; of two with one product and path the first counts.

        Other bytes, another box, or an error remove the image's vectors; another domain gives them new ids. A
        new stat key, size or source alone is stored, but does not count as a change.

        Args:
            entries: images of products that are in the catalog.
            source: the import that lists them.

        Returns:
            the image's key in this catalog and the change, by product id and path.

        Raises:
            NotInCatalog: a product is not in the catalog.
        """
        connection = self._open()
        by_key: dict[ImageKey, ImageEntry] = {}
        for entry in entries:
            by_key.setdefault((entry.product_id, entry.path), entry)
        product_pks = self._product_pks({product_id for product_id, _ in by_key})
        known: dict[tuple[int, str], Any] = {}
        for batch in in_batches(sorted(product_pks.values())):
            statement = select(images.c.product_pk, images.c.path, images.c.pk, *_entry_columns)
            for row in connection.execute(statement.where(images.c.product_pk.in_(batch))):
                known[row[0], row[1]] = row[2:]
        result: dict[ImageKey, tuple[int, Change]] = {}
        new: list[dict[str, Any]] = []
        updated: list[dict[str, Any]] = []
        outdated: list[int] = []
        refiled: list[int] = []
        for key, entry in by_key.items():
            product_pk = product_pks[entry.product_id]
            values = _image_values(entry, source)
            before = known.get((product_pk, entry.path))
            if before is None:
                new.append({"product_pk": product_pk, "path": entry.path, **values})
                continue
            pk, *columns = before
            stored = dict(zip(values, columns, strict=True))
            if stored != values:
                updated.append({"row_pk": pk, **values})
            change = Change.UNCHANGED
            if any(stored[name] != values[name] for name in ("sha256", "box", "state", "error")):
                change = Change.CHANGED
                outdated.append(pk)
            elif stored["domain"] != values["domain"]:
                change = Change.CHANGED
                refiled.append(pk)
            result[key] = (pk, change)
        if updated:
            connection.execute(update(images).where(images.c.pk == bindparam("row_pk")), updated)
        self._remove_features(outdated)
        self._refile(refiled)
        if new:
            pk_of = {
                (product_pk, path): pk
                for pk, product_pk, path in connection.execute(
                    insert(images).returning(images.c.pk, images.c.product_pk, images.c.path), new
                )
            }
            for key in by_key.keys() - result.keys():
                result[key] = (pk_of[product_pks[key[0]], key[1]], Change.NEW)
        return {key: result[key] for key in by_key}

    def add_features(
        self, feature_set: FeatureSet, image_pks: Sequence[int], vectors: npt.NDArray[np.floating[Any]]
    ) -> None:
        """Stores vectors of images, replacing those that they had in this feature set.

        Args:
            feature_set: a feature set of this catalog.
            image_pks: keys of n usable images, as ``upsert_images`` gives them.
            vectors: shape (n, dim), finite.

        Raises:
            CatalogError: a number is not finite, or an image has failed or is gone.
            ValueError: the shape does not fit.
        """
        connection = self._open()
        if vectors.shape != (len(image_pks), feature_set.dim):
            raise ValueError(
                f"{len(image_pks)} pictures need vectors of the shape ({len(image_pks)}, {feature_set.dim}). "
                f"Received: {vectors.shape}"
            )
        encoded = encode_vectors(vectors, feature_set.dtype)
        pks = [int(pk) for pk in image_pks]
        for batch in in_batches(pks):
            connection.execute(
                delete(features).where(
                    features.c.image_pk.in_(batch), features.c.feature_set_pk == feature_set.pk
                )
            )
        self._insert_features([(feature_set.pk, pk, vector) for pk, vector in zip(pks, encoded, strict=True)])

    def mark_complete(self, feature_set: FeatureSet) -> None:
        """Notes that all shop images have features of this set, for ``Catalog.is_complete``."""
        connection, name = self._open(), complete_mark(feature_set)
        connection.execute(delete(about).where(about.c.name == name))
        connection.execute(insert(about).values(name=name, value="yes"))

    def mark_seen(self, image_pks: Iterable[int]) -> None:
        """Marks images that this run has listed, until this writer ends; see ``prune``."""
        connection = self._open()
        _seen.create(connection, checkfirst=True)
        rows = [{"image_pk": int(pk)} for pk in image_pks]
        if rows:
            connection.execute(insert(_seen), rows)

    def prune(self, source: str, *, whole_products: bool = True) -> Pruned:
        """Removes images that an earlier run of ``source`` listed and this one has not marked as seen.

        Args:
            source: only images of this import are removed, and products without any image left.
            whole_products: whether products of which no image was seen are removed too; if not, only images
                that a seen product no longer lists.
        """
        connection = self._open()
        _seen.create(connection, checkfirst=True)
        _thinned.create(connection)
        unseen = _is_unseen(source, whole_products=whole_products)
        connection.execute(
            insert(_thinned).from_select(["product_pk"], select(images.c.product_pk).where(unseen).distinct())
        )
        removed_images = connection.execute(delete(images).where(unseen)).rowcount
        removed_products = connection.execute(
            delete(products).where(
                products.c.pk.in_(select(_thinned.c.product_pk)),
                ~exists().where(images.c.product_pk == products.c.pk),
            )
        ).rowcount
        _thinned.drop(connection)
        return Pruned(products=removed_products, images=removed_images)

    def count_unseen(self, source: str, *, whole_products: bool = True) -> int:
        """Counts the images that ``prune`` would remove, without removing any."""
        connection = self._open()
        _seen.create(connection, checkfirst=True)
        unseen = _is_unseen(source, whole_products=whole_products)
        return connection.execute(select(func.count()).select_from(images).where(unseen)).scalar_one()

    def forget_lost_files(self) -> int:
        """Removes images, of any source, that were not seen and whose file is gone; returns how many.

        Only of products of which another image was seen: their folder has moved and was ingested again.
        Paths that are URLs, and files that cannot be looked at, are left alone.
        """
        connection = self._open()
        _seen.create(connection, checkfirst=True)
        sibling = images.alias("sibling")
        # One pass in the order of the keys, with an index look-up for each image: a list of the products
        # that were seen would be computed again for every batch.
        candidates = (
            select(images.c.pk, images.c.path)
            .where(
                ~exists().where(_seen.c.image_pk == images.c.pk),
                exists()
                .where(sibling.c.product_pk == images.c.product_pk, _seen.c.image_pk == sibling.c.pk)
                .correlate(images),
            )
            .order_by(images.c.pk)
            .limit(BATCH)
        )
        removed = last = 0
        while rows := connection.execute(candidates.where(images.c.pk > last)).all():
            last = rows[-1][0]
            if lost := [pk for pk, path in rows if _is_lost(path)]:
                removed += connection.execute(delete(images).where(images.c.pk.in_(lost))).rowcount
        return removed

    def remove_products(self, product_ids: Iterable[str]) -> int:
        """Removes products with their images and vectors; returns how many were removed."""
        connection = self._open()
        removed = 0
        for batch in in_batches(sorted(set(product_ids))):
            removed += connection.execute(delete(products).where(products.c.id.in_(batch))).rowcount
        return removed

    def remove_feature_sets(self, fingerprints: Iterable[str]) -> int:
        """Removes feature sets with all their vectors; returns how many were removed."""
        wanted = feature_sets.c.fingerprint.in_(list(fingerprints))
        return self._open().execute(delete(feature_sets).where(wanted)).rowcount

    def _open(self) -> Connection:
        if not self._connection.in_transaction():
            raise RuntimeError("call this inside `with writer.transaction():`")
        return self._connection

    def _product_pks(self, product_ids: set[str]) -> dict[str, int]:
        found: dict[str, int] = {}
        for batch in in_batches(sorted(product_ids)):
            statement = select(products.c.id, products.c.pk).where(products.c.id.in_(batch))
            found.update(self._connection.execute(statement).all())
        if missing := product_ids - found.keys():
            raise NotInCatalog(f"no product {min(missing)!r} in the catalog to add a picture to")
        return found

    def _images_of_products(self, product_pks: Sequence[int]) -> list[int]:
        found: list[int] = []
        for batch in in_batches(product_pks):
            statement = select(images.c.pk).where(images.c.product_pk.in_(batch)).order_by(images.c.pk)
            found += self._connection.execute(statement).scalars()
        return found

    def _refile(self, image_pks: Sequence[int]) -> None:
        """Replaces all vectors of these images by copies with new ids, in the current domain and category."""
        for batch in in_batches(image_pks):
            statement = (
                select(features.c.feature_set_pk, features.c.image_pk, features.c.vector)
                .where(features.c.image_pk.in_(batch))
                .order_by(features.c.id)
            )
            rows = [(row[0], row[1], row[2]) for row in self._connection.execute(statement)]
            self._remove_features(batch)
            self._insert_features(rows)

    def _remove_features(self, image_pks: Sequence[int]) -> None:
        for batch in in_batches(image_pks):
            self._connection.execute(delete(features).where(features.c.image_pk.in_(batch)))

    def _insert_features(self, rows: Sequence[tuple[int, int, bytes]]) -> None:
        """Inserts rows of feature set, image and stored vector."""
        if not rows:
            return
        _raise_ids_to_the_clock(self._connection)
        parameters = [
            {"row_feature_set_pk": feature_set_pk, "row_image_pk": image_pk, "row_vector": vector}
            for feature_set_pk, image_pk, vector in rows
        ]
        counted = {"preserve_rowcount": True}  # some databases do not count the rows of an INSERT otherwise
        inserted = self._connection.execute(_insert_filed, parameters, execution_options=counted)
        if inserted.rowcount != len(rows):
            raise CatalogError(
                "a vector was given of a picture that is not in the catalog, or not usable",
                hint="put the picture in, without an error, before its vectors",
            )


def _product_values(product: Product) -> dict[str, Any]:
    """Converts a product to a row of its table, by column."""
    return {
        "id": product.id,
        "title": product.title,
        "category": product.category,
        "url": product.url,
        "price": product.price,
        "attributes": dict(product.attributes),
    }


def _is_same_product(stored: Product, given: Product) -> bool:
    """Whether a stored product equals the one that a source describes."""
    if stored == given:
        return True
    # Values that JSON changes (a tuple, a number as key) would otherwise count as changed at every run.
    attributes = json.loads(json.dumps(dict(given.attributes)))
    return _product_values(stored) == {**_product_values(given), "attributes": attributes}


def _image_values(entry: ImageEntry, source: str) -> dict[str, Any]:
    """Converts an image to a row of its table, by column, without its product and path."""
    return {
        "sha256": entry.sha256,
        "domain": entry.domain.value,
        "box": None if entry.box is None else str(entry.box),
        "width": entry.width,
        "height": entry.height,
        "state": (ImageState.OK if entry.error is None else ImageState.FAILED).value,
        "error": entry.error,
        "stat_key": entry.stat_key,
        "source": source,
    }


def _is_unseen(source: str, *, whole_products: bool) -> ColumnElement[bool]:
    """Condition for images of a source that are not marked as seen; see ``Writer.prune``."""
    seen = select(_seen.c.image_pk)
    unseen = and_(images.c.source == source, images.c.pk.not_in(seen))
    if whole_products:
        return unseen
    sibling = images.alias("sibling")
    listed = select(sibling.c.product_pk).where(sibling.c.pk.in_(seen))
    return and_(unseen, images.c.product_pk.in_(listed))


def _is_lost(path: str) -> bool:
    if _URL.match(path):
        return False
    try:
        os.stat(path)  # noqa: PTH116 - Path.exists() says no also where it could not look
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):
        return False
    return False


def _raise_ids_to_the_clock(connection: Connection) -> None:
    """Makes the next ids larger than any that a deleted or newer copy of this catalog can have used.

    SQLite alone guarantees only that ids rise within one file. A catalog that is deleted and made anew, or
    restored from a backup, would use ids again that an index on disk still holds for other images. Ids that
    begin at the microseconds since 1970 are always new: rows are not written at a million a second.
    """
    if connection.dialect.name != "sqlite":
        return
    now = {"now": microseconds_since_1970()}
    raised = connection.execute(_raise_sequence, now)
    if not raised.rowcount:
        connection.execute(_begin_sequence, now)


def microseconds_since_1970() -> int:
    """The time in microseconds, from which feature ids begin."""
    return time.time_ns() // 1000
