"""The same shop, exported by five systems, is the same catalog."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from stylesearch.importers.base import ImportOptions
from stylesearch.importers.choice import choose_importer
from stylesearch.importers.tables.importer import TableImporter
from stylesearch.listing import Listing, Record
from stylesearch.money import parse_price
from tests.unit.importers.tables.same_shop import SAME_SHOP, write_same_shop

BASE = "https://img.shop.example/p/"
FORMATS = ("shopify", "google-tsv", "google-xml", "woocommerce", "magento")


@dataclass
class Found:
    """A product of the catalog, with the options that its pictures show."""

    listing: Listing
    pictures: dict[str, dict[str, str]] = field(default_factory=dict)

    def money(self, text: str | None) -> tuple[float, str] | None:
        price = parse_price(text or "")
        return price and (price.amount, price.currency)


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_same_shop(tmp_path_factory.mktemp("exports"), BASE)


def products_of(name: str, path: Path, **options: str) -> dict[str, Found]:
    options["currency"] = "EUR"
    if name == "magento":
        options["media_root"] = BASE
    importer = TableImporter(name.partition("-")[0])
    products: dict[str, Found] = {}
    for found in importer.records(path, ImportOptions(**options)):  # type: ignore[arg-type]
        assert isinstance(found, Record), found
        product = products.setdefault(found.product.id, Found(found.product))
        assert found.path not in product.pictures
        product.pictures[found.path] = dict(found.options)
    return products


@pytest.mark.parametrize("name", FORMATS)
def test_the_format_is_found_by_looking(exports: dict[str, Path], name: str) -> None:
    assert choose_importer(exports[name]).name == name.partition("-")[0]


@pytest.mark.parametrize("name", FORMATS)
def test_ids_titles_categories_prices_and_images(exports: dict[str, Path], name: str) -> None:
    products = products_of(name, exports[name])
    assert list(products) == [product.id for product in SAME_SHOP]
    for product in SAME_SHOP:
        found = products[product.id]
        said = found.listing.said
        assert said["title"] == product.title
        assert said["category"] == product.category
        assert found.money(said["price"]) == (product.lowest, "EUR")
        assert said["in_stock"] is product.in_stock
        assert sorted(found.pictures) == sorted(BASE + picture for picture in product.all_pictures)


@pytest.mark.parametrize("name", FORMATS)
def test_variants(exports: dict[str, Path], name: str) -> None:
    products = products_of(name, exports[name])
    for product in SAME_SHOP:
        found = products[product.id]
        variants = found.listing.said.get("variants", ())
        assert [(one.id, dict(one.options), found.money(one.price), one.in_stock) for one in variants] == [
            (one.id, one.options, (float(one.sale_price or one.price), "EUR"), one.in_stock)
            for one in product.variants
        ]


@pytest.mark.parametrize("name", FORMATS)
def test_a_picture_of_a_color_is_shown_as_that_color(exports: dict[str, Path], name: str) -> None:
    products = products_of(name, exports[name])
    n_checked = 0
    for product in SAME_SHOP:
        colors = {one.options.get("color") for one in product.variants}
        sizes = {one.options.get("size") for one in product.variants}
        if len(colors) > 1 and len(sizes) > 1:
            n_checked += 1
            pictures = products[product.id].pictures
            for variant in product.variants:
                assert pictures[BASE + variant.picture] == {"color": variant.options["color"]}
            assert all(pictures[BASE + picture] == {} for picture in product.pictures)
    assert n_checked == 12


@pytest.mark.parametrize("name", FORMATS)
def test_variants_apart(exports: dict[str, Path], name: str) -> None:
    products = products_of(name, exports[name], variants="separate")
    assert list(products) == [sold.id for product in SAME_SHOP for sold in (product.variants or (product,))]


def test_the_shop_has_what_shops_have() -> None:
    assert len(SAME_SHOP) == 50
    assert {len(product.variants) for product in SAME_SHOP} == {0, 1, 2, 3, 4, 6, 9}
    assert sum(not product.in_stock for product in SAME_SHOP) == 7
    assert sum(bool(product.sale_price) for product in SAME_SHOP) == 13
    for part in (",", '"', "ü", "„", "&", ";"):
        assert any(part in product.title for product in SAME_SHOP)
