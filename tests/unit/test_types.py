import dataclasses

import pytest

from stylesearch.types import Box, SearchKeywords, SearchRequest


def test_a_box_is_read_and_written() -> None:
    assert Box.parse(" 1,2, 30.4,40 ") == Box(1, 2, 30, 40)
    assert str(Box(1, 2, 30, 40)) == "1,2,30,40"
    assert Box.parse(str(Box(0, 0, 5, 6))) == Box(0, 0, 5, 6)


@pytest.mark.parametrize(
    "text", ["", "1,2,3", "1,2,3,4,5", "a,b,c,d", "5,5,5,9", "5,5,2,9", "-1,0,5,5", "nan,0,1,1", "0,0,inf,1"]
)
def test_what_is_no_box_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a box is"):
        Box.parse(text)


def test_every_option_of_a_search_can_be_given_as_a_keyword() -> None:
    assert SearchKeywords.__annotations__.keys() == {one.name for one in dataclasses.fields(SearchRequest)}
