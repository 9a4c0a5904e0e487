"""A photo in, products out: chosen, dropped, pasted; large, turned; then category, number, likes and back."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image

from tests.browser.shop_page import ShopPage

pytestmark = pytest.mark.slow

GIVE = """
const [name, kind] = arguments;
const blob = await (await fetch(document.querySelector('.card img').src)).blob();
const transfer = new DataTransfer();
transfer.items.add(new File([blob], name, {type: blob.type}));
if (kind === 'paste')
  document.dispatchEvent(new ClipboardEvent('paste', {clipboardData: transfer, cancelable: true}));
else for (const step of ['dragenter', 'dragover', 'drop'])
  document.body.dispatchEvent(new DragEvent(step, {dataTransfer: transfer, bubbles: true, cancelable: true}));
"""


def test_what_is_in_the_shop_is_shown_before_any_photo(page: ShopPage) -> None:
    page.go("/")
    assert page.view == "start"
    assert len(page.products) == 24
    assert page.text("#count") == "24 products"
    page.wait("document.querySelector('.card img').naturalWidth > 100")
    numbers = [int(one.text) for one in page.all(".chip .number")]
    assert numbers[0] == sum(numbers[1:]) == 24
    assert page.one(".chip").text.startswith("Everything")


def test_a_photo_finds_its_product(page: ShopPage, dress_photo: Path) -> None:
    page.go("/")
    page.choose(dress_photo)
    assert page.view == "photo"
    assert page.products[0] == dress_photo.parent.name
    assert len(page.products) == 20
    first = page.one(".card").text
    assert re.search(r"\d+ % similar", first)
    assert "More like this" in first
    assert page.one(".card .price").text
    assert page.one(".card .buy").get_attribute("href").startswith("https://shop.example/")
    assert page.last_search["form"]["image"] == dress_photo.stat().st_size  # small enough to go as it is
    shares = [int(one.text.split()[0]) for one in page.all(".match")]
    assert shares == sorted(shares, reverse=True)
    page.spoken("Most like your photo: 20 products")
    # Whoever listens to the page is now where the products begin.
    assert page.run("return document.activeElement.id") == "results-title"


@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_a_photo_is_dropped_or_pasted(page: ShopPage, kind: str) -> None:
    page.go("/")
    product = page.products[0]
    page.driver.execute_async_script(
        f"const done = arguments[arguments.length - 1]; (async () => {{{GIVE}}})().then(done, done)",
        "photo.jpg",
        kind,
    )
    page.wait("document.body.dataset.view === 'photo'")
    page.settled()
    assert page.products[0] == product
    assert not page.one("#dropping").is_displayed()


def test_a_large_turned_photo_is_sent_small_and_upright(
    page: ShopPage, street_photo: Path, tmp_path: Path
) -> None:
    with Image.open(street_photo) as street:
        upright = street.resize((3000, 4000))
    exif = Image.Exif()
    exif[0x0112] = 6  # held sideways: the camera wrote it lying
    turned = tmp_path / "turned.jpg"
    upright.transpose(Image.Transpose.ROTATE_90).save(turned, exif=exif)
    page.go("/")
    page.choose(turned)
    found = page.last_search
    assert (found["answer"]["width"], found["answer"]["height"]) == (1200, 1600)
    assert found["form"]["image"] < turned.stat().st_size
    assert page.run(
        "const p = document.getElementById('photo'); return [p.naturalWidth, p.naturalHeight]"
    ) == [
        3000,
        4000,
    ]
    # A box is told in pixels of what is sent, which for a box of most of the photo is the small picture.
    page.click("#mark")
    page.wait("window.recorded.calls.at(-1).form?.box !== undefined")
    page.settled()
    assert page.last_search["form"]["box"] == "240,320,960,1280"


def test_a_small_turned_photo_is_upright_for_the_service_as_well(
    page: ShopPage, street_photo: Path, tmp_path: Path
) -> None:
    with Image.open(street_photo) as street:
        size = street.size
        lying = street.transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = tmp_path / "turned.jpg"
    lying.save(turned, exif=exif)
    page.go("/")
    page.choose(turned)
    found = page.last_search
    assert found["form"]["image"] == turned.stat().st_size
    assert (found["answer"]["width"], found["answer"]["height"]) == size
    assert len([call for call in page.sent if call["path"] == "/v1/search"]) == 1


def test_a_category_is_chosen_and_left_with_the_back_button(page: ShopPage, street_photo: Path) -> None:
    page.go("/")
    page.choose(street_photo)
    everything = page.products
    chip = page.all(".chip")[1]
    name, number = chip.get_attribute("data-name"), int(page.all(".chip .number")[1].text)
    page.click(f".chip[data-name='{name}']")
    assert page.query == f"?category={name}"
    assert page.last_search["form"]["category"] == name
    assert len(page.products) == number
    assert all(product.startswith(name) for product in page.products)
    assert page.one(f".chip[data-name='{name}']").get_attribute("aria-pressed") == "true"
    asked = len(page.sent)
    page.driver.back()
    page.wait("location.search === ''")
    page.settled()
    assert page.products == everything
    assert len(page.sent) == asked  # it was still known
    page.driver.forward()
    page.wait("location.search !== ''")
    page.settled()
    assert len(page.products) == number


def test_how_many_are_shown_is_chosen(page: ShopPage, street_photo: Path) -> None:
    page.go("/")
    page.choose(street_photo)
    page.run("const k = arguments[0]; k.value = '10'; k.dispatchEvent(new Event('change'))", page.one("#k"))
    page.wait("document.querySelectorAll('.card:not(.skeleton)').length === 10")
    assert page.query == "?k=10"


def test_more_like_this_and_back_to_the_photo(page: ShopPage, street_photo: Path) -> None:
    page.go("/")
    page.choose(street_photo)
    of_photo = page.products
    product, title = of_photo[3], page.all(".card h3")[3].text.split("\n")[0]
    page.click(f"[data-product='{product}'] .like")
    assert page.view == "similar"
    assert page.query == f"?similar={product}"
    assert product not in page.products
    assert page.text("#product-title") in title
    assert page.run("return window.scrollY") == 0
    page.wait("document.getElementById('product-image').naturalWidth > 100")
    page.click(".card .like")
    assert page.text("#product-title") not in title
    page.driver.back()
    page.wait("location.search.endsWith(arguments[0])", product)
    page.settled()
    page.driver.back()
    page.wait("document.body.dataset.view === 'photo'")
    page.settled()
    assert page.products == of_photo
    page.driver.forward()
    page.wait("document.body.dataset.view === 'similar'")
    page.settled()
    page.click("#back-to-photo")
    assert (page.view, page.products) == ("photo", of_photo)


def test_an_address_shows_what_it_says(page: ShopPage) -> None:
    page.go("/")
    product = page.products[5]
    category = product.rsplit("-", 1)[0]
    page.go(f"/?similar={product}&category={category}&k=10&space=raw")
    assert page.view == "similar"
    assert all(one.startswith(category) and one != product for one in page.products)
    assert page.one("#space").get_property("value") == "raw"
    assert "space=raw" in page.sent[-1]["query"] or "space=raw" in page.sent[-2]["query"]
    page.click("#start-over")
    assert page.view == "start"
    assert len(page.products) == 24


def test_where_something_was_found_is_outlined(page: ShopPage, street_photo: Path) -> None:
    page.go("/")
    page.choose(street_photo)
    hit = page.last_search["answer"]["hits"][0]
    page.run("document.querySelector('.card .like').focus()")
    found = page.one("#found")
    assert found.is_displayed()
    wide = page.last_search["answer"]["width"]
    assert float(found.value_of_css_property("left")[:-2]) == pytest.approx(
        hit["region"][0] / wide * page.one("#stage").rect["width"], abs=1
    )
    page.run("document.activeElement.blur()")
    assert not found.is_displayed()


def test_a_photo_is_not_kept_over_a_reload(page: ShopPage, street_photo: Path) -> None:
    page.go("/")
    page.choose(street_photo)
    page.driver.refresh()
    page.settled()
    assert page.view == "start"
    assert "Choose it again" in page.text("#drop")
    page.choose(street_photo)
    page.driver.back()  # to the photo that is gone
    page.wait("document.body.dataset.view === 'start'")
    page.settled()
    assert page.one("#gone").is_displayed()


def test_where_browser_and_service_turn_a_photo_differently_it_is_drawn_and_searched_again(
    page: ShopPage, dress_photo: Path
) -> None:
    with Image.open(dress_photo) as image:
        width, height = image.size
    page.go("/")
    page.run(
        "const real = window.fetch; let nSearches = 0; window.fetch = async (...all) => {"
        " const response = await real(...all);"
        " if (!String(all[0]).endsWith('/v1/search') || nSearches++) return response;"
        " const answer = await response.json();"
        " [answer.width, answer.height] = [answer.height, answer.width];"
        " return new Response(JSON.stringify(answer)) }"
    )
    page.choose(dress_photo)
    page.wait("document.getElementById('results').getAttribute('aria-busy') === 'false'")
    searches = [call for call in page.sent if call["path"] == "/v1/search"]
    as_it_is, drawn = (call["form"]["image"] for call in searches)
    assert as_it_is == dress_photo.stat().st_size != drawn
    assert (searches[1]["answer"]["width"], searches[1]["answer"]["height"]) == (width, height)
    assert page.products[0] == dress_photo.parent.name
    page.click("#mark")  # from now on it is drawn at once
    page.wait("window.recorded.calls.at(-1).form?.box !== undefined")
    page.settled()
    assert [call["form"]["image"] for call in page.sent if call["path"] == "/v1/search"][2:] == [drawn]
