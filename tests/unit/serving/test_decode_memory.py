"""What a worker may take to decode photos."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import stylesearch as ss
from stylesearch.images import limits
from stylesearch.images.limits import DecodingLimits, decoding_limits
from stylesearch.serving.app import create_app
from stylesearch.serving.settings import ServiceSettings


@pytest.mark.parametrize(
    ("memory", "n_workers", "of_each"),
    [
        (1_000_000_000, 1, 1_000_000_000),
        (1_000_000_000, 2, 500_000_000),
        (1_000_000_000, 8, 400_000_000),
        (300_000_000, 4, 300_000_000),
        (8_000_000_000, 4, 2_000_000_000),
    ],
)
def test_workers_share_it_but_each_can_decode_a_photo_of_a_phone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, memory: int, n_workers: int, of_each: int
) -> None:
    monkeypatch.setattr(limits, "_limits", DecodingLimits())

    async def start(shop: ss.Workspace) -> DecodingLimits:
        app = create_app(shop, ServiceSettings(workers=n_workers, decode_seconds=0.7))
        async with app.router.lifespan_context(app):
            return decoding_limits()

    options = {"extractor": "color-histogram", "decode_memory": memory, "decode_processes": False}
    with ss.open(tmp_path / "home", **options) as shop:
        found = asyncio.run(start(shop))
    assert (found.memory, found.cpu_seconds) == (of_each, 0.7)
