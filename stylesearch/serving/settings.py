"""Settings of the service; flags override the environment, that the file, that the defaults.

The file is ``config.toml`` in the workspace folder, its table ``[serve]``; the environment variable of a
setting is its name in capitals behind ``STYLESEARCH_SERVE_`` (``STYLESEARCH_SERVE_PORT=8080``). API keys come
from ``STYLESEARCH_API_KEY``, ``STYLESEARCH_API_KEYS`` (separated by commas) and from ``api_key_file``, one a
line; never from a flag, which every user of the machine could read in the list of processes.

The rules are those of the workspace's settings, ``stylesearch.settings.SettingRules``, so that both have the
same messages. With pydantic's validators the same messages, which name the setting and its source, took more
lines (229 instead of 218), and pydantic-settings reads neither one source at a time nor lists with commas.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from stylesearch.errors import ConfigError
from stylesearch.files import expand_user
from stylesearch.settings import DEFAULT_HOME, SettingRules, kinds_of, read_table

__all__ = ["ServiceSettings", "load_service_settings"]

ENVIRONMENT_PREFIX: Final = "STYLESEARCH_SERVE_"
KEY_VARIABLES: Final = ("STYLESEARCH_API_KEY", "STYLESEARCH_API_KEYS")
TABLE: Final = "serve"
MIN_KEY_LENGTH: Final = 16
PATHS: Final = ("api_key_file", "keep_uploads")
"""In the settings file these are relative to the workspace folder."""

_HOST: Final = re.compile(r"\*|[A-Za-z0-9._-]+|\[?[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*\]?")
"""A name or an address of IPv4, or one of IPv6 with or without its brackets."""


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """Settings of the service of a workspace.

    Attributes:
        host: address to listen on; loopback by default.
        port: port of that address; 0 for any free one.
        workers: number of worker processes.
        api_keys: keys for putting and deleting products; without any, nobody may.
        api_key_file: file with keys, one a line; ``#`` begins a comment.
        max_bytes: largest size of a request's body.
        bulk_max_bytes, bulk_max_lines: largest size of a body with many changes, and its most lines.
        bulk_max_line: longest line of it, in bytes.
        max_pixels: larger photos are refused before they are decoded.
        decode_seconds: processor time that decoding one upload may take.
        max_parts: largest number of parts of a multipart body.
        queue_size: number of photos that may wait for the network in one worker.
        batch_size: number of photos that the network computes together.
        batch_wait: seconds that a photo waits for others of its batch.
        timeout: seconds that a search, or the arrival of a body, may take.
        rate_limit: requests to the API a minute from one client; 0 for any number.
        trusted_proxies: addresses or networks whose ``X-Forwarded-For`` is trusted.
        cors_origins: other origins whose pages may use the API, ``https://shop.example``; ``*`` for all.
        allowed_hosts: host names that the service answers to, besides those of this machine; ``*`` for any.
            Without any, a service on loopback answers only to names of loopback, others to all names.
        keep_uploads: folder for storing the photos that were searched with; empty to store none.
        log_format: ``json``, one object a line, or ``text``.
        title: title of the page.
        images: what the page shows: ``thumbnail``, or ``shop`` for the shop's own address of each image that
            has one.
        max_k: largest number of hits that may be asked for.
        shopify_secrets: secrets that webhooks of Shopify are signed with; without any they are off. Two
            while one takes the place of the other.
        shopify_source: name of the source that lists the products of webhooks.
        shopify_queue: products whose webhooks may wait.
        shopify_hosts: hosts that pictures of webhooks are fetched from: ``public``, or ``any``, also those of
            this network.
        shutdown_grace: seconds in which a server that is stopped may finish its requests.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    api_keys: tuple[str, ...] = field(default=(), repr=False)
    api_key_file: str = ""
    max_bytes: int = 20_000_000
    bulk_max_bytes: int = 200_000_000
    bulk_max_lines: int = 1_000_000
    bulk_max_line: int = 131_072
    max_pixels: int = 50_000_000
    decode_seconds: float = 1.5
    max_parts: int = 32
    queue_size: int = 32
    batch_size: int = 8
    batch_wait: float = 0.004
    timeout: float = 30.0
    rate_limit: int = 0
    trusted_proxies: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    keep_uploads: str = ""
    log_format: str = "json"
    title: str = "stylesearch"
    images: str = "thumbnail"
    max_k: int = 100
    shopify_secrets: tuple[str, ...] = field(default=(), repr=False)
    shopify_source: str = "shopify"
    shopify_queue: int = 10_000
    shopify_hosts: str = "public"
    shutdown_grace: float = 20.0


_RULES: Final = SettingRules(
    {name: kind for name, kind in kinds_of(ServiceSettings).items() if name != "api_keys"},
    least={
        "port": 0,
        "workers": 1,
        "max_bytes": 1024,
        "bulk_max_bytes": 1024,
        "bulk_max_lines": 1,
        "bulk_max_line": 64,
        "max_pixels": 256,
        "decode_seconds": 0.1,
        "max_parts": 1,
        "queue_size": 1,
        "batch_size": 1,
        "batch_wait": 0,
        "timeout": 0.1,
        "rate_limit": 0,
        "max_k": 1,
        "shopify_queue": 1,
        "shutdown_grace": 0,
    },
    most={"port": 65535, "max_k": 1000, "batch_wait": 10, "workers": 256},
    choices={
        "log_format": ("json", "text"),
        "images": ("thumbnail", "shop"),
        "shopify_hosts": ("public", "any"),
    },
)


def load_service_settings(
    flags: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
    *,
    home: str | os.PathLike[str] = DEFAULT_HOME,
) -> ServiceSettings:
    """Loads the settings from flags, environment, file and defaults.

    Args:
        flags: settings by name; None counts as not given.
        environment: stands in for ``os.environ``.
        home: the workspace folder, whose ``config.toml`` is read.

    Raises:
        ConfigError: an unknown name, or a value of the wrong type or out of range; the message says where
            it came from.
    """
    environment = os.environ if environment is None else environment
    file = Path(home) / "config.toml"
    in_file = read_table(file, TABLE)
    for name in PATHS:
        if isinstance(in_file.get(name), str) and in_file[name]:
            in_file[name] = str(Path(home) / expand_user(in_file[name]))
    names = [one.name for one in dataclasses.fields(ServiceSettings) if one.name != "api_keys"]
    in_environment = {
        name: value for name in names if (value := environment.get(ENVIRONMENT_PREFIX + name.upper(), ""))
    }
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    values: dict[str, Any] = {}
    for origin, source in (
        (f"{file} [{TABLE}]", in_file),
        ("the environment", in_environment),
        ("the call", given),
    ):
        for name, value in source.items():
            values[name] = _convert(name, value, origin)
    values["api_keys"] = _read_keys(environment, values.get("api_key_file", ""))
    return ServiceSettings(**values)


def _convert(name: str, value: Any, origin: str) -> Any:
    if name == "api_keys":
        raise ConfigError(
            f"{origin}: API keys are not taken from there",
            hint=f"set {KEY_VARIABLES[0]}, or write them into a file and name it as api_key_file",
        )
    if _RULES.kind_of(name, origin) is tuple:
        return _convert_list(name, value, origin)
    return _RULES.convert(name, value, origin)


def _convert_list(name: str, value: Any, origin: str) -> tuple[str, ...]:
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list | tuple) or not all(isinstance(part, str) for part in parts):
        shown = "" if name == "shopify_secrets" else f". Received: {value!r}"
        raise ConfigError(f"{origin}: {name} wants a list of texts{shown}")
    items = tuple(stripped for part in parts if (stripped := part.strip()))
    for item in items:
        if name == "shopify_secrets" and len(item) < MIN_KEY_LENGTH:
            raise ConfigError(
                f"{origin}: a secret of Shopify is too short",
                hint="it is the client secret of the app that sends the webhooks",
            )
        if name == "trusted_proxies" and not _is_network(item):
            raise ConfigError(
                f"{origin}: trusted_proxies are addresses or networks. Received: {item!r}",
                hint="for example 127.0.0.1, or 10.0.0.0/8",
            )
        if name == "cors_origins" and not _is_origin(item):
            raise ConfigError(
                f"{origin}: cors_origins are scheme, host and port. Received: {item!r}",
                hint="for example https://shop.example, or http://localhost:3000",
            )
        if name == "allowed_hosts" and not _HOST.fullmatch(item):
            raise ConfigError(
                f"{origin}: allowed_hosts are names or addresses without a port. Received: {item!r}",
                hint="for example search.shop.example, or 192.0.2.1",
            )
    return items


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _is_origin(text: str) -> bool:
    parts = urlsplit(text)
    return text == "*" or (
        parts.scheme in ("http", "https") and text == f"{parts.scheme}://{parts.netloc}" and "@" not in text
    )


def _read_keys(environment: Mapping[str, str], file: str) -> tuple[str, ...]:
    """Reads the keys of the environment and of the file; no message contains a key."""
    found = [
        (part, "the environment") for name in KEY_VARIABLES for part in environment.get(name, "").split(",")
    ]
    if file:
        try:
            lines = expand_user(file).read_text(encoding="utf-8-sig").splitlines()
        except UnicodeDecodeError as error:
            raise ConfigError(
                f"the file of API keys {file} cannot be read: it is not UTF-8", hint="save it as UTF-8"
            ) from error
        except OSError as error:
            raise ConfigError(
                f"the file of API keys {file} cannot be read: {error.strerror or error}"
            ) from error
        found += [(line.partition("#")[0], file) for line in lines]
    keys = {key.strip(): origin for key, origin in found if key.strip()}
    for key, origin in keys.items():
        if len(key) < MIN_KEY_LENGTH or not key.isascii() or not key.isprintable() or " " in key:
            raise ConfigError(
                f"{origin} has an API key that is too short, or has other than printable ASCII in it",
                hint="make one: python -c 'import secrets; print(secrets.token_urlsafe(24))'",
            )
    return tuple(keys)
