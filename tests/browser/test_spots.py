"""The garments of a photo: outlined, named, pressed with mouse, finger and keys; and a page without them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from selenium.webdriver import ActionChains, Keys

from tests.browser.shop_page import ShopPage
from tests.browser.test_access import TARGETS, findings
from tests.browser.test_box import drag, searched_again

pytestmark = pytest.mark.slow

ANSWER = """
const [wanted, status, size] = arguments;
const real = window.fetch;
window.detected = 0;
window.fetch = async (url, options = {}) => {
  const { pathname } = new URL(url);
  if (pathname === '/v1/detect') {
    window.detected += 1;
    if (status !== 200) return new Response(JSON.stringify({title: 'Stood in', status}), {status});
    const spots = wanted.map(([region, person, box, kind, confidence], at) =>
      ({number: at + 1, person, region, box, kind, confidence}));
    const body = {spots, width: size[0], height: size[1], extractor: 'x', seconds: {}};
    return new Response(JSON.stringify(body), {headers: {'Content-Type': 'application/json'}});
  }
  if (pathname === '/v1/search') {
    const region = options.body.get('region');
    if (region) options.body.set('region', 'whole');
    const answer = await (await real(url, options)).json();
    const nothing = ['whole', 0, [0, 0, ...size], null, null];
    const [of, , box, kind, confidence] = wanted[region ? region - 1 : 0] ?? nothing;
    answer.seen = [{region: of, box, kind, confidence}];
    window.asked = region;
    return new Response(JSON.stringify(answer), {headers: {'Content-Type': 'application/json'}});
  }
  return real(url, options);
};
"""
"""Spots as another photo, and an extractor that tells kinds, would give them; a search tells its spot."""

PERSON = [
    ("torso", 1, [100, 150, 260, 350], "shirt", 0.9),
    ("legs", 1, [110, 330, 250, 560], "not a garment", 0.8),
    ("body", 1, [80, 60, 280, 580], "shirt", 0.7),
    ("whole", 0, [0, 0, 400, 640], "shirt", 0.7),
]


def size_of(photo: Path) -> tuple[int, int]:
    with Image.open(photo) as image:
        return image.size


def stand_in(page: ShopPage, spots: list[Any], photo: Path, status: int = 200) -> None:
    page.run(ANSWER, spots, status, list(size_of(photo)))


def outlined(page: ShopPage, photo: Path) -> None:
    page.choose(photo)
    page.wait("document.querySelectorAll('.spot').length > 0")
    page.settled()


def pressed(page: ShopPage) -> list[str]:
    return [str(one.get_attribute("data-number")) for one in page.all(".spot[aria-pressed='true']")]


def names(page: ShopPage) -> list[str]:
    return list(page.run("return [...document.querySelectorAll('.spot')].map((one) => one.textContent)"))


@pytest.fixture
def person_photo(drawn_shop: Path, person_files: None) -> Path:
    """A customer's photo in which the finder sees somebody from head to foot."""
    import stylesearch.images.decode as images
    from stylesearch.persons.spots import make_spot_inputs

    for path in sorted((drawn_shop / "street").glob("*.jpg")):
        _, spots = make_spot_inputs(path, 64)
        if [spot.region for spot in spots] == ["torso", "legs", "body", "whole"]:
            assert images.decode(path).width == spots[-1].box.x1
            return path
    pytest.fail("nobody is seen from head to foot in any of the photos")


def test_a_spot_that_is_clicked_is_searched_for(page: ShopPage, person_photo: Path) -> None:
    page.go("/")
    outlined(page, person_photo)
    assert names(page) == ["Upper body", "Legs", "Whole figure", "Whole photo"], "hog tells no kinds"
    assert pressed(page) == ["4"], "the settings' plan looks at the whole photo"
    assert not page.one("#looks-like").is_displayed()
    whole = page.products
    (detected,) = (call["answer"] for call in page.sent if call["path"] == "/v1/detect")
    spots = {one["region"]: one for one in detected["spots"]}
    width, height = size_of(person_photo)
    stage, torso = page.one("#stage").rect, page.one(".spot.torso").rect
    x0, y0, x1, y1 = spots["torso"]["box"]
    assert torso["x"] - stage["x"] == pytest.approx(x0 / width * stage["width"], abs=2)
    assert torso["y"] - stage["y"] == pytest.approx(y0 / height * stage["height"], abs=2)
    assert torso["width"] == pytest.approx((x1 - x0) / width * stage["width"], abs=2)
    assert torso["height"] == pytest.approx((y1 - y0) / height * stage["height"], abs=2)

    before = len(page.sent)
    page.click(".spot.torso")
    searched_again(page, before)
    assert page.last_search["form"]["region"] == "1"
    assert page.last_search["answer"]["regions"] == [spots["torso"]["box"]]
    assert pressed(page) == ["1"]
    assert page.text("#results-title") == "Most like this: Upper body"
    assert page.products != whole
    page.spoken("Most like this: Upper body: 20 products")
    page.spoken("To be searched for in the photo: Upper body, Legs, Whole figure, Whole photo.")

    of_torso, before = page.products, len(page.sent)
    page.click(".spot.torso")  # again: it is searched for already
    assert len(page.sent) == before
    page.click(".spot.whole")  # what the photo was searched with first, which is still known
    assert page.products == whole
    assert len(page.sent) == before
    assert page.text("#results-title") == "Most like your photo"

    page.click(".spot.torso")
    assert page.products == of_torso
    page.click(".card .like")
    page.driver.back()
    page.wait("document.body.dataset.view === 'photo'")
    page.settled()
    assert (pressed(page), page.products) == (["1"], of_torso)
    assert len([call for call in page.sent if call["path"] == "/v1/detect"]) == 1


def test_a_category_of_a_spot(page: ShopPage, person_photo: Path) -> None:
    page.go("/")
    outlined(page, person_photo)
    before = len(page.sent)
    page.click(".spot.torso")
    searched_again(page, before)
    page.click(".chip:nth-child(2)")
    assert page.last_search["form"]["region"] == "1"
    assert page.last_search["form"]["category"]
    assert pressed(page) == ["1"]


def test_a_box_takes_the_place_of_the_spots(page: ShopPage, person_photo: Path) -> None:
    page.go("/")
    outlined(page, person_photo)
    before = len(page.sent)
    page.click(".spot.torso")
    searched_again(page, before)
    before = len(page.sent)
    x0, y0, x1, y1 = page.last_search["answer"]["regions"][0]
    width, height = size_of(person_photo)
    middle = ((x0 + x1) / 2 / width, (y0 + y1) / 2 / height)
    drag(page, middle, (0.95, 0.95))  # begun on a spot: drawn nevertheless, and not pressed
    searched_again(page, before)
    assert page.last_search["form"]["box"]
    assert "region" not in page.last_search["form"]
    assert not page.one("#spots").is_displayed()
    assert page.text("#results-title") == "Most like your photo"
    page.click("#clear")
    assert page.one("#spots").is_displayed()
    assert pressed(page) == ["4"]


def test_spots_with_keys(page: ShopPage, person_photo: Path) -> None:
    page.go("/")
    outlined(page, person_photo)
    page.run("document.getElementById('mark').focus()")
    keys = ActionChains(page.driver)
    keys.key_down(Keys.SHIFT).send_keys(Keys.TAB).key_up(Keys.SHIFT).perform()

    def focused() -> str:
        return str(page.run("return document.activeElement.dataset.number"))

    assert focused() == "4", "the one that is searched for"
    ActionChains(page.driver).send_keys(Keys.ARROW_RIGHT).perform()
    assert focused() == "1"
    ActionChains(page.driver).send_keys(Keys.ARROW_DOWN).perform()
    assert focused() == "2"
    assert page.run("return document.activeElement.matches(':focus-visible')")
    before = len(page.sent)
    ActionChains(page.driver).send_keys(Keys.ENTER).perform()
    searched_again(page, before)
    assert (pressed(page), focused()) == (["2"], "2"), "the focus stays"
    assert page.last_search["form"]["region"] == "2"
    ActionChains(page.driver).send_keys(Keys.ARROW_LEFT).perform()
    before = len(page.sent)
    ActionChains(page.driver).send_keys(Keys.SPACE).perform()
    searched_again(page, before)
    assert pressed(page) == ["1"]
    ActionChains(page.driver).send_keys(Keys.END).perform()
    assert focused() == "4"
    ActionChains(page.driver).send_keys(Keys.HOME).perform()
    assert focused() == "1"
    ActionChains(page.driver).send_keys(Keys.TAB).perform()
    assert page.run("return document.activeElement.id") == "mark", "one stop for all of them"


def test_spots_with_a_finger(page: ShopPage, person_photo: Path) -> None:
    page.resize(390, 844, phone=True)
    page.go("/")
    outlined(page, person_photo)
    area = page.one(".spot.torso").rect
    at = {"x": area["x"] + area["width"] / 2, "y": area["y"] + area["height"] / 4}
    scroll = page.run("return window.scrollY")
    before = len(page.sent)
    for kind, points in (("touchStart", [{**at, "y": at["y"] - scroll}]), ("touchEnd", [])):
        page.driver.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    searched_again(page, before)
    assert page.last_search["form"]["region"] == "1"
    assert page.overflow() <= 0
    assert page.run(TARGETS) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
def test_axe_finds_nothing_serious_in_spots(
    page: ShopPage, street_photo: Path, theme: str, width: int
) -> None:
    page.prefer(prefers_color_scheme=theme)
    page.resize(width, 844, phone=width < 600)
    page.go("/")
    stand_in(page, PERSON, street_photo)
    outlined(page, street_photo)
    assert pressed(page) == ["1"]
    assert findings(page) == []
    page.click(".spot.whole")
    assert findings(page) == []


def test_garments_are_named(page: ShopPage, street_photo: Path) -> None:
    page.go("/")
    stand_in(page, PERSON, street_photo)
    outlined(page, street_photo)
    assert names(page) == ["Shirt (upper body)", "Legs", "Whole figure", "Whole photo"]
    assert page.text("#looks-like") == "Looks like: Shirt"
    page.spoken("Shirt (upper body), Legs, Whole figure, Whole photo.")
    page.click(".spot.legs")
    assert page.run("return window.asked") == "2"
    assert page.text("#looks-like") == "Looks like: Not a garment"
    assert page.text("#results-title") == "Most like this: Legs"
    page.click(".spot.torso")  # what auto has looked at: it is not asked for by its number
    assert page.text("#results-title") == "Most like your photo"
    assert pressed(page) == ["1"]


def test_the_upper_half_of_a_dress_is_no_t_shirt(page: ShopPage, street_photo: Path) -> None:
    spots = [
        ("torso", 1, [100, 150, 260, 350], "t-shirt", 0.9),
        ("legs", 1, [110, 330, 250, 560], "skirt", 0.99),
        ("body", 1, [80, 60, 280, 580], "dress", 0.95),
        ("whole", 0, [0, 0, 400, 640], "dress", 0.7),
    ]
    page.go("/")
    stand_in(page, spots, street_photo)
    outlined(page, street_photo)
    assert names(page) == ["Upper body", "Skirt (legs)", "Dress (whole figure)", "Whole photo"]


def test_several_persons_and_guesses(page: ShopPage, street_photo: Path) -> None:
    spots = [
        ("torso", 1, [20, 150, 120, 350], "dress", 0.39),
        ("body", 1, [10, 60, 130, 580], "dress", 0.9),
        ("torso", 2, [220, 150, 230, 160], "longsleeve", 0.9),
        ("whole", 0, [0, 0, 400, 640], None, None),
    ]
    page.go("/")
    stand_in(page, spots, street_photo)
    outlined(page, street_photo)
    assert names(page) == [
        "Upper body (person 1)",
        "Dress (whole figure, person 1)",
        "Long-sleeved top (upper body, person 2)",
        "Whole photo",
    ]
    assert not page.one("#looks-like").is_displayed(), "a guess is not told"
    small, stage = page.one(".spot[data-number='3']").rect, page.one("#stage").rect
    assert min(small["width"], small["height"]) >= 43.9
    width, _ = size_of(street_photo)
    middle = small["x"] + small["width"] / 2 - stage["x"]
    assert middle == pytest.approx(225 / width * stage["width"], abs=2), "it has grown to all sides"
    name = page.one(".spot[data-number='3'] .name")
    page.wait("getComputedStyle(arguments[0]).opacity === '0'", name)
    page.click(".spot[data-number='3']")
    page.wait("getComputedStyle(arguments[0]).opacity === '1'", name)
    assert page.run("return window.asked") == "3"
    assert page.text("#looks-like") == "Looks like: Long-sleeved top"


def test_a_photo_of_nobody_has_no_outlines(page: ShopPage, dress_photo: Path) -> None:
    page.go("/")
    page.choose(dress_photo)
    page.wait("window.recorded.calls.some(({path, answer}) => path === '/v1/detect' && answer)")
    assert page.all(".spot") == []
    assert not page.one("#spots").is_displayed()
    assert page.products[0] == dress_photo.parent.name


@pytest.mark.parametrize("status", [404, 500, 503])
def test_without_spots_the_page_searches_as_ever(page: ShopPage, street_photo: Path, status: int) -> None:
    page.go("/")
    stand_in(page, [], street_photo, status)
    page.choose(street_photo)
    page.wait("window.detected === 1")
    assert len(page.products) == 20
    assert page.all(".spot") == []
    before = len(page.sent)
    drag(page, (0.2, 0.2), (0.7, 0.7))
    searched_again(page, before)
    page.wait("window.detected === arguments[0]", 2 if status == 503 else 1)  # what passes is tried again
    assert page.last_search["form"]["box"]


def test_a_large_photo_is_outlined_where_it_is_seen(
    page: ShopPage, person_photo: Path, tmp_path: Path
) -> None:
    with Image.open(person_photo) as street:
        width, height = 6 * street.width, 6 * street.height
        lying = street.resize((width, height)).transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6  # held sideways
    lying.save(tmp_path / "large.jpg", exif=exif)
    page.go("/")
    outlined(page, tmp_path / "large.jpg")
    (call,) = (call for call in page.sent if call["path"] == "/v1/detect")
    assert call["form"]["image"] == page.last_search["form"]["image"], "the same small picture"
    answer = call["answer"]
    assert answer["height"] == 1600
    stage, torso = page.one("#stage").rect, page.one(".spot.torso").rect
    x0 = answer["spots"][0]["box"][0]
    assert torso["x"] - stage["x"] == pytest.approx(x0 / answer["width"] * stage["width"], abs=2)
    before = len(page.sent)
    page.click(".spot.torso")
    searched_again(page, before)
    assert page.last_search["answer"]["regions"] == [answer["spots"][0]["box"]]
