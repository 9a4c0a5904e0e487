"""What an ingest says of what looks wrong, and what it keeps quiet about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest

from stylesearch.ingest.checks import cause_of, find_oddities, find_shared_cause
from stylesearch.types import Failure


def causes_of(failed: Sequence[Failure]) -> Counter[str]:
    return Counter(cause_of(one.reason) for one in failed)


USUAL = {"Dresses": (40, 120), "Skirts": (10, 20)}


def failures(*reasons: str) -> list[Failure]:
    return [Failure(f"shop.csv:{number}", reason) for number, reason in enumerate(reasons)]


def test_a_usual_shop_looks_right() -> None:
    assert find_oddities(USUAL, ("d1", 12), []) == []
    assert find_oddities({}, None, []) == []


@pytest.mark.parametrize(("n_images", "is_odd"), [(199, False), (200, True), (12_000, True)])
def test_a_product_of_hundreds_of_images_is_odd(n_images: int, is_odd: bool) -> None:
    found = find_oddities(USUAL, ("all", n_images), [])
    assert len(found) == int(is_odd)
    if is_odd:
        assert found[0].startswith(f"the product all has {n_images:,} images")
        assert "--layout" in found[0]


def test_single_images_of_one_name_are_odd() -> None:
    single = [f"/shop/dress-{number}/Front.{end}" for number, end in enumerate(["jpg", "png", "JPG"] * 2)]
    (found,) = find_oddities(USUAL, ("d1", 1), single)
    assert "each is called Front.jpg" in found
    assert "--layout product/image" in found


@pytest.mark.parametrize(
    "single",
    [
        [f"/shop/{number}/front.jpg" for number in range(4)],  # too few to judge
        [f"/shop/{number}/{number}.jpg" for number in range(10)],
        [],
    ],
)
def test_other_single_images_are_not(single: list[str]) -> None:
    assert find_oddities(USUAL, ("d1", 1), single) == []


@pytest.mark.parametrize(
    ("names", "is_odd"),
    [
        ([f"SKU-{number}" for number in range(100, 130)], True),
        ([str(number) for number in range(5)], True),
        ([*(f"a{number}" for number in range(8)), "Dresses", "Skirts"], True),
        ([str(number) for number in range(4)], False),  # too few to judge
        ([*(f"a{number}" for number in range(7)), "Dresses", "Skirts", "Hats"], False),
        ([f"Size {number}" for number in range(36, 50)], False),  # words with a number are no ids
        ([f"Women > {number}" for number in range(36, 50)], False),
        (["Dresses", "Skirts", "Hats", "Shoes", "Bags", "Tops"], False),
    ],
)
def test_categories_called_like_ids_are_odd(names: list[str], is_odd: bool) -> None:
    found = find_oddities(dict.fromkeys(names, (2, 4)), ("d1", 2), [])
    assert len(found) == int(is_odd)
    if is_odd:
        assert f"of {len(names)} categories are called like ids" in found[0]


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        ("no such picture: /shop/a.jpg", "no such picture"),
        (
            "the picture is outside the folder (--allow-outside lets it in)",
            "the picture is outside the folder",
        ),
        ("12 cells, where the header has 9", "... cells, where the header has ..."),
        ("a domain is shop or consumer. Received: 'x'", "a domain is shop or consumer"),
        ("no id given", "no id given"),
    ],
)
def test_a_cause_leaves_out_the_single_case(reason: str, cause: str) -> None:
    assert cause_of(reason) == cause


def test_one_cause_of_many_failures_is_said_once_with_a_hint() -> None:
    failed = failures(*(f"no such picture: /shop/{number}.jpg" for number in range(6)), "no id given")
    assert find_shared_cause(causes_of(failed), 20) == (
        "6 of 20 rows and images were refused for one cause, 'no such picture'; "
        "--media-root says where relative paths start"
    )


def test_a_cause_without_a_hint_is_said_too() -> None:
    said = find_shared_cause(causes_of(failures(*["no id given"] * 5)), 5)
    assert said == "5 of 5 rows and images were refused for one cause, 'no id given'"


@pytest.mark.parametrize(
    ("failed", "n_processed"),
    [
        ([], 0),
        (failures(*["no id given"] * 4), 4),  # too few to judge
        (failures(*["no id given"] * 29), 100),
        (failures(*(f"{letter} is wrong" for letter in "abcdefghij")), 10),
    ],
)
def test_failures_of_several_causes_or_a_few_are_not(failed: list[Failure], n_processed: int) -> None:
    assert find_shared_cause(causes_of(failed), n_processed) is None
