"""The box on the photo: drawn with a mouse, a finger or keys; its pixels are those of what is sent."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from PIL import Image
from selenium.webdriver import ActionChains, Keys

from tests.browser.shop_page import ShopPage

pytestmark = pytest.mark.slow


@pytest.fixture
def photo(street_photo: Path) -> tuple[int, int]:
    """Width and height of the photo that is searched with."""
    with Image.open(street_photo) as image:
        return image.size


@pytest.fixture
def searched(page: ShopPage, street_photo: Path) -> ShopPage:
    page.go("/")
    page.choose(street_photo)
    return page


def sent_box(page: ShopPage) -> list[int] | None:
    box = page.last_search["form"].get("box")
    return [int(number) for number in box.split(",")] if box else None


def drag(page: ShopPage, start: tuple[float, float], end: tuple[float, float]) -> None:
    """From one point of the photo to another, both in fractions of its sides."""
    area = page.one("#stage").rect
    points = [
        (round(area["x"] + x * area["width"]), round(area["y"] + y * area["height"])) for x, y in (start, end)
    ]
    scroll = page.run("return window.scrollY")
    moves = ActionChains(page.driver, duration=30).w3c_actions
    pointer = moves.pointer_action
    pointer.move_to_location(points[0][0], points[0][1] - scroll)
    pointer.pointer_down()
    pointer.move_to_location(points[1][0] - 9, points[1][1] - 9 - scroll)
    pointer.move_to_location(points[1][0], points[1][1] - scroll)
    pointer.pointer_up()
    moves.perform()


HELD_DOWN = """
for (let left = arguments[2]; left > 0; left -= 1)
  arguments[0].dispatchEvent(new KeyboardEvent('keydown', {key: arguments[1], cancelable: true}));
"""
"""In one go: between keys that come through the driver there may be any time on a busy machine."""


def searched_again(page: ShopPage, before: int) -> None:
    page.wait("window.recorded.calls.length > arguments[0]", before)
    page.settled()


def test_a_box_is_drawn_moved_resized_and_cleared_with_a_mouse(
    searched: ShopPage, photo: tuple[int, int]
) -> None:
    page, (width, height) = searched, photo
    whole = page.products
    drag(page, (0.25, 0.3), (0.75, 0.7))
    searched_again(page, len(page.sent) - 1)
    page.wait("window.recorded.calls.at(-1).form?.box !== undefined")
    page.settled()
    drawn = sent_box(page)
    wanted = [0.25 * width, 0.3 * height, 0.75 * width, 0.7 * height]
    assert drawn == pytest.approx(wanted, abs=4)
    assert page.last_search["answer"]["regions"] == [drawn]

    before = len(page.sent)
    drag(page, (0.5, 0.5), (0.55, 0.6))
    searched_again(page, before)
    moved = sent_box(page)
    assert moved is not None and drawn is not None
    assert moved == pytest.approx([drawn[0] + 0.05 * width, drawn[1] + 0.1 * height, *moved[2:]], abs=4)
    assert (moved[2] - moved[0], moved[3] - moved[1]) == (drawn[2] - drawn[0], drawn[3] - drawn[1])

    before = len(page.sent)
    drag(page, (moved[2] / width, moved[3] / height), (0.95, 0.95))
    searched_again(page, before)
    assert sent_box(page) == pytest.approx([moved[0], moved[1], 0.95 * width, 0.95 * height], abs=4)

    before = len(page.sent)
    drag(page, (0.5, 0.6), (2, 1.3))  # out of the photo: as far as it reaches
    searched_again(page, before)
    assert sent_box(page)[2:] == [width, height]

    page.click("#clear")
    assert page.products == whole
    assert not page.one("#crop").is_displayed()
    assert page.run("return document.activeElement.id") == "mark"


def test_a_box_is_drawn_and_adjusted_with_keys(searched: ShopPage, photo: tuple[int, int]) -> None:
    page, (width, height) = searched, photo
    page.run("document.getElementById('mark').focus()")
    before = len(page.sent)
    ActionChains(page.driver).send_keys(Keys.ENTER).perform()
    searched_again(page, before)
    assert page.run("return document.activeElement.id") == "crop"
    begun = sent_box(page)
    assert begun == pytest.approx([0.2 * width, 0.2 * height, 0.8 * width, 0.8 * height], abs=1)
    page.spoken(f"left {begun[0]}, top {begun[1]}, {begun[2] - begun[0]} wide")

    keys = ActionChains(page.driver).send_keys(Keys.ARROW_RIGHT * 2 + Keys.ARROW_UP)
    keys.key_down(Keys.SHIFT).send_keys(Keys.ARROW_LEFT * 3).key_up(Keys.SHIFT)
    keys.key_down(Keys.CONTROL).send_keys(Keys.ARROW_DOWN).key_up(Keys.CONTROL).perform()
    step = round(max(width, height) / 50)
    up = begun[1] - step + 1
    wanted = [begun[0] + 2 * step, up, begun[2] - step, up + begun[3] - begun[1]]
    page.wait("window.recorded.calls.at(-1).form?.box === arguments[0]", ",".join(map(str, wanted)))
    page.settled()
    page.spoken(f"left {wanted[0]}, top {wanted[1]}")
    assert f"left {wanted[0]}" in page.one("#crop").get_attribute("aria-label")

    before = len(page.sent)
    page.run(HELD_DOWN, page.one("#crop"), "ArrowRight", 5)
    searched_again(page, before)
    wanted = [wanted[0] + 5 * step, wanted[1], wanted[2] + 5 * step, wanted[3]]
    assert sent_box(page) == wanted
    assert len(page.sent) == before + 1  # one search for all that come in quick succession

    before = len(page.sent)
    ActionChains(page.driver).send_keys("+").send_keys(Keys.ENTER).perform()
    searched_again(page, before)
    assert sent_box(page) == [wanted[0] - step, max(0, wanted[1] - step), wanted[2] + step, wanted[3] + step]

    ActionChains(page.driver).send_keys(Keys.ESCAPE).perform()
    page.settled()
    page.spoken("The box is cleared")
    assert not page.one("#crop").is_displayed()
    assert page.run("return document.activeElement.id") == "mark"


def test_the_keys_of_the_zoom_are_left_to_the_browser(searched: ShopPage) -> None:
    page = searched
    page.click("#mark")
    page.wait("window.recorded.calls.at(-1).form?.box !== undefined")
    page.settled()
    place, before = page.box_on_screen(), len(page.sent)
    page.run(
        "window.kept = []; document.addEventListener('keydown', (event) => {"
        " if (event.key !== 'Control') window.kept.push([event.key, event.defaultPrevented]) })"
    )
    for key in "+=-":
        ActionChains(page.driver).key_down(Keys.CONTROL).send_keys(key).key_up(Keys.CONTROL).perform()
    assert page.run("return window.kept") == [["+", False], ["=", False], ["-", False]]
    assert page.box_on_screen() == place
    time.sleep(1)  # longer than keys take to settle
    assert len(page.sent) == before


def test_a_box_is_drawn_with_a_finger(page: ShopPage, street_photo: Path, photo: tuple[int, int]) -> None:
    page.resize(390, 844, phone=True)
    page.go("/")
    page.choose(street_photo)
    area = page.one("#stage").rect

    def swipe(start: tuple[float, float], end: tuple[float, float]) -> None:
        for kind, x, y in (("touchStart", *start), ("touchMove", *end), ("touchEnd", 0, 0)):
            at = [{"x": area["x"] + x * area["width"], "y": area["y"] + y * area["height"]}]
            points = [] if kind == "touchEnd" else at
            page.driver.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    swipe((0.5, 0.8), (0.5, 0.3))  # a finger on the photo scrolls, unless a part is to be marked
    assert not page.one("#crop").is_displayed()
    page.wait("window.scrollY > 50")
    page.wait("window.lastScroll === window.scrollY || void (window.lastScroll = window.scrollY)")
    before = len(page.sent)
    page.click("#mark")
    searched_again(page, before)
    page.run("window.scrollTo(0, 0)")
    area = page.one("#stage").rect
    before = len(page.sent)
    swipe((0.05, 0.05), (0.6, 0.45))
    searched_again(page, before)
    width, height = photo
    assert sent_box(page) == pytest.approx([0.05 * width, 0.05 * height, 0.6 * width, 0.45 * height], abs=5)


def test_a_box_in_a_large_photo_keeps_its_detail(page: ShopPage, street_photo: Path, tmp_path: Path) -> None:
    with Image.open(street_photo) as street:
        street.resize((3000, 4000)).save(tmp_path / "large.jpg")
    page.go("/")
    page.choose(tmp_path / "large.jpg")
    before = len(page.sent)
    drag(page, (0.4, 0.4), (0.6, 0.6))
    searched_again(page, before)
    box, answer = sent_box(page), page.last_search["answer"]
    longer = max(box[2] - box[0], box[3] - box[1])
    assert longer == pytest.approx(640, abs=3)  # of the whole photo made small it would have been 320
    assert [box[0] / answer["width"], box[3] / answer["height"]] == pytest.approx([0.4, 0.6], abs=0.01)


def test_a_box_comes_back_with_the_back_button(searched: ShopPage) -> None:
    page = searched
    drag(page, (0.2, 0.2), (0.7, 0.7))
    page.wait("window.recorded.calls.at(-1).form?.box !== undefined")
    page.settled()
    place = page.box_on_screen()
    page.click(".card .like")
    assert not page.one("#stage").is_displayed()
    page.driver.back()
    page.wait("document.body.dataset.view === 'photo'")
    page.settled()
    assert page.box_on_screen() == place
