"""Builds the OpenAPI document from FastAPI's, with limits and examples of the running service.

FastAPI describes a body by one model and one media type; here it may be a form or JSON (``request_body``).
FastAPI does not describe errors in ``application/problem+json``, nor those of the layers around the routes
(``problems``).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from stylesearch.distance import METRICS
from stylesearch.serving.api.product_bodies import ProductBody
from stylesearch.serving.api.requests import FORM, JSON, JSON_LINES
from stylesearch.serving.api.responses import BulkResult, ProblemModel
from stylesearch.serving.problems import MEDIA_TYPE
from stylesearch.serving.settings import ServiceSettings

__all__ = [
    "IMAGE_RESPONSES",
    "ApiExamples",
    "build_openapi",
    "json_request_body",
    "lines_request_body",
    "openapi_text",
    "problems",
    "product_request_body",
    "request_body",
]

Json = dict[str, Any]
Responses = dict[int | str, Json]

DESCRIPTION: Final = """\
Search a shop's products with a photo.

Errors are `application/problem+json`. Every answer has an `X-Request-ID`, under which the server's log \
has the request; a client may send its own. `HEAD` works wherever `GET` does.
"""

NEW_PRODUCT: Final = "example-1"
"""The id in examples of what puts a product in or takes one out: it does no harm."""

MEANINGS: Final = {
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
FROM_ANY_ROUTE: Final = (413, 421, 500)

_RETRY: Final = {"Retry-After": {"description": "seconds", "schema": {"type": "integer", "minimum": 1}}}
_HEADERS: Final[Mapping[int, Json]] = {
    401: {"WWW-Authenticate": {"schema": {"type": "string"}}},
    429: _RETRY,
    503: _RETRY,
}

IMAGE_RESPONSES: Final[Responses] = {
    200: {
        "description": "The bytes of the picture.",
        "content": {"image/*": {"schema": {"type": "string", "format": "binary"}}},
        "headers": {"ETag": {"schema": {"type": "string"}}},
    },
    304: {"description": "The client has it already (`If-None-Match`)."},
}


@dataclass(frozen=True, slots=True)
class ApiExamples:
    """Names and examples from the running service.

    Attributes:
        spaces: spaces that a search may name.
        samples: an existing ``id``, ``category`` and ``hash``, for examples that work.
    """

    spaces: Sequence[str]
    samples: Mapping[str, str]


def build_openapi(app: FastAPI, settings: ServiceSettings, examples: ApiExamples) -> Json:
    """Builds the OpenAPI document.

    Args:
        app: application with the routes.
        settings: settings with the limits.
        examples: examples and choices.
    """
    document = get_openapi(title=app.title, version=app.version, description=DESCRIPTION, routes=app.routes)
    schemas = document["components"]["schemas"]
    for model in (ProblemModel, BulkResult):
        schemas[model.__name__] = model.model_json_schema(ref_template="#/components/schemas/{model}")
    for path in document["paths"].values():
        for method, operation in path.items():
            for parameter in operation.get("parameters", []):
                if parameter["in"] == "query":
                    parameter["schema"] = _without_null(parameter["schema"])
                name = parameter["name"]
                if name == "id" and method in ("put", "patch", "delete"):
                    parameter["example"] = NEW_PRODUCT
                elif name in examples.samples:
                    parameter["example"] = examples.samples[name]
    for schema in _options(document, "k"):
        schema["maximum"] = settings.max_k
        schema["default"] = min(schema["default"], settings.max_k)
    for schema in _options(document, "space"):
        _restrict(schema, examples.spaces)
    for schema in _options(document, "metric"):
        _restrict(schema, METRICS)
    return document


def openapi_text(app: FastAPI, settings: ServiceSettings, examples: ApiExamples) -> str:
    """Returns the OpenAPI document as JSON; builds it again only when the examples have changed."""
    last: tuple[ApiExamples, str] | None = getattr(app.state, "openapi_text", None)
    if last is None or last[0] != examples:
        last = (examples, json.dumps(build_openapi(app, settings, examples)))
        app.state.openapi_text = last
    return last[1]


def problems(*statuses: int) -> Responses:
    """Describes error responses, including those that any route may give."""
    responses: Responses = {}
    for status in sorted({*statuses, *FROM_ANY_ROUTE}):
        responses[status] = {
            "description": MEANINGS[status],
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemModel"}}},
        }
        if status in _HEADERS:
            responses[status]["headers"] = _HEADERS[status]
    return responses


def request_body(as_json: type[BaseModel], as_form: type[BaseModel], example: Json) -> Json:
    """Describes a body that may be JSON or a form.

    Args:
        as_json: model of the body as JSON.
        as_form: model of the body as a form, whose fields are never null.
        example: example of the body as JSON.
    """
    form = _schema(as_form)
    form["properties"] = {name: _without_null(field) for name, field in form["properties"].items()}
    return {
        "required": True,
        "content": {FORM: {"schema": form}, JSON: {"schema": _schema(as_json), "example": example}},
    }


def json_request_body(model: type[BaseModel], example: Json) -> Json:
    """Describes a body that is JSON.

    Args:
        model: model of the body.
        example: example of the body.
    """
    return {"required": True, "content": {JSON: {"schema": _schema(model), "example": example}}}


def lines_request_body(model: type[BaseModel], example: Json) -> Json:
    """Describes a body of JSON lines, for which OpenAPI 3.1 has no words: any body, and how a line is.

    Args:
        model: model of a line.
        example: example of a line.
    """
    names = ", ".join(f"`{name}`" for name in model.model_fields)
    schema = {
        "description": f"JSON lines, each an object with some of {names}",
        "x-line-schema": _schema(model),
    }
    return {"required": True, "content": {JSON_LINES: {"schema": schema, "example": json.dumps(example)}}}


def product_request_body(as_form: type[ProductBody], example: Json) -> Json:
    """Describes the body of a product, of which a form has the product as JSON in one part."""
    body = request_body(ProductBody, as_form, example)
    product, form = _schema(ProductBody), body["content"][FORM]["schema"]
    del product["properties"]["images"]
    product["required"].remove("images")
    product["description"] = "as JSON"
    product["examples"] = [{name: value for name, value in example.items() if name != "images"}]
    form["properties"] = {"product": product, "images": form["properties"]["images"]}
    form["required"] = ["product", "images"]
    body["content"][FORM]["encoding"] = {"product": {"contentType": JSON}}
    return body


def _schema(model: type[BaseModel]) -> Json:
    schema = model.model_json_schema()
    parts = schema.pop("$defs", {})
    for field in schema["properties"].values():
        if field.get("default", ...) in (None, ""):
            del field["default"]
        del field["title"]
    whole: Json = _inline_parts(schema, parts)
    return whole


def _inline_parts(schema: Any, parts: Mapping[str, Json]) -> Any:
    """Replaces references to parts of a schema by these: in a document they would lead nowhere."""
    if isinstance(schema, list):
        return [_inline_parts(one, parts) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inline_parts(parts[schema["$ref"].rpartition("/")[2]], parts)
    return {name: _inline_parts(value, parts) for name, value in schema.items()}


def _without_null(schema: Json) -> Json:
    """Removes null from a schema, for a query or a form, which cannot have it."""
    kept = {name: value for name, value in schema.items() if name not in ("anyOf", "title")}
    for choice in schema.get("anyOf", []):
        if choice.get("type") != "null":
            kept.update(choice)
    return kept


def _options(document: Json, name: str) -> Iterator[Json]:
    """Yields the schemas of the option with this name, in queries and bodies."""
    for path in document["paths"].values():
        for operation in path.values():
            for parameter in operation.get("parameters", []):
                if parameter["in"] == "query" and parameter["name"] == name:
                    yield parameter["schema"]
            for body in operation.get("requestBody", {}).get("content", {}).values():
                if name in body["schema"].get("properties", {}):
                    yield body["schema"]["properties"][name]


def _restrict(schema: Json, names: Sequence[str]) -> None:
    """Restricts the schema of a text, or of a text or null, to these names."""
    for one in schema.get("anyOf", [schema]):
        if one.get("type") == "string":
            for rule in ("minLength", "maxLength", "pattern"):
                one.pop(rule, None)
            one["enum"] = list(names)
