"""One process writes while others read: answers are right all the time, and two writers never both write."""

from __future__ import annotations

import csv
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest

import stylesearch as ss
from stylesearch.drawn_shop import write_demo
from stylesearch.errors import CatalogLocked
from stylesearch.search import maintenance

pytestmark = pytest.mark.slow

CLI = "import sys; from stylesearch.cli import main; sys.argv[0] = 'stylesearch'; main()"


def start(*arguments: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", CLI, *map(str, arguments)], stderr=subprocess.DEVNULL)


def rows_of(table: Path) -> list[dict[str, str]]:
    with table.open() as file:
        return list(csv.DictReader(file))


def another_shop(folder: Path, prefix: str, n_products: int) -> Path:
    """A drawn shop whose product ids no other has; the path of its table."""
    report = write_demo(folder, n_products=n_products, seed=len(prefix), street_photos_per_product=0)
    header, *lines = report.products_csv.read_text().splitlines(keepends=True)
    report.products_csv.write_text(header + "".join(prefix + line for line in lines))
    return report.products_csv


def test_a_reader_is_right_while_another_process_ingests_and_refits(
    workspace: Path, drawn_shop: Path, tmp_path: Path
) -> None:
    more = another_shop(tmp_path / "more", "more-", 40)
    known = rows_of(drawn_shop / "products.csv")[:6]
    new = {row["id"] for row in rows_of(more)}
    with ss.open(workspace) as shop, warnings.catch_warnings():
        warnings.simplefilter("error")  # nothing is damaged at any time
        version = shop.gallery().transform.version
        writer = start("--home", workspace, "-q", "ingest", more)
        n_queries = 0
        while writer.poll() is None:
            row = known[n_queries % len(known)]
            hit = shop.query(drawn_shop / row["image"], k=1, regions="whole")[0]
            assert hit.product.id == row["id"]
            assert hit.distance < 0.3  # rows of a photo weigh parts otherwise than images do
            n_queries += 1
        assert writer.returncode == 0
        assert n_queries > 3
        found = {hit.product.id for hit in shop.query(drawn_shop / known[0]["image"], k=1000)}
        assert new <= found
        assert len(found) == 64
        assert shop.gallery().transform.version != version, "a reader stays with a fit that was replaced"


def test_two_writers_take_turns_or_are_told(workspace: Path, drawn_shop: Path, tmp_path: Path) -> None:
    tables = [another_shop(tmp_path / name, name, 6) for name in ("a", "bb")]
    both = [start("--home", workspace, "-q", "ingest", table) for table in tables]
    assert [writer.wait(120) for writer in both] == [0, 0]
    with ss.open(workspace, lock_timeout=0.2) as shop:
        assert len(list(shop.products())) == 36
        assert all(status.state == "ready" for status in shop.indexes.status())
        with shop.catalog.writing(), ss.open(workspace, lock_timeout=0.2) as other:
            began = time.monotonic()
            with pytest.raises(CatalogLocked, match="writing"):
                other.ingest(tables[0])
            assert time.monotonic() - began < 10


def test_a_rebuild_that_is_interrupted_leaves_the_old_indexes_in_force(
    workspace: Path, drawn_shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = drawn_shop / rows_of(drawn_shop / "street.csv")[0]["image"]
    with ss.open(workspace) as shop:
        right = [hit.product.id for hit in shop.query(photo)]
        monkeypatch.setattr(maintenance.fitted_space, "activate", _interrupt)
        with pytest.raises(KeyboardInterrupt):
            shop.indexes.build()
    monkeypatch.undo()
    with ss.open(workspace) as shop, warnings.catch_warnings():
        warnings.simplefilter("error")
        assert [hit.product.id for hit in shop.query(photo)] == right


def _interrupt(*_: object, **__: object) -> None:
    raise KeyboardInterrupt
