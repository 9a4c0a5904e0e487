"""Indexes are built beside writers of the catalog; builders of one home exclude only each other."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import stylesearch as ss
from stylesearch.catalog import ImageEntry
from stylesearch.errors import IndexesLocked
from stylesearch.index.build_lock import building
from stylesearch.index.category_indexes import CategoryIndexes
from stylesearch.search import IndexWarning
from stylesearch.types import Product, SearchRequest
from stylesearch.workspace.workspace import Workspace

NAME = "color-histogram"

KILLED = """
import os, signal, sys
import stylesearch as ss
from stylesearch.index import category_indexes

def killed(folder, *_):
    (folder / "vectors.npy").write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)

category_indexes.write_generation = killed
with ss.open(sys.argv[1], extractor=sys.argv[2]) as shop:
    shop.indexes.build()
"""


@pytest.fixture(scope="module")
def filled(drawn_shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("filled")
    with ss.open(home, extractor=NAME) as shop:
        shop.ingest(drawn_shop / "products.csv")
    return home


@pytest.fixture
def shop(filled: Path, tmp_path: Path) -> Iterator[Workspace]:
    shutil.copytree(filled, tmp_path / "home")
    with ss.open(tmp_path / "home", extractor=NAME, lock_timeout=0) as opened:
        yield opened


def meanwhile(monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]) -> None:
    """Has something done when the first index of a build is begun, after the catalog was asked for ids."""
    build, begun = CategoryIndexes.build, threading.Lock()

    def act_once(self: CategoryIndexes, *arguments: Any, **options: Any) -> Any:
        if begun.acquire(blocking=False):
            act()
        return build(self, *arguments, **options)

    monkeypatch.setattr(CategoryIndexes, "build", act_once)


def products_found(shop: Workspace) -> set[str]:
    features = shop.gallery().features_of(next(shop.products()).id)
    hits = shop.gallery().search(features, SearchRequest(k=100), of_images=True)
    return {hit.product.id for hit in hits}


def test_what_is_added_and_removed_in_a_build_is_searchable_and_gone(
    shop: Workspace, drawn_shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = {product.id for product in shop.products()}
    gone = next(shop.products())

    feature_set = shop.gallery().location.feature_set

    def write() -> None:
        with ss.open(shop.settings.home, extractor=NAME, lock_timeout=0) as other:
            other.remove([gone.id])
            with other.catalog.writing() as writer, writer.transaction():
                writer.upsert_products([Product("new", "New", gone.category)], source="meanwhile")
                entry = ImageEntry("new", "/new.jpg", sha256="0" * 64, width=9, height=9)
                ((pk, _),) = writer.upsert_images([entry], source="meanwhile").values()
                writer.add_features(feature_set, [pk], np.ones((1, feature_set.dim), np.float32))

    meanwhile(monkeypatch, write)
    shop.indexes.build()
    monkeypatch.undo()
    assert products_found(shop) == ids - {gone.id} | {"new"}
    rows = shop.indexes.status()
    assert {row.state for row in rows} == {"ready"}
    assert sum(row.n_pending for row in rows) == 1
    shop.indexes.build()
    assert sum(row.n_indexed for row in shop.indexes.status()) == len(ids)
    assert products_found(shop) == ids - {gone.id} | {"new"}


def test_two_builds_at_once_take_turns_or_are_told(
    shop: Workspace, drawn_shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = []

    def build_too() -> None:
        with ss.open(shop.settings.home, extractor=NAME, lock_timeout=0) as other:
            with pytest.raises(IndexesLocked, match="is building the indexes"):
                other.indexes.build()
            told.append(1)

    meanwhile(monkeypatch, build_too)
    shop.indexes.build()
    assert told
    assert shop.indexes.verify() == []


def test_an_ingest_waits_only_for_a_build_that_it_needs(
    shop: Workspace, drawn_shop: Path, tmp_path: Path
) -> None:
    with building(shop.settings.home / "indexes", 0), warnings.catch_warnings():
        warnings.simplefilter("error")
        assert shop.ingest(drawn_shop / "products.csv").unchanged == 24
    ids = [product.id for product in shop.products()]
    shop.remove(ids[1:])
    with building(shop.settings.home / "indexes", 0), pytest.warns(IndexWarning, match="is building"):
        assert shop.ingest(drawn_shop / "products.csv").added == 23
    assert len(products_found(shop)) == 24


def test_what_a_killed_build_has_left_goes_with_the_next(shop: Workspace) -> None:
    home = shop.settings.home
    killed = subprocess.run([sys.executable, "-c", KILLED, home, NAME], check=False)
    assert killed.returncode == -signal.SIGKILL
    left = {Path(one.item).name.partition("-")[0] for one in shop.indexes.verify()}
    assert "building" in left
    assert len(products_found(shop)) == 24
    shop.indexes.build()
    assert shop.indexes.verify() == []
    assert not list((home / "indexes").rglob("building-*"))
