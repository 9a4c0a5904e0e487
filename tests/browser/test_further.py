"""Further products of the shop, ten at a time: behind those that are there, and never in place of them."""

from __future__ import annotations

import pytest

from tests.browser.shop_page import ShopPage

pytestmark = pytest.mark.slow

TEN_AT_A_TIME = """
const real = window.fetch;
window.further = { held: null, fails: 0, done: 0 };
window.fetch = async (url, ...all) => {
  const few = new URL(url);
  if (few.searchParams.has('limit')) few.searchParams.set('limit', '10');
  if (!few.searchParams.has('cursor')) return real(few, ...all);
  await window.further.held;
  try {
    if (window.further.fails-- > 0) return new Response('{"detail": "no luck"}', { status: 500 });
    return await real(few, ...all);
  } finally {
    window.further.done += 1;
  }
};
"""


@pytest.fixture
def ten(page: ShopPage) -> ShopPage:
    """The start with the first ten of 24 products."""
    page.go("/?category=dress")
    assert not page.one("#more").is_displayed()
    page.run(TEN_AT_A_TIME)
    page.click(".chip[data-name='']")
    assert len(page.products) == 10
    return page


def test_further_products_are_shown_when_asked_for(ten: ShopPage) -> None:
    page = ten
    page.click("#more")
    page.wait("document.querySelectorAll('.card').length === 20")
    assert len(set(page.products)) == 20
    assert page.run("return document.activeElement.closest('.card').dataset.product") == page.products[10]
    page.click("#more")
    page.wait("document.querySelectorAll('.card').length === 24")
    assert not page.one("#more").is_displayed()


def test_further_products_that_were_overtaken_are_given_up(ten: ShopPage) -> None:
    page = ten
    page.run("window.further.held = new Promise((go) => { window.further.release = go })")
    page.click("#more")
    page.click(".chip[data-name=dress]")
    dresses = page.products
    assert page.run("return window.further.done") == 0
    page.run("window.further.release()")
    page.wait("window.further.done === 1")
    page.driver.execute_async_script("setTimeout(arguments[0], 100)")  # what it does of it, it does at once
    assert page.all(".notice") == []
    assert page.products == dresses
    assert all(product.startswith("dress") for product in dresses)
    assert not page.one("#more-failed").is_displayed()


def test_further_products_that_do_not_come_take_none_away(ten: ShopPage) -> None:
    page = ten
    before = page.products
    page.run("window.further.fails = 1")
    page.one("#more").send_keys(" ")
    page.wait("document.getElementById('more-failed').hidden === false")
    assert page.text("#more-failed") == "Something went wrong at our end. Try again."
    assert page.products == before
    assert page.all(".notice") == []
    page.spoken("Something went wrong at our end")
    page.wait("document.activeElement.id === 'more'")
    page.click("#more")
    page.wait("document.querySelectorAll('.card').length === 20")
    assert page.products[:10] == before
    assert not page.one("#more-failed").is_displayed()
    page.run("window.further.fails = 1")
    page.click("#more")
    page.wait("document.getElementById('more-failed').hidden === false")
    page.click(".chip[data-name=dress]")
    assert not page.one("#more-failed").is_displayed()
