"""The page of the service in headless Chromium: until something is painted, and until products are there.

Each time in a new browser, whose cache is empty; server and browser share the cores. The bar: a second.
"""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.measuring import print_table
from benchmarks.served import large_shop, quantile, serving

N_PRODUCTS = int(os.environ.get("BENCH_PRODUCTS", "10000"))
N_LOADS = int(os.environ.get("BENCH_LOADS", "20"))

# Milliseconds since the page was asked for; Chromium itself takes the first.
PAINTED = "return performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
SHOWN = """
    const done = arguments[arguments.length - 1];
    const shown = () => {
      if (!document.querySelector('.card:not(.skeleton)')) return requestAnimationFrame(shown);
      done(performance.now());
    };
    shown();
"""


def main() -> None:
    """Prints medians, 95th percentiles and the longest, in milliseconds."""
    with tempfile.TemporaryDirectory() as name:
        home, _ = large_shop(Path(name), N_PRODUCTS)
        with serving(home) as service:
            loads = [_load(f"http://{service.host}:{service.port}/") for _ in range(N_LOADS)]
    milestones = ("first contentful paint", "products shown")
    rows = [
        [what, f"{statistics.median(ms):.0f}", f"{quantile(ms):.0f}", f"{max(ms):.0f}"]
        for what, ms in zip(milestones, zip(*loads, strict=True), strict=True)
    ]
    print_table(["page, ms", "median", "95th percentile", "max"], rows)


def _load(address: str) -> tuple[float, float]:
    browser = _start_browser()
    try:
        browser.set_script_timeout(60)
        browser.get(address)
        shown = browser.execute_async_script(SHOWN)
        return float(browser.execute_script(PAINTED)), float(shown)
    finally:
        browser.quit()


def _start_browser() -> Any:
    from selenium import webdriver

    browser, driver = (shutil.which(program) for program in ("chromium", "chromedriver"))
    if browser is None or driver is None:
        raise SystemExit("this measures in a browser: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1440,900"):
        options.add_argument(argument)
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
