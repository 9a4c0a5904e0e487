"""A drawn shop on PostgreSQL answers the same through either store, from ingest to hits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import stylesearch as ss
from stylesearch.catalog import Catalog
from stylesearch.catalog.migrate import schema_drift
from stylesearch.drawn_shop import write_demo
from tests.postgres_server import PostgresServer

pytestmark = [pytest.mark.servers, pytest.mark.slow]


def test_a_drawn_shop_answers_the_same_through_either_store(
    postgres_server: PostgresServer, postgres_catalog: str, tmp_path: Path
) -> None:
    name = postgres_catalog.rpartition("/")[2]
    postgres_server.execute("CREATE EXTENSION vector", database=name)
    write_demo(tmp_path / "shop", n_products=60, seed=4)
    settings = {"db": postgres_catalog, "extractor": "hog", "regions": "street"}
    photos = sorted((tmp_path / "shop" / "street").glob("*.jpg"))[:6]
    answers: dict[str, list[list[ss.Hit]]] = {}
    for candidates in ("local", "pgvector"):
        with ss.open(tmp_path / candidates, candidates=candidates, **settings) as shop:
            report = shop.ingest(tmp_path / "shop" / "products.csv")
            assert report.added == (60 if candidates == "local" else 0)
            shop.indexes.build()
            kinds = {row.kind for row in shop.indexes.status()}
            assert {row.state for row in shop.indexes.status()} == {"ready"}
            assert kinds == ({"scan"} if candidates == "pgvector" else {"annoy", "exact"} & kinds)
            assert shop.indexes.verify() == []
            answers[candidates] = [
                list(shop.query(photo, k=8, category=category))
                for photo in photos
                for category in (None, "dress")
            ]
    with Catalog.open(postgres_catalog) as catalog, catalog.engine.connect() as connection:
        assert schema_drift(connection) == []
    for local, other in zip(*answers.values(), strict=True):
        assert [hit.product.id for hit in other] == [hit.product.id for hit in local]
        assert [hit.region for hit in other] == [hit.region for hit in local]
        assert np.allclose(
            [hit.distance for hit in other], [hit.distance for hit in local], rtol=1e-4, atol=1e-5
        )
    (table,) = postgres_server.execute(
        "SELECT relname FROM pg_class WHERE relname LIKE 'vectors%' AND relkind = 'r'", database=name
    )
    assert postgres_server.execute(f"SELECT count(*) FROM {table[0]}", database=name)[0][0] >= 60
