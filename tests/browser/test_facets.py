"""Chips under the categories narrow a search by color, size, price and stock, and are taken off again."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest

from tests.browser.shop_page import ShopPage

pytestmark = pytest.mark.slow


def chip(facet: str, number: int = 1) -> str:
    return f".facet[aria-label={facet}] .chip:nth-of-type({number})"


def shown_count(page: ShopPage, selector: str) -> int:
    return int(page.text(f"{selector} .number"))


def test_a_chip_narrows_the_search_and_is_taken_off(page: ShopPage, street_photo: Path) -> None:
    page.go("/")
    assert not page.one("#facets").is_displayed()
    page.choose(street_photo)
    everything = page.products
    color = chip("Color")
    where, n_left = page.one(color).get_attribute("data-where"), shown_count(page, color)
    assert 0 < n_left < 24
    page.click(color)
    assert page.last_search["form"]["where"] == where
    assert len(page.products) == n_left
    assert page.one(color).get_attribute("aria-pressed") == "true"
    assert page.run("return document.activeElement.dataset.where") == where
    assert f"where={where.split('=')[0]}" in page.query
    page.spoken(f"{n_left} product")
    # The other colors are still offered: one of them takes the place of this one.
    other = page.one(chip("Color", 2)).get_attribute("data-where")
    n_other = shown_count(page, chip("Color", 2))
    page.click(chip("Color", 2))
    assert page.last_search["form"]["where"] == other
    assert len(page.products) == n_other
    # A value of another name holds as well.
    page.click(chip("Price"))
    price = page.one(chip("Price")).get_attribute("data-where")
    assert page.last_search["form"]["where"] == f"{other} and {price}"
    page.click(chip("Price"))
    page.click(".facet[aria-label=Color] .chip[aria-pressed=true]")
    assert "where" not in page.query
    assert page.products == everything
    page.driver.back()
    page.settled()
    assert page.one(chip("Color", 2)).get_attribute("aria-pressed") == "true"


def test_what_an_address_narrows_to_can_be_taken_off(page: ShopPage) -> None:
    page.go("/")
    product = page.products[0]
    page.go(f"/?similar={product}&where=not%20material%3Dglass&where=price%3C0")
    assert page.products == []
    assert page.text(".notice h3") == "Nothing found that is all of this"
    assert page.one(".facet[aria-label=Filter] .chip").get_attribute("data-where") == "not material=glass"
    pressed = ".facet[aria-label=Price] .chip[aria-pressed=true]"
    assert page.one(pressed).get_attribute("data-where") == "price<0"
    page.click(pressed)
    assert len(page.products) == 20
    page.click(".facet .chip[aria-pressed=true]")
    assert "where" not in page.query


@pytest.mark.parametrize("chosen", ["color=mauve", "not color=red", 'color in ("red and blue")'])
def test_a_value_takes_the_place_of_one_that_is_not_offered(page: ShopPage, chosen: str) -> None:
    page.go("/")
    page.go(f"/?similar={page.products[0]}&where={quote(chosen)}&where=price%3E0")
    pressed = page.one(".facet[aria-label=Color] .chip[aria-pressed=true]")
    assert pressed.get_attribute("data-where") == chosen
    color = chip("Color")
    where, n_left = page.one(color).get_attribute("data-where"), shown_count(page, color)
    page.click(color)
    assert len(page.products) in (n_left - 1, n_left)  # the product that they are like is counted too
    assert f"where={quote(where)}" in page.query
    assert quote(chosen) not in page.query
    assert "where=price%3E0" in page.query


def test_on_a_phone_the_chip_in_force_is_in_sight(page: ShopPage) -> None:
    page.resize(390, 844, phone=True)
    page.go("/")
    page.go(f"/?similar={page.products[0]}&where=price%3E0")
    pressed = ".facet[aria-label=Price] .chip[aria-pressed=true]"
    assert page.run(f"return document.querySelector('{pressed}').getBoundingClientRect().right") <= 390


def test_a_filter_that_cannot_be_read_is_told_over_the_whole_width(page: ShopPage) -> None:
    page.expected_failures = {422}
    page.resize(1280, 800)
    page.go("/")
    page.go(f"/?similar={page.products[0]}&where=color%3D%3Dred")
    assert page.run("return document.querySelector('.results').getBoundingClientRect().width") > 1000


@pytest.mark.parametrize("width", [390, 1440])
def test_nothing_jumps_when_chips_come_and_change(page: ShopPage, street_photo: Path, width: int) -> None:
    page.resize(width, 844, phone=width < 600)
    page.go("/")
    page.choose(street_photo)
    page.run(
        "window.jumps = [];"
        "new PerformanceObserver((list) => window.jumps.push(...list.getEntries().map((one) => one.value)))"
        ".observe({type: 'layout-shift', buffered: false})"
    )
    top = page.run("return document.getElementById('grid').getBoundingClientRect().top + scrollY")
    page.run("document.querySelector('.facet .chip').click()")
    page.wait("document.querySelector('.facet .chip[aria-pressed=true]') !== null")
    page.settled()
    assert page.run("return document.getElementById('grid').getBoundingClientRect().top + scrollY") == top
    assert sum(page.run("return window.jumps")) < 0.02
    assert page.run("return document.documentElement.scrollWidth <= innerWidth")
