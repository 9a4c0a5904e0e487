"""When something is wrong the page says what, and what to do; where it can, it does it."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from selenium.webdriver import Keys

from tests.browser.shop_page import ShopPage

pytestmark = pytest.mark.slow


def test_a_file_that_is_no_photo(page: ShopPage, tmp_path: Path, dress_photo: Path) -> None:
    page.expected_failures = {415}
    text = tmp_path / "shopping.jpg"
    text.write_text("one dress, two skirts")
    page.go("/")
    page.choose(text)
    assert page.last_search["status"] == 415
    assert page.text(".notice h3") == "This file is not a photo that we can read"
    assert "JPEG, PNG, WebP or HEIC" in page.text(".notice")
    assert page.text(".notice .button") == "Choose another photo"
    assert page.products == []
    page.spoken("This file is not a photo")
    page.choose(dress_photo, "other")
    assert page.products[0] == dress_photo.parent.name
    assert page.all(".notice") == []


def test_a_file_that_is_too_large_is_not_even_sent(page: ShopPage, tmp_path: Path) -> None:
    page.go("/")
    most = page.run("return window.recorded.calls.find((call) => call.path === '/v1/page').answer.max_bytes")
    large = tmp_path / "large.heic"
    large.write_bytes(b"x" * (most + 1))
    before = len(page.sent)
    page.one("#choose").send_keys(str(large))
    page.wait("document.querySelector('.notice') !== null")
    assert page.text(".notice h3") == "This photo is too large"
    assert len(page.sent) == before


def test_a_busy_service_is_asked_again(page: ShopPage, dress_photo: Path) -> None:
    page.go("/")
    page.will_answer(503, retry_after=5)
    page.choose(dress_photo)
    notice = page.text(".notice")  # all at once: some seconds later it is gone
    assert notice.startswith("The search is busy just now")
    assert "As a test wants it." in notice  # the service knows why
    assert re.search(r"try again by ourselves in [1-5] second", notice)
    page.wait("document.querySelector('.card:not(.skeleton)') !== null")
    assert page.products[0] == dress_photo.parent.name


def test_what_passes_is_waited_for_and_what_has_to_be_mended_is_not(
    page: ShopPage, dress_photo: Path
) -> None:
    page.go("/")
    for reason in (None, "busy", "locked", "stopping", "a word of later days"):
        page.will_answer(503, retry_after=60, reason=reason)
        page.choose(dress_photo, "other" if page.view == "photo" else "choose")
        assert page.text(".notice h3") == "The search is busy just now"
        assert "by ourselves" in page.text(".notice")
    page.will_answer(503, retry_after=1, reason="unusable")
    page.choose(dress_photo, "other")
    assert page.text(".notice h3") == "The search cannot be used at the moment"
    assert "Try again later. If it stays like this, please tell the shop." in page.text(".notice")
    assert "by ourselves" not in page.text(".notice")
    assert "test-1" in page.text(".notice .small")
    page.spoken("The search cannot be used at the moment. Try again later.")
    before = len(page.sent)
    time.sleep(1.5)  # longer than Retry-After
    assert len(page.sent) == before
    assert [one.text for one in page.all(".notice .button")] == ["Try again"]
    page.click(".notice .button")
    assert page.products[0] == dress_photo.parent.name


def test_a_service_that_stays_busy_is_not_asked_for_ever(page: ShopPage, dress_photo: Path) -> None:
    page.go("/")
    page.will_answer(429, times=6, retry_after=0)
    page.choose(dress_photo)
    assert page.text(".notice h3") == "Too many searches in a short time"
    page.wait("window.recorded.answers.length === 1")
    page.settled()
    assert "by ourselves" not in page.text(".notice")
    page.will_answer(503, times=0)
    page.click(".notice .button")
    assert page.products[0] == dress_photo.parent.name


@pytest.mark.parametrize(
    ("status", "title", "button"),
    [
        (413, "This photo is too large", "Choose another photo"),
        (422, "The search cannot be done like this", "Choose another photo"),
        (500, "Something went wrong at our end", "Try again"),
        (504, "That took too long", "Try again"),
    ],
)
def test_each_error_says_what_to_do(
    page: ShopPage, dress_photo: Path, status: int, title: str, button: str
) -> None:
    page.go("/")
    page.will_answer(status)
    page.choose(dress_photo)
    assert page.text(".notice h3") == title
    assert page.text(".notice .button") == button
    assert "test-1" in page.text(".notice")
    page.spoken(title)


def test_the_focus_is_not_lost_with_the_button_that_had_it(page: ShopPage, dress_photo: Path) -> None:
    page.go("/")
    page.will_answer(500)
    page.choose(dress_photo)
    page.one(".notice .button").send_keys(Keys.ENTER)
    page.wait("document.querySelector('.card:not(.skeleton)') !== null")
    assert page.run("return document.activeElement.id") == "results-title"
    page.will_answer(503, retry_after=5)
    page.click(".card .like")
    page.run("document.querySelector('.notice .button').focus()")  # and then it tries again by itself
    page.wait("document.querySelector('.card:not(.skeleton)') !== null")
    assert page.run("return document.activeElement.id") == "results-title"


def test_a_image_that_did_not_come_is_asked_for_again(page: ShopPage) -> None:
    page.go("/")
    late, never = (one.get_attribute("src") for one in page.all(".card img")[:2])

    def block(*addresses: str) -> None:
        page.driver.execute_cdp_cmd("Network.setBlockedURLs", {"urls": list(addresses)})

    page.driver.execute_cdp_cmd("Network.enable", {})
    page.driver.execute_cdp_cmd("Network.setCacheDisabled", {"cacheDisabled": True})
    block(late, never)
    page.go("/")
    page.wait("document.querySelector('.card:nth-child(3) img')?.naturalWidth > 0")
    assert page.run("return document.querySelector('.card img').naturalWidth") == 0
    assert page.text(".card:nth-child(1) .frame") == "No picture", "said at once"
    block(never)
    page.wait("document.querySelector('.card:nth-child(1) img')?.naturalWidth > 0")
    page.wait("document.querySelector('.card:nth-child(2) img') === null")
    assert len(page.all(".no-picture")) == 1
    assert page.run("return performance.getEntriesByName(arguments[0]).length", never) == 3


def test_offline_and_back(page: ShopPage, dress_photo: Path) -> None:
    page.go("/")
    network = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    page.driver.execute_cdp_cmd("Network.enable", {})
    page.driver.execute_cdp_cmd("Network.emulateNetworkConditions", {**network, "offline": True})
    page.choose(dress_photo)
    assert page.text(".notice h3") == "You are offline"
    page.driver.execute_cdp_cmd("Network.emulateNetworkConditions", {**network, "offline": False})
    page.wait("document.querySelector('.card:not(.skeleton)') !== null")
    assert page.products[0] == dress_photo.parent.name


def test_a_category_or_a_product_that_is_gone(page: ShopPage) -> None:
    page.expected_failures = {404}
    for query in ("category=crinoline", "similar=dress-999999"):
        page.go(f"/?{query}")
        assert page.text(".notice h3") == "That is not here any more"
        page.click(".notice .button")
        assert page.query == ""
        assert len(page.products) == 24


def test_a_link_is_no_image(page: ShopPage) -> None:
    page.go("/")
    page.run(
        "const transfer = new DataTransfer(); transfer.setData('text/uri-list', 'https://shop.example/dress.jpg');"
        "for (const step of ['dragenter', 'drop']) document.body.dispatchEvent("
        "new DragEvent(step, {dataTransfer: transfer, bubbles: true, cancelable: true}))"
    )
    assert "Save the picture first" in page.text(".notice")


def test_a_search_that_was_overtaken_is_given_up(
    page: ShopPage, dress_photo: Path, street_photo: Path
) -> None:
    page.go("/")
    page.one("#choose").send_keys(str(street_photo))
    page.wait("window.recorded.calls.some((call) => call.path === '/v1/search')")  # else none is sent for it
    page.choose(dress_photo, "other")
    page.wait("window.recorded.calls.filter((call) => call.path === '/v1/search').length === 2")
    page.settled()
    assert page.products[0] == dress_photo.parent.name
