"""A shop's week, step by step in forked processes that are killed, and run again.

``python killed_shop.py FOLDER PORT N_KILLS`` runs it once without a kill, then again and again, killed at a
random moment each, and prints what differs in the end; nothing where nothing does.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import sqlite3
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import stylesearch as ss
from stylesearch.catalog import Catalog, migrate, source_reader, writer  # noqa: F401 - before the forks
from stylesearch.errors import UnknownName
from stylesearch.files import sha256_file
from stylesearch.images.remote import cache, download, fetch  # noqa: F401
from stylesearch.importers.tables import generic, importer  # noqa: F401
from stylesearch.ingest import pipeline  # noqa: F401

OPTIONS = {"extractor": "color-histogram", "space": "raw"}

QUERIES = (
    "SELECT id, title, category, url, price, attributes, in_stock, variants FROM products ORDER BY id",
    "SELECT name, path, format, options FROM sources ORDER BY name",
    "SELECT p.id, s.name, l.place, l.said, l.guesses FROM listings l JOIN products p ON p.pk = l.product_pk "
    "JOIN sources s ON s.pk = l.source_pk ORDER BY p.id, s.name",
    "SELECT p.id, i.path, i.sha256, i.domain, i.box, i.state, i.error, i.options FROM images i "
    "JOIN products p ON p.pk = i.product_pk ORDER BY p.id, i.path",
    "SELECT p.id, i.path, s.name FROM image_listings l JOIN images i ON i.pk = l.image_pk "
    "JOIN products p ON p.pk = i.product_pk JOIN sources s ON s.pk = l.source_pk "
    "ORDER BY p.id, i.path, s.name",
    "SELECT p.id, i.path, f.extractor, v.category, v.vector FROM features v "
    "JOIN images i ON i.pk = v.image_pk JOIN products p ON p.pk = i.product_pk "
    "JOIN feature_sets f ON f.pk = v.feature_set_pk "
    "ORDER BY p.id, i.path, f.extractor",
)


def steps(home: Path, folder: Path) -> list[Callable[[], object]]:
    """The week: an upgrade with the first ingest, an ingest with URLs, another name, a prune."""
    fetching = {"allow_private": True}

    def ingest(name: str, table: str, **options: bool) -> None:
        with ss.open(home, **OPTIONS) as shop:
            shop.ingest(folder / table, source=name, fetching=fetching, **options)

    def rename() -> None:
        # Run again after it was done, the old name is unknown: so would a person see that it is done.
        with ss.open(home, **OPTIONS) as shop, contextlib.suppress(UnknownName):
            shop.sources.rename("export", "shop")

    return [
        lambda: ingest("/shop", "old.csv"),
        lambda: ingest("export", "monday.csv"),
        rename,
        lambda: ingest("shop", "tuesday.csv", prune=True, force=True),
    ]


def run_steps(home: Path, folder: Path, done: Path) -> None:
    """Runs the steps that were not done before; ends the process."""
    code = 1
    try:
        for number, step in enumerate(steps(home, folder)):
            if number >= len(done.read_text()):
                step()
                with done.open("a") as file:
                    file.write("x")
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def content(home: Path) -> list[object]:
    """What is in a catalog, whatever its keys and ids, and whether the fetched files are whole."""
    with contextlib.closing(sqlite3.connect(home / "catalog.db")) as connection:
        rows = [connection.execute(query).fetchall() for query in QUERIES]
        files = connection.execute("SELECT file, sha256 FROM images WHERE file IS NOT NULL").fetchall()
    damaged = [file for file, sha256 in files if sha256_file(file) != sha256]
    return [*rows, damaged]


def fork(home: Path, folder: Path, done: Path) -> int:
    pid = os.fork()
    if pid == 0:
        run_steps(home, folder, done)
    return pid


def main(folder: Path, n_kills: int) -> None:
    whole, done = folder / "whole", folder / "done"
    shutil.copytree(folder / "before", whole)
    done.write_text("")
    began = time.monotonic()
    _, status = os.waitpid(fork(whole, folder, done), 0)
    seconds = time.monotonic() - began
    assert status == 0
    wanted = content(whole)
    assert len(wanted[0]) > 10  # type: ignore[arg-type]
    assert wanted[-1] == []
    home = whole.rename(folder / "kept")
    moments = random.Random(7)
    for number in range(n_kills):
        shutil.rmtree(whole, ignore_errors=True)
        shutil.copytree(folder / "before", whole)
        done.write_text("")
        pid = fork(whole, folder, done)
        time.sleep(moments.uniform(0, seconds))
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        n_done = len(done.read_text())
        _, status = os.waitpid(fork(whole, folder, done), 0)
        found = content(whole)
        for query, left, right in zip((*QUERIES, "files"), wanted, found, strict=True):
            # The pictures lie under the same home, so paths are equal as well.
            if left != right:
                print(f"kill {number}, after {n_done} steps, exit {status}: {query}")
                print(set(map(repr, left)) ^ set(map(repr, right)))  # type: ignore[call-overload]
    assert home.exists()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
