"""Several sources of one shop: what each may lose, and what it may not."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

import stylesearch as ss
from stylesearch.catalog import Patch
from stylesearch.catalog.source_reader import API
from stylesearch.ingest import IngestReport
from stylesearch.workspace.workspace import Workspace
from tests.integration.tiny_shop import draw, jpeg
from tests.unit.images.remote.picture_server import Answer, PictureServer

HERE = {"allow_private": True, "n_retries": 0, "backoff_seconds": 0.01}


@pytest.fixture
def shop(tmp_path: Path) -> Workspace:
    return ss.open(tmp_path / "home", extractor="color-histogram", space="raw")


def pictures_of(shop: Workspace, product_id: str) -> list[str]:
    return [image.locator for image in shop.images(product_id)]


def write(path: Path, header: str, *rows: str) -> Path:
    path.write_text("\n".join([header, *rows, ""]))
    return path


def draw_pictures(folder: Path, n: int = 3) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"p{number}.jpg" for number in range(n)]
    for number, path in enumerate(paths):
        path.write_bytes(jpeg(draw((60 * number, 120, 60), seed=number)))
    return paths


def test_a_table_that_has_no_images_any_more_keeps_those_of_the_products(
    shop: Workspace, tmp_path: Path
) -> None:
    draw_pictures(tmp_path)
    table = tmp_path / "shop.csv"
    with shop:
        shop.ingest(write(table, "id,image,price", *(f"p{n},p{n}.jpg,{n}" for n in range(3))))
        report = shop.ingest(write(table, "id,price", *(f"p{n},9" for n in range(3))), prune=True)
        assert (report.removed, report.products["changed"]) == (0, 3)
        assert [len(pictures_of(shop, f"p{n}")) for n in range(3)] == [1, 1, 1]


@pytest.mark.parametrize("fetching", [{}, {"offline": True}])
def test_a_new_url_that_cannot_be_fetched_leaves_the_old_picture(
    shop: Workspace, tmp_path: Path, fetching: dict[str, Any]
) -> None:
    with PictureServer() as server, shop:
        url = server.add("/a.jpg?v=1", jpeg(draw((200, 10, 10))))
        server.behave("/a.jpg?v=2", Answer(500))
        table = write(tmp_path / "shop.csv", "id,image", f"a,{url}")
        shop.ingest(table, fetching=HERE)
        report = shop.ingest(
            write(table, "id,image", f"a,{server.url('/a.jpg?v=2')}"),
            fetching={**HERE, **fetching},
            prune=True,
        )
        assert (report.removed, report.n_failed) == (0, 1)
        assert pictures_of(shop, "a") == [url]
        server.add("/a.jpg?v=2", jpeg(draw((10, 200, 10))))
        assert shop.ingest(table, fetching=HERE).removed == 1
        assert pictures_of(shop, "a") == [server.url("/a.jpg?v=2")]


def test_a_picture_that_its_server_no_longer_has_stays_while_it_is_listed(
    shop: Workspace, tmp_path: Path
) -> None:
    with PictureServer() as server, shop:
        url = server.add("/a.jpg", jpeg(draw((200, 10, 10))))
        table = write(tmp_path / "shop.csv", "id,image", f"a,{url}")
        shop.ingest(table, fetching=HERE)
        server.behave("/a.jpg", Answer(404))
        report = shop.ingest(table, fetching={**HERE, "max_age": 0.0})
        assert [one.item for one in report.failed] == [url]
        assert pictures_of(shop, "a") == [url]
        assert Path(shop.images("a")[0].path).exists()
        assert report.computed == 0


def test_a_change_over_the_api_does_not_keep_a_product_that_no_source_lists(
    shop: Workspace, tmp_path: Path
) -> None:
    draw_pictures(tmp_path)
    table = write(tmp_path / "shop.csv", "id,image,price", *(f"p{n},p{n}.jpg,{n}" for n in range(3)))
    with shop:
        shop.ingest(table)
        with shop.catalog.writing() as writer, writer.transaction():
            writer.patch_products({"p0": Patch({"price": "5 EUR"})}, source=API)
        assert shop.product("p0").price == "5 EUR"
        assert {one.source.name: one.products for one in shop.sources.list()} == {str(table): 3, API: 0}
        report = shop.ingest(
            write(table, "id,image,price", "p1,p1.jpg,1", "p2,p2.jpg,2"), prune=True, force=True
        )
        assert report.products["removed"] == 1
        assert [product.id for product in shop.products()] == ["p1", "p2"]


def test_rows_that_tell_no_product_keep_all_unless_that_is_forced(shop: Workspace, tmp_path: Path) -> None:
    draw_pictures(tmp_path, 4)
    rows = [f"p{n},p{n}.jpg,{n}" for n in range(4)]
    table = write(tmp_path / "shop.csv", "id,image,price", *rows)
    with shop:
        shop.ingest(table)
        write(table, "id,image,price", *rows[:3], ",Total,6")
        report = shop.ingest(table, prune=True)
        assert (report.products["removed"], report.unreadable, report.removes_nothing) == (0, 1, True)
        assert report.unreadable_example == f"{table}:5"
        assert shop.ingest(table, prune=True, force=True).products["removed"] == 1


def test_a_row_with_too_many_cells_is_one_failure_and_blocks_nothing(shop: Workspace, tmp_path: Path) -> None:
    draw_pictures(tmp_path, 4)
    rows = [f"p{n},p{n}.jpg,{n}" for n in range(4)]
    table = write(tmp_path / "shop.csv", "id,image,price", *rows)
    with shop:
        shop.ingest(table)
        report = shop.ingest(write(table, "id,image,price", *rows[:2], "p2,p2.jpg,2,more"), prune=True)
        assert (report.n_failed, report.products["removed"], report.removed) == (1, 1, 1)
        assert [product.id for product in shop.products()] == ["p0", "p1", "p2"]


def test_a_source_whose_drive_is_absent_loses_nothing_to_another(shop: Workspace, tmp_path: Path) -> None:
    nas = tmp_path / "nas"
    for path in draw_pictures(tmp_path / "own"):
        for number in range(2):
            view = nas / "dress" / path.stem / f"{number}.jpg"
            view.parent.mkdir(parents=True, exist_ok=True)
            view.write_bytes(jpeg(draw((90, 50 * number, 90), seed=number + 7)))
    table = write(tmp_path / "shop.csv", "id,image", *(f"p{n},own/p{n}.jpg" for n in range(3)))
    with shop:
        shop.ingest(nas, layout="category/product/image")
        shop.ingest(table)
        shutil.move(nas, tmp_path / "away")
        report = shop.ingest(table)
        assert report.removed == 0
        assert any("is gone" in note for note in report.notes)
        assert [len(pictures_of(shop, f"p{n}")) for n in range(3)] == [3, 3, 3]


def test_a_variant_whose_product_is_not_in_the_export_adds_nothing(shop: Workspace, tmp_path: Path) -> None:
    draw_pictures(tmp_path, 1)
    header = "ID,Type,SKU,Name,Published,Categories,Images,Parent,Regular price"
    export = write(
        tmp_path / "woo.csv", header, "1,simple,a,A,1,Tops,p0.jpg,,5", "9,variation,b-s,B,1,,,id:741,6"
    )
    with shop:
        report = shop.ingest(export)
        assert (report.products["added"], report.n_failed, report.unreadable) == (1, 1, 1)
        assert [product.id for product in shop.products()] == ["a"]


def test_guesses_of_a_source_go_with_it(shop: Workspace, tmp_path: Path) -> None:
    draw_pictures(tmp_path / "Summer dresses" / "p0", 1)
    picture = tmp_path / "Summer dresses" / "p0" / "p0.jpg"
    table = write(tmp_path / "prices.csv", "id,price,image", f"p0,5,{picture}")
    with shop:
        shop.ingest(tmp_path / "Summer dresses", source="pictures", layout="product/image")
        shop.ingest(table)
        assert shop.product("p0").title == "P0"
        shop.sources.remove("pictures")
        left = shop.product("p0")
        assert (left.title, left.category, left.price) == ("p0", "uncategorized", "5")


def test_failures_are_counted_and_the_first_are_kept(
    shop: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stylesearch.ingest.report.N_FAILURES_KEPT", 5)
    draw_pictures(tmp_path, 1)
    with shop:
        report: IngestReport = shop.ingest(
            write(tmp_path / "shop.csv", "id,image", "a,p0.jpg", *(f"x{n},no{n}.jpg" for n in range(9)))
        )
    assert (report.n_failed, len(report.failed)) == (9, 5)
    assert any("9 of 10 rows" in one and "no such picture" in one for one in report.warnings)


def test_images_stay_in_the_order_of_the_shop(shop: Workspace, tmp_path: Path) -> None:
    names = ("z-front.jpg", "m-back.jpg", "a-label.jpg")
    for number, name in enumerate(names):
        (tmp_path / name).write_bytes(jpeg(draw((60 * number, 90, 10), seed=number)))
    table = write(tmp_path / "shop.csv", "id,image", f'p,"{names[0]},{names[1]}"', f"p,{names[2]}")
    with shop:
        shop.ingest(table)
        assert [Path(one).name for one in pictures_of(shop, "p")] == list(names)
        shown = shop.catalog.shown.images(["p"])["p"]
        assert [Path(one.path).name for one in shown] == list(names)
        write(table, "id,image", f"p,{names[2]}", f"p,{names[0]}", f"p,{names[1]}")
        assert shop.ingest(table).computed == 0
        assert [Path(one).name for one in pictures_of(shop, "p")] == [names[2], *names[:2]]


def test_products_that_the_shop_hides_are_taken_out(shop: Workspace, tmp_path: Path) -> None:
    draw_pictures(tmp_path, 6)
    header = "Handle,Title,Published,Variant Price,Image Src"

    def export(*hidden: int) -> Path:
        rows = (f"p{n},P {n},{'false' if n in hidden else 'true'},{n},p{n}.jpg" for n in range(6))
        return write(tmp_path / "shopify.csv", header, *rows)

    with shop:
        assert shop.ingest(export(5)).products["added"] == 5
        report = shop.ingest(export(0, 5))
        assert (report.products["withdrawn"], report.products["unlisted"], report.removed) == (1, 0, 1)
        assert [product.id for product in shop.products()] == ["p1", "p2", "p3", "p4"]
        report = shop.ingest(export(0, 1, 2, 3, 5))
        assert (report.products["withdrawn"], report.refused_withdrawals) == (0, 3)
        assert shop.ingest(export(0, 1, 2, 3, 5), force=True).products["withdrawn"] == 3
        assert [product.id for product in shop.products()] == ["p4"]
        assert shop.ingest(export()).products["added"] == 5


def test_a_table_of_stock_does_not_keep_what_is_no_longer_sold(shop: Workspace, tmp_path: Path) -> None:
    draw_pictures(tmp_path)
    table = write(tmp_path / "shop.csv", "id,title,image", *(f"p{n},P {n},p{n}.jpg" for n in range(3)))
    stock = write(tmp_path / "stock.csv", "sku,stock,price", *(f"p{n},{n},{n}.90 EUR" for n in range(3)))
    with shop:
        shop.ingest(table)
        assert shop.ingest(stock).products["changed"] == 3
        write(table, "id,title,image", "p1,P 1,p1.jpg", "p2,P 2,p2.jpg")
        assert shop.ingest(table, prune=True, force=True).products["removed"] == 1
        report = shop.ingest(stock)
        assert report.products["added"] == 0
        assert [(one.id, one.in_stock, one.price) for one in shop.products()] == [
            ("p1", True, "1.90 EUR"),
            ("p2", True, "2.90 EUR"),
        ]
