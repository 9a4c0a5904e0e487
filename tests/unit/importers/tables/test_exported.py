"""What an export writes as JSON is read back, and other columns of these names are attributes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stylesearch.importers.tables.exported import read_variants, take_exported
from stylesearch.types import Variant

WRITTEN = '[{"id": "a", "options": {"size": "S"}, "price": "9 EUR", "in_stock": null, "url": null}]'


def test_variants_and_options_become_fields() -> None:
    said: dict[str, Any] = {"attributes.variants": WRITTEN, "attributes.image_options": '{"color": "Navy"}'}
    assert take_exported(said) == {"color": "Navy"}
    assert said == {"variants": WRITTEN}
    assert read_variants(said["variants"]) == (Variant("a", {"size": "S"}, "9 EUR"),)


@pytest.mark.parametrize(
    "text", ["S, M, L", "[1]", "[{", '[{"id": "a"}]', '{"id": "a"}', "[]", "", None, '[{"id": "a"}, 1]']
)
def test_other_variants_are_an_attribute(text: str | None) -> None:
    said: dict[str, Any] = {"attributes.variants": text}
    assert take_exported(said) == {}
    assert said == {"attributes.variants": text}


GOOD = {"id": "a", "options": {}, "price": None, "in_stock": None, "url": None}


@pytest.mark.parametrize(
    "text",
    [
        *(
            json.dumps([{**GOOD, **wrong}])
            for wrong in (
                {"id": 5},
                {"options": []},
                {"options": {"a": 1}},
                {"price": 5},
                {"in_stock": "yes"},
                {"url": []},
                {"id": "\ud800"},
                {"options": {"\ud800": "a"}},
                {"id": "a\0"},
            )
        ),
        '[{"id": ' + "9" * 5000 + "}]",
        '[{"id": ' + "[" * 100_000,
    ],
    ids=lambda text: text[:50],
)
def test_variants_of_other_types_are_an_attribute(text: str) -> None:
    said: dict[str, Any] = {"attributes.variants": text}
    assert take_exported(said) == {}
    assert said == {"attributes.variants": text}


@pytest.mark.parametrize("text", ["Navy", '{"color": 1}', "{", "[]", "", None])
def test_other_options_are_an_attribute(text: str | None) -> None:
    said: dict[str, Any] = {"attributes.image_options": text}
    assert take_exported(said) == {}
    assert said == {"attributes.image_options": text}
