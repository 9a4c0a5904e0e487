"""What ``stylesearch serve`` says before it serves."""

from __future__ import annotations

import importlib.util
import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import stylesearch as ss
from stylesearch.serving.middleware.hosts import names_answered
from stylesearch.serving.server import supervisor

Command = Callable[..., Any]
NAME = "color-histogram"


@pytest.fixture(scope="module")
def home(drawn_shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("served")
    with ss.open(folder, extractor=NAME) as shop:
        shop.ingest(drawn_shop / "products.csv")
    (folder / "config.toml").write_text(f'extractor = "{NAME}"\n')
    return folder


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, Any]]:
    """Nothing is started: what would be, with settings of the workspace and of the service."""
    calls: list[tuple[Any, Any]] = []

    def serve(settings: Any, service: Any, listener: Any, ready: Callable[[], None]) -> None:
        calls.append((settings, service))
        ready()

    monkeypatch.setattr(supervisor, "serve", serve)
    return calls


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which somebody else listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_where_to_look_is_on_stderr(stylesearch: Command, home: Path, served: list[Any]) -> None:
    done = stylesearch("--home", home, "serve", "--port", 0)
    assert done.code == 0, done.err
    assert f"serving 24 products of {home} at http://127.0.0.1:" in done.err
    assert "/docs; Ctrl-C stops" in done.err
    assert done.out == ""
    assert "warning" not in done.err


def test_json_is_for_programs(stylesearch: Command, home: Path, served: list[Any]) -> None:
    done = stylesearch("--home", home, "-q", "serve", "--port", 0, "--json")
    assert done.err == ""
    started = json.loads(done.out)
    assert started["docs"] == f"{started['url']}/docs"


def test_options_are_settings(stylesearch: Command, home: Path, served: list[Any], tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text("a-key-that-is-long-enough\n")
    done = stylesearch(
        *("--home", home, "serve", "--port", 0, "--workers", 3, "--timeout", 7.5, "--queue-size", 9),
        *("--rate-limit", 60, "--cors-origin", "https://a.example", "--cors-origin", "https://b.example"),
        *("--trusted-proxy", "10.0.0.0/8", "--api-key-file", keys, "--title", "Shop", "-s", "raw", "-v"),
        *("--log-format", "text", "--keep-uploads", tmp_path / "kept"),
    )
    assert done.code == 0, done.err
    ((settings, service),) = served
    assert settings.space == "raw"
    assert (service.workers, service.timeout, service.queue_size, service.rate_limit) == (3, 7.5, 9, 60)
    assert service.cors_origins == ("https://a.example", "https://b.example")
    assert service.trusted_proxies == ("10.0.0.0/8",)
    assert service.api_keys == ("a-key-that-is-long-enough",)
    assert (service.title, service.log_format) == ("Shop", "text")
    assert "a-key-that" not in done.err + done.out


def test_a_port_that_is_taken(stylesearch: Command, home: Path, served: list[Any], taken: int) -> None:
    done = stylesearch("--home", home, "serve", "--port", taken)
    assert done.code == 1
    assert f"error: cannot listen on 127.0.0.1 port {taken}" in done.err
    assert f"--port {taken + 1}" in done.err
    assert not served


def test_an_empty_workspace_is_served_and_said(
    stylesearch: Command, tmp_path: Path, served: list[Any]
) -> None:
    done = stylesearch("--home", tmp_path / "new", "serve", "--port", 0)
    assert done.code == 0
    assert "is empty, so no search finds anything yet" in done.err
    assert f"hint: stylesearch --home {tmp_path / 'new'} ingest FOLDER" in done.err
    assert not (tmp_path / "new").exists()
    assert len(served) == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["-e", "color-coherence"], "features of color-coherence"),
        (["-s", "siamese:nobody"], "no trained model"),
        (["-s", "nowhere"], "nowhere"),
        (["--host", "not an address"], "no address of this machine"),
        (["--cors-origin", "shop.example"], "cors_origins"),
    ],
)
def test_what_could_not_answer_anything_is_not_started(
    stylesearch: Command, home: Path, served: list[Any], options: list[str], said: str
) -> None:
    done = stylesearch("--home", home, "serve", "--port", 0, *options)
    assert done.code == 1
    assert said in done.err
    assert "Traceback" not in done.err
    assert not served


def test_an_address_that_others_reach_is_warned_of(
    stylesearch: Command, home: Path, served: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    bind = supervisor.bind
    for host in ("0.0.0.0", "0"):
        done = stylesearch("--home", home, "serve", "--port", 0, "--host", host)
        assert f"warning: {host} is reached by other machines too" in done.err
        assert served[-1][1].host == "0.0.0.0"
    # What a name means is seen from the socket.
    for host, address in (("outside.test", "0.0.0.0"), ("inside.test", "127.0.0.1")):
        monkeypatch.setattr(supervisor, "bind", lambda host, port, address=address: bind(address, port))
        done = stylesearch("--home", home, "serve", "--port", 0, "--host", host)
        assert (f"warning: {host} is reached" in done.err) is (host == "outside.test")
        assert f" at http://{host}:" in done.err


def test_every_spelling_of_loopback_is_loopback(stylesearch: Command, home: Path, served: list[Any]) -> None:
    for host, address in (("127.1", "127.0.0.1"), ("127.0.0.1", "127.0.0.1"), ("127.0.0.2", "127.0.0.2")):
        done = stylesearch("--home", home, "serve", "--port", 0, "--host", host)
        assert done.code == 0, done.err
        assert "warning" not in done.err
        service = served[-1][1]
        assert service.host == address
        names = names_answered(service.host, service.allowed_hosts)
        assert names is not None
        assert "evil.example" not in names
    assert "warning" not in stylesearch("--home", home, "serve", "--port", 0, "--host", "localhost").err


def test_libraries_that_are_missing_are_named_with_the_command(
    stylesearch: Command, home: Path, served: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "fastapi" else find(name, *rest)
    )
    done = stylesearch("--home", home, "serve")
    assert done.code == 1
    assert "not installed: fastapi" in done.err
    assert "hint: pip install 'stylesearch[serve]'" in done.err
    assert not served


def test_a_mistake_in_the_limits_of_fetching_is_told_before_the_start(
    stylesearch: Command, home: Path, served: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STYLESEARCH_FETCH_N_AT_ONCE", "0")
    assert stylesearch("--home", home, "serve", "--port", 0).code == 0, "it fetches nothing"
    monkeypatch.setenv("STYLESEARCH_SERVE_SHOPIFY_SECRETS", "a-secret-that-is-long-enough")
    done = stylesearch("--home", home, "serve", "--port", 0)
    assert "the environment: n_at_once has to be 1 or more" in done.err
    assert done.code != 0
    assert len(served) == 1
