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


def test_a_new_name_for_a_path_renames_its_source(shop: Workspace, folder: Path) -> None:
    with shop:
        shop.ingest(folder)
        note = f"the source {folder} is called shop from now on"
        planned = shop.ingest(folder, source="shop", dry_run=True)
        assert (planned.source, planned.notes, planned.products["unchanged"]) == ("shop", [note], 2)
        assert names(shop) == [str(folder)]
        report = shop.ingest(folder, source="shop")
        assert (report.source, report.notes, report.products["unchanged"]) == ("shop", [note], 2)
        assert names(shop) == ["shop"]
        for path in (folder / "coat" / "blue").iterdir():
            path.unlink()
        pruned = shop.ingest(folder, prune=True, force=True)
        assert (pruned.source, pruned.notes, pruned.products["removed"]) == ("shop", [], 1)


def test_a_known_name_for_the_path_of_another_source_moves_there(
    shop: Workspace, folder: Path, tmp_path: Path
) -> None:
    with shop:
        shop.ingest(folder, source="old")
        other = tmp_path / "other.csv"
        other.write_text("id,image\nred,catalog/dress/red/1.jpg\n")
        shop.ingest(other, source="shop")
        moved = shop.ingest(folder, source="shop")
        assert (moved.source, moved.notes) == ("shop", [])
        assert names(shop) == ["old", "shop"]
        # Both lie there now; the one that was ingested last is meant.
        assert shop.ingest(folder).source == "shop"
        shop.ingest(folder, source="old")
        assert shop.ingest(folder).source == "old"


def test_a_name_with_another_format_is_another_reading_of_a_path(shop: Workspace, folder: Path) -> None:
    with shop:
        shop.ingest(folder, source="pictures")
        (folder / "products.csv").write_text("id,image\nother,dress/red/1.jpg\n")
        assert shop.ingest(folder, source="table", format="csv").notes[:1] != [
            "the source pictures is called table from now on"
        ]
        assert names(shop) == ["pictures", "table"]


def test_the_name_of_the_api_is_reserved(shop: Workspace, folder: Path) -> None:
    said = "the source 'api' is that of the products that are put over the API"
    with shop:
        shop.ingest(folder, source="shop")
        for refused in (
            lambda: shop.ingest(folder, source="api"),
            lambda: shop.ingest(source="api"),
            lambda: shop.sources.rename("api", "x"),
            lambda: shop.sources.rename("shop", "api"),
            lambda: shop.sources.remove("api"),
            lambda: shop.sources.remove("api", dry_run=True),
        ):
            with pytest.raises(ConfigError, match=said):
                refused()
        assert names(shop) == ["shop"]


class TestWhatIsKept:
    @pytest.fixture
    def table(self, tmp_path: Path, folder: Path) -> Path:
        (tmp_path / "lists").mkdir()
        path = tmp_path / "lists" / "shop.csv"
        path.write_text("no,title,t1,bild\nr,Plain,Red,red/1.jpg\n")
        return path

    def options(self, shop: Workspace) -> dict[str, object]:
        return dict(shop.sources.list()[0].source.options)

    def test_leave_to_read_files_elsewhere_is_for_one_run(
        self, shop: Workspace, tmp_path: Path, table: Path
    ) -> None:
        table.write_text("id,image\nr,../catalog/dress/red/1.jpg\n")
        with shop:
            assert shop.ingest(table, allow_outside=True).products["added"] == 1
            assert self.options(shop) == {}
            with shop.catalog.writing() as writer, writer.transaction():
                # As an older version kept it.
                writer.sources.note_ingest(
                    str(table), path=str(table), format="csv", options={"allow_outside": True}
                )
            (failure,) = shop.ingest(table).failed
            assert "--allow-outside" in failure.reason
            assert self.options(shop) == {}

    def test_columns_are_joined_by_field(self, shop: Workspace, folder: Path, table: Path) -> None:
        root = str(folder / "dress")
        with shop:
            columns = {"id": "no", "Titel": "t1", "image": "bild"}
            shop.ingest(table, columns=columns, media_root=root)
            assert shop.product("r").title == "Red"
            shop.ingest(table, columns={"title": "title"})
            assert shop.product("r").title == "Plain"
            assert self.options(shop)["columns"] == {"id": "no", "image": "bild", "title": "title"}
            shop.ingest(table, columns={"title": "", "category": "t1"})
            assert self.options(shop)["columns"] == {"id": "no", "image": "bild", "category": "t1"}
            table.write_text("id,image\nr,red/1.jpg\n")
            shop.ingest(table, columns={"id": "", "image": "", "category": ""})
            assert self.options(shop) == {"media_root": root}

    @pytest.mark.parametrize("root", ["dress", "https://img.example/media"])
    def test_where_images_lie_holds_in_any_folder(
        self, shop: Workspace, folder: Path, table: Path, root: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        table.write_text("id,image\nr,red/1.jpg\n")
        monkeypatch.chdir(folder)
        with shop:
            shop.ingest(table, media_root=root, fetching={"offline": True})
            monkeypatch.chdir(folder.parent)
            expected = root if "://" in root else str(folder / root)
            assert self.options(shop) == {"media_root": expected}
            if "://" not in root:
                assert shop.ingest(table).products["unchanged"] == 1


def test_a_domain_that_there_is_not_is_refused(shop: Workspace, folder: Path) -> None:
    with shop, pytest.raises(ConfigError, match=r"a domain is shop or consumer\. Received: 'street'"):
        shop.ingest(folder, domain="street")


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
