"""The API's reference: every call of openapi.json, and lines for a shell that work."""

from __future__ import annotations

import json
import shlex
import urllib.request

from tests.browser.shop_page import ShopPage


def open_reference(page: ShopPage) -> None:
    page.driver.get(f"{page.address}/docs")
    page.wait("document.getElementById('calls')?.getAttribute('aria-busy') === 'false'")


def test_every_call_is_shown(page: ShopPage, server: str) -> None:
    with urllib.request.urlopen(f"{server}/openapi.json") as answer:
        api = json.load(answer)
    calls = {
        f"{method.upper()} {path}"
        for path, item in api["paths"].items()
        for method in item
        if method in ("get", "post", "put", "delete")
    }
    assert "POST /v1/search" in calls
    open_reference(page)
    assert {one.text for one in page.all(".call h3")} == calls
    search = page.one("#post-v1-search")
    for words in ("multipart/form-data", "application/json", "category", "box", "415", "503"):
        assert words in search.text
    assert "Needs an API key." in page.one("section[id^=put]").text
    assert "Needs an API key." not in search.text


def test_its_lines_work(page: ShopPage, server: str) -> None:
    open_reference(page)
    commands = [one.get_property("textContent") for one in page.all("#post-v1-search .command code")]
    as_form = next(shlex.split(one.replace("\\\n", "")) for one in commands if "-F" in one)
    assert "image=@photo.jpg" in as_form
    as_json = next(shlex.split(one.replace("\\\n", "")) for one in commands if "-d" in one)
    assert as_json[0] == "curl"
    request = urllib.request.Request(
        as_json[-1],
        data=as_json[as_json.index("-d") + 1].encode(),
        headers=dict([as_json[as_json.index("-H") + 1].split(": ", 1)]),
    )
    with urllib.request.urlopen(request) as answer:
        assert json.load(answer)["hits"]
    simple = page.one("#get-v1-categories .command code").get_property("textContent").split()
    assert simple[0] == "curl"
    with urllib.request.urlopen(simple[-1]) as answer:
        assert json.load(answer)["products"] == 24


def test_a_line_is_copied(page: ShopPage) -> None:
    open_reference(page)
    page.grant("clipboardReadWrite", "clipboardSanitizedWrite")
    copy = page.one("#get-v1-categories .copy")
    page.run("arguments[0].scrollIntoView({block: 'center'})", copy)
    copy.click()
    page.wait("arguments[0].textContent === 'Copied'", copy)
    copied = page.driver.execute_async_script(
        "const done = arguments[arguments.length - 1]; navigator.clipboard.readText().then(done, done)"
    )
    assert copied == page.one("#get-v1-categories .command code").get_property("textContent")
