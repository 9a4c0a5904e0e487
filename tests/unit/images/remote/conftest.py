from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from stylesearch.images.remote import FetchOptions, PictureCache
from tests.unit.images.remote.picture_server import PictureServer

QUICK = FetchOptions(
    allow_private=True,
    backoff_seconds=0.01,
    max_pause_seconds=0.05,
    connect_seconds=0.3,
    read_seconds=0.3,
    total_seconds=2.0,
)
"""Options under which failures take no time."""


def jpeg(seed: int = 0, side: int = 24) -> bytes:
    """A noisy JPEG picture, another one for each seed."""
    pixels = np.random.default_rng(seed).integers(0, 255, (side, side, 3), np.uint8)
    stream = BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG")
    return stream.getvalue()


@pytest.fixture
def server() -> Iterator[PictureServer]:
    with PictureServer() as running:
        yield running


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[PictureCache]:
    with PictureCache(tmp_path / "pictures") as opened:
        yield opened


@pytest.fixture
def hosts(monkeypatch: pytest.MonkeyPatch) -> dict[str, Callable[[], str]]:
    """Names of hosts that a test makes up, each with a function that tells its address."""
    names: dict[str, Callable[[], str]] = {}
    real = socket.getaddrinfo

    def resolve(host: str, port: int, *arguments: Any, **keywords: Any) -> Any:
        return real(names[host]() if host in names else host, port, *arguments, **keywords)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return names
