"""What the API says of itself holds: schemathesis asks what OpenAPI allows, and what it does not allow.

Cases are drawn by a fixed seed, so that a failure comes again. The application runs in this process with a
white-box feature over a few pictures: the network is no part of the promises that are checked here.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the service is an extra: pip install 'stylesearch[serve]'")
pytest.importorskip("schemathesis", reason="schemathesis is needed: pip install 'stylesearch[dev]'")

import schemathesis
from hypothesis import strategies as st
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import Status, events, from_schema
from schemathesis.python.asgi import shutdown_lifespans
from starlette.responses import Response

import stylesearch as ss
from stylesearch.serving.api import products
from stylesearch.serving.app import create_app
from stylesearch.serving.settings import ServiceSettings
from tests.integration.tiny_shop import COLORS, KEY, draw, ingest_tiny_shop, jpeg, png

SEED = 5
CASES = 15
"""Drawn for each operation, beside those that go along the boundaries of each parameter."""

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "missing_required_header",
    "unsupported_method",
    "ignored_auth",
    "use_after_free",
    "ensure_resource_availability",
)
"""Not ``positive_data_acceptance``: to OpenAPI any bytes are a picture, and any four whole numbers a box."""

# Other metrics than the workspace's have no index, which is searched without and said.
pytestmark = [pytest.mark.filterwarnings("ignore::stylesearch.search.gallery.IndexWarning"), pytest.mark.slow]

PHASES = ("examples", "coverage", "fuzzing", "stateful")

IMAGES = [
    jpeg(draw(COLORS["dress"]["red"], seed=21)),
    png(draw(COLORS["skirt"]["yellow"], seed=22)),
]


@pytest.fixture(scope="module", autouse=True)
def images_among_the_bytes() -> None:
    """Where bytes of a picture are wanted they often are: else nothing would be answered but refusals."""
    some_bytes = st.one_of(st.sampled_from(IMAGES), st.sampled_from(IMAGES), st.binary(max_size=64))
    schemathesis.openapi.format("binary", some_bytes)
    schemathesis.openapi.format("byte", some_bytes.map(lambda data: base64.b64encode(data).decode()))


@schemathesis.serializer("application/x-ndjson")
def one_line(_: Any, value: Any) -> bytes:
    return value if isinstance(value, bytes) else json.dumps(value).encode()


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ingest_tiny_shop(tmp_path_factory.mktemp("shop"))


@pytest.fixture
def home(filled: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(filled, tmp_path / "home"))


@pytest.fixture(autouse=True)
def ended() -> Iterator[None]:
    """The application is stopped, too."""
    yield
    shutdown_lifespans()


class Run:
    """All that schemathesis asked, and what was wrong with the answers."""

    def __init__(
        self, home: Path, service: ServiceSettings, headers: dict[str, str], phases: tuple[str, ...] = PHASES
    ) -> None:
        self.statuses: dict[str, Counter[int]] = {}
        self.wrong: list[str] = []
        service = dataclasses.replace(service, allowed_hosts=("testserver",))  # as its client calls it
        with ss.open(home) as shop:
            schema = schemathesis.openapi.from_asgi(
                "/openapi.json", create_app(shop, service), config=_config(headers, phases)
            )
            self.n_operations = sum(1 for _ in schema.get_all_operations())
            for event in from_schema(schema).execute():
                self._take(event)
            shutdown_lifespans()

    def _take(self, event: Any) -> None:
        if isinstance(event, events.ScenarioFinished):
            for case_id, interaction in event.recorder.interactions.items():
                case = event.recorder.cases[case_id].value
                counts = self.statuses.setdefault(f"{case.method} {case.path}", Counter())
                if interaction.response is not None:
                    counts[interaction.response.status_code] += 1
            for checks in event.recorder.checks.values():
                self.wrong += [_shown(check) for check in checks if check.status == Status.FAILURE]
        elif isinstance(event, events.NonFatalError | events.FatalError):
            self.wrong.append(f"{getattr(event, 'label', '')}: {getattr(event, 'info', event)}")
        elif isinstance(event, events.EngineFinished):
            for failure in event.failures:
                self.wrong.append(str(failure))


def _shown(check: Any) -> str:
    found = check.failure_info
    return f"{check.name}: {found.failure}\n{found.code_sample[:300]}"


def _config(headers: dict[str, str], phases: tuple[str, ...]) -> SchemathesisConfig:
    return SchemathesisConfig.from_dict(
        {
            "seed": SEED,
            "headers": headers,
            "continue-on-failure": True,
            "suppress-health-check": ["all"],
            "generation": {"deterministic": True, "max-examples": CASES, "database": "none"},
            "checks": {"enabled": False, **{name: {"enabled": True} for name in CHECKS}},
            "phases": {name: {"enabled": name in phases} for name in PHASES},
        }
    )


def test_without_a_key(home: Path) -> None:
    run = Run(home, ServiceSettings(), {})
    assert not run.wrong, "\n".join(run.wrong)
    assert run.n_operations == 18
    for operation in ("PUT /v1/products/{id}", "PATCH /v1/products/{id}", "DELETE /v1/products/{id}"):
        assert set(run.statuses[operation]) == {403}, operation
    for operation in (
        "POST /v1/search",
        "POST /v1/search/batch",
        "POST /v1/detect",
        "GET /v1/products/{id}/similar",
    ):
        assert {200, 422} <= set(run.statuses[operation]), operation


def test_with_a_key(home: Path) -> None:
    run = Run(home, ServiceSettings(api_keys=(KEY,)), {"Authorization": f"Bearer {KEY}"})
    assert not run.wrong, "\n".join(run.wrong)
    # What is right by the schema arrived, and what is wrong was refused; also without the key.
    assert {200, 201, 401, 422} <= set(run.statuses["PUT /v1/products/{id}"])
    assert {204, 401, 404} <= set(run.statuses["DELETE /v1/products/{id}"])
    assert {200, 401, 404, 422} <= set(run.statuses["PATCH /v1/products/{id}"])
    assert {200, 401} <= set(run.statuses["POST /v1/products/bulk"])
    assert set(run.statuses["POST /v1/webhooks/shopify"]) <= {401, 403, 422}


def test_a_mistake_would_be_found(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = products.json_response

    def with_one_more_key(value: dict[str, Any]) -> Response:
        return real({**value, "more": 1})

    monkeypatch.setattr(products, "json_response", with_one_more_key)
    run = Run(home, ServiceSettings(), {}, phases=("coverage",))
    assert any("response_schema_conformance" in line for line in run.wrong), run.wrong
