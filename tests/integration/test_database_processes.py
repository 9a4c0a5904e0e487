"""Backups and restores beside a service, and in processes that are killed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import stylesearch as ss
from stylesearch.errors import CatalogLocked
from tests.integration.served_process import Server
from tests.integration.tiny_shop import COLORS, draw, ingest_tiny_shop, jpeg

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).with_name("killed_database.py")


def test_after_a_kill_there_is_the_old_state_or_the_new_one(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(tmp_path), "5"], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.returncode) == ("", 0), done.stderr


def test_a_service_is_backed_up_while_it_runs_and_restored_when_it_has_ended(tmp_path: Path) -> None:
    home = ingest_tiny_shop(tmp_path)
    photo = jpeg(draw(COLORS["dress"]["red"]))
    server = Server(home)
    try:
        before = server.wait_until_ready().search(photo)
        with ss.open(home) as shop:
            shop.database.back_up(tmp_path / "b.tar", full=True)
            with pytest.raises(CatalogLocked, match="another process has the catalog"):
                shop.database.restore(tmp_path / "b.tar")
        assert server.search(photo) == before
        assert server.stop() == 0
    finally:
        server.end()
    with ss.open(home) as shop:
        shop.remove([before[0]])
        shop.indexes.build()
        shop.database.restore(tmp_path / "b.tar")
    again = Server(home)
    try:
        assert again.wait_until_ready().search(photo) == before
    finally:
        again.end()
