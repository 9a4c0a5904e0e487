"""The upgrade to schema 0003 gives every vector its checksum, or changes nothing."""

from __future__ import annotations

import contextlib
import signal
import sqlite3
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from stylesearch.catalog import Catalog
from stylesearch.catalog.backends import backend_of
from stylesearch.catalog.check.whole import check_catalog
from stylesearch.catalog.migrate import current_revision, upgrade
from stylesearch.errors import CatalogError

DUMPS = Path(__file__).parent / "dumps"
N_IMAGES = 2500
"""More than two of the batches in which the migration reads."""


@pytest.fixture
def older(tmp_path: Path) -> Path:
    """A catalog of schema 0002 with products of three sources."""
    path = tmp_path / "catalog.db"
    with contextlib.closing(sqlite3.connect(path)) as raw:
        raw.executescript((DUMPS / "0002.sql").read_text(encoding="utf-8"))
        raw.executescript(
            """
            INSERT INTO sources VALUES (2, 'prices', '/prices.csv', 'csv', '{}', 2, NULL);
            INSERT INTO sources VALUES (3, 'api', '', 'api', '{}', 3, NULL);
            INSERT INTO listings VALUES (1, 2, '', '{"price": "19.90 EUR"}', '{}', 0);
            INSERT INTO listings VALUES (2, 3, '', '{}', '{}', 1);
            """
        )
        for pk in range(100, 100 + N_IMAGES):
            raw.execute(
                "INSERT INTO images VALUES (?, 1, ?, ?, 'shop', NULL, 6, 8, 'ok', NULL, NULL, NULL, NULL, 1)",
                (pk, f"/shop/{pk}.jpg", f"{pk:064x}"),
            )
            raw.execute("INSERT INTO image_listings VALUES (?, 2)", (pk,))
            raw.execute(
                "INSERT INTO features VALUES (?, 1, ?, 'shop', 'dress', ?)",
                (pk, pk, pk.to_bytes(8, "little")),
            )
        raw.commit()
    return path


def content(path: Path) -> list[str]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


def test_every_vector_gets_the_checksum_of_its_bytes(older: Path) -> None:
    done = upgrade(older)
    assert (done.before, done.after[:2]) == ("0002", "00")
    with contextlib.closing(sqlite3.connect(older)) as raw:
        rows = raw.execute("SELECT vector, checksum FROM features").fetchall()
    assert len(rows) == 4 + N_IMAGES
    assert all(checksum == zlib.crc32(vector) for vector, checksum in rows)
    with Catalog.open(older) as opened:
        assert [one.source for one in opened.sources.said_of("red")] == ["prices", "/shop"]
        (lite0, _) = opened.feature_sets()
        assert sum(len(ids) for ids, _ in opened.features(lite0)) == 2 + N_IMAGES
    assert [one.check for one in check_catalog(backend_of(older)) if one.n_problems] == []


def test_an_older_catalog_is_not_changed_by_reading_it(older: Path) -> None:
    before = older.read_bytes()
    with pytest.raises(CatalogError, match="has the schema 0002 and has to be upgraded") as caught:
        Catalog.open(older, readonly=True)
    assert "db upgrade" in caught.value.hint
    assert older.read_bytes() == before
    assert current_revision(older) == "0002"


@pytest.mark.slow
def test_an_upgrade_that_is_killed_changes_nothing_and_is_done_by_the_next(older: Path) -> None:
    before = content(older)
    program = """
import os, signal, sys, zlib
from stylesearch.catalog.migrate import upgrade
calls = 0
plain = zlib.crc32
def killing(data):
    global calls
    calls += 1
    if calls == 2000:
        os.kill(os.getpid(), signal.SIGKILL)
    return plain(data)
zlib.crc32 = killing
upgrade(sys.argv[1])
"""
    done = subprocess.run([sys.executable, "-c", program, str(older)], check=False, timeout=120)
    assert done.returncode == -signal.SIGKILL
    assert content(older) == before
    assert current_revision(older) == "0002"
    Catalog.open(older).close()
    assert [one.check for one in check_catalog(backend_of(older)) if one.n_problems] == []
