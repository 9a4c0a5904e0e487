from __future__ import annotations

from collections import Counter, defaultdict
from random import Random

import numpy as np
import pytest

from stylesearch.drawn_shop.garments.tailor import draw_spec, is_possible, vary_spec
from stylesearch.drawn_shop.products import draw_product
from stylesearch.drawn_shop.shop import draw_shop_image
from stylesearch.drawn_shop.wardrobe import ATTRIBUTES, CATEGORIES


def _differences(first: object, second: object) -> list[str]:
    return [
        name for name in (*ATTRIBUTES, "category", "seed") if getattr(first, name) != getattr(second, name)
    ]


@pytest.mark.parametrize("category", CATEGORIES)
def test_drawn_garments_can_be_sewn_and_varied_in_one_attribute(category: str) -> None:
    random = Random(category)
    for _ in range(20):
        spec = draw_spec(category, random)
        assert spec.category == category
        assert is_possible(spec)
        other, name = vary_spec(spec, random)
        assert is_possible(other)
        assert _differences(spec, other) == [name]


def test_a_product_depends_on_seed_and_number_alone() -> None:
    forwards = [draw_product(index, 7) for index in range(40)]
    backwards = [draw_product(index, 7) for index in reversed(range(40))]
    assert forwards == backwards[::-1]
    assert [p.spec for p in forwards] != [draw_product(index, 8).spec for index in range(40)]


def test_twenty_products_show_all_categories() -> None:
    for seed in range(5):
        assert {draw_product(index, seed).spec.category for index in range(20)} == set(CATEGORIES)


def test_categories_are_about_equally_frequent() -> None:
    counts = Counter(draw_product(index, 1).spec.category for index in range(1000))
    assert min(counts.values()) > 60
    assert max(counts.values()) < 150


def test_ids_are_unique_and_name_the_category() -> None:
    products = [draw_product(index, 3) for index in range(300)]
    assert len({product.id for product in products}) == 300
    assert all(product.id.startswith(product.spec.category + "-") for product in products)


def test_most_products_have_a_near_twin_that_differs_in_one_attribute() -> None:
    families = defaultdict(list)
    for index in range(200):
        product = draw_product(index, 2)
        families[product.family].append(product)
    twins = 0
    for members in families.values():
        first = [member for member in members if not member.differs_in]
        assert len(first) == 1
        for member in members:
            if member.differs_in:
                assert _differences(first[0].spec, member.spec) == [member.differs_in]
                twins += 1
        assert len({member.spec for member in members}) == len(members)
    assert twins == 100


def test_a_near_twin_looks_different() -> None:
    families = defaultdict(list)
    for index in range(40):
        product = draw_product(index, 6)
        families[product.family].append(product)
    for members in families.values():
        images = [
            np.asarray(draw_shop_image(m.spec, Random("same folds"), size=240)).astype(int) for m in members
        ]
        for number, image in enumerate(images[1:], 1):
            changed = (np.abs(image - images[0]).max(axis=2) > 10).mean()
            assert changed > 2e-4, (members[0].spec, members[number].spec)


def test_titles_and_prices_read_like_a_shop() -> None:
    for index in range(200):
        product = draw_product(index, 4)
        assert product.title[0].isupper()
        assert product.spec.color in product.title
        assert product.spec.category in product.title.lower()
        assert "  " not in product.title
        assert 5 < float(product.price) < 600
        assert product.url.endswith(product.id)


def test_a_single_colored_product_names_no_second_color() -> None:
    plain = [p for p in (draw_product(index, 4) for index in range(200)) if "/" not in p.title]
    assert plain
    assert all(product.attributes["second"] == "" for product in plain)


def test_a_negative_number_is_refused() -> None:
    with pytest.raises(ValueError, match="numbered from 0"):
        draw_product(-1, 0)
