"""Interrupt an ingest anywhere, run it again, and the catalog equals that of one uninterrupted run."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.slow

N_PRODUCTS = 60

# Ingests with a cheap extractor that says on stdout how far it is, so that the test can kill it there.
SCRIPT = """
import signal
import sys
from pathlib import Path

import stylesearch.ingest.pipeline as pipeline
from stylesearch.catalog import Catalog
from stylesearch.features.stream import ExtractionOptions
from stylesearch.importers.folders.importer import FolderImporter
from stylesearch.ingest import IngestOptions, ingest
from stylesearch.testing.fake_extractor import FakeExtractor

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
pipeline.STORED_AT_ONCE = 7  # many small transactions: many places to be killed in

class Telling(FakeExtractor):
    def extract(self, images):
        print("extracting", flush=True)
        return super().extract(images)

with Catalog.open(sys.argv[2]) as catalog:
    report = ingest(
        catalog, Path(sys.argv[1]), FolderImporter(), [Telling()],
        IngestOptions(extraction=ExtractionOptions(batch_size=4, n_workers=2)),
        progress=lambda *_: print("stored", flush=True),
    )
print("done", report.computed, flush=True)
"""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small shop: two pictures a product, one product without a usable picture."""
    folder = tmp_path_factory.mktemp("shop")
    rng = np.random.default_rng(3)
    for number in range(N_PRODUCTS):
        product = folder / ("dress" if number % 2 else "skirt") / f"p{number:03}"
        product.mkdir(parents=True)
        for view in ("front", "back"):
            pixels = rng.integers(0, 255, (40, 30, 3), np.uint8)
            Image.fromarray(pixels).save(product / f"{view}.png")
    broken = folder / "dress" / "broken"
    broken.mkdir()
    (broken / "front.jpg").write_bytes(b"no picture at all")
    return folder


def start(source: Path, database: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(source), str(database)], stdout=subprocess.PIPE, text=True
    )


def run_to_the_end(source: Path, database: Path) -> int:
    """Runs an ingest and returns how many features it computed."""
    process = start(source, database)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return int(output.split()[-1])


def contents(database: Path) -> dict[str, Any]:
    """Everything in the catalog that is not a key of its own making."""
    with sqlite3.connect(database) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        products = connection.execute(
            "SELECT id, title, category, url, price, attributes FROM products ORDER BY id"
        )
        images = connection.execute(
            "SELECT p.id, i.path, i.sha256, i.domain, i.box, i.width, i.height, i.state, i.error,"
            " hex(f.vector) FROM images i JOIN products p ON p.pk = i.product_pk"
            " LEFT JOIN features f ON f.image_pk = i.pk ORDER BY p.id, i.path"
        )
        return {"products": products.fetchall(), "images": images.fetchall()}


@pytest.fixture(scope="module")
def uninterrupted(source: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    database = tmp_path_factory.mktemp("whole") / "catalog.db"
    assert run_to_the_end(source, database) == 2 * N_PRODUCTS
    return contents(database)


@pytest.mark.parametrize(
    ("how", "n_events"),
    [
        *((signal.SIGKILL, n) for n in (0, 1, 2, 11, 33)),
        *((signal.SIGINT, n) for n in (1, 20)),
    ],
)
def test_an_interrupted_run_completed_equals_an_uninterrupted_one(
    source: Path, tmp_path: Path, uninterrupted: dict[str, Any], how: signal.Signals, n_events: int
) -> None:
    database = tmp_path / "catalog.db"
    process = start(source, database)
    assert process.stdout is not None
    for _ in range(n_events):
        process.stdout.readline()
    process.send_signal(how)
    process.communicate(timeout=60)
    assert process.returncode != 0
    run_to_the_end(source, database)
    assert contents(database) == uninterrupted


def test_a_run_that_is_killed_again_and_again_gets_there(
    source: Path, tmp_path: Path, uninterrupted: dict[str, Any]
) -> None:
    database = tmp_path / "catalog.db"
    n_kills = 0
    for n_events in range(8, 80, 6):
        process = start(source, database)
        assert process.stdout is not None
        for _ in range(n_events):
            process.stdout.readline()
        process.kill()
        output, _ = process.communicate(timeout=60)
        if "done" in output:
            break
        n_kills += 1
    assert n_kills >= 3
    run_to_the_end(source, database)
    assert contents(database) == uninterrupted
    assert run_to_the_end(source, database) == 0


def test_a_full_disk_loses_nothing_that_was_stored(
    source: Path, tmp_path: Path, uninterrupted: dict[str, Any]
) -> None:
    """A limit on the size of files stands in for the full disk: SQLite is refused room the same way."""
    database = tmp_path / "catalog.db"
    limited = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", limited + SCRIPT, str(source), str(database)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "CatalogError" in done.stderr, done.stderr[-500:]
    assert database.exists()
    run_to_the_end(source, database)
    assert contents(database) == uninterrupted
