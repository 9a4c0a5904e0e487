"""The API's reference: every call of openapi.json, which can be tried, and lines for a shell that work."""

from __future__ import annotations

import json
import shlex
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select

from tests.browser.shop_page import ShopPage

pytestmark = pytest.mark.slow

CALLS = """return [...document.querySelectorAll('.opblock')].map((one) =>
  `${one.querySelector('.opblock-summary-method').textContent} ` +
  one.querySelector('.opblock-summary-path').dataset.path)"""


def open_reference(page: ShopPage) -> None:
    page.driver.get(f"{page.address}/docs")
    page.wait("document.getElementById('calls')?.getAttribute('aria-busy') === 'false'")
    page.wait("document.querySelector('.opblock') !== null")


def open_call(page: ShopPage, name: str) -> WebElement:
    """Unfolds a call."""
    page.run("document.getElementById(arguments[0]).querySelector('.opblock-summary button').click()", name)
    page.wait("document.getElementById(arguments[0]).querySelector('.try-out__btn') !== null", name)
    return page.one(f"#{name}")


def execute(page: ShopPage, name: str) -> str:
    """Tries a call that is unfolded; the line for a shell that does the same."""
    page.run("document.getElementById(arguments[0]).querySelector('.execute').click()", name)
    page.wait("document.getElementById(arguments[0]).querySelector('.live-responses-table') !== null", name)
    assert page.text(f"#{name} .live-responses-table tbody .response-col_status").startswith("200")
    return str(page.one(f"#{name} .curl").get_property("textContent"))


def test_every_call_is_shown(page: ShopPage, server: str) -> None:
    with urllib.request.urlopen(f"{server}/openapi.json") as answer:
        api = json.load(answer)
    calls = {
        f"{method.upper()} {path}"
        for path, item in api["paths"].items()
        for method in item
        if method in ("get", "post", "put", "patch", "delete")
    }
    assert "POST /v1/search" in calls
    open_reference(page)
    assert set(page.run(CALLS)) == calls
    search = str(open_call(page, "operations-search-search").get_property("textContent"))
    for words in ("multipart/form-data", "application/json", "category", "box", "415", "503"):
        assert words in search
    assert page.all("#operations-products-put_product .authorization__btn")
    assert not page.all("#operations-search-search .authorization__btn")


def test_calls_can_be_tried_and_their_lines_work(page: ShopPage, server: str) -> None:
    open_reference(page)
    name = "operations-search-search"
    open_call(page, name)
    page.run("document.getElementById(arguments[0]).querySelector('.try-out__btn').click()", name)
    Select(page.one(f"#{name} .opblock-section-request-body select")).select_by_value("application/json")
    page.wait("document.getElementById(arguments[0]).querySelector('textarea') !== null", name)
    line = shlex.split(execute(page, name).replace("\\\n", ""))
    assert line[0] == "curl"
    request = urllib.request.Request(
        next(one for one in line if one.startswith("http")),
        data=line[line.index("-d") + 1].encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        assert json.load(answer)["hits"]
    name = "operations-products-categories"
    open_call(page, name)
    page.run("document.getElementById(arguments[0]).querySelector('.try-out__btn').click()", name)
    line = shlex.split(execute(page, name).replace("\\\n", ""))
    with urllib.request.urlopen(next(one for one in line if one.startswith("http"))) as answer:
        assert json.load(answer)["products"] == 24


def test_a_form_sends_only_what_is_filled_in(page: ShopPage, server: str, street_photo: Path) -> None:
    open_reference(page)
    name = "operations-search-search"
    open_call(page, name)
    page.run("document.getElementById(arguments[0]).querySelector('.try-out__btn').click()", name)
    page.one(f"#{name} input[type=file]").send_keys(str(street_photo))
    line = shlex.split(execute(page, name).replace("\\\n", ""))
    sent = [line[place + 1] for place, word in enumerate(line) if word == "-F"]
    # All but the image have a default.
    assert {one.partition("=")[0] for one in sent} == {"k", "explain", "region", "image"}
    answer = json.loads(page.text(f"#{name} .live-responses-table tbody .response-col_description pre"))
    assert len(answer["hits"]) == 20


def test_nothing_is_asked_of_another_server(page: ShopPage) -> None:
    open_reference(page)
    asked = page.run("return performance.getEntriesByType('resource').map((one) => one.name)")
    assert any("swagger-ui-bundle.js" in one for one in asked)
    assert {urlsplit(one).netloc for one in asked if not one.startswith("data:")} == {
        urlsplit(page.address).netloc
    }
