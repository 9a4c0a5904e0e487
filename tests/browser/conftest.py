"""The real server over a small drawn shop, and Chromium without a window to look at its page."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from selenium import webdriver

from tests.browser.shop_page import ShopPage, fresh_window, start_browser

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
DRIVERS = ("chromedriver", "chromium.chromedriver")
EXTRACTOR = "hog"
"""Needs no network, and a picture finds itself with it."""


def missing(what: str, remedy: str) -> NoReturn:
    """Skips where somebody runs the tests, fails where a machine does: it was to install what is needed."""
    reason = f"the page is tested in a browser, and there is no {what}; {remedy}"
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def found(names: tuple[str, ...], package: str) -> str:
    for name in names:
        if path := shutil.which(name):
            return path
    missing(names[0], f"on Debian: apt-get install {package}")


@pytest.fixture(scope="session")
def browser_files() -> tuple[str, str]:
    """The browser and its driver."""
    return found(BROWSERS, "chromium"), found(DRIVERS, "chromium-driver")


@pytest.fixture(scope="session")
def shop_home(drawn_shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with the drawn shop in it."""
    import stylesearch

    home = tmp_path_factory.mktemp("served")
    (home / "config.toml").write_text(f'extractor = "{EXTRACTOR}"\nregions = "few"\n')
    with stylesearch.open(home) as shop:
        assert shop.ingest(drawn_shop / "products.csv").added == 24
    return home


@contextlib.contextmanager
def serving(home: Path, log: Path, *, answers: str = "/ready") -> Iterator[str]:
    """The service as a process of its own, once that path answers 200; its address."""
    command = [str(Path(sys.executable).with_name("stylesearch")), "serve", "--home", str(home)]
    surroundings = {
        name: value
        for name, value in os.environ.items()
        if name == "STYLESEARCH_CACHE" or not name.startswith("STYLESEARCH_")
    }
    told = log.with_suffix(".json")
    with told.open("w") as output, log.open("w") as errors:
        # It takes a port that is free, and says which: one looked for here might be gone by then.
        server = subprocess.Popen(
            [*command, "--port", "0", "--json"], env=surroundings, stdout=output, stderr=errors
        )
    try:
        address = wait_until_ready(answers, server, told, log)
        yield address
    finally:
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(timeout=30)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
            raise


def wait_until_ready(path: str, server: subprocess.Popen[bytes], told: Path, log: Path) -> str:
    until = time.monotonic() + 120
    while server.poll() is None and time.monotonic() < until:
        first, is_whole, _ = told.read_text().partition("\n")
        if is_whole:
            address = str(json.loads(first)["url"])
            try:
                with urllib.request.urlopen(address + path, timeout=5):
                    return address
            except urllib.error.HTTPError as error:
                error.close()  # 503: not yet
            except OSError:
                pass  # nobody listens yet
        time.sleep(0.1)
    pytest.fail(f"the server did not get ready (exit code {server.poll()}):\n{log.read_text()[-4000:]}")


@pytest.fixture(scope="session")
def server(
    browser_files: tuple[str, str], shop_home: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The address of a server with the drawn shop."""
    with serving(shop_home, tmp_path_factory.mktemp("log") / "server.log") as address:
        yield address


@pytest.fixture(scope="session")
def browser(browser_files: tuple[str, str]) -> Iterator[webdriver.Chrome]:
    """One for all tests: each has a window and a profile of its own in it."""
    driver = start_browser(*browser_files)
    try:
        yield driver
    finally:
        driver.quit()


@pytest.fixture
def page(browser: webdriver.Chrome, server: str) -> Iterator[ShopPage]:
    """A fresh window, 1440 pixels wide."""
    with fresh_window(browser, server) as shown:
        yield shown


@pytest.fixture
def dress_photo(drawn_shop: Path) -> Path:
    """The shop's picture of a product: searched with, it finds that product first."""
    return next(iter(sorted((drawn_shop / "catalog").glob("*/*/*.jpg"))))


@pytest.fixture
def street_photo(drawn_shop: Path) -> Path:
    """A customer's photo, 400 to 520 pixels wide and 640 high."""
    return next(iter(sorted((drawn_shop / "street").glob("*.jpg"))))
