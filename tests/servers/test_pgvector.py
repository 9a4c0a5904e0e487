"""The store in PostgreSQL keeps the contract, by its index and by scans, and does what only it has to do."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from stylesearch.array_types import Floats
from stylesearch.catalog import Catalog
from stylesearch.search import fitted_space
from stylesearch.search.pgvector.store import PgVectorStore, PgVectorStores
from stylesearch.testing import VectorStoreContract
from stylesearch.testing.index_contract import feature_like
from tests.contracts.vector_shop import DIM, Shop
from tests.postgres_server import PostgresServer

pytestmark = [pytest.mark.servers, pytest.mark.slow]

CATEGORIES = (("dress", 600), ("skirt", 130))


@pytest.fixture(scope="session")
def filled(postgres_server: PostgresServer, postgres_template: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A database with a shop of two categories, and a folder with its fit, to copy."""
    name = postgres_server.create_database(template=postgres_template)
    postgres_server.execute("CREATE EXTENSION vector", database=name)
    folder = tmp_path_factory.mktemp("filled")
    with Catalog.open(postgres_server.url(name)) as catalog:
        shop = Shop(catalog, folder, PgVectorStores())
        for category, n_images in CATEGORIES:
            shop.add(category, feature_like(n_images, DIM, seed=n_images))
        fitted_space.activate(shop.location, fitted_space.fit(shop.location)[1])
    return name, folder


@pytest.fixture
def shop(postgres_server: PostgresServer, filled: tuple[str, Path], tmp_path: Path) -> Iterator[Shop]:
    template, fit = filled
    name = postgres_server.create_database(template=template)
    folder = Path(shutil.copytree(fit, tmp_path / "indexes"))
    with Catalog.open(postgres_server.url(name)) as catalog:
        yield Shop(catalog, folder, PgVectorStores())
    postgres_server.drop_database(name)


def open_store(shop: Shop, metric: str = "cosine", **options: object) -> PgVectorStore:
    stamp, transform = fitted_space.version_stamp(shop.location), fitted_space.load(shop.location)
    assert transform is not None
    return PgVectorStore(shop.location, metric, transform, stamp, **options)  # type: ignore[arg-type]


class TestByIndex(VectorStoreContract):
    @pytest.fixture
    def make(self, shop: Shop) -> Callable[[str], PgVectorStore]:
        return lambda metric: open_store(shop, metric, index_from=100, by_index=True)


class TestByScan(VectorStoreContract):
    recall_floor = 1.0

    @pytest.fixture
    def metric(self) -> str:
        return "cosine"  # scans of the others differ from it in an operator that the index has, too

    @pytest.fixture
    def make(self, shop: Shop) -> Callable[[str], PgVectorStore]:
        return lambda metric: open_store(shop, metric)
