import json

import pytest

from stylesearch.serving.api.responses import json_response, product_json, product_with_images
from stylesearch.types import Domain, ImageRecord, Product


@pytest.mark.parametrize(
    ("url", "is_shown"),
    [
        ("https://shop.example/x?y=1", True),
        ("http://shop.example", True),
        ("HTTPS://shop.example", True),
        ("javascript:alert(1)", False),
        (" javascript:alert(1)", False),
        ("data:text/html,x", False),
        ("//shop.example", False),
        ("https:", False),
        ("http://[", False),
        ("", False),
        (None, False),
    ],
)
def test_only_links_to_web_pages_are_shown(url: str | None, is_shown: bool) -> None:
    assert (product_json(Product("a", "A", "c", url=url))["url"] == url) is (is_shown or url is None)


def test_links_are_safe_whatever_the_id() -> None:
    links = product_json(Product("a/b?c#d%e \u00fc", "A", "c"))["links"]
    assert links["self"] == "/v1/products/a%2Fb%3Fc%23d%25e%20%C3%BC"
    assert links["similar"] == links["self"] + "/similar"


def test_a_image_is_shown_once_and_its_file_is_not_named() -> None:
    image = ImageRecord("/srv/secret/1.jpg", "ab" * 32, Domain.SHOP, 30, 40)
    shown = product_with_images(Product("a", "A", "c"), [image, image])
    assert len(shown["images"]) == 1
    assert "secret" not in json.dumps(shown)


def test_half_a_surrogate_pair_in_the_catalog_is_no_failure() -> None:
    value = {"title": "\ud800 gr\u00f6\u00dfe"}
    assert json.loads(bytes(json_response(value).body)) == value
    assert bytes(json_response({"title": "gr\u00f6\u00dfe"}).body) == '{"title":"gr\u00f6\u00dfe"}'.encode()


def test_what_is_no_json_number_is_a_mistake_here() -> None:
    with pytest.raises(ValueError, match="JSON"):
        json_response({"distance": float("nan")})
