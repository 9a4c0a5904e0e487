"""Which source an ingest is of, and how it is read."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

import stylesearch as ss
from stylesearch.errors import ConfigError, UnknownName
from stylesearch.ingest import IngestReport
from stylesearch.workspace.workspace import Workspace
from tests.integration.tiny_shop import draw, jpeg


@pytest.fixture
def shop(tmp_path: Path) -> Workspace:
    return ss.open(tmp_path / "home", extractor="color-histogram", space="raw")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, name in enumerate(
        ("dress/red/1.jpg", "dress/red/2.jpg", "coat/blue/1.jpg", "coat/blue/2.jpg")
    ):
        path = tmp_path / "catalog" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg(draw((40 * number, 90, 90), seed=number)))
    return tmp_path / "catalog"


def names(shop: Workspace) -> list[str]:
    return [one.source.name for one in shop.sources.list()]


def test_a_source_is_read_as_it_was_before(shop: Workspace, folder: Path) -> None:
    with shop:
        assert shop.ingest(folder).products["added"] == 2
        (folder / "products.csv").write_text("id,image\nother,dress/red/1.jpg\n")
        again = shop.ingest(folder)
        assert (again.products["unchanged"], again.products["added"]) == (2, 0)
        assert shop.ingest(folder, format="csv", source="table").products["added"] == 1


def test_a_name_stays_with_a_path_and_a_path_with_a_name(
    shop: Workspace, folder: Path, tmp_path: Path
) -> None:
    with shop:
        shop.ingest(folder, source="export", layout="category/product/image")
        assert shop.ingest(folder).source == "export"
        moved = folder.rename(tmp_path / "moved")
        report = shop.ingest(moved, source="export")
        # The same products, whose images lie elsewhere; the old paths are gone.
        assert (report.products["unchanged"], report.added, report.removed, report.computed) == (2, 4, 4, 0)
        assert shop.ingest(source="export").products["unchanged"] == 2
        (known,) = shop.sources.list()
        assert (known.source.path, known.source.options["layout"]) == (str(moved), "category/product/image")
        assert known.images == 4


def test_a_link_to_the_latest_export_is_one_source(shop: Workspace, folder: Path, tmp_path: Path) -> None:
    latest = tmp_path / "latest"
    with shop:
        for month in ("october", "november"):
            (tmp_path / month).mkdir()
            (tmp_path / month / "shop.csv").write_text(
                f"id,title,image\nred,{month},../catalog/dress/red/1.jpg\n"
            )
            latest.unlink(missing_ok=True)
            latest.symlink_to(tmp_path / month)
            shop.ingest(latest / "shop.csv", allow_outside=True)
        assert names(shop) == [str(latest / "shop.csv")]
        assert shop.product("red").title == "november"


def test_what_is_meant_has_to_be_said(shop: Workspace, folder: Path) -> None:
    with shop:
        with pytest.raises(ConfigError, match="nothing to ingest"):
            shop.ingest()
        shop.ingest(folder, source="export")
        with pytest.raises(UnknownName, match="Did you mean 'export'"):
            shop.ingest(source="exprot")


def test_a_dry_run_changes_nothing_and_says_what_an_ingest_would(shop: Workspace, folder: Path) -> None:
    def counts(report: IngestReport) -> object:
        return report.products, report.added, report.categories

    with shop:
        planned = shop.ingest(folder, dry_run=True)
        assert not shop.settings.home.exists()
        assert [(one.id, one.title) for one in planned.examples] == [("blue", "Blue"), ("red", "Red")]
        assert counts(planned) == counts(shop.ingest(folder))
        before = (shop.settings.home / "catalog.db").read_bytes()
        for path in (folder / "coat" / "blue").iterdir():
            path.unlink()
        (folder / "coat" / "green.jpg").write_bytes(jpeg(draw((1, 200, 1))))
        planned = shop.ingest(folder, dry_run=True, prune=True, force=True)
        assert (planned.products["added"], planned.products["removed"], planned.removed) == (1, 1, 2)
        assert (shop.settings.home / "catalog.db").read_bytes() == before
        assert counts(planned) == counts(shop.ingest(folder, prune=True, force=True))


def test_a_dry_run_leaves_a_catalog_of_an_older_version_as_it_is(folder: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    dump = Path(__file__).parents[2] / "migrations" / "dumps" / "0001.sql"
    with contextlib.closing(sqlite3.connect(home / "catalog.db")) as connection:
        connection.executescript(dump.read_text(encoding="utf-8"))
    before = (home / "catalog.db").read_bytes()
    with ss.open(home, extractor="color-histogram", space="raw") as shop:
        report = shop.ingest(folder, dry_run=True)
    assert (report.products["added"], report.products["changed"]) == (0, 1)  # blue is a coat here
    assert (home / "catalog.db").read_bytes() == before
    assert [path.name for path in home.iterdir()] == ["catalog.db"]
