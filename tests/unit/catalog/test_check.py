"""What ``db check`` finds in a catalog, of which product, and what a repair mends of it."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from stylesearch.catalog import Catalog, ImageEntry
from stylesearch.catalog.backends import backend_of
from stylesearch.catalog.check.files import check_files, check_uploads
from stylesearch.catalog.check.findings import Finding
from stylesearch.catalog.check.repair import repair_catalog
from stylesearch.catalog.check.whole import check_catalog
from stylesearch.catalog.records import Patch
from stylesearch.catalog.writer import Writer
from stylesearch.errors import CatalogDamaged
from stylesearch.listing import Listing
from stylesearch.types import Domain, Product, Variant

DIM = 4
ROWS = "texts, numbers and JSON"
VECTORS = "vectors, with their checksums"
MERGED = "merged fields, as the sources say them"
AMOUNTS = "amounts and categories of products"
LISTED = "listings of the sources"
COPIES = "domain and category of vectors, as their images have them"
FACTS = "facts about the catalog itself"


@pytest.fixture
def shop(catalog_file: Path, tmp_path: Path) -> Path:
    """Two products of two sources that disagree, with two images and three vectors."""
    with Catalog.open(catalog_file) as catalog, catalog.writing() as writer, writer.transaction():
        dress = Product("d", "Dress", "dress", price="20 EUR", attributes={"color": "red"})
        skirt = Product(
            "s", "Skirt", "skirt", variants=(Variant("1", {"size": "M"}, "9 EUR"),), price="9 EUR"
        )
        writer.upsert_products([dress, skirt], source="/shop.csv")
        writer.upsert_products([Listing("d", {"price": "19 EUR"})], source="/prices.csv", lists=False)
        entries = [
            ImageEntry("d", str(tmp_path / "d.jpg"), sha256="d" * 64, width=9, height=9),
            ImageEntry("s", str(tmp_path / "s.jpg"), Domain.CONSUMER, sha256="5" * 64, width=9, height=9),
        ]
        images = writer.upsert_images(entries, source="/shop.csv")
        pks = [pk for pk, _ in images.values()]
        for name, some in (("one", pks), ("two", pks[:1])):
            feature_set = writer.feature_set(
                extractor=name, parameters={}, weights_digest="w", fingerprint=name, dim=DIM
            )
            writer.add_features(feature_set, some, np.ones((len(some), DIM), np.float32))
        writer.mark_complete(feature_set)
    return catalog_file


def damage(path: Path, statement: str) -> None:
    with contextlib.closing(sqlite3.connect(path)) as raw:
        raw.executescript(statement)
        raw.commit()


def problems(path: Path) -> dict[str, list[tuple[str, str | None]]]:
    """What is wrong, with its product, by the name of the check."""
    return {
        one.check: [(problem.what, problem.product) for problem in one.problems]
        for one in check_catalog(backend_of(path))
        if one.n_problems
    }


def catalog_price(writer: Writer) -> str | None:
    """Price of the only product."""
    return writer.connection().exec_driver_sql("SELECT price FROM products").scalar()


def repair(path: Path) -> None:
    found: list[Finding] = list(check_catalog(backend_of(path)))
    with Catalog.open(path) as catalog, catalog.writing() as writer:
        repair_catalog(writer, found)


def test_a_sound_catalog_has_no_problems_and_says_how_much_was_looked_at(shop: Path) -> None:
    assert problems(shop) == {}
    counts = {one.check: one.n_checked for one in check_catalog(backend_of(shop))}
    assert counts["products with pictures by category, as they are counted"] == 1
    assert (counts[VECTORS], counts[MERGED], counts[LISTED], counts[COPIES]) == (3, 2, 4, 3)
    assert counts[ROWS] == 3 + 2 + 2 + 3 + 2 + 2 + 2 + 1, (
        "facts, sources, products, listings, images, theirs, sets, counts"
    )


@pytest.mark.parametrize(
    ("statement", "check", "said", "product"),
    [
        (
            "UPDATE features SET vector = x'00000000003c003c' WHERE id = 1",
            VECTORS,
            "row 1 of features: a vector is not the one that was stored",
            "d",
        ),
        ("UPDATE features SET vector = x'00' WHERE id = 2", VECTORS, "a vector has 1 bytes", "s"),
        ("UPDATE features SET checksum = -1 WHERE id = 3", VECTORS, "its checksum differs", "d"),
        (
            "UPDATE products SET title = CAST(x'ff' AS TEXT) WHERE id = 'd'",
            ROWS,
            "products.title is no UTF-8",
            "d",
        ),
        ("UPDATE products SET attributes = '{' WHERE id = 'd'", ROWS, "products.attributes is not JSON", "d"),
        (
            "UPDATE products SET title = 'Coat' WHERE id = 'd'",
            MERGED,
            "no source says what 'd' has: title",
            "d",
        ),
        ("UPDATE products SET amount = 5 WHERE id = 's'", AMOUNTS, "'s' has another amount", "s"),
        ("UPDATE products SET category = 'hat' WHERE id = 's'", AMOUNTS, "another category", "s"),
        ("UPDATE features SET category = 'hat' WHERE id = 1", COPIES, "row 1 of features is filed", "d"),
        ("UPDATE features SET domain = 'shop' WHERE id = 2", COPIES, "row 2 of features is filed", "s"),
        ("INSERT INTO about VALUES ('complete:three', 'yes')", FACTS, "no such feature set", None),
        ("DROP INDEX ix_images_state", "schema", "the schema differs from the models", None),
        ("UPDATE images SET box = '1,1,1,9' WHERE pk = 1", ROWS, "images.box is not a box", "d"),
        ("UPDATE images SET domain = 'shoq' WHERE pk = 1", ROWS, "images.domain is not one of", "d"),
        ("UPDATE images SET width = 'w' WHERE pk = 1", ROWS, "images.width is not a whole number", "d"),
        ("UPDATE listings SET said = '[]' WHERE product_pk = 1", ROWS, "listings.said is not an object", "d"),
        ("DELETE FROM image_listings WHERE image_pk = 2", LISTED, "no source lists the image", "s"),
        ("DELETE FROM about WHERE name = 'catalog_id'", FACTS, "about has no catalog_id", None),
    ],
)
def test_a_damage_is_named_with_its_product(
    shop: Path, statement: str, check: str, said: str, product: str | None
) -> None:
    damage(shop, statement)
    found = problems(shop)
    assert check in found, found
    assert said in found[check][0][0]
    assert found[check][0][1] == product


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE features SET vector = x'00000000003c003c' WHERE id = 1",
        "UPDATE features SET checksum = 'x'",
        "UPDATE features SET category = 'hat'",
        "UPDATE features SET domain = 'shop' WHERE id = 2",
        "UPDATE products SET title = CAST(x'ff' AS TEXT) WHERE id = 'd'",
        "UPDATE products SET attributes = '{', variants = 'x', price = x'00' WHERE id = 'd'",
        "UPDATE products SET title = 'Coat', price = '1 EUR' WHERE id = 'd'",
        "UPDATE products SET amount = 5, currency = NULL WHERE id = 's'",
        "UPDATE products SET category = 'hat' WHERE id = 's'",
        "INSERT INTO about VALUES ('complete:three', 'yes')",
        "PRAGMA foreign_keys = OFF; INSERT INTO image_listings VALUES (77, 1)",
    ],
)
def test_what_follows_from_other_rows_is_mended(shop: Path, statement: str) -> None:
    with Catalog.open(shop) as catalog:
        before = catalog.products()
    damage(shop, statement)
    assert problems(shop)
    repair(shop)
    assert problems(shop) == {}
    with Catalog.open(shop) as catalog:
        assert catalog.products() == before
        assert [one.amount for one in catalog.products()] == [19, 9]


def test_a_dropped_vector_takes_the_mark_that_all_images_have_one_with_it(shop: Path) -> None:
    damage(shop, "UPDATE features SET vector = x'00' WHERE id = 3")
    with Catalog.open(shop) as catalog:
        two = catalog.feature_sets()[1]
        assert catalog.is_complete(two)
        with pytest.raises(
            CatalogDamaged, match=r"row 3 of the table features, of the product 'd': a vector"
        ):
            catalog.product_features("d", two)
    repair(shop)
    with Catalog.open(shop) as catalog:
        assert not catalog.is_complete(two)
        assert catalog.count_features(two) == 0


def test_a_vector_that_is_filed_anew_keeps_its_wrong_checksum(shop: Path) -> None:
    damage(shop, "UPDATE features SET vector = x'00000000003c003c' WHERE id = 1")
    with Catalog.open(shop) as catalog:
        with catalog.writing() as writer, writer.transaction():
            writer.upsert_products([Product("d", "Dress", "gown")], source="/shop.csv")
        one = catalog.feature_sets()[0]
        with pytest.raises(CatalogDamaged, match="its checksum differs"):
            list(catalog.features(one))


def test_a_wrong_index_is_made_anew(shop: Path) -> None:
    """An index of which one entry is missing: it was made while the table was hidden behind another."""
    with contextlib.closing(sqlite3.connect(shop)) as raw:
        sql = raw.execute("SELECT sql FROM sqlite_master WHERE name = 'ix_images_state'").fetchone()[0]
        raw.executescript(
            "DROP INDEX ix_images_state; CREATE INDEX ix_images_state ON images (state) WHERE pk > 1;"
            "PRAGMA writable_schema = ON;"
            f"UPDATE sqlite_master SET sql = '{sql}' WHERE name = 'ix_images_state';"
        )
    found = problems(shop)["file, as SQLite checks it"]
    assert "ix_images_state" in found[0][0]
    repair(shop)
    assert problems(shop) == {}


@pytest.fixture
def connection(shop: Path) -> Iterator[object]:
    engine = backend_of(shop).engine()
    with engine.connect() as opened:
        yield opened
    engine.dispose()


def test_files_that_are_gone_or_have_changed_are_told(connection, tmp_path: Path) -> None:
    (tmp_path / "d.jpg").write_bytes(b"something else")
    assert [one.product for one in check_files(connection, tmp_path / "uploads").problems] == ["s"]
    found = check_files(connection, tmp_path / "uploads", contents=True)
    assert found.n_checked == 2
    assert [one.what.split(":")[0] for one in found.problems] == [
        "the file of image 1 has changed since it was ingested",
        "the file of image 2 is gone",
    ]


def test_an_image_of_the_api_is_found_where_the_workspace_has_moved(connection, tmp_path: Path) -> None:
    statement = "UPDATE images SET path = '/old/uploads/' || substr(sha256, 1, 2) || '/' || sha256 || '.jpg'"
    connection.exec_driver_sql(statement)
    moved = tmp_path / "uploads" / "dd" / f"{'d' * 64}.jpg"
    moved.parent.mkdir(parents=True)
    moved.touch()
    found = check_files(connection, tmp_path / "uploads")
    assert (found.n_checked, [one.product for one in found.problems]) == (2, ["s"])


def test_a_price_that_was_left_by_variants_is_no_damage(catalog_file: Path) -> None:
    variants = (Variant("1", {}, "20 EUR"),)
    with Catalog.open(catalog_file) as catalog, catalog.writing() as writer, writer.transaction():
        # Refused: it does not count beside the variants. The text from before stays, and nobody says it.
        writer.upsert_products([Product("a", "A", "dress", price="on request")], source="/one")
        writer.upsert_products([Product("a", "A", "dress", price="9 EUR", variants=variants)], source="/one")
        # The variants go, and their price stays.
        writer.upsert_products([Product("b", "B", "dress", price="20 EUR", variants=variants)], source="/one")
        writer.upsert_products([Listing("b", {"price": "8 EUR"})], source="/two", lists=False)
        writer.patch_products({"b": Patch({}, cleared=frozenset({"variants"}))}, source="api")
    with Catalog.open(catalog_file) as catalog:
        prices = [one.price for one in catalog.products()]
    assert prices == ["on request", "20 EUR"]
    assert problems(catalog_file) == {}


def test_a_price_goes_with_the_variant_that_it_was_of(catalog_file: Path) -> None:
    variants = (Variant("1", {}, "20 EUR"),)
    with Catalog.open(catalog_file) as catalog, catalog.writing() as writer, writer.transaction():
        writer.upsert_products([Product("a", "A", "dress", price="9 EUR", variants=variants)], source="/one")
        writer.upsert_products([Product("a", "A", "dress", price="8 EUR")], source="/two")
        before = catalog_price(writer)
        writer.unlist_products("/one", [1])
        assert (before, catalog_price(writer)) == ("20 EUR", "8 EUR")
    assert problems(catalog_file) == {}


def test_a_price_that_does_not_count_beside_the_variants_is_told(shop: Path) -> None:
    damage(shop, "UPDATE products SET price = '7 EUR' WHERE id = 's'")
    assert problems(shop)[MERGED] == [("no source says what 's' has: price", "s")]
    repair(shop)
    with Catalog.open(shop) as catalog:
        assert catalog.product("s").price == "9 EUR"
    assert problems(shop) == {}


def test_uploads_without_a_product_are_told_and_removable_beside_others_only(connection, tmp_path) -> None:
    folder = tmp_path / "uploads"
    unused = folder / "ee" / f"{'e' * 64}.jpg"
    unused.parent.mkdir(parents=True)
    unused.touch()
    (problem,) = check_uploads(connection, folder).problems
    assert (problem.key, problem.repair) == (str(unused), ""), "all may belong to another catalog"
    used = folder / "dd" / f"{'d' * 64}.jpg"
    used.parent.mkdir()
    used.touch()
    found = check_uploads(connection, folder)
    assert (found.n_checked, [one.repair for one in found.problems]) == (2, ["removes the file"])
    (folder / "unfinished-0.json").touch()
    assert [one.repair for one in check_uploads(connection, folder).problems] == [""]
