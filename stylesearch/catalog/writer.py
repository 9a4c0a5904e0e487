"""Writes to a catalog: adds, updates and removes products, images and feature vectors.

Rows of the table ``features`` are added, removed and filed anew under another id, never changed.
"""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final, Generic, TypeVar

import numpy as np
import numpy.typing as npt
from sqlalchemy import (
    Connection,
    String,
    bindparam,
    cast,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from stylesearch.catalog.backends import backend_behind
from stylesearch.catalog.categories import Categories
from stylesearch.catalog.feature_rows import FeatureRows
from stylesearch.catalog.merging import merge, patch_values, product_values, values_of, without
from stylesearch.catalog.queries import feature_set_from_row, in_batches, product_from_row
from stylesearch.catalog.records import (
    Change,
    FeatureSet,
    ImageEntry,
    ImageKey,
    Patch,
    ProductChange,
    SourceListing,
)
from stylesearch.catalog.schema_version import complete_mark
from stylesearch.catalog.shown_counts import ShownCounts
from stylesearch.catalog.source_rows import SourceRows
from stylesearch.catalog.stored_types import check_variants
from stylesearch.catalog.tables import (
    ImageState,
    about,
    category_map,
    feature_sets,
    features,
    images,
    listings,
    product_columns,
    products,
    sources,
)
from stylesearch.catalog.value_rows import Values, store_values, values_to_filter
from stylesearch.catalog.vector_codec import DTYPES, checksum, encode_vectors
from stylesearch.errors import CatalogDamaged, CatalogError, ConfigError, DatasetError, NotInCatalog
from stylesearch.listing import Listing, fault_of_texts
from stylesearch.types import Domain, Product, Variant

__all__ = ["Writer"]

_entry_columns: Final = (
    images.c.sha256,
    images.c.domain,
    images.c.box,
    images.c.width,
    images.c.height,
    images.c.state,
    images.c.error,
    images.c.stat_key,
    images.c.file,
    images.c.options,
    images.c.position,
)
"""What an import says about an image, in the order of ``_image_values``."""


T = TypeVar("T")


class _Lazy(Generic[T]):
    """A value that is made when it is first called for."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._made: T | None = None

    def __call__(self) -> T:
        if self._made is None:
            self._made = self._make()
        return self._made


def _of_product(listings_of: _Lazy[dict[int, list[SourceListing]]], pk: int) -> list[SourceListing]:
    return listings_of().get(pk, [])


class Writer:
    """Changes a catalog, from one thread; ``Catalog.writing`` gives one.

    Every method but ``transaction`` is called inside ``with writer.transaction():``. Readers see all
    changes when that ends, or none. Every method takes many rows and costs a few statements.

    Attributes:
        shown_counts: what else changes products or images tells it: see ``stylesearch.catalog.shown_counts``.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._features = FeatureRows(connection)
        self._sources = SourceRows(connection)
        self.shown_counts = ShownCounts(connection)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Begins a transaction: an exception, a kill or a power cut inside leaves the catalog as it was.

        Raises:
            CatalogLocked: another program's transaction did not end in time.
            CatalogError: no space left, not allowed, or a row contradicts others.
        """
        if self._connection.in_transaction():
            raise RuntimeError("a transaction is open already: they do not nest")
        backend = backend_behind(self._connection)
        try:
            with self._connection.begin():
                backend.begin_writing(self._connection)
                yield
                backend.end_writing(self._connection)
        except IntegrityError as error:
            raise CatalogError(
                f"a row contradicts others in the catalog {backend}: {error.orig}",
                hint="run `stylesearch db check`; nothing of this transaction was stored",
            ) from error

    @property
    def sources(self) -> SourceRows:
        """The sources, and what each says of products."""
        self._open()
        return self._sources

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

    def remove_source(self, name: str) -> None:
        """Removes a source that lists nothing any more: see ``stylesearch.catalog.pruning``.

        What it said of products that others list is taken back.
        """
        connection = self._open()
        told = select(listings.c.product_pk).where(listings.c.source_pk == self.sources.key_of(name))
        self.unlist_products(name, list(connection.execute(told).scalars()))
        connection.execute(delete(sources).where(sources.c.name == name))

    def upsert_products(
        self, wanted: Iterable[Listing | Product], *, source: str, lists: bool = True
    ) -> dict[str, tuple[int, ProductChange]]:
        """Merges what a source says into products, and adds new ones; of two with one id the first counts.

        A product that moves to another category takes its vectors along, under new feature ids.

        Args:
            wanted: what the source says of each product; a ``Product`` says all that it has.
            source: name of the source; a new one is added.
            lists: whether the source lists these products, so that they stay while it does; if not, it only
                tells something of products that others list. A product that it lists already stays so.

        Returns:
            the product's key in this catalog and the change, by product id.

        Raises:
            DatasetError: a product has no id, or a text that no database stores.
        """
        by_id: dict[str, Listing] = {}
        for one in wanted:
            if not one.id:
                raise DatasetError(f"every product has an id. Received: {one}")
            if one.id not in by_id:
                by_id[one.id] = Listing.of(one) if isinstance(one, Product) else one
                if fault := fault_of_texts(by_id[one.id]):
                    raise DatasetError(f"a text cannot be stored: {fault}", hint="take it out")
        source_pk = self.sources.key_of(source)
        known = self._known_products(by_id)
        pks = [pk for pk, _, _ in known.values()]
        stored = self.sources.read_listings(pks, of_source=source_pk)
        others = _Lazy(lambda: self.sources.read_listings(pks, but_not=source_pk))
        categories = _Lazy(self.categories)
        result: dict[str, tuple[int, ProductChange]] = {}
        new: list[dict[str, Any]] = []
        changed: list[dict[str, Any]] = []
        listed: dict[str, SourceListing] = {}
        moved: list[int] = []
        for product_id, listing in by_id.items():
            pk, values, category = known.get(product_id, (0, {}, ""))
            mine = next(iter(stored.get(pk, ())), None)
            merged = merge(product_id, values, mine, listing, partial(_of_product, others, pk))
            place = listing.place or (mine.place if mine else "")
            now = SourceListing(
                source, place, merged.said, merged.guesses, lists or bool(mine and mine.lists)
            )
            if now != mine:
                listed[product_id] = now
            if not pk:
                new.append(product_values(product_id, merged.values, categories()))
                continue
            fields = _changed_fields(values, merged.values)
            if fields:
                row = product_values(product_id, merged.values, categories())
                changed.append({"row_pk": pk, **row})
                if row["category"] != category:
                    moved.append(pk)
            change = Change.CHANGED if fields else Change.UNCHANGED
            result[product_id] = pk, ProductChange(change, fields, merged.overruled)
        if new:
            added = insert(products).returning(products.c.id, products.c.pk)
            for product_id, pk in self._connection.execute(added, new):
                result[product_id] = pk, ProductChange(Change.NEW)
            values_of_new = {result[row["id"]][0]: _values_to_filter(row) for row in new}
            store_values(self._connection, values_of_new, are_new=True)
        self._update_products(changed, moved)
        self.sources.store_listings(source_pk, {result[name][0]: row for name, row in listed.items()}, stored)
        return {product_id: result[product_id] for product_id in by_id}

    def patch_products(self, patches: Mapping[str, Patch], *, source: str) -> dict[str, ProductChange]:
        """Changes some fields of products; the others, and the images, stay as they are.

        The source is the last one from then on: see ``SourceRows.count_run``. A product that moves to another
        category takes its vectors along, under new feature ids. What is cleared stays so until a source says
        it anew.

        Args:
            patches: the change by product id.
            source: name of the source that says so; a new one is added.

        Returns:
            What changed, or why it was refused, by product id; products that the catalog does not have are
            left out.
        """
        source_pk = self.sources.count_run(source)
        known = self._known_products(patches)
        stored = self.sources.read_listings([pk for pk, _, _ in known.values()], of_source=source_pk)
        categories = _Lazy(self.categories)
        result: dict[str, ProductChange] = {}
        changed: list[dict[str, Any]] = []
        listed: dict[int, SourceListing] = {}
        moved: list[int] = []
        for product_id, (pk, values, category) in known.items():
            mine = next(iter(stored.get(pk, ())), None)
            try:
                merged, said = patch_values(product_id, values, mine, patches[product_id])
            except ConfigError as error:
                refused = f"{error.message}: {error.hint}"
                result[product_id] = ProductChange(Change.UNCHANGED, refused=refused)
                continue
            if fault := fault_of_texts(Listing(product_id, said)):
                result[product_id] = ProductChange(Change.UNCHANGED, refused=fault)
                continue
            before = mine or SourceListing(source, "", {}, {}, lists=False)
            if said != before.said:
                listed[pk] = replace(before, said=said)
            fields = _changed_fields(values, merged)
            if fields:
                row = product_values(product_id, merged, categories())
                changed.append({"row_pk": pk, **row})
                if row["category"] != category:
                    moved.append(pk)
            result[product_id] = ProductChange(Change.CHANGED if fields else Change.UNCHANGED, fields)
        self._update_products(changed, moved)
        self.sources.store_listings(source_pk, listed, stored)
        return result

    def known_ids(self, product_ids: Iterable[str]) -> set[str]:
        """Selects the ids of products that the catalog has."""
        found: set[str] = set()
        for batch in in_batches(sorted(set(product_ids))):
            statement = select(products.c.id).where(products.c.id.in_(batch))
            found.update(self._open().execute(statement).scalars())
        return found

    def find_variants(self, variant_ids: Container[str]) -> dict[str, tuple[Variant, ...]]:
        """Reads all variants of products that have one with any of these ids, by product id.

        It reads the variants of the whole catalog, once: for a few ids as for a hundred thousand.
        """
        written = cast(products.c.variants, String)
        statement = select(products.c.id, written).where(written != "[]").order_by(products.c.pk)
        statement = statement.execution_options(yield_per=1000)  # or all are held at once
        found: dict[str, tuple[Variant, ...]] = {}
        for product_id, text in self._open().execute(statement):
            try:  # of a few only, the values are made: that takes longer than reading the texts
                variants = json.loads(text)
                if any(one["id"] in variant_ids for one in variants):
                    found[product_id] = tuple(Variant(**one) for one in variants)
                    check_variants(found[product_id])
            except (ValueError, TypeError, KeyError, RecursionError) as error:
                raise CatalogDamaged(
                    f"products.variants of {product_id!r} is not a list of variants"
                ) from error
        return found

    def upsert_images(
        self, entries: Iterable[ImageEntry], *, source: str
    ) -> dict[ImageKey, tuple[int, Change]]:
        """Adds or updates images; of two with one product and path the first counts.

        Other bytes, another box, or an error remove the image's vectors; another domain gives them new ids. A
        new stat key, size, file or position alone is stored, but does not count as a change.

        Args:
            entries: images of products that are in the catalog.
            source: name of the source that lists them; a new one is added.

        Returns:
            the image's key in this catalog and the change, by product id and path.

        Raises:
            NotInCatalog: a product is not in the catalog.
        """
        connection = self._open()
        by_key: dict[ImageKey, ImageEntry] = {}
        for entry in entries:
            by_key.setdefault((entry.product_id, entry.path), entry)
        product_pks, category_of = self._product_pks({product_id for product_id, _ in by_key})
        known: dict[tuple[int, str], Any] = {}
        shown: dict[tuple[int, str], bool] = {}
        domain_at, state_at = (3 + _entry_columns.index(one) for one in (images.c.domain, images.c.state))
        for batch in in_batches(sorted(product_pks.values())):
            statement = select(images.c.product_pk, images.c.path, images.c.pk, *_entry_columns)
            for row in connection.execute(statement.where(images.c.product_pk.in_(batch))):
                known[row[0], row[1]] = row[2:]
                shown[row[0], row[1]] = _is_shown(str(row[domain_at]), str(row[state_at]))
        shown_before = {product_pk for (product_pk, _), is_shown in shown.items() if is_shown}
        result: dict[ImageKey, tuple[int, Change]] = {}
        new: list[dict[str, Any]] = []
        updated: list[dict[str, Any]] = []
        outdated: list[int] = []
        refiled: list[int] = []
        for key, entry in by_key.items():
            product_pk = product_pks[entry.product_id]
            values = _image_values(entry)
            shown[product_pk, entry.path] = _is_shown(values["domain"], values["state"])
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
            elif stored["options"] != values["options"]:
                change = Change.CHANGED
            result[key] = (pk, change)
        source_pk = self.sources.key_of(source)
        if updated:
            connection.execute(update(images).where(images.c.pk == bindparam("row_pk")), updated)
        self._features.remove(outdated)
        self._features.refile(refiled)
        if new:
            pk_of = {
                (product_pk, path): pk
                for pk, product_pk, path in connection.execute(
                    insert(images).returning(images.c.pk, images.c.product_pk, images.c.path), new
                )
            }
            for key in by_key.keys() - result.keys():
                result[key] = (pk_of[product_pks[key[0]], key[1]], Change.NEW)
        self.sources.list_images(source_pk, [pk for pk, _ in result.values()])
        shown_now = {product_pk for (product_pk, _), is_shown in shown.items() if is_shown}
        differences = Counter(category_of[pk] for pk in shown_now - shown_before)
        differences.subtract(category_of[pk] for pk in shown_before - shown_now)
        self.shown_counts.add(differences)
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
        self._features.insert(
            [(feature_set.pk, pk, vector, checksum(vector)) for pk, vector in zip(pks, encoded, strict=True)]
        )

    def mark_complete(self, feature_set: FeatureSet) -> None:
        """Notes that all shop images have features of this set, for ``Catalog.is_complete``."""
        connection, name = self._open(), complete_mark(feature_set)
        connection.execute(delete(about).where(about.c.name == name))
        connection.execute(insert(about).values(name=name, value="yes"))

    def remove_products(self, product_ids: Iterable[str]) -> int:
        """Removes products with their images and vectors; returns how many were removed."""
        connection = self._open()
        removed = 0
        for batch in in_batches(sorted(set(product_ids))):
            self.shown_counts.removing(products.c.id.in_(batch))
            removed += connection.execute(delete(products).where(products.c.id.in_(batch))).rowcount
        return removed

    def unlist_products(self, source: str, product_pks: Sequence[int]) -> int:
        """Takes products from those that a source lists; returns how many were removed with that.

        A product that another source lists stays, without what only this source said of it. That another one
        has changed some fields of it does not keep it.
        """
        connection = self._open()
        source_pk = self.sources.key_of(source)
        removed = 0
        for batch in in_batches(product_pks):
            gone = self.sources.read_listings(batch, of_source=source_pk)
            left = self.sources.read_listings(batch, but_not=source_pk)
            connection.execute(
                delete(listings).where(listings.c.source_pk == source_pk, listings.c.product_pk.in_(batch))
            )
            orphans = [pk for pk in batch if not any(one.lists for one in left.get(pk, ()))]
            for some in in_batches(orphans):
                self.shown_counts.removing(products.c.pk.in_(some))
                removed += connection.execute(delete(products).where(products.c.pk.in_(some))).rowcount
            self._take_back(gone, left)
        return removed

    def categories(self) -> Categories:
        """Reads which categories products are searched in, by the sources' own."""
        return Categories(dict(self._open().execute(select(category_map)).all()))

    def refile_products(self, product_pks: Sequence[int]) -> None:
        """Files the vectors of products under their present categories, with new ids."""
        self._features.refile(self._images_of_products(product_pks))

    def store_values(self, rows: Mapping[int, Mapping[str, Any]]) -> None:
        """Stores what filters ask of products, by key the rows of ``merging.product_values``."""
        store_values(self._open(), {pk: _values_to_filter(row) for pk, row in rows.items()})

    def remove_feature_sets(self, fingerprints: Iterable[str]) -> int:
        """Removes feature sets with all their vectors; returns how many were removed."""
        wanted = feature_sets.c.fingerprint.in_(list(fingerprints))
        return self._open().execute(delete(feature_sets).where(wanted)).rowcount

    def connection(self) -> Connection:
        """The connection, inside a transaction; for the other modules of this package that write."""
        return self._open()

    def _known_products(self, product_ids: Iterable[str]) -> dict[str, tuple[int, dict[str, Any], str]]:
        """Reads key, values by field, and category of products, by id."""
        found = {}
        for batch in in_batches(list(product_ids)):
            statement = select(products.c.pk, products.c.shop_category, *product_columns)
            for pk, shop_category, *columns in self._open().execute(
                statement.where(products.c.id.in_(batch))
            ):
                product = product_from_row(*columns)
                found[product.id] = pk, values_of(product, shop_category), product.category
        return found

    def _update_products(self, rows: Sequence[dict[str, Any]], moved: Sequence[int]) -> None:
        """Stores rows of products, and files the vectors of moved ones under their new categories."""
        with self.shown_counts.following(moved):
            if rows:
                self._open().execute(update(products).where(products.c.pk == bindparam("row_pk")), list(rows))
                self.store_values({row["row_pk"]: row for row in rows})
        self.refile_products(moved)

    def _take_back(
        self, gone: Mapping[int, list[SourceListing]], left: Mapping[int, list[SourceListing]]
    ) -> None:
        """Changes products to what the sources that are left say of them."""
        categories = _Lazy(self.categories)
        changed, moved = [], []
        staying = sorted(gone.keys() & left.keys())
        for batch in in_batches(staying):
            statement = select(products.c.pk, products.c.shop_category, *product_columns)
            for pk, shop_category, *columns in self._open().execute(
                statement.where(products.c.pk.in_(batch))
            ):
                product = product_from_row(*columns)
                before = values_of(product, shop_category)
                values = without(product.id, before, gone[pk][0], left[pk])
                if values != before:
                    row = product_values(product.id, values, categories())
                    changed.append({"row_pk": pk, **row})
                    if row["category"] != product.category:
                        moved.append(pk)
        self._update_products(changed, moved)

    def _open(self) -> Connection:
        if not self._connection.in_transaction():
            raise RuntimeError("call this inside `with writer.transaction():`")
        return self._connection

    def _product_pks(self, product_ids: set[str]) -> tuple[dict[str, int], dict[int, str]]:
        """Reads keys of products by id, and categories by key."""
        pk_of: dict[str, int] = {}
        category_of: dict[int, str] = {}
        for batch in in_batches(sorted(product_ids)):
            statement = select(products.c.id, products.c.pk, products.c.category)
            for product_id, pk, category in self._connection.execute(
                statement.where(products.c.id.in_(batch))
            ):
                pk_of[product_id], category_of[pk] = pk, category
        if missing := product_ids - pk_of.keys():
            raise NotInCatalog(f"no product {min(missing)!r} in the catalog to add a picture to")
        return pk_of, category_of

    def _images_of_products(self, product_pks: Sequence[int]) -> list[int]:
        found: list[int] = []
        for batch in in_batches(product_pks):
            statement = select(images.c.pk).where(images.c.product_pk.in_(batch)).order_by(images.c.pk)
            found += self._connection.execute(statement).scalars()
        return found


def _changed_fields(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Values before and after, by the fields that differ."""
    return {
        name: (before.get(name), after.get(name))
        for name in {**before, **after}
        if before.get(name) != after.get(name)
    }


def _values_to_filter(row: Mapping[str, Any]) -> Values:
    return values_to_filter(row["attributes"], [one.options for one in row["variants"]])


def _is_shown(domain: str, state: str | None) -> bool:
    """Whether an image is among those of ``stylesearch.catalog.queries.IS_SHOWN``."""
    return domain == Domain.SHOP.value and state == ImageState.OK.value


def _image_values(entry: ImageEntry) -> dict[str, Any]:
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
        "file": entry.file,
        "options": dict(entry.options) or None,
        "position": entry.position,
    }
