"""Tables of stock and prices, whose ids are those of products and of their variants."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import stylesearch as ss
from stylesearch.cli.ingest_report import echo_report
from stylesearch.cli.options import Shared
from stylesearch.ingest import IngestReport
from stylesearch.types import Product
from stylesearch.workspace.workspace import Workspace
from tests.integration.tiny_shop import draw, jpeg

PRODUCTS = """sku,parent,title,color,size,price,stock,image
WD10-NS,WD10,Wrap dress,Navy,S,59.90,3,a.jpg
WD10-NM,WD10,Wrap dress,Navy,M,59.90,1,a.jpg
H1,,Hat,,,20,5,a.jpg
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.jpg").write_bytes(jpeg(draw((60, 120, 60), seed=1)))
    (tmp_path / "products.csv").write_text(PRODUCTS)
    return tmp_path


@pytest.fixture
def shop(folder: Path) -> Workspace:
    shop = ss.open(folder / "home", extractor="color-histogram", space="raw")
    shop.ingest(folder / "products.csv")
    return shop


def take_in(shop: Workspace, folder: Path, text: str, **options: bool) -> IngestReport:
    (folder / "stock.csv").write_text(text)
    return shop.ingest(folder / "stock.csv", **options)


def shown(report: IngestReport, *, verbosity: int, dry_run: bool) -> str:
    @click.command()
    def command() -> None:
        shared = Shared()
        shared.verbosity = verbosity
        echo_report(report, shared, dry_run=dry_run)

    return CliRunner().invoke(command).output


def product(shop: Workspace, product_id: str) -> Product:
    return shop.product(product_id)


def ids(shop: Workspace) -> list[str]:
    return sorted(one.id for one in shop.products())


def test_a_row_with_the_id_of_a_variant_changes_the_variant_and_its_product(
    shop: Workspace, folder: Path
) -> None:
    with shop:
        report = take_in(shop, folder, "sku;stock;price\nWD10-NS;0;\nWD10-NM;0;49.90\n")
        assert ids(shop) == ["H1", "WD10"]
        changed = product(shop, "WD10")
        assert [(one.id, one.price, one.in_stock) for one in changed.variants] == [
            ("WD10-NS", "59.90", False),
            ("WD10-NM", "49.90", False),
        ]
        assert changed.variants[0].options == {"color": "Navy", "size": "S"}
        assert (changed.price, changed.in_stock) == ("49.90", False)
        assert (report.products["changed"], report.products["added"], report.n_failed) == (1, 0, 0)
        assert report.without_picture == 0

        take_in(shop, folder, "sku;stock;price\nWD10-NS;4;\nWD10-NM;0;49.90\n")
        assert product(shop, "WD10").in_stock is True


def test_known_products_change_and_unknown_ids_are_counted_once(shop: Workspace, folder: Path) -> None:
    with shop:
        rows = "".join(f"other-{n};1;5\n" for n in range(12))
        report = take_in(shop, folder, f"sku;stock;price\nH1;0;15\n{rows}")
        assert ids(shop) == ["H1", "WD10"]
        assert (product(shop, "H1").price, product(shop, "H1").in_stock) == ("15", False)
        (note,) = [one for one in report.notes if "no known" in one]
        assert note.startswith(
            "12 ids are of no known product or variant, and left out, first: other-0, other-1, other-2"
        )
        assert report.unreadable == 0


def test_variants_that_a_stock_table_groups_keep_their_options(shop: Workspace, folder: Path) -> None:
    with shop:
        take_in(shop, folder, "sku;parent;stock\nWD10-NS;WD10;0\n")
        assert [(one.options["size"], one.in_stock) for one in product(shop, "WD10").variants] == [
            ("S", False),
            ("M", True),
        ]
        assert product(shop, "WD10").in_stock is True


def test_what_a_stock_table_said_of_a_variant_goes_with_it(shop: Workspace, folder: Path) -> None:
    with shop:
        take_in(shop, folder, "sku;stock\nWD10-NS;0\nH1;0\n")
        take_in(shop, folder, "sku;stock\nH1;0\n", prune=True, force=True)
        assert [one.in_stock for one in product(shop, "WD10").variants] == [True, True]
        assert len(shop.images("WD10")) == 1


def test_a_dry_run_says_the_same(shop: Workspace, folder: Path) -> None:
    with shop:
        report = take_in(shop, folder, "sku;stock\nWD10-NS;0\nnobody;1\n", dry_run=True)
        assert report.products["changed"] == 1
        assert any("1 id is of no known product" in one for one in report.notes)
        assert [one.in_stock for one in product(shop, "WD10").variants] == [True, True]


def test_the_columns_are_shown_by_a_dry_run_and_on_request(shop: Workspace, folder: Path) -> None:
    line = "columns: id = sku, price = price"
    with shop:
        (folder / "stock.csv").write_text("sku;price;Regal\nH1;5;7\n")
        report = shop.ingest(folder / "stock.csv", dry_run=True)
    assert report.as_dict()["columns"] == "id = sku, price = price; attributes: Regal"
    assert line in shown(report, verbosity=0, dry_run=True)
    assert line in shown(report, verbosity=1, dry_run=False)
    assert line not in shown(report, verbosity=0, dry_run=False)
    assert line not in shown(report, verbosity=-1, dry_run=True)
