"""What runs for every photo uses an index on PostgreSQL too, and pruning joins its marks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import event

from stylesearch.catalog import Catalog, FeatureSet
from stylesearch.catalog.pruning import Pruner
from stylesearch.types import ProductFilter
from tests.postgres_server import PostgresServer

pytestmark = [pytest.mark.servers, pytest.mark.slow]

N = 4000
FILL = (
    "INSERT INTO sources (pk, name, path, format, options, run) VALUES (1, 's', '', '', '{}', 1)",
    "INSERT INTO feature_sets (pk, fingerprint, extractor, parameters, weights_digest, dim, dtype) "
    "VALUES (1, 'f', 'x', '{}', '', 2, 'float16')",
    "INSERT INTO products (pk, id, title, category, attributes) "
    f"SELECT i, 'p' || i, 't', 'c' || i % 20, '{{}}' FROM generate_series(1, {N}) i",
    "INSERT INTO listings (product_pk, source_pk, place, said, guesses) "
    f"SELECT i, 1, '', '{{}}', '{{}}' FROM generate_series(1, {N}) i",
    "INSERT INTO images (pk, product_pk, path, sha256, domain, width, height, state) "
    f"SELECT i, i, '/' || i, 'sha' || i, 'shop', 9, 9, 'ok' FROM generate_series(1, {N}) i",
    f"INSERT INTO image_listings (image_pk, source_pk) SELECT i, 1 FROM generate_series(1, {N}) i",
    "INSERT INTO features (id, feature_set_pk, image_pk, domain, category, vector, checksum) "
    f"SELECT i, 1, i, 'shop', 'c' || i % 20, '\\x0000003c', 237740955 FROM generate_series(1, {N}) i",
)


@pytest.fixture(scope="module")
def catalog(postgres_server: PostgresServer, postgres_template: str) -> Iterator[Catalog]:
    name = postgres_server.create_database(template=postgres_template)
    for statement in (*FILL, "ANALYZE"):
        postgres_server.execute(statement, database=name, user="shop")
    with Catalog.open(postgres_server.url(name)) as opened:
        yield opened


def plans_of(catalog: Catalog, run: Callable[[], object]) -> list[str]:
    """The lines of the plans of all statements that something runs."""
    statements: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        statements.append((statement, parameters))

    event.listen(catalog._engine, "before_cursor_execute", note)
    try:
        run()
    finally:
        event.remove(catalog._engine, "before_cursor_execute", note)
    assert statements
    with catalog._connect() as connection:
        return [
            line
            for statement, parameters in statements
            if statement.startswith(("SELECT", "WITH"))
            for (line,) in connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)
        ]


@pytest.mark.parametrize(
    "read",
    [
        lambda catalog, fs: list(catalog.features(fs, category="c7", after_id=3900)),
        lambda catalog, fs: catalog.vectors(fs, [1, 2]),
        lambda catalog, fs: catalog.last_feature_id(fs, category="c7"),
        lambda catalog, fs: catalog.last_feature_id(fs),
        lambda catalog, fs: catalog.category_names(fs),
        lambda catalog, fs: catalog.hits_for([1, 2]),
        lambda catalog, fs: catalog.known_images([("p7", "/7")], [fs]),
        lambda catalog, fs: catalog.known_contents([("sha7", None)], [fs]),
        lambda catalog, fs: catalog.products(after="p39", limit=20),
        lambda catalog, fs: catalog.products(ProductFilter("c7"), after="p39", limit=20),
        lambda catalog, fs: catalog.images_of("p7"),
        lambda catalog, fs: catalog.images_with_digest("sha7"),
    ],
)
def test_no_large_table_is_read_whole(
    catalog: Catalog, read: Callable[[Catalog, FeatureSet], object]
) -> None:
    feature_set = catalog.feature_sets()[0]
    plans = plans_of(catalog, lambda: read(catalog, feature_set))
    assert any("Index" in line for line in plans), plans
    whole = [line for line in plans if line.lstrip(" ->").startswith(("Seq Scan", "Parallel Seq Scan"))]
    assert whole == []


def test_pruning_looks_marks_up_or_joins_them(catalog: Catalog) -> None:
    plans: list[str] = []

    def explain(_connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith("SELECT count"):  # the marks are known to the writer's session only
            plans.extend(row[0] for row in cursor.connection.execute(f"EXPLAIN {statement}", parameters))

    with catalog.writing() as writer, writer.transaction():
        pruner = Pruner(writer, "s")
        pruner.mark(range(1, 3990), range(1, 3990))
        event.listen(writer.connection(), "before_cursor_execute", explain)
        assert (pruner.count().products, pruner.count().images) == (11, 11)
        assert pruner.count(whole_products=False).images == 0
    assert any("Anti Join" in line for line in plans), plans
    assert not [line for line in plans if "NOT (hashed SubPlan" in line or "NOT (ANY" in line]
