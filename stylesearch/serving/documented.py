"""What OpenAPI says of requests and errors, where the code checks by hand."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from pydantic import BaseModel

from stylesearch.serving.examples import PICTURE_EXAMPLE
from stylesearch.serving.options import BatchOptions, ProductBody, SearchOptions
from stylesearch.serving.problems import MEDIA_TYPE

__all__ = [
    "BATCH_BODY",
    "PICTURE_ANSWER",
    "PRODUCT_BODY",
    "SEARCH_BODY",
    "problems",
    "query_parameters",
]

Json = dict[str, Any]

_WORDS: Final = {
    400: "The body is malformed.",
    401: "The API key is missing or wrong.",
    403: "Writing is off: no API key is configured.",
    404: "There is no such thing.",
    408: "The body did not arrive in time.",
    413: "Too many bytes, parts or pixels.",
    415: "Not a picture, or not a type of body that is read.",
    421: "The server does not answer to the name in `Host`.",
    422: "A parameter is wrong.",
    429: "Too many requests; come back after `Retry-After` seconds.",
    500: "A mistake in the server; its log has the request id.",
    503: "Too busy, or the catalog or the model cannot be used just now: `reason` says which. "
    "Come back after `Retry-After` seconds.",
    504: "It took too long.",
}
_ANYWHERE: Final = (413, 421, 500)
_RETRY: Final = {
    "Retry-After": {"description": "seconds", "schema": {"type": "integer", "minimum": 1}},
}


def problems(*statuses: int) -> dict[int | str, Json]:
    """Descriptions of error answers; those that any route may give are always among them."""
    described: dict[int | str, Json] = {}
    for status in sorted({*statuses, *_ANYWHERE}):
        described[status] = {
            "description": _WORDS[status],
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemModel"}}},
        }
        if status in (429, 503):
            described[status]["headers"] = _RETRY
        if status == 401:
            described[status]["headers"] = {"WWW-Authenticate": {"schema": {"type": "string"}}}
        assert HTTPStatus(status)
    return described


def query_parameters(model: type[BaseModel]) -> list[Json]:
    """The fields of a model as parameters of a query, where nothing is null."""
    return [
        {
            "name": name,
            "in": "query",
            "required": False,
            "description": _DESCRIPTIONS[name],
            "schema": _without_null(schema),
        }
        for name, schema in model.model_json_schema()["properties"].items()
    ]


_DESCRIPTIONS: Final = {
    "k": "how many products at most",
    "category": "only in this one; see `GET /v1/categories`",
    "box": "where the garment is: x0, y0, x1, y1 in pixels of the upright photo, with x0 < x1 and y0 < y1; "
    "takes the place of the regions",
    "space": "where distances are taken; see `GET /v1/page`. The workspace's own by default",
    "metric": "`l1`, `l2` or `cosine`; a trained model brings its own. The workspace's own by default",
    "cursor": "`next_cursor` of the page before",
    "limit": "how many products a page has",
    "title": "what a customer reads",
    "price": "as the shop writes it; never computed with",
    "url": "where it is sold",
    "attributes": "anything else, JSON values by name, at most 16 levels deep and 64 KiB in all",
}


def _without_null(schema: Json) -> Json:
    """A schema of a text or a number that is there."""
    kept = {name: value for name, value in schema.items() if name not in ("title", "anyOf", "default")}
    if schema.get("default") is not None:
        kept["default"] = schema["default"]
    for choice in schema.get("anyOf", []):
        if choice.get("type") != "null":
            kept.update(choice)
    return kept


def _json_fields(model: type[BaseModel]) -> Json:
    """Properties of a JSON object."""
    fields: Json = {}
    for name, schema in model.model_json_schema()["properties"].items():
        schema = {key: value for key, value in schema.items() if key != "title"}
        if schema.get("default", ...) is None:
            del schema["default"]
        fields[name] = {**schema, "description": _DESCRIPTIONS[name]}
    return fields


def _form_fields(model: type[BaseModel]) -> Json:
    """Properties of a form, whose values are texts and never null."""
    fields = {}
    for name, schema in model.model_json_schema()["properties"].items():
        fields[name] = {**_without_null(schema), "description": _DESCRIPTIONS[name]}
    if "box" in fields:
        fields["box"] = {
            "type": "string",
            "pattern": "^[0-9]{1,6}(,[0-9]{1,6}){3}$",
            "description": f"{_DESCRIPTIONS['box']}; written x0,y0,x1,y1",
        }
    return fields


_BASE64: Final = {
    "type": "string",
    "format": "byte",
    "contentEncoding": "base64",
    "description": "the bytes of a picture, in base64",
    "examples": [PICTURE_EXAMPLE],
}
_FILE: Final = {
    "type": "string",
    "format": "binary",
    "description": "the bytes of a picture; the file's name does not matter",
}


def _body(form: Json, form_required: list[str], json: Json, json_required: list[str], example: Json) -> Json:
    def closed(properties: Json, required: list[str]) -> Json:
        return {
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": False,
        }

    return {
        "required": True,
        "content": {
            "multipart/form-data": {"schema": closed(form, form_required)},
            "application/json": {"schema": closed(json, json_required), "example": example},
        },
    }


def _list_of(item: Json, most: int) -> Json:
    return {"type": "array", "items": item, "minItems": 1, "maxItems": most}


SEARCH_BODY: Final = _body(
    {"image": _FILE, **_form_fields(SearchOptions)},
    ["image"],
    {"image": _BASE64, **_json_fields(SearchOptions)},
    ["image"],
    {"image": PICTURE_EXAMPLE, "k": 5},
)
BATCH_BODY: Final = _body(
    {"images": _list_of(_FILE, 16), **_form_fields(BatchOptions)},
    ["images"],
    {"images": _list_of(_BASE64, 16), **_json_fields(BatchOptions)},
    ["images"],
    {"images": [PICTURE_EXAMPLE, PICTURE_EXAMPLE], "k": 3},
)
_PRODUCT: Final[Json] = {
    "type": "object",
    "properties": _json_fields(ProductBody),
    "required": ["title", "category"],
    "additionalProperties": False,
}
PRODUCT_BODY: Final = _body(
    {"product": {**_PRODUCT, "description": "as JSON"}, "images": _list_of(_FILE, 20)},
    ["product", "images"],
    {**_PRODUCT["properties"], "images": _list_of(_BASE64, 20)},
    ["title", "category", "images"],
    {"title": "Red dress", "category": "dress", "price": "39.90 EUR", "images": [PICTURE_EXAMPLE]},
)
PRODUCT_BODY["content"]["multipart/form-data"]["encoding"] = {"product": {"contentType": "application/json"}}

PICTURE_ANSWER: Final[dict[int | str, Json]] = {
    200: {
        "description": "The bytes of the picture.",
        "content": {"image/*": {"schema": {"type": "string", "format": "binary"}}},
        "headers": {"ETag": {"schema": {"type": "string"}}},
    },
    304: {"description": "The client has it already (`If-None-Match`)."},
}
