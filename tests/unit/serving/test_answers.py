import json

import pytest

from stylesearch.serving.api.responses import (
    ProductModel,
    image_json,
    json_response,
    product_json,
    product_with_images,
)
from stylesearch.types import Domain, ImageRecord, Product, Variant


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


def test_a_product_says_what_it_costs_and_what_is_in_stock() -> None:
    variants = (
        Variant("s-1", {"color": "Navy"}, "39.90 EUR", True, "https://shop.example/p?v=1"),
        Variant("", {"color": "Rust"}, None, False, "javascript:alert(1)"),
    )
    product = Product(
        *("p", "P", "c", None, "39.90 EUR", {}, True),
        variants=variants,
        amount=39.9,
        amount_max=59.9,
        currency="EUR",
    )
    shown = product_json(product)
    ProductModel.model_validate(shown, strict=True)
    assert [shown[name] for name in ("in_stock", "amount", "amount_max", "currency")] == [
        True,
        39.9,
        59.9,
        "EUR",
    ]
    assert shown["variants"] == [
        {
            "id": "s-1",
            "options": {"color": "Navy"},
            "price": "39.90 EUR",
            "in_stock": True,
            "url": "https://shop.example/p?v=1",
        },
        {"id": "", "options": {"color": "Rust"}, "price": None, "in_stock": False, "url": None},
    ]


@pytest.mark.parametrize(
    ("url", "is_shown"),
    [
        ("https://cdn.example/1.jpg?v=2", True),
        ("http://cdn.example/1.jpg", True),
        ("s3://bucket/1.jpg", False),
        ("javascript:alert(1)", False),
        ("http://[", False),
        (None, False),
    ],
)
def test_the_shops_own_address_of_a_picture_is_shown_where_that_is_set(
    url: str | None, is_shown: bool
) -> None:
    image = ImageRecord("/x/1.jpg", "ab" * 32, Domain.SHOP, 30, 40, url=url, options={"color": "Navy"})
    thumbnail = f"/v1/images/{'ab' * 32}/thumbnail"
    ours, theirs = image_json(image), image_json(image, shop_images=True)
    assert ours["links"]["shown"] == ours["links"]["thumbnail"] == thumbnail
    assert theirs["links"]["shown"] == (url if is_shown else thumbnail)
    assert theirs["options"] == {"color": "Navy"}
