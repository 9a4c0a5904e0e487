"""What the page says of a product with variants: which one is shown, what they cost, what is sold out."""

from __future__ import annotations

from pathlib import Path

import pytest
from selenium import webdriver

import stylesearch
from stylesearch.catalog import ImageEntry
from stylesearch.listing import Listing
from stylesearch.types import Variant
from tests.browser.conftest import EXTRACTOR, serving
from tests.browser.shop_page import fresh_window

pytestmark = pytest.mark.slow


@pytest.fixture
def home(tmp_path: Path, drawn_shop: Path) -> Path:
    """A shop with a dress in two colors at two prices, and one that is sold out."""
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "config.toml").write_text(f'extractor = "{EXTRACTOR}"\nregions = "few"\n')
    with stylesearch.open(folder) as shop:
        shop.ingest(drawn_shop / "products.csv")
        first, second = (product.id for product in shop.catalog.products(limit=2))
        navy, rust = (
            Variant("1", {"color": "Navy"}, "39.90 EUR", True),
            Variant("2", {"color": "Rust"}, "59.90 EUR"),
        )
        (image, *_) = shop.catalog.images_of(first)
        with shop.catalog.writing() as writer, writer.transaction():
            said = {"variants": (navy, rust), "price": "39.90 EUR", "in_stock": True}
            writer.upsert_products(
                [Listing(first, said), Listing(second, {"in_stock": False})], source="shop"
            )
            entry = ImageEntry(
                first,
                image.path,
                sha256=image.sha256,
                width=image.width,
                height=image.height,
                options={"color": "Navy"},
            )
            writer.upsert_images([entry], source="shop")
    return folder


def test_a_card_says_the_variant_the_prices_and_what_is_sold_out(
    browser: webdriver.Chrome, home: Path, tmp_path: Path
) -> None:
    with serving(home, tmp_path / "server.log") as address, fresh_window(browser, address) as page:
        page.go("/")
        first = ".card:nth-child(1)"
        assert page.text(f"{first} .variant") == "Navy"
        spoken = page.run("return document.querySelector('.card:nth-child(1) .price').textContent")
        assert "39.90" in spoken
        assert " to " in spoken
        assert "59.90" in spoken
        assert page.all(f"{first} .sold-out") == []
        assert page.text(".card:nth-child(2) .sold-out") == "Sold out"
        assert page.all(".card:nth-child(3) .variant, .card:nth-child(3) .sold-out") == []
