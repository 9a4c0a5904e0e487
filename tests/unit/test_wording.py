"""Words of the command line that depend on a number, and values as people write them."""

from __future__ import annotations

import pytest

from stylesearch.wording import count, for_people


@pytest.mark.parametrize(
    ("n", "expected"), [(0, "0 entries"), (1, "1 entry"), (2, "2 entries"), (1200, "1,200 entries")]
)
def test_a_noun_agrees_with_its_number(n: int, expected: str) -> None:
    assert count(n, "entry", "entries") == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, ""),
        (True, "yes"),
        (False, "no"),
        (0, "0"),
        ("red, blue", "red, blue"),
        (["S", "M"], "S, M"),
        (({"color": "Navy", "new": True}, 5), "color Navy, new yes, 5"),
    ],
)
def test_a_value_has_no_signs_of_a_program(value: object, expected: str) -> None:
    assert for_people(value) == expected
