"""Several homes on one catalog: where fits and models are in the catalog, a photo has one distance in all."""

from __future__ import annotations

import contextlib
import itertools
import shutil
import sqlite3
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import stylesearch as ss
from stylesearch.artifacts.shared import CatalogArtifacts
from stylesearch.catalog import Catalog
from stylesearch.catalog.artifact_table import ArtifactTable
from stylesearch.catalog.check.findings import Finding
from stylesearch.errors import ConfigError, SpaceError, UnknownName
from stylesearch.search import IndexWarning, fitted_space, maintenance
from stylesearch.search.fitted_space import SpaceLocation
from stylesearch.testing import save_fake_model
from stylesearch.workspace.check import WRITE_AGAIN, check_workspace
from stylesearch.workspace.doctor import examine
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


def test_a_fit_that_comes_second_gives_way_to_the_first(
    folder: Path, machines: tuple[Workspace, Workspace], monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = machines
    add_product(folder, a, "teal")
    fit = fitted_space.fit

    def and_the_other_is_quicker(location: SpaceLocation) -> Any:
        monkeypatch.undo()
        made = fit(location)
        a.remove(["teal"])  # so that the two fits differ
        a.indexes.build()
        return made

    monkeypatch.setattr(fitted_space, "fit", and_the_other_is_quicker)
    maintenance.rebuild(b.gallery().location, ["cosine"])
    locations = [one.gallery().location for one in machines]
    here, there = (fitted_space.read_record(one) for one in locations)
    assert here == there is not None
    assert {row.state for row in b.indexes.status()} == {"ready"}  # of the fit that won
    assert distances(a, folder / "street.jpg") == distances(b, folder / "street.jpg")


def test_a_damaged_copy_is_read_again_and_damage_in_the_catalog_is_told(
    folder: Path, machines: tuple[Workspace, Workspace]
) -> None:
    a, b = machines
    save_fake_model(a.settings)
    assert [card.name for card in b.models] == ["default"]
    (copy,) = (folder / "b" / "models" / "default").glob("*/transform.npz")
    copy.write_bytes(b"damaged")
    with machine(folder, "b", "catalog") as again:  # a copy is compared once in a process
        assert again.models.problems() == {}

    with contextlib.closing(sqlite3.connect(folder / "catalog.db")) as connection, connection:
        connection.execute("UPDATE artifact_parts SET content = x'00'")
    with machine(folder, "c", "catalog") as c:
        assert "damaged" in c.models.problems()["default"]
        with pytest.raises(SpaceError, match="in the catalog is damaged"):
            c.models.get("default")
        with pytest.warns(IndexWarning, match="not fitted"):  # it is fitted for this process
            assert len(c.query(folder / "street.jpg", k=3)) == 3
        c.models.remove("default")
        c.indexes.build()
        assert c.indexes.verify() == []
    assert list(a.models) == []


@pytest.mark.parametrize("after", [b"new", None])
def test_a_version_that_is_replaced_while_it_is_copied_gives_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: bytes | None
) -> None:
    copy_file = ArtifactTable.copy_file

    def and_another_machine_was_first(table: ArtifactTable, *arguments: Any) -> None:
        monkeypatch.undo()
        if after is None:
            other.artifacts.remove("model", "a")
        else:
            other.artifacts.put("model", "a", {"model.json": b"{}", "large": after})
        copy_file(table, *arguments)

    with Catalog.open(tmp_path / "catalog.db") as catalog, Catalog.open(tmp_path / "catalog.db") as other:
        other.artifacts.put("model", "a", {"model.json": b"{}", "large": b"old"})
        artifacts = CatalogArtifacts(tmp_path / "home", catalog)
        monkeypatch.setattr(ArtifactTable, "copy_file", and_another_machine_was_first)
        folder = artifacts.get("model", "a")
        assert (folder and (folder / "large").read_bytes()) == after
        assert artifacts.names("model") == ([] if after is None else ["a"])
        assert (tmp_path / "home" / "models" / "a" / "model.json").exists() == (after is not None)


def test_a_version_that_changes_again_and_again_while_it_is_copied_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy_file, numbers = ArtifactTable.copy_file, itertools.count()

    def and_another_machine_was_first(table: ArtifactTable, *arguments: Any) -> None:
        catalog.artifacts.put("model", "a", {"model.json": str(next(numbers)).encode()})
        copy_file(table, *arguments)

    with Catalog.open(tmp_path / "catalog.db") as catalog:
        catalog.artifacts.put("model", "a", {"model.json": b"{}"})
        artifacts = CatalogArtifacts(tmp_path / "home", catalog)
        monkeypatch.setattr(ArtifactTable, "copy_file", and_another_machine_was_first)
        with pytest.raises(SpaceError, match="was changed 5 times while it was copied"):
            artifacts.get("model", "a")


def test_a_model_of_before_is_of_one_machine_until_it_is_shared(folder: Path) -> None:
    with machine(folder, "a", "home") as a:
        save_fake_model(a.settings)
        with pytest.raises(ConfigError, match="for this machine alone"):
            a.models.share("default")
    with machine(folder, "a", "catalog") as a, machine(folder, "b", "catalog") as b:
        card = a.models.get("default")
        assert list(b.models) == []
        (found,) = [one for one in examine(a.settings) if one.check == "model default"]
        assert (found.state, found.hint) == ("note", "stylesearch models share default")
        a.models.share("default")
        assert list(b.models) == [card]


def test_a_model_of_one_machine_makes_way_for_that_of_the_catalog_and_is_kept(folder: Path) -> None:
    with machine(folder, "a", "home") as a, machine(folder, "b", "catalog") as b:
        save_fake_model(a.settings, seed=1)
        save_fake_model(b.settings, seed=2)
        own, shared = a.models.get("default"), b.models.get("default")
    with machine(folder, "a", "catalog") as a:
        assert a.models.get("default") == shared != own
    (kept,) = (folder / "a" / "unshared-models").iterdir()
    assert own.transform_version in (kept / "model.json").read_text()


def test_a_full_backup_has_what_the_catalog_shares_and_an_export_has_not(
    folder: Path, machines: tuple[Workspace, Workspace]
) -> None:
    a, b = machines
    save_fake_model(a.settings)
    backup = b.database.back_up(folder / "full.backup", full=True)
    assert backup.models == ("default",)
    a.database.export(folder / "export")
    with ss.open(folder / "other", artifacts="catalog", extractor=EXTRACTOR) as other:
        other.database.import_from(folder / "export")
        assert other.catalog.artifacts.versions() == {}


def damage(folder: Path, statement: str) -> None:
    with contextlib.closing(sqlite3.connect(folder / "catalog.db")) as connection, connection:
        connection.execute(statement)


def check_shared(shop: Workspace, *, repair: bool = False) -> Finding:
    found = check_workspace(shop.settings, repair=repair)
    return next(one for one in found if one.check == "files of shared fits and models")


def test_a_check_reads_the_files_in_the_catalog_and_mends_them_from_a_copy(
    folder: Path, machines: tuple[Workspace, Workspace]
) -> None:
    a, b = machines
    save_fake_model(a.settings)
    damage(folder, "UPDATE artifact_parts SET content = zeroblob(7)")
    damaged = check_shared(a)
    assert (damaged.n_checked, damaged.n_problems) == (4, 4)
    assert {one.repair for one in damaged.problems} == {WRITE_AGAIN}
    assert {one.repair for one in check_shared(b).problems} == {""}  # it has no copy
    mended = check_shared(a, repair=True)
    assert (mended.n_problems, mended.n_repaired) == (0, 4)
    found = distances(a, folder / "street.jpg")
    assert distances(b, folder / "street.jpg") == found


def test_a_repair_keeps_a_copy_that_is_whole_though_another_file_is_damaged(
    folder: Path, machines: tuple[Workspace, Workspace]
) -> None:
    a, _ = machines
    save_fake_model(a.settings)
    damage(folder, "UPDATE artifact_parts SET content = zeroblob(7)")
    record = folder / "a" / "models" / "default" / "model.json"
    kept = ("model.json", "copied.json")
    others = [one for one in record.parent.rglob("*") if one.is_file() and one.name not in kept]
    for other in others:
        other.write_bytes(b"damaged")
    for repair in (False, True, False):
        found = check_shared(a, repair=repair)
    assert [one.repair for one in found.problems] == [""] * len(others) != []
    assert record.exists()


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE artifacts SET kind = 'modal'", "of the modal"),
        ("UPDATE artifacts SET files = 'null'", "could not be checked: "),
        ("""UPDATE artifacts SET files = '{"model.json": 5}'""", "could not be checked: "),
    ],
)
def test_a_check_tells_damaged_rows_of_what_is_shared(
    folder: Path, machines: tuple[Workspace, Workspace], statement: str, said: str
) -> None:
    a, _ = machines
    damage(folder, statement)
    assert said in check_shared(a).problems[0].what
