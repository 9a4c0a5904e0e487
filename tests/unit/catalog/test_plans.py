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

EACH_CATEGORY = (
    "CO-ROUTINE names",
    "SETUP",
    "SEARCH products USING COVERING INDEX ix_products_category_id",
    "RECURSIVE STEP",
    "SCAN names",
    "CORRELATED SCALAR SUBQUERY 2",
    "SEARCH products USING COVERING INDEX ix_products_category_id (category>?)",
    "SCAN names",
)
"""How the names of categories are found, before those below one are chosen."""

MANY = range(1, 401)
"""So many of what is looked up at once: of two, SQLite looks up each, whatever else a statement says."""

Explain = Callable[[Callable[[], object]], list[str]]


@pytest.fixture
def plans_of(catalog: Catalog, catalog_file: Path) -> Iterator[Explain]:
    """Runs something and returns how SQLite finds the rows of each of its statements."""
    statements: list[tuple[str, Any]] = []

    def note(
        _connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool
    ) -> None:
        is_list = many and isinstance(parameters, list)  # and not rows that are inserted by one statement
        statements.append((statement, parameters[0] if is_list else parameters))

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
            lambda catalog, fs: catalog.vectors(fs, MANY),
        ),
        (
            [
                "SEARCH features USING COVERING INDEX ix_features_feature_set_pk_domain_id "
                "(feature_set_pk=? AND domain=?)",
                "SEARCH features USING INTEGER PRIMARY KEY (rowid=?)",
            ],
            lambda catalog, fs: list(catalog.sample_features(fs, 3)),
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
            lambda catalog, fs: catalog.hits_for(MANY),
        ),
        (
            [
                "SEARCH products USING INDEX sqlite_autoindex_products_1 (id=?)",
                "SEARCH images USING INDEX sqlite_autoindex_images_1 (product_pk=?)",
                "SEARCH features USING COVERING INDEX sqlite_autoindex_features_1 "
                "(image_pk=? AND feature_set_pk=?)",
            ],
            lambda catalog, fs: catalog.known_images([("red", f"/shop/red-{n}.jpg") for n in MANY], [fs]),
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
                *EACH_CATEGORY,
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
                "SCAN shown_counts USING INDEX sqlite_autoindex_shown_counts_1",
            ],
            lambda catalog, fs: catalog.shown.counts(),
        ),
        (
            [
                *EACH_CATEGORY,
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


def test_whether_a_few_products_meet_a_filter_is_looked_up_for_each(
    catalog: Catalog, feature_set: FeatureSet, shop: dict[str, int], plans_of: Explain
) -> None:
    where = ProductFilter(where="size in (M, 38) and not size=5..9")
    plans = plans_of(lambda: catalog.select_features(feature_set, where).among(np.array(MANY)))
    assert [line for line in plans if line.startswith("SCAN")] == ["SCAN CONSTANT ROW"]
    of_values = {line for line in plans if line.startswith("SEARCH product_values")}
    assert of_values == {"SEARCH product_values USING PRIMARY KEY (product_pk=? AND name=?)"}


def test_products_that_must_not_have_a_number_are_looked_up_by_their_keys(
    catalog: Catalog, feature_set: FeatureSet, shop: dict[str, int], plans_of: Explain
) -> None:
    selected = catalog.select_features(feature_set, ProductFilter(where="not size>=5"))
    plans = plans_of(lambda: selected.ids)
    assert "SEARCH product_values USING PRIMARY KEY (product_pk=? AND name=?)" in plans
    plans = plans_of(lambda: catalog.products(ProductFilter(where="not size>=5")))
    assert "SEARCH product_values USING PRIMARY KEY (product_pk=? AND name=?)" in plans


@pytest.mark.parametrize("where", ["price<20", "price>=20", "price=5..20", "in_stock=true", "price exists"])
def test_products_are_found_by_price_and_stock_without_reading_their_rows(
    catalog: Catalog, feature_set: FeatureSet, shop: dict[str, int], plans_of: Explain, where: str
) -> None:
    selected = catalog.select_features(feature_set, ProductFilter(where=where))
    (plan,) = [line for line in plans_of(lambda: selected.ids) if "products" in line]
    assert "USING COVERING INDEX ix_products_amount_amount_max_in_stock" in plan


def test_no_statement_of_an_import_reads_a_whole_table(
    writer: Writer,
    feature_set: FeatureSet,
    shop: dict[str, int],
    plans_of: Explain,
    entry: Callable[..., ImageEntry],
) -> None:
    def import_a_chunk() -> None:
        with writer.transaction():
            added = [Product(f"new {n}", "New", "top") for n in MANY]
            writer.upsert_products([Product("red", "Red dress", "skirt"), *added], source="shop")
            new = [entry(one.id, f"/{one.id}.jpg", one.id) for one in added]
            images = writer.upsert_images([entry("red", "/shop/red-1.jpg", "new bytes"), *new], source="shop")
            pks = [pk for pk, _ in images.values()]
            writer.add_features(feature_set, pks, np.ones((len(pks), feature_set.dim), np.float32))
            writer.refile_products(MANY)
            writer.remove_products(["blue", *(one.id for one in added)])

    plans = plans_of(import_a_chunk)
    # sqlite_sequence has one row, the others have a few.
    small = (
        "CONSTANT ROW",
        "CONSTANT ROWS",
        "sqlite_sequence",
        "category_map",
        "sources",
        "shown_counts",
        "anon_1",
    )
    assert not [line for line in plans if line.startswith("SCAN") and not line.endswith(small)]
    assert any("sqlite_autoindex_images_1 (product_pk=?)" in line for line in plans)
    # By the set alone, all of its features would be read for each batch.
    assert not [line for line in plans if line.endswith(("(feature_set_pk=?)", "(source_pk=?)", "(state=?)"))]


def test_products_of_a_source_are_looked_up_by_their_ids(
    catalog: Catalog, writer: Writer, shop: dict[str, int], plans_of: Explain
) -> None:
    ids = ["red", "blue", *(f"other {n}" for n in MANY)]

    def look_up() -> None:
        assert set(catalog.sources.places_of_ids("shop", ids)) == {"red", "blue"}
        with writer.transaction():
            pruner = Pruner(writer, "shop")
            assert set(pruner.listed_among(ids)) == {"red", "blue"}
            pruner.unlist(ids)

    plans = plans_of(look_up)
    assert not [line for line in plans if line.endswith("(source_pk=?)")]
    assert "SEARCH listings USING INDEX sqlite_autoindex_listings_1 (product_pk=?)" in plans


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
