import dataclasses

import pytest

from stylesearch.errors import ConfigError
from stylesearch.types import Box, SearchKeywords, SearchRequest


def test_a_box_is_read_and_written() -> None:
    assert Box.parse(" 1,2, 30.4,40 ") == Box(1, 2, 30, 40)
    assert str(Box(1, 2, 30, 40)) == "1,2,30,40"
    assert Box.parse(str(Box(0, 0, 5, 6))) == Box(0, 0, 5, 6)


@pytest.mark.parametrize(
    "text", ["", "1,2,3", "1,2,3,4,5", "a,b,c,d", "5,5,5,9", "5,5,2,9", "-1,0,-5,5", "nan,0,1,1", "0,0,inf,1"]
)
def test_what_is_no_box_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a box is"):
        Box.parse(text)


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        ("10,20,30,40", (10, 20, 30, 40)),
        ("-10,20,30,40", (0, 20, 30, 40)),
        ("10,-20,30,40", (10, 0, 30, 40)),
        ("10,20,3000,40", (10, 20, 300, 40)),
        ("10,20,30,4000", (10, 20, 30, 400)),
        ("-9,-9,9999,9999", (0, 0, 300, 400)),
        ("-9,20,1,40", (0, 20, 1, 40)),
        ("-9,20,0,40", None),
        ("10,-9,30,0", None),
        ("300,20,310,40", None),
        ("10,400,30,410", None),
    ],
)
def test_a_box_is_cut_to_the_image_on_each_side(text: str, inside: tuple[int, int, int, int] | None) -> None:
    assert Box.parse(text).cut(300, 400) == (inside and Box(*inside))


def test_every_option_of_a_search_can_be_given_as_a_keyword() -> None:
    assert SearchKeywords.__annotations__.keys() == {one.name for one in dataclasses.fields(SearchRequest)}


@pytest.mark.parametrize("region", ["auto", "whole", "torso", "legs", "body", "1", "13", "99"])
def test_a_region_is_a_name_or_the_number_of_a_spot(region: str) -> None:
    assert SearchRequest(region=region).region == region
    if region.isdigit():
        assert SearchRequest(region=int(region)) == SearchRequest(region=region)


@pytest.mark.parametrize(
    "region", ["", "0", "01", "100", "-1", "1.5", "٣", "Torso", "torso ", "head", 0, 100, -1, True]
)
def test_other_regions_are_refused(region: str | int) -> None:
    with pytest.raises(ConfigError, match="a region is auto, whole, torso, legs, body"):
        SearchRequest(region=region)


def test_a_region_and_a_box_are_too_much() -> None:
    with pytest.raises(ConfigError, match="a box and the region torso"):
        SearchRequest(region="torso", box=Box(0, 0, 5, 5))
    assert SearchRequest(region="auto", box=Box(0, 0, 5, 5)).box
