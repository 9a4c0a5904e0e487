"""Backups, restores, imports and vacuums in forked processes that are killed, and run again.

``python killed_database.py FOLDER N_KILLS`` kills each as often, at a random moment. It prints what is not
the old state or the new one, and what is left behind in the end; nothing where nothing is.
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

import numpy as np

import stylesearch as ss
from stylesearch.catalog import Catalog, ImageEntry, backup, export_files, migrate, transfer  # noqa: F401
from stylesearch.catalog.tables import metadata
from stylesearch.types import Product
from stylesearch.workspace import backup as workspace_backup  # noqa: F401 - all before the forks

DIM = 512


def fill(home: Path, start: int, end: int) -> None:
    with Catalog.open(home / "catalog.db") as catalog, catalog.writing() as writer, writer.transaction():
        one = writer.feature_set(
            extractor="one", parameters={}, weights_digest="w", fingerprint="one", dim=DIM
        )
        names = [f"p{number}" for number in range(start, end)]
        writer.upsert_products([Product(name, name, "dress") for name in names], source="shop")
        entries = [ImageEntry(name, f"/{name}", sha256=name, width=3, height=4) for name in names]
        stored = [pk for pk, _ in writer.upsert_images(entries, source="shop").values()]
        writer.add_features(one, stored, np.ones((len(names), DIM), np.float32))


def content(database: Path) -> object:
    """All rows but the catalog's id; None where there is no catalog, or an empty one."""
    if not database.exists() or not database.stat().st_size:
        return None
    with contextlib.closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            return None  # killed before its first transaction
        tables = [name for name in metadata.tables if name != "about"]
        rows = [sorted(connection.execute(f"SELECT * FROM {name}"), key=repr) for name in tables]
    return rows if any(rows) else None


def run_killed(step: Callable[[], object], seconds: float | None) -> None:
    """Runs a step in a process of its own; kills it after so many seconds."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            step()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    if seconds is not None:
        time.sleep(seconds)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    if seconds is None:
        assert status == 0


def main(folder: Path, n_kills: int) -> None:
    home, new = folder / "home", folder / "new"
    fill(folder / "before", 0, 300)
    with ss.open(folder / "before") as shop:
        shop.database.back_up(folder / "b.db")
        shop.database.back_up(folder / "b.tar", full=True)
        shop.database.export(folder / "export")
    fill(folder / "before", 300, 600)
    with ss.open(folder / "before") as shop:
        shop.remove([f"p{number}" for number in range(0, 600, 3)])
    backed_up, present = content(folder / "b.db"), content(folder / "before" / "catalog.db")
    assert backed_up is not None
    assert present is not None
    made = folder / "made" / "made.tar"
    steps: dict[str, tuple[Callable[[], object], Path, list[object]]] = {
        "restore": (
            lambda: shop_of(home).restore(folder / "b.db"),
            home / "catalog.db",
            [present, backed_up],
        ),
        "restore --full": (
            lambda: shop_of(home).restore(folder / "b.tar"),
            home / "catalog.db",
            [present, backed_up],
        ),
        "restore anew": (
            lambda: shop_of(new).restore(folder / "b.tar"),
            new / "catalog.db",
            [None, backed_up],
        ),
        "import": (
            lambda: shop_of(new).import_from(folder / "export"),
            new / "catalog.db",
            [None, backed_up],
        ),
        "import --overwrite": (
            lambda: shop_of(home).import_from(folder / "export", overwrite=True),
            home / "catalog.db",
            [present, backed_up],
        ),
        "vacuum": (lambda: shop_of(home).vacuum(), home / "catalog.db", [present]),
        "backup": (
            lambda: shop_of(home).back_up(made.with_suffix(".db"), overwrite=True),
            made.with_suffix(".db"),
            [None, present],
        ),
    }
    moments = random.Random(5)
    for name, (step, database, allowed) in steps.items():
        seconds = 0.0
        for kill in range(-1, n_kills):
            for path in (home, new, made.parent):
                shutil.rmtree(path, ignore_errors=True)
            shutil.copytree(folder / "before", home)
            began = time.monotonic()
            if kill < 0:
                run_killed(step, None)
                seconds = time.monotonic() - began
                continue
            moment = moments.uniform(0, seconds)
            run_killed(step, moment)
            if content(database) not in allowed:
                print(f"{name}: neither the old state nor the new one, killed after {moment:.3f} s")
            if name.startswith("import") and content(database) == allowed[-1]:
                continue  # it was done, and a second import is refused
            run_killed(step, None)
            if content(database) != allowed[-1]:
                print(f"{name}: run again, it is not the new state, killed after {moment:.3f} s")
            left = [str(path) for path in folder.rglob(".*")]
            if left:
                print(f"{name}: {left} left, killed after {moment:.3f} s")


def shop_of(home: Path) -> ss.workspace.database.Database:
    return ss.open(home).database


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
