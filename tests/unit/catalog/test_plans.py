"""The queries that run for every photo, or for every chunk of an import, use an index and need no sorting."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import event

from stylesearch.catalog import Catalog, FeatureSet, ImageEntry, Writer
from stylesearch.catalog.pruning import Pruner
from stylesearch.types import Product, ProductFilter

Explain = Callable[[Callable[[], object]], list[str]]


@pytest.fixture
def plans_of(catalog: Catalog, catalog_file: Path) -> Iterator[Explain]:
    """Runs something and returns how SQLite finds the rows of each of its statements."""
    statements: list[tuple[str, Any]] = []

    def note(
        _connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool
    ) -> None:
        statements.append((statement, parameters[0] if many else parameters))

    def explain(run: Callable[[], object]) -> list[str]:
        statements.clear()
        event.listen(catalog._engine, "before_cursor_execute", note)
        run()
        event.remove(catalog._engine, "before_cursor_execute", note)
        found: list[str] = []
        with catalog._connect() as connection:
            for statement, parameters in statements:
                if statement.split()[0] in ("SELECT", "WITH", "INSERT", "UPDATE", "DELETE"):
                    rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
                    found += [row.detail for row in rows]
        assert found, "nothing was run"
        return found

    yield explain


def test_categories_are_looked_up_one_by_one(
    catalog: Catalog, feature_set: FeatureSet, plans_of: Explain
) -> None:
    plans = plans_of(lambda: catalog.category_names(feature_set))
    look_up = "SEARCH features USING COVERING INDEX ix_features_feature_set_pk_domain_category_id"
    assert f"{look_up} (feature_set_pk=? AND domain=?)" in plans
    assert f"{look_up} (feature_set_pk=? AND domain=? AND category>?)" in plans
    assert {line for line in plans if line.startswith("SCAN")} == {"SCAN names"}


@pytest.mark.parametrize(
    ("expected", "read"),
    [
        (
            [
                "SEARCH features USING INDEX ix_features_feature_set_pk_domain_id "
                "(feature_set_pk=? AND domain=? AND id>?)"
            ],
            lambda catalog, fs: list(catalog.features(fs)),
        ),
        (
            [
                "SEARCH features USING INDEX ix_features_feature_set_pk_domain_category_id "
                "(feature_set_pk=? AND domain=? AND category=? AND id>?)"
            ],
            lambda catalog, fs: list(catalog.features(fs, category="dress", after_id=1)),
        ),
        (
            ["SEARCH features USING INTEGER PRIMARY KEY (rowid=?)"],
            lambda catalog, fs: catalog.vectors(fs, [1, 2]),
        ),
        (
            [
                "SEARCH features USING COVERING INDEX ix_features_feature_set_pk_domain_category_id "
                "(feature_set_pk=? AND domain=? AND category=?)"
            ],
            lambda catalog, fs: catalog.last_feature_id(fs, category="dress"),
        ),
        (
            [
                "SEARCH features USING COVERING INDEX ix_features_feature_set_pk_domain_id "
                "(feature_set_pk=? AND domain=?)"
            ],
            lambda catalog, fs: catalog.last_feature_id(fs),
        ),
        (
            [
                "SEARCH features USING COVERING INDEX ix_features_feature_set_pk_domain_category_id "
                "(feature_set_pk=? AND domain=?)"
            ],
            lambda catalog, fs: catalog.categories(fs),
        ),
        (
            [
                "SEARCH features USING COVERING INDEX ix_features_feature_set_pk_domain_category_id "
                "(feature_set_pk=? AND domain=? AND category=? AND id>?)"
            ],
            lambda catalog, fs: catalog.count_features(fs, category="dress", after_id=1),
        ),
        (
            [
                "SEARCH features USING COVERING INDEX ix_features_feature_set_pk_domain_id "
                "(feature_set_pk=? AND domain=? AND id>?)"
            ],
            lambda catalog, fs: catalog.count_features(fs),
        ),
        (
            ["SCAN sqlite_sequence"],  # it has one row
            lambda catalog, fs: catalog.highest_feature_id(),
        ),
        (
            ["SEARCH about USING INDEX sqlite_autoindex_about_1 (name=?)"],
            lambda catalog, fs: (catalog.id, catalog.id),
        ),
        (
            [
                "SEARCH features USING INTEGER PRIMARY KEY (rowid=?)",
                "SEARCH images USING INTEGER PRIMARY KEY (rowid=?)",
                "SEARCH products USING INTEGER PRIMARY KEY (rowid=?)",
            ],
            lambda catalog, fs: catalog.hits_for([1, 2]),
        ),
        (
            [
                "SEARCH products USING INDEX sqlite_autoindex_products_1 (id=?)",
                "SEARCH images USING INDEX sqlite_autoindex_images_1 (product_pk=?)",
                "SEARCH features USING COVERING INDEX sqlite_autoindex_features_1 "
                "(image_pk=? AND feature_set_pk=?)",
            ],
            lambda catalog, fs: catalog.known_images([("red", "/shop/red-1.jpg")], [fs]),
        ),
        (
            [
                "SEARCH images USING INDEX ix_images_sha256_state (sha256=? AND state=?)",
                "SEARCH features USING INDEX sqlite_autoindex_features_1 (image_pk=? AND feature_set_pk=?)",
            ],
            lambda catalog, fs: catalog.known_contents([("sha of /shop/red-1.jpg", None)], [fs]),
        ),
        (
            [
                "SCAN products USING COVERING INDEX ix_products_category_id",  # the names below the category
                "SEARCH products USING INDEX ix_products_category_id (category=? AND id>?)",
            ],
            lambda catalog, fs: catalog.products(ProductFilter("dress"), after="a"),
        ),
        (
            ["SEARCH products USING INDEX sqlite_autoindex_products_1 (id>?)"],
            lambda catalog, fs: catalog.products(after="a"),
        ),
        (
            [
                "SCAN products USING COVERING INDEX ix_products_category_id",
                "CORRELATED SCALAR SUBQUERY 1",
                "SEARCH images USING INDEX sqlite_autoindex_images_1 (product_pk=?)",
            ],
            lambda catalog, fs: catalog.shown.counts(),
        ),
        (
            [
                "SCAN products USING COVERING INDEX ix_products_category_id",  # categories below it
                "SEARCH products USING INDEX ix_products_category_id (category=? AND id>?)",
                "CORRELATED SCALAR SUBQUERY 1",
                "SEARCH images USING INDEX sqlite_autoindex_images_1 (product_pk=?)",
            ],
            lambda catalog, fs: catalog.shown.products(category="dress", after="a"),
        ),
        (
            [
                "SEARCH products USING INDEX sqlite_autoindex_products_1 (id>?)",
                "SEARCH images USING INDEX sqlite_autoindex_images_1 (product_pk=?)",
            ],
            lambda catalog, fs: catalog.usable_images(after=("a", "")),
        ),
    ],
)
def test_what_a_search_reads(
    catalog: Catalog,
    feature_set: FeatureSet,
    shop: dict[str, int],
    plans_of: Explain,
    expected: list[str],
    read: Callable[[Catalog, FeatureSet], object],
) -> None:
    assert plans_of(lambda: read(catalog, feature_set)) == expected


def test_no_statement_of_an_import_reads_a_whole_table(
    writer: Writer,
    feature_set: FeatureSet,
    shop: dict[str, int],
    plans_of: Explain,
    entry: Callable[..., ImageEntry],
) -> None:
    def import_a_chunk() -> None:
        with writer.transaction():
            writer.upsert_products(
                [Product("red", "Red dress", "skirt"), Product("new", "New", "top")], source="shop"
            )
            images = writer.upsert_images(
                [entry("red", "/shop/red-1.jpg", "new bytes"), entry("new", "/new.jpg")], source="shop"
            )
            pks = [pk for pk, _ in images.values()]
            writer.add_features(feature_set, pks, np.ones((len(pks), feature_set.dim), np.float32))
            writer.remove_products(["blue"])

    plans = plans_of(import_a_chunk)
    # sqlite_sequence has one row, the others have a few.
    small = ("CONSTANT ROW", "sqlite_sequence", "category_map", "sources")
    assert not [line for line in plans if line.startswith("SCAN") and not line.endswith(small)]
    assert any("sqlite_autoindex_images_1 (product_pk=?)" in line for line in plans)


def test_lost_files_are_looked_for_in_one_pass(
    writer: Writer, shop: dict[str, int], catalog_file: Path
) -> None:
    explained: list[str] = []

    def explain(_connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        # The marks are in a temporary table, so only the writer's own connection can explain.
        if statement.startswith("SELECT images.pk"):
            rows = cursor.connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
            explained.extend(row[-1] for row in rows)

    with writer.transaction():
        Pruner(writer, "shop").mark([shop["/shop/red-1.jpg"], shop["/shop/red-2.jpg"]])
        event.listen(writer._connection, "before_cursor_execute", explain)
        Pruner(writer, "shop").forget_lost_files()
    assert explained[0] == "SEARCH images USING INTEGER PRIMARY KEY (rowid>?)"
    assert not [line for line in explained if line.startswith(("SCAN", "USE TEMP B-TREE", "LIST"))]
