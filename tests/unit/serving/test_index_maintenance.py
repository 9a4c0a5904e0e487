"""Indexes are looked after: when something has changed, when it pays, and when nobody else is at it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import stylesearch as ss
from stylesearch.index.category_indexes import CategoryIndexes
from stylesearch.parallel import usable_cores
from stylesearch.search import maintenance as index_maintenance
from stylesearch.serving.search.background import IndexMaintenance
from stylesearch.workspace.workspace import Workspace

NAME = "color-histogram"


@pytest.fixture(scope="module")
def filled(drawn_shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("filled")
    with ss.open(home, extractor=NAME) as shop:
        shop.ingest(drawn_shop / "products.csv")
    return home


@pytest.fixture
def shop(filled: Path, tmp_path: Path) -> Iterator[Workspace]:
    shutil.copytree(filled, tmp_path / "home")
    with ss.open(tmp_path / "home", extractor=NAME) as opened:
        yield opened


def test_it_looks_closely_only_after_a_change(shop: Workspace) -> None:
    maintenance = IndexMaintenance(shop)
    assert maintenance.run(), "the first time nothing is known"
    assert not maintenance.run()
    with ss.open(shop.settings.home, extractor=NAME) as other:
        other.remove([next(other.products()).id])
    assert maintenance.run()
    assert not maintenance.run()


def test_what_pays_is_built_and_what_does_not_is_left(shop: Workspace) -> None:
    maintenance = IndexMaintenance(shop)
    maintenance.run()
    fit = shop.gallery().transform.version
    ids = [product.id for product in shop.products()]
    shop.remove(ids[:1])
    assert maintenance.run()
    assert shop.gallery().transform.version == fit, "one product of 24 does not pay"
    shop.remove(ids[1:12])
    assert maintenance.run()
    assert shop.gallery().transform.version != fit
    assert sum(one.n_indexed for one in shop.indexes.status()) == 12


def test_it_leaves_a_writer_alone_and_comes_back(shop: Workspace) -> None:
    maintenance = IndexMaintenance(shop)
    with ss.open(shop.settings.home, extractor=NAME) as other, other.catalog.writing():
        assert not maintenance.run()
    assert maintenance.run()


def test_a_build_ends_when_the_service_stops_and_is_begun_again_by_the_next(
    shop: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    maintenance = IndexMaintenance(shop)
    n_built = []
    build = CategoryIndexes.build

    def stop_meanwhile(self: CategoryIndexes, *arguments: Any, **options: Any) -> Any:
        n_built.append(1)
        maintenance.stop()
        return build(self, *arguments, **options)

    monkeypatch.setattr(CategoryIndexes, "build", stop_meanwhile)
    for pointer in (shop.settings.home / "indexes").rglob("CURRENT"):
        pointer.unlink()
    n_categories = len(shop.indexes.status())
    assert n_categories > 1
    assert not maintenance.run()
    n_begun = len(n_built)
    assert 1 <= n_begun <= usable_cores(), "those that were begun at once are completed"
    assert not maintenance.run()
    assert len(n_built) == n_begun, "nothing is begun any more"
    monkeypatch.setattr(CategoryIndexes, "build", build)
    assert IndexMaintenance(shop).run()
    assert all(one.state == "ready" for one in shop.indexes.status())


def test_no_catalog_or_an_empty_one_is_nothing_to_look_after(tmp_path: Path) -> None:
    with ss.open(tmp_path / "home", extractor=NAME) as shop:
        assert not IndexMaintenance(shop).run()
        assert not (tmp_path / "home").exists(), "nothing is made by looking"


def test_a_build_that_fails_is_told_and_not_tried_again_and_again(
    shop: Workspace, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    n_tries = []

    def fail(*_: object, **__: object) -> None:
        n_tries.append(1)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(index_maintenance, "refresh", fail)
    maintenance = IndexMaintenance(shop)
    maintenance.run()
    assert "No space left" in caplog.text
    maintenance.run()
    assert len(n_tries) == 1
