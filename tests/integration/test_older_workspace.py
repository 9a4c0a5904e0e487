"""How a workspace of an older version comes to the features and the space of the settings.

With two fake extractors, so that nothing waits for a network: ``test_texture`` does the same with a real one.
"""

from __future__ import annotations

import csv
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import stylesearch as ss
from stylesearch.catalog import Catalog
from stylesearch.errors import CatalogError
from stylesearch.features.compute import compute_missing
from stylesearch.features.images import list_images
from stylesearch.serving.settings import ServiceSettings
from stylesearch.testing import FakeExtractor
from stylesearch.workspace.doctor import examine
from stylesearch.workspace.resources import Resources
from stylesearch.workspace.workspace import Workspace
from tests.integration.conftest import Command
from tests.integration.live_server import serving
from tests.integration.serve_answers import best, put
from tests.integration.tiny_shop import KEY, draw, jpeg, png

pytestmark = pytest.mark.filterwarnings("ignore::stylesearch.search.gallery.IndexWarning")

OLDER, WANTED = "fake@64+colors", "fake@64+texture+colors"
FAKES = {
    OLDER: FakeExtractor(name="fake+colors", dim=24),
    WANTED: FakeExtractor(name="fake+texture+colors", dim=32),
}
COLORS = [(40 * red, 60 * green, 30) for red in range(1, 5) for green in range(1, 4)]
PHOTO = jpeg(draw(COLORS[0], seed=77))
SERVICE = ServiceSettings(api_keys=(KEY,))


@pytest.fixture(autouse=True)
def fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Resources, "_load_extractor", lambda _, spec, throughput: FAKES[spec])


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A table of 12 products."""
    folder = tmp_path / "source"
    folder.mkdir()
    with (folder / "products.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["id", "title", "category", "image"])
        for number, color in enumerate(COLORS):
            (folder / f"{number}.jpg").write_bytes(jpeg(draw(color, seed=number)))
            table.writerow([f"p{number}", "A dress", "dress", f"{number}.jpg"])
    return folder / "products.csv"


@pytest.fixture
def home(source: Path, tmp_path: Path) -> Path:
    """A workspace as an older version left it: 12 products of a table, and one that was put over the API."""
    home = tmp_path / "home"
    with ss.open(home, extractor=OLDER, space="whitened", regions="few") as shop:
        shop.ingest(source)
        with serving(shop, SERVICE) as client:
            assert put(client, "coat", png(draw((240, 140, 10)))).status_code == 201
    (home / "config.toml").write_text(f'extractor = "{WANTED}"\nregions = "few"\n')
    return home


@pytest.fixture
def shop(home: Path) -> Iterator[Workspace]:
    with ss.open(home) as shop:
        yield shop


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The extractors whose features were counted."""
    counted: list[str] = []
    categories = Catalog.categories

    def record(catalog: Catalog, feature_set: Any, **options: Any) -> dict[str, int]:
        counted.append(feature_set.extractor)
        return categories(catalog, feature_set, **options)

    monkeypatch.setattr(Catalog, "categories", record)
    return counted


def n_features(shop: Workspace, spec: str) -> int:
    feature_set = shop.catalog.find_feature_set(FAKES[spec].fingerprint)
    return sum(shop.catalog.categories(feature_set).values()) if feature_set else 0


def used(shop: Workspace) -> tuple[str, str]:
    """Names of the features and the space that searches use."""
    location = shop.gallery().location
    return location.feature_set.extractor, location.space


def compute(shop: Workspace, n_images: int | None = None) -> None:
    """Computes the features of the settings for the first images, as a study does: without indexes."""
    images = list_images(shop.catalog)[:n_images]
    compute_missing(shop.catalog, FAKES[WANTED], images, shop._resources.extraction_options)


BEFORE, AFTER = ("fake+colors", "whitened"), ("fake+texture+colors", "mixed")


def test_it_keeps_its_features_and_its_space(shop: Workspace, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert used(shop) == BEFORE
    features, space = caplog.messages
    assert "with the features and the space of before" in features
    assert "searches use whitened" in space


@pytest.mark.parametrize("again", ["all of them", "one of them"])
def test_one_ingest_completes_images_of_every_source(shop: Workspace, source: Path, again: str) -> None:
    """What was put over the API, and what no source lists any more, is never ingested again."""
    if again == "one of them":
        source.write_text("\n".join(source.read_text().splitlines()[:2]) + "\n")
    stages: list[tuple[str, int]] = []
    report = shop.ingest(source, progress=lambda stage, n_done, n_total: stages.append((stage, n_done)))
    n_others = 1 if again == "all of them" else 12
    assert (report.filled, report.failed) == (n_others, [])
    assert report.as_dict()["filled"] == n_others
    assert ("pictures without texture", n_others) in stages
    assert (n_features(shop, WANTED), used(shop)) == (13, AFTER)
    assert shop.extractors_to_fill() == [WANTED]
    assert shop.ingest(source).filled == 0


def test_the_summary_says_what_was_completed(stylesearch: Command, home: Path, source: Path) -> None:
    done = stylesearch("--home", home, "ingest", source)
    assert done.code == 0, done.err
    assert "note: features were added to 1 image of earlier runs" in done.err


def test_a_shop_that_was_filled_over_the_api_alone_can_be_completed(
    stylesearch: Command, tmp_path: Path
) -> None:
    home = tmp_path / "of-the-api"
    with (
        ss.open(home, extractor=OLDER, space="whitened", regions="few") as shop,
        serving(shop, SERVICE) as client,
    ):
        assert put(client, "coat", png(draw((240, 140, 10)))).status_code == 201
        shop.indexes.build()
    (home / "config.toml").write_text(f'extractor = "{WANTED}"\nregions = "few"\n')
    with ss.open(home) as shop:
        assert used(shop) == BEFORE
        done = stylesearch("--home", home, "ingest", "--complete")
        assert done.code == 0, done.err
        assert "note: features were added to 1 image" in done.err
        assert used(shop) == AFTER


def test_an_ingest_has_a_path_or_completes(stylesearch: Command, home: Path, source: Path) -> None:
    neither = stylesearch("--home", home, "ingest")
    assert (neither.code, "Missing argument 'PATH'" in neither.err) == (2, True)
    assert stylesearch("--home", home, "ingest", source, "--complete").code == 2
    nowhere = stylesearch("--home", home / "none", "ingest", "--complete")
    assert nowhere.code == 1
    assert "there is no catalog" in nowhere.err


def test_nobody_is_asked_to_compute_the_older_features_again(
    shop: Workspace, source: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shop.ingest(source)
    new = source.with_name("new.csv")
    new.write_text("id,title,category,image\nnew,A dress,dress,3.jpg\n")
    caplog.clear()
    shop.ingest(new)
    assert (n_features(shop, WANTED), n_features(shop, OLDER)) == (14, 13)
    assert caplog.messages == []


def test_an_image_that_is_lost_is_named_and_its_product_found(shop: Workspace, source: Path) -> None:
    (lost,) = (shop.settings.home / "uploads").rglob("*.png")
    lost.unlink()
    report = shop.ingest(source)
    assert [failure.item for failure in report.failed] == [str(lost)]
    assert (n_features(shop, WANTED), used(shop)) == (12, BEFORE)
    assert "coat" in {hit.product.id for hit in shop.query(PHOTO, k=13)}
    shop.remove(["coat"])
    assert used(shop) == AFTER


def test_what_is_put_gets_both_kinds_of_features(home: Path, source: Path) -> None:
    with ss.open(home) as shop, serving(shop, SERVICE) as client:
        teal = png(draw((10, 140, 140)))
        assert put(client, "teal", teal).status_code == 201
        assert (n_features(shop, WANTED), n_features(shop, OLDER)) == (1, 14)
        assert best(client, teal) == "teal"
        with ss.open(home) as elsewhere:
            elsewhere.ingest(source)
        assert used(shop) == AFTER, "the service moves while it runs"
        assert best(client, teal) == "teal"
        assert put(client, "grey", png(draw((90, 90, 90)))).status_code == 201
        assert (n_features(shop, WANTED), n_features(shop, OLDER)) == (15, 14)


def test_nothing_moves_to_features_without_an_index(home: Path) -> None:
    with ss.open(home) as shop:
        compute(shop, 12)
        assert used(shop) == BEFORE
        compute(shop)
        assert n_features(shop, WANTED) == 13
        assert used(shop) == BEFORE
        with ss.open(home) as elsewhere:
            assert sum(elsewhere.indexes.build().values()) == 13
            assert used(elsewhere) == AFTER
        assert used(shop) == AFTER


def test_without_any_index_the_settings_are_used(shop: Workspace) -> None:
    compute(shop)
    shutil.rmtree(shop.settings.home / "indexes")
    assert used(shop) == AFTER


def test_index_build_builds_what_is_missing(
    stylesearch: Command, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with ss.open(home) as shop, caplog.at_level(logging.WARNING):
        assert used(shop) == BEFORE
    assert "`stylesearch index build` builds it" in caplog.messages[1]
    assert stylesearch("--home", home, "index", "build").code == 0
    with ss.open(home) as shop:
        assert used(shop) == ("fake+colors", "mixed")


def test_an_ingest_builds_no_index_that_is_left_behind(shop: Workspace, source: Path) -> None:
    shop.ingest(source)
    (folder,) = (shop.settings.home / "indexes").glob(f"*-{FAKES[OLDER].fingerprint[:16]}")
    assert [path.name for path in folder.iterdir()] == ["whitened"]


def test_the_commands_of_doctor_build_what_it_misses(
    stylesearch: Command, shop: Workspace, source: Path
) -> None:
    home = shop.settings.home
    shop.ingest(source)

    def hints() -> list[str]:
        found = [one for one in examine(shop.settings) if one.check.startswith("indexes ")]
        return [one.hint for one in found if one.state != "ok"]

    assert hints() == [], "nobody needs an index of the older features in the space mixed"
    for path in home.glob("indexes/**/*"):
        if path.is_file() and "dress" in str(path):
            path.unlink()
    assert len(hints()) == 2, "the older features in the space of before, the newer ones in that of now"
    for hint in hints():
        assert stylesearch("--home", home, *hint.split()[1:]).code == 0
        assert hint not in hints()
    assert hints() == []


def test_the_catalog_is_counted_once_and_again_after_a_change(
    home: Path, source: Path, counts: list[str]
) -> None:
    with ss.open(home) as shop:
        compute(shop, 3)
        used(shop)
        counts.clear()
        for _ in range(3):
            shop._resources.resolve()
        assert counts == []
        with ss.open(home) as elsewhere:
            elsewhere.remove(["p0"])
        shop._resources.resolve()
        assert counts == ["fake+texture+colors", "fake+colors"]


def test_what_was_completed_is_counted_in_no_process(home: Path, source: Path, counts: list[str]) -> None:
    with ss.open(home) as shop:
        shop.ingest(source)
    counts.clear()
    with ss.open(home) as shop:
        assert shop._resources.resolve().extractor == WANTED
    assert counts == []


@pytest.mark.parametrize("is_complete", [False, True])
def test_a_count_that_fails_changes_nothing(
    home: Path, source: Path, is_complete: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if is_complete:
        with ss.open(home) as shop:
            compute(shop)
            shop.indexes.build()
    failing = True
    categories = Catalog.categories

    def fail(catalog: Catalog, feature_set: Any, **options: Any) -> dict[str, int]:
        if failing:
            raise CatalogError("the disk is away")
        return categories(catalog, feature_set, **options)

    monkeypatch.setattr(Catalog, "categories", fail)
    with ss.open(home) as shop:
        own_space = shop._resources.own_space
        assert own_space.extractor() == OLDER, "what all products have"
        failing = False
        assert own_space.extractor() == (WANTED if is_complete else OLDER)
        failing = True
        assert own_space.extractor() == (WANTED if is_complete else OLDER)


def test_a_fit_that_cannot_be_looked_for_changes_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ss.open(home) as shop:
        with monkeypatch.context() as patch:
            patch.setattr(Resources, "space_location", _fail)
            assert shop._resources.own_space.space(OLDER) == "whitened"
        assert used(shop) == BEFORE
        monkeypatch.setattr(Resources, "space_location", _fail)
        assert shop._resources.own_space.space(OLDER) == "whitened"


def _fail(*arguments: Any) -> None:
    raise CatalogError("the disk is away")


def test_a_catalog_that_cannot_be_written_is_searched(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda *arguments: False)
    with ss.open(home) as shop:
        assert shop.catalog.readonly
        assert used(shop) == BEFORE
        assert len(shop.query(PHOTO, k=13)) == 13


def test_a_database_of_its_own_is_the_same(home: Path, source: Path, tmp_path: Path) -> None:
    shutil.move(home / "catalog.db", tmp_path / "elsewhere.db")
    url = f"sqlite:///{tmp_path / 'elsewhere.db'}"
    with ss.open(home, db=url) as shop:
        assert used(shop) == BEFORE
        shop.ingest(source)
        assert used(shop) == AFTER


def test_a_query_loads_the_network_and_the_finder_also_while_the_catalog_is_open(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    monkeypatch.setattr(FakeExtractor, "preload", lambda self: done.append(self.name))
    monkeypatch.setattr("stylesearch.persons.preload.preload_finder", lambda: done.append("finder"))
    monkeypatch.setattr("stylesearch.search.searcher.Searcher.query", lambda *_: done.append("query"))
    with ss.open(home) as shop:
        assert len(list(shop.products())) == 13
        shop.query(PHOTO, regions="person")
        shop.query(PHOTO)
    assert done == ["fake+colors", "finder", "query", "fake+colors", "query"]
