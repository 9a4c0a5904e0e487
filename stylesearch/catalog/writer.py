"""The writing half of a catalog: what an import does, a chunk at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, bindparam, delete, insert, select, update

from stylesearch.catalog import feature_rows, pruning
from stylesearch.catalog.known import ImageKey
from stylesearch.catalog.models import feature_sets, images, product_columns, products
from stylesearch.catalog.row_values import image_values, product_values, same_product
from stylesearch.catalog.rows import (
    Change,
    FeatureSet,
    ImageEntry,
    Pruned,
    feature_set_from_row,
    in_batches,
)
from stylesearch.catalog.vectors import DTYPES
from stylesearch.errors import CatalogError, DatasetError, NotInCatalog
from stylesearch.types import Product

__all__ = ["Writer"]

_image_values: Final = (
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
"""What an import says about a picture, in the order of :func:`image_values`."""


class Writer:
    """Changes to a catalog, from one thread; got from :meth:`Catalog.writing`.

    Everything happens inside ``with writer.transaction():`` and is there for all readers when that ends,
    or not at all. Nothing here is about one row: every method takes many and costs a few statements.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing: an exception, a kill or a pulled plug inside leaves the catalog as it was.

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
        """The feature set with this fingerprint, made if it is new.

        Raises:
            CatalogError: it is known with another width, so the fingerprint misses something.
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
        """Puts products in, or brings them up to date; of two with one id the first counts.

        A product that moves to another category takes its vectors along, under new feature ids.

        Returns:
            what happened, by product id.

        Raises:
            DatasetError: one without an id or a category; an empty category stands for all of them elsewhere.
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
                new.append(product_values(product))
                continue
            pk, before = known[product_id]
            if same_product(before, product):
                changes[product_id] = Change.UNCHANGED
                continue
            changes[product_id] = Change.CHANGED
            changed.append({"row_pk": pk, **product_values(product)})
            if before.category != product.category:
                moved.append(pk)
        if new:
            connection.execute(insert(products), new)
        if changed:
            connection.execute(update(products).where(products.c.pk == bindparam("row_pk")), changed)
        feature_rows.refile(connection, feature_rows.images_of_products(connection, moved))
        return changes

    def upsert_images(
        self, entries: Iterable[ImageEntry], *, source: str
    ) -> dict[ImageKey, tuple[int, Change]]:
        """Puts pictures in, or brings them up to date; of two with one product and path the first counts.

        Other bytes, another box, or an error remove the picture's vectors; another domain files them anew.
        A new stat key, size or source alone is kept, but is no change.

        Args:
            entries: of products that are in the catalog.
            source: the import that lists them.

        Returns:
            the image's key in this catalog and what happened, by product id and path.

        Raises:
            NotInCatalog: a product is not.
        """
        connection = self._open()
        by_key: dict[ImageKey, ImageEntry] = {}
        for entry in entries:
            by_key.setdefault((entry.product_id, entry.path), entry)
        product_pks = self._product_pks({product_id for product_id, _ in by_key})
        known: dict[tuple[int, str], Any] = {}
        for batch in in_batches(sorted(product_pks.values())):
            statement = select(images.c.product_pk, images.c.path, images.c.pk, *_image_values)
            for row in connection.execute(statement.where(images.c.product_pk.in_(batch))):
                known[row[0], row[1]] = row[2:]
        result: dict[ImageKey, tuple[int, Change]] = {}
        new: list[dict[str, Any]] = []
        updated: list[dict[str, Any]] = []
        outdated: list[int] = []
        refiled: list[int] = []
        for key, entry in by_key.items():
            place = (product_pks[entry.product_id], entry.path)
            values = image_values(entry, source)
            before = known.get(place)
            if before is None:
                new.append({"product_pk": place[0], "path": place[1], **values})
                continue
            pk, *old = before
            was = dict(zip(values, old, strict=True))
            if was != values:
                updated.append({"row_pk": pk, **values})
            change = Change.UNCHANGED
            if any(was[name] != values[name] for name in ("sha256", "box", "state", "error")):
                change = Change.CHANGED
                outdated.append(pk)
            elif was["domain"] != values["domain"]:
                change = Change.CHANGED
                refiled.append(pk)
            result[key] = (pk, change)
        if updated:
            connection.execute(update(images).where(images.c.pk == bindparam("row_pk")), updated)
        feature_rows.remove(connection, outdated)
        feature_rows.refile(connection, refiled)
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
        """Stores vectors of pictures, in place of those they had in this feature set.

        Args:
            feature_set: of this catalog.
            image_pks: keys of n usable pictures, as :meth:`upsert_images` gives them.
            vectors: shape (n, dim), finite.

        Raises:
            CatalogError: a number is not finite, or a picture is failed or gone.
            ValueError: the shape does not fit.
        """
        feature_rows.add(self._open(), feature_set, image_pks, vectors)

    def mark_seen(self, image_pks: Iterable[int]) -> None:
        """Remembers, until this writer ends, pictures that this run has listed; see :meth:`prune`."""
        pruning.mark_seen(self._open(), image_pks)

    def prune(self, source: str, *, whole_products: bool = True) -> Pruned:
        """Removes what an earlier run of ``source`` listed and this one has not marked as seen.

        Args:
            source: only pictures of this import are removed, and products without any picture left.
            whole_products: False keeps every product of which no picture was seen, and only removes
                pictures that a seen product no longer lists.
        """
        return pruning.prune(self._open(), source, whole_products=whole_products)

    def count_unseen(self, source: str, *, whole_products: bool = True) -> int:
        """How many pictures :meth:`prune` would remove; nothing is."""
        return pruning.count_unseen(self._open(), source, whole_products=whole_products)

    def forget_lost_files(self) -> int:
        """Removes pictures, of any source, that were not seen and whose file is gone; says how many.

        Only of products of which another picture was seen: their folder has moved and was ingested again.
        Paths that are URLs, and files that cannot be looked at, are left alone.
        """
        return pruning.forget_lost_files(self._open())

    def remove_products(self, product_ids: Iterable[str]) -> int:
        """Removes products with their pictures and vectors; returns how many there were."""
        connection = self._open()
        removed = 0
        for batch in in_batches(sorted(set(product_ids))):
            removed += connection.execute(delete(products).where(products.c.id.in_(batch))).rowcount
        return removed

    def remove_feature_sets(self, fingerprints: Iterable[str]) -> int:
        """Removes feature sets with all their vectors; returns how many there were."""
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
