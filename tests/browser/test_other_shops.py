"""Shops unlike the drawn one: an empty one, and one with ids that mean something in an address."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver

import stylesearch
from tests.browser.conftest import EXTRACTOR, serving
from tests.browser.shop_page import ShopPage, fresh_window

pytestmark = pytest.mark.slow

TRICKY = ("a", "a/similar", "50% off?#1&k=2", "b//c")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "config.toml").write_text(f'extractor = "{EXTRACTOR}"\nregions = "few"\n')
    return folder


@pytest.fixture
def other_page(browser: webdriver.Chrome, home: Path, tmp_path: Path) -> Iterator[ShopPage]:
    """The page of a server over that home, as it is when the test begins."""
    # An empty shop is alive, but not ready: there is nothing to search in.
    with (
        serving(home, tmp_path / "server.log", answers="/health") as address,
        fresh_window(browser, address) as shown,
    ):
        yield shown


def test_an_empty_shop_says_that_it_is_empty(other_page: ShopPage, dress_photo: Path) -> None:
    page = other_page
    page.expected_failures = {404}  # of the search, should the service say so: there is nothing to search in
    page.go("/")
    assert page.text(".notice h3") == "There are no products yet"
    assert page.text(".notice code") == "stylesearch ingest products.csv"
    assert page.all(".notice.error, .notice .button") == []
    assert {call["status"] for call in page.sent} == {200}
    page.spoken("There are no products yet")
    page.choose(dress_photo)
    assert page.text(".notice h3") == "There are no products yet"
    assert page.products == []


@pytest.fixture
def tricky_home(home: Path, drawn_shop: Path) -> Path:
    """The same home, with a product of each of those ids."""
    images = sorted((drawn_shop / "catalog").glob("*/*/*.jpg"))
    table = drawn_shop / "tricky.csv"
    with table.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(("id", "category", "title", "image"))
        for product, image in zip(TRICKY, images, strict=False):
            rows.writerow((product, "dress", f"Product {product}", image.relative_to(drawn_shop)))
    with stylesearch.open(home) as shop:
        assert shop.ingest(table).added == len(TRICKY)
    return home


def test_ids_that_mean_something_in_an_address(tricky_home: Path, other_page: ShopPage) -> None:
    page = other_page
    page.go("/")
    assert sorted(page.products) == sorted(TRICKY)
    for product in TRICKY:
        page.run(
            "[...document.querySelectorAll('.card')].find((one) => one.dataset.product === arguments[0])"
            ".querySelector('.like').click()",
            product,
        )
        page.wait(
            "document.getElementById('product-title').textContent === arguments[0]", f"Product {product}"
        )
        page.settled()
        assert sorted([*page.products, product]) == sorted(TRICKY)
        page.driver.back()
        page.wait("document.body.dataset.view === 'start'")
        page.settled()
