"""The page as tests see it: what is on it, what can be done with it, what it sent."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

__all__ = ["ShopPage", "fresh_window", "start_browser"]

PATIENCE: Final = 20
"""Seconds until something that was to happen counts as not happening."""

SCRIPT_PATIENCE: Final = 120
"""Seconds for a script that answers late: axe over a long page, on a busy machine."""

RECORDER: Final = Path(__file__).with_name("recorder.js").read_text(encoding="utf-8")


def start_browser(browser: str, driver: str) -> webdriver.Chrome:
    """Chromium without a window; ``fresh_window`` opens one in it."""
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    # Containers give a browser neither the rights for a sandbox nor much shared memory.
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    options.enable_bidi = True  # it alone knows of user contexts
    chrome = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    chrome.set_script_timeout(SCRIPT_PATIENCE)
    return chrome


@contextlib.contextmanager
def fresh_window(driver: webdriver.Chrome, address: str) -> Iterator[ShopPage]:
    """A window as of a browser just installed, for a fifth of the time that starting one takes.

    Storage, cache, permissions and history are those of a user context that ends with it; what is emulated
    holds for the window only. Afterwards its console has nothing to complain of.
    """
    driver.get_log("browser")  # what a test before it left unread
    first = driver.current_window_handle
    context = driver.browser.create_user_context()
    try:
        driver.switch_to.window(driver.browsing_context.create(type="tab", user_context=context))
        driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": RECORDER})
        shown = ShopPage(driver, address, context)
        yield shown
        shown.assert_nothing_refused()
    finally:
        driver.switch_to.window(first)
        driver.browser.remove_user_context(context)


class ShopPage:
    """The page in a browser.

    Args:
        driver: of the browser, which is at this window.
        address: of the server.
        context: the user context of the window.
    """

    def __init__(self, driver: webdriver.Chrome, address: str, context: str) -> None:
        self.driver = driver
        self.address = address
        self.context = context
        self.expected_failures: set[int] = set()
        self.resize(1440, 900)

    # The browser

    def resize(self, width: int, height: int, *, phone: bool = False) -> None:
        """Sets what the page can see of itself; a phone has a finger instead of a mouse."""
        view = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", view)
        self.driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": phone})

    def prefer(self, **media: str) -> None:
        """What the system prefers: ``prefers_color_scheme="dark"``."""
        features = [{"name": name.replace("_", "-"), "value": value} for name, value in media.items()]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def grant(self, *permissions: str) -> None:
        """What the page need not ask a person for."""
        self.driver.execute_cdp_cmd(
            "Browser.grantPermissions",
            {"permissions": permissions, "origin": self.address, "browserContextId": self.context},
        )

    def go(self, path: str = "/") -> None:
        self.driver.get(self.address + path)
        self.settled()

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def wait(self, condition: str, *arguments: Any) -> Any:
        """Until a script's value is true; the value."""
        waiting = WebDriverWait(self.driver, PATIENCE, poll_frequency=0.05)
        return waiting.until(lambda _: self.run(f"return {condition}", *arguments), condition)

    def settled(self) -> None:
        """Until what was asked for is shown: products, or why there are none."""
        self.wait(
            "document.getElementById('results')?.getAttribute('aria-busy') === 'false'"
            " && document.querySelector('.card:not(.skeleton), .notice') !== null"
        )

    # What is on it

    def one(self, selector: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector: str) -> str:
        return str(self.one(selector).text)

    @property
    def view(self) -> str:
        return str(self.run("return document.body.dataset.view"))

    @property
    def products(self) -> list[str]:
        """Ids of the products shown, in their order."""
        return [str(one.get_attribute("data-product")) for one in self.all(".card:not(.skeleton)")]

    @property
    def query(self) -> str:
        return str(self.run("return location.search"))

    @property
    def sent(self) -> list[dict[str, Any]]:
        """Calls of the API since the page was loaded: ``path``, ``form``, ``status``, ``answer``."""
        return list(self.run("return window.recorded.calls"))

    @property
    def last_search(self) -> dict[str, Any]:
        return [call for call in self.sent if call["path"] == "/v1/search"][-1]

    def spoken(self, words: str) -> None:
        """Until the live region has said something with these words in it."""
        self.wait("window.recorded.spoken.some((said) => said.includes(arguments[0]))", words)

    # What can be done with it

    def choose(self, photo: Path, field: str = "choose") -> None:
        """Gives a file to the page as its file dialog does."""
        before = self.run("return window.recorded.calls.length")
        self.one(f"#{field}").send_keys(str(photo))
        self.wait("window.recorded.calls.length > arguments[0]", before)
        self.settled()

    def click(self, selector: str) -> None:
        """Presses something and waits for what it asks the server for, if anything."""
        self.run("arguments[0].scrollIntoView({block: 'center'})", self.one(selector))
        self.one(selector).click()
        time.sleep(0.05)
        self.settled()

    def will_answer(
        self, status: int, *, times: int = 1, retry_after: int | None = None, reason: str | None = None
    ) -> None:
        """The next searches are answered by this instead of by the server."""
        self.run(
            "window.recorded.answers = Array(arguments[0]).fill(arguments[1])",
            times,
            [status, retry_after, reason],
        )

    def box_on_screen(self) -> str:
        """Where the crop box is, in parts of the photo."""
        return str(self.one("#crop").get_attribute("style"))

    # What must not be

    def assert_nothing_refused(self) -> None:
        """No violation of the Content-Security-Policy, no error that nobody caught."""
        assert self.run("return window.recorded?.violations ?? []") == []
        expected = [f"status of {status}" for status in self.expected_failures]
        complaints = [
            entry["message"]
            for entry in self.driver.get_log("browser")
            if entry["level"] in ("SEVERE", "WARNING")
            and not any(words in entry["message"] for words in (*expected, "ERR_INTERNET_DISCONNECTED"))
        ]
        assert complaints == []

    def overflow(self) -> int:
        """Pixels by which the page is wider than the screen."""
        return int(self.run("return document.documentElement.scrollWidth - window.innerWidth"))
