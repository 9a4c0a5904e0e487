"""kill -9 at random moments over ingests with URLs, an upgrade, a renaming and a prune; then run again."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration import killed_shop
from tests.integration.tiny_shop import draw, jpeg
from tests.unit.images.remote.picture_server import PictureServer

DUMP = Path(__file__).parents[1] / "migrations" / "dumps" / "0001.sql"


def write_tables(folder: Path, server: PictureServer) -> None:
    """A shop's files, and its catalog as an older version left it."""
    (folder / "before").mkdir()
    with contextlib.closing(sqlite3.connect(folder / "before" / "catalog.db")) as connection:
        connection.executescript(DUMP.read_text(encoding="utf-8"))
        connection.executescript("DELETE FROM features; DELETE FROM feature_sets;")  # made up ones
    (folder / "red.jpg").write_bytes(jpeg(draw((200, 30, 40))))
    (folder / "old.csv").write_text("id,title,category,image\nred,Red dress,dress,red.jpg\n")
    urls = [server.add(f"/{n}.jpg", jpeg(draw((3 * n, 200 - 3 * n, 90), seed=n))) for n in range(60)]
    monday = [
        f"p{n},Product {n},{'coat' if n % 2 else 'dress'},{n}.90 EUR,{url}" for n, url in enumerate(urls)
    ]
    tuesday = [
        f"p{n},Product {n},{'coat' if n % 3 else 'skirt'},9.90,{url}" for n, url in enumerate(urls[20:])
    ]
    for name, rows in (("monday", monday), ("tuesday", tuesday)):
        lines = ["id,title,category,price,image", *rows, ""]
        (folder / f"{name}.csv").write_text("\n".join(lines))


@pytest.mark.slow
@pytest.mark.parametrize("n_kills", [12, pytest.param(50, marks=pytest.mark.nightly)])
def test_an_ingest_killed_anywhere_and_run_again_ends_as_one_that_was_not(
    tmp_path: Path, n_kills: int
) -> None:
    with PictureServer(latency=0.01) as server:
        write_tables(tmp_path, server)
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        command = [sys.executable, "-m", killed_shop.__name__, tmp_path, n_kills]
        done = subprocess.run(
            [str(one) for one in command],
            env=environment,
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr[-4000:]
