"""The description of the API: what FastAPI makes of the routes, with what only a running service knows."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from stylesearch.distance import METRICS
from stylesearch.serving.api.requests import BatchOptions, ProductBody, SearchOptions
from stylesearch.serving.api.responses import PICTURE_EXAMPLE, ProblemModel
from stylesearch.serving.problems import MEDIA_TYPE
from stylesearch.serving.settings import ServiceSettings

__all__ = [
    "BATCH_BODY",
    "PICTURE_ANSWER",
    "PRODUCT_BODY",
    "SEARCH_BODY",
    "Surroundings",
    "described",
    "described_as_text",
    "problems",
    "query_parameters",
]

SECURITY: Final = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "an API key of this server"},
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}
DESCRIPTION: Final = """\
Search a shop's products with a photo.

Errors are `application/problem+json`. Every answer has an `X-Request-ID`, under which the server's log \
has the request; a client may send its own. `HEAD` works wherever `GET` does.
"""


NEW_PRODUCT: Final = "example-1"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What only a running service knows.

    Attributes:
        spaces: that a search may name.
        samples: an ``id``, a ``category`` and a ``hash`` that there are, for examples that work.
    """

    spaces: Sequence[str]
    samples: Mapping[str, str]


def described(app: FastAPI, settings: ServiceSettings, around: Surroundings) -> dict[str, Any]:
    """The OpenAPI document.

    Args:
        app: whose routes.
        settings: for the limits in it.
        around: for examples and choices.
    """
    document = copy.deepcopy(_of_routes(app))
    for schema in _options_in(document, "k"):
        schema["maximum"] = settings.max_k
        schema["default"] = min(schema.get("default", 1), settings.max_k)
    for schema in _options_in(document, "space"):
        _restrict(schema, around.spaces)
    for schema in _options_in(document, "metric"):
        _restrict(schema, METRICS)
    for path in document["paths"].values():
        for method, operation in path.items():
            for parameter in operation.get("parameters", []):
                _give_example(parameter, method, around.samples)
    return document


def described_as_text(app: FastAPI, settings: ServiceSettings, around: Surroundings) -> str:
    """The OpenAPI document as JSON, made anew when something around it has changed."""
    known: tuple[Surroundings, str] | None = getattr(app.state, "described", None)
    if known is None or known[0] != around:
        known = (around, json.dumps(described(app, settings, around)))
        app.state.described = known
    return known[1]


def _give_example(parameter: dict[str, Any], method: str, samples: Mapping[str, str]) -> None:
    """An example that works; what puts or deletes has one that does no harm."""
    name = parameter["name"]
    if name == "id" and method in ("put", "delete"):
        parameter["example"] = NEW_PRODUCT
    elif name in samples:
        parameter["example"] = samples[name]


def _of_routes(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title, version=app.version, description=DESCRIPTION, routes=app.routes
        )
        components = document.setdefault("components", {})
        schema = ProblemModel.model_json_schema(ref_template="#/components/schemas/{model}")
        components.setdefault("schemas", {})["ProblemModel"] = schema
        components["securitySchemes"] = SECURITY
        app.openapi_schema = document
    return app.openapi_schema


def _options_in(document: dict[str, Any], name: str) -> Iterator[dict[str, Any]]:
    """Schemas of the option with this name, in queries and bodies."""
    for path in document["paths"].values():
        for operation in path.values():
            for parameter in operation.get("parameters", []):
                if parameter["in"] == "query" and parameter["name"] == name:
                    yield parameter["schema"]
            for body in operation.get("requestBody", {}).get("content", {}).values():
                if name in body["schema"]["properties"]:
                    yield body["schema"]["properties"][name]


def _restrict(schema: dict[str, Any], names: Sequence[str]) -> None:
    """Lets a schema of a text, or of a text or null, allow these only."""
    for one in schema.get("anyOf", [schema]):
        if one.get("type") == "string":
            for rule in ("minLength", "maxLength", "pattern"):
                one.pop(rule, None)
            one["enum"] = list(names)


# What OpenAPI says of requests and errors, where the code checks by hand.

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
