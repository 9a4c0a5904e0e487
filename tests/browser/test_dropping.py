"""Files over the page: the curtain falls and rises with them, whatever happens below it meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest
from selenium.webdriver import ActionChains

from tests.browser.shop_page import ShopPage

pytestmark = pytest.mark.slow

OTHER_PRODUCTS = "document.querySelector('.chip[data-name=dress]').click()"
DRAG_FROM_HERE = """document.querySelector('.card img').dispatchEvent(
  new DragEvent('dragstart', {bubbles: true, dataTransfer: new DataTransfer()}))"""


LEAVE = """
const transfer = new DataTransfer();
transfer.items.add(new File(['x'], 'photo.jpg', {type: 'image/jpeg'}));
const left = document.elementFromPoint(arguments[0].x, arguments[0].y);
left.dispatchEvent(new DragEvent('dragleave', {dataTransfer: transfer, bubbles: true}));
"""


class Drag:
    """A file that is dragged over the middle of the first card, in the browser's own events."""

    def __init__(self, page: ShopPage, file: Path) -> None:
        self.page = page
        self.data = {"items": [], "files": [str(file)], "dragOperationsMask": 1}
        page.go("/")
        page.run("document.querySelector('.card').scrollIntoView({block: 'center'})")
        self.place = page.run(
            "const {x, y, width, height} = document.querySelector('.card').getBoundingClientRect();"
            "return {x: x + width / 2, y: y + height / 2}"
        )

    def __call__(self, *steps: str) -> None:
        """``Enter``, ``Over``, ``Drop``."""
        for step in steps:
            event = {"type": "drag" + step if step != "Drop" else "drop", "data": self.data, **self.place}
            self.page.driver.execute_cdp_cmd("Input.dispatchDragEvent", event)

    def leave(self) -> None:
        """Out of the window, over what is at this place now: the driver knows no such step."""
        self.page.run(LEAVE, self.place)

    @property
    def is_curtain_drawn(self) -> bool:
        return self.page.one("#dropping").is_displayed()


@pytest.fixture
def drag(page: ShopPage, dress_photo: Path) -> Drag:
    return Drag(page, dress_photo)


def replace_products(page: ShopPage) -> None:
    """All cards go; where the first one was there is another, or nothing."""
    page.run("window.before = document.querySelector('.card')")
    page.run(OTHER_PRODUCTS)
    page.wait("!window.before.isConnected")
    page.settled()


def test_the_curtain_is_there_while_a_file_is(page: ShopPage, drag: Drag) -> None:
    assert not drag.is_curtain_drawn
    drag("Enter", "Over")
    assert drag.is_curtain_drawn
    drag.leave()
    assert not drag.is_curtain_drawn
    drag("Enter", "Over")
    # Some browsers never say what is entered, and seem to leave the window with each part of the page.
    page.run(LEAVE, drag.place)
    assert not drag.is_curtain_drawn
    drag("Over")
    assert drag.is_curtain_drawn
    drag("Drop")
    page.wait("document.body.dataset.view === 'photo'")
    assert not drag.is_curtain_drawn


def test_the_curtain_goes_though_what_was_under_the_file_went_first(page: ShopPage, drag: Drag) -> None:
    drag("Enter", "Over")
    replace_products(page)
    drag("Over")
    assert drag.is_curtain_drawn
    drag.leave()
    assert not drag.is_curtain_drawn
    drag("Enter", "Over")
    page.run("document.querySelector('.card').remove()")
    # What is left now is no part of the page, which hears no more of it.
    assert drag.is_curtain_drawn
    ActionChains(page.driver).move_by_offset(30, 30).perform()
    assert not drag.is_curtain_drawn


def test_what_is_dragged_from_the_page_is_not_taken(page: ShopPage, drag: Drag) -> None:
    page.run(DRAG_FROM_HERE)
    drag("Enter", "Over")
    assert not drag.is_curtain_drawn
    drag.leave()
    page.run("document.querySelector('.card img').dispatchEvent(new DragEvent('dragend', {bubbles: true}))")
    drag("Enter", "Over")
    assert drag.is_curtain_drawn


@pytest.mark.parametrize("pointer", ["moves", "stays away"])
def test_a_file_is_taken_though_what_was_dragged_before_it_is_gone(
    page: ShopPage, drag: Drag, pointer: str
) -> None:
    page.run(DRAG_FROM_HERE)
    if pointer == "moves":  # and with it the page knows, though what was dragged is there still
        ActionChains(page.driver).move_by_offset(30, 30).perform()
    else:
        replace_products(page)  # what is gone does not say that its drag has ended
    drag("Enter", "Over")
    assert drag.is_curtain_drawn
    drag("Drop")
    page.wait("document.body.dataset.view === 'photo'")  # and the browser has not left it for the file
    page.settled()
    assert len(page.products) > 0
