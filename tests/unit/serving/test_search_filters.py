"""Filters and facets in the bodies and queries of searches."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from stylesearch.conditions import parse_where
from stylesearch.serving.api.search_bodies import BatchForm, SearchBody, SearchForm, SimilarQuery

PHOTO = {"image": "aGVsbG8="}


@pytest.mark.parametrize(
    "where",
    ["color=red and price<50", ["color=red", "price < 50"], {"color": "red", "price": "<50"}],
)
def test_json_has_conditions_as_a_text_a_list_or_by_name(where: Any) -> None:
    body = SearchBody.model_validate({**PHOTO, "where": where, "facets": ["color", "price"]})
    assert body.search_request.where == parse_where("color=red and price<50")
    assert body.search_request.facets == ("color", "price")


def test_forms_and_queries_have_texts() -> None:
    texts = {"where": "color=red", "facets": "color, price"}
    models: list[Any] = [
        SearchForm.model_validate({"image": b"x", **texts}),
        BatchForm.model_validate({"images": [b"x"], **texts}),
        SimilarQuery.model_validate({**texts, "facets": ["color,price"]}),
    ]
    for model in models:
        assert model.search_request.where == parse_where("color=red")
        assert model.search_request.facets == ("color", "price")
    assert SimilarQuery().search_request.where == ()


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("color=red, blue", "at character 10"),
        ({"color": {"a": 1}}, "where"),
        (["color=red", ""], "where"),
        ({"price": "<cheap"}, "price< needs a number"),
    ],
)
def test_what_cannot_be_read_is_refused(where: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        SearchBody.model_validate({**PHOTO, "where": where})
