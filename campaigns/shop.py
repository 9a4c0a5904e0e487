"""A small shop on the disk, workspaces of it, and what is in a catalog whatever its keys are."""

from __future__ import annotations

import contextlib
import csv
import shutil
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from campaigns.trials import TrialFailed
from tests.integration.killed_shop import QUERIES, content
from tests.integration.tiny_shop import draw, jpeg

__all__ = [
    "OLD_CATALOGS",
    "Shop",
    "check_database",
    "check_nothing_lost",
    "content",
    "differences",
    "draw_shop",
    "products_of",
    "replace_folder",
]

CATEGORIES: Final = ("coat", "dress", "skirt")
CONFIG: Final = 'extractor = "color-histogram"\nregions = "few"\n'
OLD_CATALOGS: Final = Path(__file__).parents[1] / "tests" / "migrations" / "dumps"


@dataclass(frozen=True)
class Shop:
    """Files of a shop.

    Attributes:
        folder: where they lie.
        monday, tuesday: two tables; the second lists a third of the products no more, and changes others.
        photo: a customer's photo of ``p1``.
        pictures: files of pictures, in the order of the products.
    """

    folder: Path
    monday: Path
    tuesday: Path
    photo: Path
    pictures: tuple[Path, ...]


def draw_shop(folder: Path, n_products: int = 36) -> Shop:
    """Draws a shop of plain pictures, with tables of two days."""
    folder.mkdir(parents=True)
    colors = np.random.default_rng(3).integers(0, 230, (n_products, 3))
    pictures = []
    for number, color in enumerate(colors.tolist()):
        picture = folder / f"{number}.jpg"
        picture.write_bytes(jpeg(draw(tuple(color), seed=number)))
        pictures.append(picture)
    photo = folder / "photo.jpg"
    photo.write_bytes(jpeg(draw(tuple(colors[1].tolist()), size=(200, 260), seed=77)))
    tables = []
    for day, numbers in (("monday", range(n_products)), ("tuesday", range(n_products // 3, n_products))):
        path = folder / f"{day}.csv"
        with path.open("w", newline="") as file:
            table = csv.writer(file)
            table.writerow(["id", "title", "category", "price", "image"])
            for number in numbers:
                moved = day == "tuesday" and number % 5 == 0
                category = CATEGORIES[(number + moved) % len(CATEGORIES)]
                price = f"{number + moved}.90 EUR"
                table.writerow([f"p{number}", f"Product {number}", category, price, f"{number}.jpg"])
        tables.append(path)
    return Shop(folder, tables[0], tables[1], photo, tuple(pictures))


def replace_folder(source: Path, target: Path) -> None:
    """Makes ``target`` a copy of ``source``, or removes it where there is no ``source``."""
    shutil.rmtree(target, ignore_errors=True)
    if source.exists():
        shutil.copytree(source, target)


def check_database(database: Path) -> None:
    """Opens a catalog as any reader does, and has SQLite check every page, row and reference of it.

    Raises:
        TrialFailed: it does not open, or something is wrong in it.
    """
    if not database.exists() or not database.stat().st_size:
        return
    try:
        with contextlib.closing(sqlite3.connect(database)) as connection:
            found = [row[0] for row in connection.execute("PRAGMA integrity_check")]
            dangling = connection.execute("PRAGMA foreign_key_check").fetchall()
    except sqlite3.DatabaseError as error:
        raise TrialFailed(f"the catalog does not open: {error}") from error
    if found != ["ok"] or dangling:
        raise TrialFailed(f"the catalog is damaged: {found[:3]} {dangling[:3]}")


def products_of(database: Path) -> set[tuple[object, ...]]:
    """Rows of the products of a catalog, whatever their keys; none where the schema is an older one's."""
    if not database.exists():
        return set()
    with contextlib.closing(sqlite3.connect(database)) as connection:
        try:
            return set(connection.execute(QUERIES[0]).fetchall())
        except sqlite3.OperationalError:
            return set()


def check_nothing_lost(
    before: set[tuple[object, ...]], after: set[tuple[object, ...]], now: set[tuple[object, ...]]
) -> None:
    """Fails where a product is missing that was there before a command and would be after it.

    Args:
        before, after: ``products_of`` the catalog before the command, and after one that nothing disturbed.
        now: of the catalog after the command was disturbed.
    """
    if lost := (before & after) - now:
        raise TrialFailed(f"{len(lost)} products were lost, such as {sorted(map(repr, lost))[0]}")


def differences(wanted: list[object], found: list[object]) -> str:
    """What differs between two catalogs' ``content``, in a few words; "" where nothing does."""
    said = []
    for query, left, right in zip((*QUERIES, "files of pictures"), wanted, found, strict=True):
        if left != right:
            one, other = ({repr(row) for row in rows} for rows in (left, right))  # type: ignore[attr-defined]
            said.append(
                f"{query[:60]}: missing {sorted(one - other)[:2]}, too much {sorted(other - one)[:2]}"
            )
    return "; ".join(said)[:1500]
