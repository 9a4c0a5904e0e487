"""A catalog is copied to another database whole, with its keys and ids, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select, text

from stylesearch.catalog import Catalog, FeatureSet, ImageEntry, Writer
from stylesearch.catalog.row_values import plain_table
from stylesearch.catalog.tables import exported_tables
from stylesearch.catalog.transfer import copy_tables
from stylesearch.errors import CatalogDamaged, CatalogError, ConfigError
from stylesearch.types import Product

ON_SERVER = [pytest.mark.servers, pytest.mark.slow]
Copy = Callable[..., dict[str, int]]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=ON_SERVER)])
def other(request: pytest.FixtureRequest, empty_catalog_file: Path, tmp_path: Path) -> Iterator[Catalog]:
    """An empty catalog, in either database, to copy to."""
    if request.param == "sqlite":
        place: Path | str = tmp_path / "other.db"
        Path(place).write_bytes(empty_catalog_file.read_bytes())
    else:
        place = request.getfixturevalue("postgres_catalog_2")
    with Catalog.open(place) as opened:
        yield opened


@pytest.fixture
def postgres_catalog_2(postgres_server: Any, postgres_template: str) -> Iterator[str]:
    name = postgres_server.create_database(template=postgres_template)
    yield postgres_server.url(name)
    postgres_server.drop_database(name)


def copy(source: Catalog, target: Catalog, **options: Any) -> dict[str, int]:
    with target.writing() as writer, writer.transaction(), source.snapshot() as rows:
        return copy_tables(rows, writer.connection(), **options)


def rows_of(catalog: Catalog) -> dict[str, list[Any]]:
    """All rows by table, vectors as bytes."""
    with catalog.snapshot() as connection:
        return {
            one.name: sorted(map(tuple, connection.execute(select(*plain_table(one).c))), key=repr)
            for one in exported_tables()
        }


def test_a_copy_is_equal_and_so_is_its_copy(
    catalog: Catalog, shop: dict[str, int], feature_set: FeatureSet, other: Catalog, tmp_path: Path
) -> None:
    told: list[tuple[str, int, int]] = []
    counts = copy(catalog, other, progress=lambda *one: told.append(one))
    assert (counts["products"], counts["images"], counts["features"]) == (3, 4, 4)
    assert told[-1] == ("copying", sum(counts.values()), sum(counts.values()))
    assert rows_of(other) == rows_of(catalog)
    assert other.id == catalog.id
    assert other.highest_feature_id() >= catalog.highest_feature_id()
    with Catalog.open(tmp_path / "third.db") as third:
        copy(other, third)
        assert rows_of(third) == rows_of(catalog)


def test_new_rows_come_after_the_copied_ones(
    writer: Writer,
    catalog: Catalog,
    shop: dict[str, int],
    feature_set: FeatureSet,
    other: Catalog,
    entry: Callable[..., ImageEntry],
) -> None:
    with writer.transaction():
        writer.remove_products(["pleated"])  # the newest: its id must not be given again
    given_out = catalog.highest_feature_id()
    copy(catalog, other)
    with other.writing() as opened, opened.transaction():
        opened.upsert_products([Product("new", "New", "dress")], source="shop")
        images = opened.upsert_images([entry("new", "/shop/new.jpg")], source="shop")
        pks = [pk for pk, _ in images.values()]
        opened.add_features(feature_set, pks, np.ones((1, feature_set.dim), np.float32))
    assert other.last_feature_id(feature_set) > given_out
    assert [product.id for product in other.products()] == ["blue", "new", "red"]


def test_a_copy_for_two_who_write_gets_an_id_of_its_own(
    catalog: Catalog, shop: dict[str, int], other: Catalog
) -> None:
    copy(catalog, other, new_id=True)
    assert other.id != catalog.id


def test_whoever_has_it_open_reads_the_id_of_what_replaces_it(
    catalog: Catalog, shop: dict[str, int], other: Catalog
) -> None:
    with Catalog.open(other.backend) as opened:
        before = opened.id
        copy(catalog, other, new_id=True)
        opened.state()
        assert opened.id == other.id != before


def test_what_is_there_stays_unless_told(catalog: Catalog, shop: dict[str, int], other: Catalog) -> None:
    with other.writing() as opened, opened.transaction():
        opened.upsert_products([Product("old", "Old", "dress")], source="shop")
    with pytest.raises(ConfigError, match=r"not empty: it has (products|sources)"):
        copy(catalog, other)
    assert other.product("old").title == "Old"
    copy(catalog, other, overwrite=True)
    assert rows_of(other)["products"] == rows_of(catalog)["products"]


def test_what_is_written_meanwhile_is_not_in_the_copy(
    writer: Writer, catalog: Catalog, shop: dict[str, int], other: Catalog
) -> None:
    def write(stage: str, done: int, total: int) -> None:
        if catalog.totals()[0] == 3:
            with writer.transaction():
                writer.upsert_products([Product("late", "Late", "dress")], source="later")

    before = rows_of(catalog)
    copy(catalog, other, progress=write)
    assert catalog.totals()[0] == 4
    assert rows_of(other) == before


def test_a_copy_that_is_cut_short_leaves_nothing(
    catalog: Catalog, shop: dict[str, int], other: Catalog
) -> None:
    def stop(stage: str, done: int, total: int) -> None:
        if done == total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy(catalog, other, progress=stop)
    assert other.totals() == (0, 0)
    copy(catalog, other)
    assert other.totals() == (3, 4)


def test_a_damaged_vector_is_named_and_not_copied(
    writer: Writer, catalog: Catalog, shop: dict[str, int], other: Catalog
) -> None:
    with writer.transaction():
        writer.connection().execute(text("UPDATE features SET checksum = 1 WHERE id = 2"))
    with pytest.raises(CatalogDamaged, match=r"feature 2\b"):
        copy(catalog, other)
    assert other.totals() == (0, 0)


def test_a_full_disk_is_told_as_one_and_blames_no_row(
    catalog_file: Path, writer: Writer, catalog: Catalog, shop: dict[str, int], tmp_path: Path
) -> None:
    with writer.transaction():
        writer.upsert_products([Product("red", "long " * 10_000, "dress")], source="shop")
    with Catalog.open(tmp_path / "other.db") as other, other.writing() as opened:
        with opened.transaction():
            n_pages = opened.connection().exec_driver_sql("PRAGMA page_count").scalar_one()
            opened.connection().exec_driver_sql(f"PRAGMA max_page_count = {n_pages}")
        with (
            pytest.raises(CatalogError, match=r"^no space left for the catalog") as caught,
            opened.transaction(),
            catalog.snapshot() as rows,
        ):
            copy_tables(rows, opened.connection())
        assert "free some space" in caught.value.hint


@pytest.mark.servers
@pytest.mark.slow
def test_a_text_that_postgresql_does_not_take_is_named(
    catalog_file: Path, writer: Writer, catalog: Catalog, shop: dict[str, int], postgres_catalog: str
) -> None:
    with writer.transaction():
        writer.connection().execute(text("UPDATE products SET title = 'a' || char(0) WHERE id = 'blue'"))
    with Catalog.open(postgres_catalog) as other:
        with pytest.raises(CatalogError, match=r"products with pk \d+ was not taken: .*NUL"):
            copy(catalog, other)
        assert other.totals() == (0, 0)
