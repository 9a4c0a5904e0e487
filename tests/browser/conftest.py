"""The real server over a small drawn shop, and Chromium without a window to look at its page."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from tests.browser.shop_page import ShopPage, start_browser

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


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


@contextlib.contextmanager
def serving(home: Path, log: Path, *, answers: str = "/ready") -> Iterator[str]:
    """The service as a process of its own, once that path answers 200; its address."""
    port = free_port()
    command = [str(Path(sys.executable).with_name("stylesearch")), "serve", "--home", str(home)]
    surroundings = {
        name: value
        for name, value in os.environ.items()
        if name == "STYLESEARCH_CACHE" or not name.startswith("STYLESEARCH_")
    }
    with log.open("w") as output:
        server = subprocess.Popen(
            [*command, "--port", str(port)], env=surroundings, stdout=output, stderr=subprocess.STDOUT
        )
    address = f"http://127.0.0.1:{port}"
    try:
        wait_until_ready(address + answers, server, log)
        yield address
    finally:
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(timeout=30)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
            raise


def wait_until_ready(question: str, server: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + 120
    while server.poll() is None and time.monotonic() < until:
        try:
            with urllib.request.urlopen(question, timeout=5):
                return
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


@pytest.fixture
def page(browser_files: tuple[str, str], server: str) -> Iterator[ShopPage]:
    """A browser of its own, 1440 pixels wide; afterwards its console has nothing to complain of."""
    driver = start_browser(*browser_files)
    try:
        shown = ShopPage(driver, server)
        yield shown
        shown.assert_nothing_refused()
    finally:
        driver.quit()


@pytest.fixture
def dress_photo(drawn_shop: Path) -> Path:
    """The shop's picture of a product: searched with, it finds that product first."""
    return next(iter(sorted((drawn_shop / "catalog").glob("*/*/*.jpg"))))


@pytest.fixture
def street_photo(drawn_shop: Path) -> Path:
    """A customer's photo, 400 to 520 pixels wide and 640 high."""
    return next(iter(sorted((drawn_shop / "street").glob("*.jpg"))))
