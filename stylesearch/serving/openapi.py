"""The description of the API: what FastAPI makes of the routes, with what only a running service knows."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from stylesearch.metrics import METRICS
from stylesearch.serving.schemas import ProblemModel
from stylesearch.serving.settings import ServiceSettings

__all__ = ["Surroundings", "described", "described_as_text"]

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
