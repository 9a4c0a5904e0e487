"""Several homes on one catalog: where fits and models are in the catalog, a photo has one distance in all."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import stylesearch as ss
from stylesearch.errors import UnknownName
from stylesearch.search import IndexWarning
from stylesearch.testing import save_fake_model
from stylesearch.workspace.workspace import Workspace
from tests.integration.tiny_shop import EXTRACTOR, draw, jpeg


@pytest.fixture(scope="session")
def ingested_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a catalog of 18 products, enough to fit axes on, and a photo."""
    folder = tmp_path_factory.mktemp("shared")
    colors = np.random.default_rng(5).integers(10, 240, (18, 3))
    for number, color in enumerate(colors.tolist()):
        picture = folder / "source" / ("dress", "skirt")[number % 2] / f"{number}.jpg"
        picture.parent.mkdir(parents=True, exist_ok=True)
        picture.write_bytes(jpeg(draw(tuple(color), seed=number)))
    (folder / "street.jpg").write_bytes(jpeg(draw((200, 30, 40), size=(200, 300), seed=99)))
    with machine(folder, "first", "home") as shop:
        assert shop.ingest(folder / "source").added == 18
    return folder


@pytest.fixture
def folder(ingested_shop: Path, tmp_path: Path) -> Path:
    """A copy of that folder."""
    return Path(shutil.copytree(ingested_shop, tmp_path / "shop"))


def machine(folder: Path, name: str, artifacts: str) -> Workspace:
    """A workspace of another home on the shop's catalog."""
    return ss.open(
        folder / name,
        db=str(folder / "catalog.db"),
        artifacts=artifacts,
        extractor=EXTRACTOR,
        regions="few",
        space="whitened",
    )


@pytest.fixture
def machines(folder: Path) -> Iterator[tuple[Workspace, Workspace]]:
    with machine(folder, "a", "catalog") as a, machine(folder, "b", "catalog") as b:
        a.indexes.build()
        yield a, b


def distances(shop: Workspace, photo: Path, space: str = "") -> dict[str, float]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", IndexWarning)  # the other machine has no index of this fit yet
        return {hit.product.id: hit.distance for hit in shop.query(photo, k=20, space=space)}


def add_product(folder: Path, shop: Workspace, name: str) -> None:
    source = folder / f"more-{name}" / "dress"
    source.mkdir(parents=True)
    (source / f"{name}.jpg").write_bytes(jpeg(draw((90, 200, 200), seed=len(name) + 40)))
    shop.ingest(source.parent, source=name)


@pytest.mark.parametrize("artifacts", ["home", "catalog"])
def test_a_photo_has_one_distance_on_two_machines_only_where_they_share_the_fit(
    folder: Path, artifacts: str
) -> None:
    photo = folder / "street.jpg"
    with machine(folder, "a", artifacts) as a, machine(folder, "b", artifacts) as b:
        a.indexes.build()
        add_product(folder, a, "teal")  # too few to fit anew: the index is of before
        if artifacts == "home":
            b.indexes.build()
        here, there = distances(a, photo), distances(b, photo)
    assert here.keys() == there.keys()
    assert (here == there) is (artifacts == "catalog")


def test_a_model_that_is_put_by_one_is_searched_by_the_other(
    folder: Path, machines: tuple[Workspace, Workspace]
) -> None:
    a, b = machines
    with pytest.raises(UnknownName):
        b.models.get("default")
    save_fake_model(a.settings)
    a.indexes.build(space="siamese:default")
    found = distances(a, folder / "street.jpg", "siamese:default")
    assert distances(b, folder / "street.jpg", "siamese:default") == found
    assert list(b.models) == list(a.models)

    save_fake_model(b.settings, seed=1)  # trained anew there
    again = distances(b, folder / "street.jpg", "siamese:default")
    assert distances(a, folder / "street.jpg", "siamese:default") == again != found

    b.models.remove("default")
    assert list(a.models) == []
    with pytest.raises(UnknownName):
        distances(a, folder / "street.jpg", "siamese:default")
    assert a.models.problems() == {}


def test_a_fit_that_is_rebuilt_by_one_is_used_by_the_other(
    folder: Path, machines: tuple[Workspace, Workspace]
) -> None:
    a, b = machines
    before = distances(b, folder / "street.jpg")
    add_product(folder, a, "teal")
    b.indexes.build()
    after = distances(a, folder / "street.jpg")
    assert len(after) == 19
    assert after == distances(b, folder / "street.jpg")
    assert {name: after[name] for name in before} != before
