"""For everyone: keys only, a narrow screen, dark and light, screen readers, a strict policy."""

from __future__ import annotations

import urllib.request
from pathlib import Path
from typing import Any

import pytest
from axe_core_python.base import AXE_SCRIPT
from selenium.webdriver import ActionChains, Keys

from tests.browser.shop_page import ShopPage

pytestmark = pytest.mark.slow

SCAN = """const done = arguments[arguments.length - 1];
axe.run({exclude: [['.swagger-ui']]}, arguments[0]).then(done, done)"""
"""Of the API's reference, all that is this page's own: its calls are drawn by Swagger UI."""
STILL = """document.getAnimations().every(
  (one) => one.playState !== 'running' || one.effect.getTiming().iterations === Infinity
)"""


def findings(page: ShopPage, n_passes: int = 16) -> list[str]:
    """What axe calls serious or critical."""
    page.wait(STILL)  # a color on its way to another has neither's contrast
    page.run(AXE_SCRIPT)
    # Only what failed is told in full: of a long page that is seconds instead of minutes.
    report: Any = page.driver.execute_async_script(SCAN, {"resultTypes": ["violations"]})
    assert isinstance(report, dict), report
    assert len(report["passes"]) >= n_passes
    return [
        f"{one['id']}: {node['html'][:200]} {node['failureSummary']}"
        for one in report["violations"]
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
def test_axe_finds_nothing_serious(
    page: ShopPage, street_photo: Path, tmp_path: Path, theme: str, width: int
) -> None:
    page.expected_failures = {415}
    page.prefer(prefers_color_scheme=theme)
    page.resize(width, 844, phone=width < 600)
    page.go("/")
    assert findings(page) == [], "at the start"
    page.choose(street_photo)
    assert findings(page) == [], "with results"
    page.click("#mark")
    page.wait("window.recorded.calls.at(-1).form?.box !== undefined")
    page.settled()
    assert findings(page) == [], "with a box"
    page.click(".card .like")
    assert findings(page) == [], "like a product"
    (tmp_path / "no.jpg").write_text("no photo")
    page.driver.back()
    page.settled()
    page.choose(tmp_path / "no.jpg", "other")
    assert findings(page) == [], "with an error"
    page.driver.get(f"{page.address}/docs")
    page.wait("document.getElementById('calls')?.getAttribute('aria-busy') === 'false'")
    assert findings(page, n_passes=10) == [], "the reference"


def test_everything_can_be_done_with_keys(page: ShopPage, street_photo: Path) -> None:
    def tab_to(selector: str, most: int = 60, back: bool = False) -> None:
        for _ in range(most):
            if page.run("return document.activeElement?.matches(arguments[0])", selector):
                assert page.run("return document.activeElement.matches(':focus-visible')")
                return
            keys = ActionChains(page.driver)
            (
                keys.key_down(Keys.SHIFT).send_keys(Keys.TAB).key_up(Keys.SHIFT)
                if back
                else keys.send_keys(Keys.TAB)
            )
            keys.perform()
        pytest.fail(f"the Tab key does not get to {selector}")

    def press(*keys: str) -> None:
        ActionChains(page.driver).send_keys(*keys).perform()

    page.go("/")
    tab_to(".skip", 2)
    tab_to("#theme")
    press(Keys.SPACE)
    assert page.run("return document.documentElement.dataset.theme") == "dark"
    tab_to("#choose")  # Enter opens the system's dialog, which no test can use
    page.choose(street_photo)
    assert page.run("return document.activeElement.id") == "results-title"
    tab_to(".skip", back=True)
    press(Keys.ENTER)
    assert page.run("return document.activeElement.id") == "results-title"
    assert page.view == "photo"
    tab_to("#k")
    press(Keys.ARROW_UP)
    page.wait("location.search === '?k=10'")
    page.settled()
    tab_to(".chip:nth-child(2)")
    name = page.run("return document.activeElement.dataset.name")
    press(Keys.ENTER)
    page.wait("location.search.includes('category')")
    page.settled()
    assert page.run("return document.activeElement.dataset.name") == name  # the focus is where it was
    tab_to("#mark", back=True)
    press(Keys.ENTER)
    page.wait("window.recorded.calls.at(-1).form?.box !== undefined")
    page.settled()
    assert page.run("return document.activeElement.id") == "crop"
    press(Keys.ESCAPE)
    tab_to(".card .like")
    product = page.run("return document.activeElement.closest('.card').dataset.product")
    press(Keys.ENTER)
    page.wait("document.body.dataset.view === 'similar'")
    page.settled()
    assert page.query.endswith(f"similar={product}") or f"similar={product}&" in page.query
    assert page.run("return document.activeElement.id") == "results-title"
    tab_to("#back-to-photo", back=True)
    press(Keys.ENTER)
    page.wait("document.body.dataset.view === 'photo'")


PALETTE = """
const style = getComputedStyle(document.documentElement);
const names = new Set([...document.styleSheets].flatMap((sheet) => [...sheet.cssRules].flatMap((rule) =>
  [...(rule.selectorText === ':root' ? rule.style : [])].filter((name) => name.startsWith('--')))));
return Object.fromEntries([...names].map((name) => [name, style.getPropertyValue(name).trim()]));
"""

TARGETS = """
const small = [];
for (const one of document.querySelectorAll('a, button, select, label.button, summary')) {
  const area = one.getBoundingClientRect();
  const style = getComputedStyle(one);
  const inText = style.display === 'inline' && !one.matches('.buy');
  const stretched = getComputedStyle(one, '::before').position === 'absolute';
  if (!area.width || inText || stretched || one.matches('.skip, .swagger-ui *')) continue;
  if (Math.min(area.height, area.width) < 43.9) small.push(`${one.outerHTML.slice(0, 90)}: ${area.height}`);
}
return small;
"""


def test_a_narrow_screen(page: ShopPage, street_photo: Path, tmp_path: Path) -> None:
    page.expected_failures = {415}
    page.resize(390, 844, phone=True)
    page.go("/")
    assert page.one("label[for=take]").is_displayed()
    assert page.one("#take").get_attribute("capture") == "environment"

    def fits() -> None:
        assert page.overflow() <= 0
        page.run("window.scrollTo(500, 0)")
        assert page.run("return window.scrollX") == 0
        assert page.run(TARGETS) == []

    fits()
    page.choose(street_photo)
    fits()
    columns = {round(card.rect["x"]) for card in page.all(".card")}
    assert len(columns) == 2
    assert page.one("#stage").rect["height"] < 0.5 * 844
    page.click("#mark")
    fits()
    handle = page.one(".handle.se").rect
    assert min(handle["width"], handle["height"]) >= 44
    page.click(".card .like")
    fits()
    (tmp_path / "no.jpg").write_text("no photo")
    page.driver.back()
    page.settled()
    page.choose(tmp_path / "no.jpg", "other")
    fits()
    page.resize(320, 640, phone=True)
    fits()
    page.driver.get(f"{page.address}/docs")
    page.wait("document.getElementById('calls')?.getAttribute('aria-busy') === 'false'")
    page.resize(390, 844, phone=True)
    fits()


def ground(page: ShopPage) -> float:
    """How light the page is behind everything, 0 to 255."""
    color = page.one("body").value_of_css_property("background-color")
    numbers = [float(part) for part in color[color.index("(") + 1 : -1].split(",")[:3]]
    return sum(numbers) / 3


def test_dark_and_light(page: ShopPage) -> None:
    page.prefer(prefers_color_scheme="dark")
    page.go("/")
    assert ground(page) < 50
    page.prefer(prefers_color_scheme="light")
    assert ground(page) > 200
    page.click("#theme")
    assert ground(page) < 50
    page.go("/")  # it is remembered
    assert ground(page) < 50
    page.driver.get(f"{page.address}/docs")
    page.wait("document.getElementById('calls')?.getAttribute('aria-busy') === 'false'")
    assert ground(page) < 50
    page.one("#theme").click()
    assert ground(page) > 200
    page.prefer(prefers_color_scheme="dark")
    assert ground(page) < 50  # back to what the system says, it follows the system again


def test_the_palettes_are_the_same_by_system_and_by_choice(page: ShopPage) -> None:
    def palette(path: str, system: str, chosen: str | None) -> dict[str, str]:
        page.prefer(prefers_color_scheme=system)
        page.driver.get(page.address + path)
        page.wait("getComputedStyle(document.documentElement).getPropertyValue('--ink') !== ''")
        if chosen:
            page.run("document.documentElement.dataset.theme = arguments[0]", chosen)
        return dict(page.run(PALETTE))

    for path in ("/", "/docs"):
        light, dark = (palette(path, system, None) for system in ("light", "dark"))
        assert palette(path, "dark", "light") == palette(path, "light", "light") == light
        assert palette(path, "light", "dark") == palette(path, "dark", "dark") == dark
        same = {name for name in light if light[name] == dark[name]}
        assert len(light) - len(same) >= 14
        assert not any("light-dark" in value for value in (*light.values(), *dark.values()))


def test_motion_is_left_out_where_it_is_not_wanted(page: ShopPage, street_photo: Path) -> None:
    page.prefer(prefers_reduced_motion="reduce")
    page.go("/")
    page.run(
        "const held = new Promise((go) => { window.release = go });"
        "const real = window.fetch; window.fetch = async (...all) => { await held; return real(...all) }"
    )
    page.one("#choose").send_keys(str(street_photo))
    page.wait("document.querySelector('.card.skeleton') !== null")
    assert page.run("return document.getAnimations().length") == 0
    assert page.one("#results").get_attribute("aria-busy") == "true"
    page.run("window.release()")
    page.settled()


def test_the_policy_is_strict(page: ShopPage, server: str) -> None:
    for path in ("/", "/docs", "/assets/app.js", "/v1/categories"):
        with urllib.request.urlopen(server + path) as answer:
            policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "*" not in policy
    page.go("/")
    page.run(
        "const script = document.createElement('script'); script.textContent = 'window.bad = 1';"
        "document.body.append(script)"
    )
    page.wait("window.recorded.violations.length === 1")  # the browser does hold the page to it
    assert page.run("return window.bad") is None
    page.run("window.recorded.violations = []")
    page.driver.get_log("browser")
