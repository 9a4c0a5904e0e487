"""Old databases, with data in them, become new ones; and an upgrade that fails changes nothing."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from stylesearch.catalog import Catalog, catalog, migrate, schema_version
from stylesearch.catalog.migrate import Upgrade, current_revision, upgrade
from stylesearch.catalog.schema_version import HEAD, REVISIONS
from stylesearch.errors import CatalogError
from stylesearch.types import Box, Domain, Failure, ImageRecord, Product
from tests.catalog_faults import faults_of

DUMPS = Path(__file__).parent / "dumps"

NEXT = """
import sqlalchemy as sa
from alembic import op

revision = "9999"
down_revision = "{head}"


def upgrade():
    with op.batch_alter_table("products") as batch:
        batch.add_column(sa.Column("stock", sa.Integer(), nullable=False, server_default="0"))
        batch.alter_column("title", new_column_name="name")
    op.execute("UPDATE about SET value = '9.9.0' WHERE name = 'needs_stylesearch'")
{more}
"""


@pytest.fixture
def old_file(tmp_path: Path) -> Callable[[str], Path]:
    def restore(revision: str) -> Path:
        path = tmp_path / "shop 100%" / "catalog.db"
        path.parent.mkdir()
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.executescript((DUMPS / f"{revision}.sql").read_text(encoding="utf-8"))
        return path

    return restore


@pytest.fixture
def next_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Pretends that a later version of the program has one more migration, which rebuilds a table."""

    def pretend(more: str = "") -> None:
        scripts = tmp_path / "scripts"
        shutil.copytree(migrate.script_location(), scripts, ignore=shutil.ignore_patterns("__pycache__"))
        (scripts / "versions" / "9999_next.py").write_text(NEXT.format(head=HEAD, more=more))
        monkeypatch.setattr(migrate, "script_location", lambda: scripts)
        monkeypatch.setattr(schema_version, "REVISIONS", (*REVISIONS, "9999"))
        for module in (migrate, catalog, schema_version):
            monkeypatch.setattr(module, "HEAD", "9999")

    return pretend


def backups(path: Path) -> list[Path]:
    return sorted(path.parent.glob("catalog.db.backup-*"))


def content(path: Path) -> list[str]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


@pytest.mark.usefixtures("stopped_clock")
@pytest.mark.parametrize("revision", REVISIONS)
def test_a_database_of_every_revision_opens_with_all_that_was_in_it(
    old_file: Callable[[str], Path], revision: str
) -> None:
    path = old_file(revision)
    with Catalog.open(path) as opened:
        assert (opened.id, opened.highest_feature_id()) == ("00c0ffee00c0ffee", 5)
        assert opened.products() == [
            Product("blue", "Blue 'evening' dress", "dress"),
            Product("pleated", "Pleated skirt", "skirt"),
            Product(
                "red",
                "Red dress",
                "dress",
                url="https://shop.example/red",
                price="19.90 EUR",
                attributes={"size": ["S", "M"], "größe": "klein"},
            ),
        ]
        street = ImageRecord(
            "/street/100% straße.jpg",
            "b" * 64,
            Domain.CONSUMER,
            width=1200,
            height=1600,
            box=Box(10, 20, 110, 220),
        )
        assert opened.images_of("red")[1] == street
        assert opened.failures() == [Failure("/shop/skirt/pleated.jpg", "not an image")]
        lite0, custom = opened.feature_sets()
        assert (lite0.extractor, lite0.dim, custom.parameters, custom.dtype) == (
            "efficientnet-lite0",
            4,
            {},
            "float32",
        )
        ids, vectors = opened.product_features("red", lite0)
        assert ids.tolist() == [2]
        np.testing.assert_array_equal(vectors, np.array([[0, 0.5, 1, 2]], np.float32))
        ((ids, vectors),) = opened.features(lite0, domain=Domain.CONSUMER)
        assert ids.tolist() == [3]
        np.testing.assert_array_equal(vectors, np.array([[3, 1e6, 0, 1]], np.float32))
        assert opened.categories(lite0) == {"dress": 2}
        known = opened.known_images([("red", "/shop/dress/red/1.jpg")], [lite0, custom])
        assert known["red", "/shop/dress/red/1.jpg"].stat_key == "1-2-3-4"
        with opened.writing() as writer, writer.transaction():
            writer.add_features(lite0, [4], np.ones((1, 4), np.float32))
        assert opened.last_feature_id(lite0) == 6, "an id was used again"
    assert faults_of(path) == []


def test_an_upgrade_finds_out_which_source_said_what(old_file: Callable[[str], Path]) -> None:
    path = old_file("0001")
    with contextlib.closing(sqlite3.connect(path)) as raw:
        raw.executescript(
            """
            UPDATE images SET source = 'csv:/shop/products.csv' WHERE pk = 2;
            UPDATE images SET source = 'csv:/street.csv' WHERE pk = 3;
            UPDATE images SET source = 'folder:/shop', path = '/shop/dress/blue/front/1.jpg' WHERE pk = 4;
            UPDATE images SET source = 'api' WHERE pk = 5;
            """
        )
    with Catalog.open(path) as opened:
        assert [(one.name, one.path, one.format) for one in opened.sources.all()] == [
            ("/shop", "/shop", "folder"),
            ("/shop/products.csv", "/shop/products.csv", "csv"),
            ("/street.csv", "/street.csv", "csv"),
            ("api", "", "api"),
        ]
        assert opened.sources.get("/shop").options == {"layout": "category/product/image"}
        # Two sources list it, and nothing tells which said what: none may take anything back.
        assert [(one.source, one.said) for one in opened.sources.said_of("red")] == [
            ("/street.csv", {}),
            ("/shop/products.csv", {}),
        ]
        (blue,) = opened.sources.said_of("blue")
        assert (blue.place, blue.said) == ("dress/blue", {"category": "dress"})
        assert blue.guesses == {"title": "Blue 'evening' dress"}
        (pleated,) = opened.sources.said_of("pleated")
        assert pleated.said == {"title": "Pleated skirt", "category": "skirt"}
        assert opened.product("red").amount == 19.9


def test_an_upgrade_copies_the_file_aside_and_keeps_every_row(
    old_file: Callable[[str], Path], next_version: Callable[..., None]
) -> None:
    path = old_file(HEAD)
    before = content(path)
    next_version()
    Catalog.open(path).close()
    assert current_revision(path) == "9999"
    (backup,) = backups(path)
    assert backup.name.startswith(f"catalog.db.backup-{HEAD}-20")
    assert content(backup) == before
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT id, name, stock FROM products ORDER BY id").fetchone() == (
            "blue",
            "Blue 'evening' dress",
            0,
        )
        # Rebuilding a table drops the old one: with foreign keys on, its images would have gone too.
        counts = [
            connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("products", "images", "features")
        ]
        assert counts == [3, 4, 4]
        assert dict(connection.execute("SELECT name, value FROM about").fetchall()) == {
            "needs_stylesearch": "9.9.0",
            "catalog_id": "00c0ffee00c0ffee",
        }


def test_upgrade_says_what_it_did(old_file: Callable[[str], Path], next_version: Callable[..., None]) -> None:
    path = old_file(HEAD)
    next_version()
    done = upgrade(path)
    assert (done.before, done.after, [done.backup]) == (HEAD, "9999", backups(path))
    assert upgrade(path) == Upgrade("9999", "9999", None)
    assert len(backups(path)) == 1


def test_a_new_catalog_needs_no_copy(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    assert upgrade(path) == Upgrade(None, HEAD, None)
    assert backups(path) == []


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ('    raise RuntimeError("no luck")', "failed: no luck"),
        (
            "    op.execute(\"DELETE FROM products WHERE id = 'red'\")",
            "would leave (a row|row 1) of .* points to a row of products",
        ),
    ],
)
def test_an_upgrade_that_fails_changes_nothing(
    old_file: Callable[[str], Path], next_version: Callable[[str], None], more: str, reason: str
) -> None:
    path = old_file(HEAD)
    before = content(path)
    next_version(more)
    with pytest.raises(CatalogError, match=reason):
        Catalog.open(path)
    assert content(path) == before
    assert current_revision(path) == HEAD
    assert len(backups(path)) == 1


def test_reading_only_makes_no_upgrade(
    old_file: Callable[[str], Path], next_version: Callable[..., None]
) -> None:
    path = old_file(HEAD)
    next_version()
    with pytest.raises(CatalogError, match=f"has the schema {HEAD} and has to be upgraded to 9999") as caught:
        Catalog.open(path, readonly=True)
    assert "db upgrade" in caught.value.hint
    assert current_revision(path) == HEAD
    assert backups(path) == []


def test_a_catalog_of_the_next_version_is_refused_by_this_one(
    old_file: Callable[[str], Path], next_version: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = old_file(HEAD)
    next_version()
    upgrade(path)
    monkeypatch.undo()
    with pytest.raises(CatalogError, match=r"needs stylesearch 9\.9\.0 or newer \(schema 9999\)"):
        Catalog.open(path)
