"""Shared files in a catalog: whole or not at all, one version in force, and damage told."""

from __future__ import annotations

import contextlib
import io
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from stylesearch.catalog import Catalog, artifact_table
from stylesearch.catalog.artifact_table import ArtifactTable, copy_artifacts, version_of
from stylesearch.errors import CatalogDamaged
from stylesearch.files import sha256_bytes

SMALL, LARGE = b"small", bytes(range(256)) * 5


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "catalog.db"


@pytest.fixture
def table(file: Path) -> Iterator[ArtifactTable]:
    with Catalog.open(file) as catalog:
        yield catalog.artifacts


def read(table: ArtifactTable, name: str, content: bytes) -> bytes:
    copied = io.BytesIO()
    table.copy_file("fit", name, sha256_bytes(content), copied)
    return copied.getvalue()


def test_files_come_back_as_they_were_in_parts(
    table: ArtifactTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(artifact_table, "PART_BYTES", 500)
    (tmp_path / "large").write_bytes(LARGE)
    new = table.put("fit", "a", {"space.json": SMALL, "large": tmp_path / "large", "empty": b""})
    assert new is not None
    assert new.files["large"] == sha256_bytes(LARGE)
    assert table.versions() == {("fit", "a"): new}
    assert new.version == version_of(new.files)
    assert [read(table, "a", one) for one in (SMALL, LARGE, b"")] == [SMALL, LARGE, b""]


def test_a_version_that_is_replaced_leaves_nothing(table: ArtifactTable, file: Path) -> None:
    table.put("fit", "a", {"space.json": SMALL, "large": LARGE})
    table.put("fit", "a", {"space.json": b"new", "large": LARGE})
    table.put("fit", "b", {"space.json": SMALL})
    with contextlib.closing(sqlite3.connect(file)) as connection:
        count = "SELECT name, count(*) FROM artifact_parts GROUP BY name"
        assert connection.execute(count).fetchall() == [("a", 2), ("b", 1)]
        table.remove("fit", "a")
        table.remove("fit", "a")
        assert connection.execute(count).fetchall() == [("b", 1)]
    assert list(table.versions()) == [("fit", "b")]


def test_of_two_that_replace_the_same_version_one_wins_whole(table: ArtifactTable, file: Path) -> None:
    first = table.put("fit", "a", {"space.json": SMALL}, replacing="")
    assert first is not None
    assert table.put("fit", "a", {"space.json": b"late"}, replacing="") is None
    both, start = [], threading.Barrier(2)

    def put(content: bytes) -> None:
        with Catalog.open(file) as catalog:
            start.wait()
            both.append(catalog.artifacts.put("fit", "a", {"space.json": content}, replacing=first.version))

    threads = [threading.Thread(target=put, args=(one,)) for one in (b"one", b"two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (winner,) = [one for one in both if one is not None]
    assert len(both) == 2
    assert table.versions() == {("fit", "a"): winner}
    content = next(one for one in (b"one", b"two") if sha256_bytes(one) == winner.files["space.json"])
    assert read(table, "a", content) == content


@pytest.mark.parametrize(
    "damage", ["UPDATE artifact_parts SET content = x'00'", "DELETE FROM artifact_parts"]
)
def test_a_file_that_is_damaged_or_gone_is_told(table: ArtifactTable, file: Path, damage: str) -> None:
    table.put("fit", "a", {"space.json": SMALL})
    with contextlib.closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(damage)
    with pytest.raises(CatalogDamaged, match="fit 'a' is missing or damaged"):
        read(table, "a", SMALL)


def test_a_copy_of_a_catalog_has_them_and_replaces_what_has_the_same_name(
    table: ArtifactTable, tmp_path: Path
) -> None:
    table.put("model", "a", {"model.json": SMALL, "large": LARGE})
    table.put("fit", "a", {"space.json": b""})
    with Catalog.open(tmp_path / "other.db") as other:
        other.artifacts.put("model", "a", {"model.json": b"other"})
        other.artifacts.put("model", "b", {"model.json": b"other"})
        kept = other.artifacts.versions()["model", "b"]
        with table._engine.connect() as source, other._engine.begin() as target:
            copy_artifacts(source, target)
        assert other.artifacts.versions() == table.versions() | {("model", "b"): kept}
        copied = io.BytesIO()
        other.artifacts.copy_file("model", "a", sha256_bytes(LARGE), copied)
        assert copied.getvalue() == LARGE
