"""A trained model as a space: searched exactly, brought up by ingest, and nothing stale of it left behind."""

from __future__ import annotations

import dataclasses
import re
import shutil
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import stylesearch as ss
from stylesearch.distance import distances
from stylesearch.errors import CatalogLocked, ConfigError, SpaceError, UnknownName
from stylesearch.features.compute import read_features
from stylesearch.features.images import list_images
from stylesearch.models import store
from stylesearch.search import IndexWarning, maintenance
from stylesearch.settings import change_settings
from stylesearch.spaces.base import scale_for_category
from stylesearch.testing import save_fake_model
from stylesearch.types import Domain, SearchRequest
from stylesearch.workspace.workspace import Workspace
from tests.integration.conftest import Command

pytestmark = pytest.mark.slow

SPACE = "siamese:default"
EXTRACTOR = "efficientnet-lite0@320+texture+colors"


@pytest.fixture(scope="session")
def modelled(ingested: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a trained model and its indexes; the weights differ between categories."""
    home = tmp_path_factory.mktemp("modelled") / "home"
    shutil.copytree(ingested, home)
    with ss.open(home) as opened:
        names = list(opened.gallery().counts())
        weights = {"": 0.5} | {name: (i + 1) / (len(names) + 1) for i, name in enumerate(names)}
        save_fake_model(opened.settings, weights=weights | {names[0]: 0.0})
        opened.indexes.build(space=SPACE)
    return home


@pytest.fixture
def shop(modelled: Path, tmp_path: Path) -> Iterator[Workspace]:
    """A copy of that workspace, to be written to."""
    shutil.copytree(modelled, tmp_path / "home")
    with ss.open(tmp_path / "home") as opened:
        yield opened


def photo_of(shop: Path) -> Path:
    return sorted((shop / "street").glob("*.jpg"))[0]


def states(shop: Workspace) -> set[str]:
    return {one.state for one in shop.indexes.status(space=SPACE)}


def first(shop: Workspace) -> str:
    return next(shop.products()).id


def answers(shop: Workspace) -> list[tuple[str, float]]:
    """What a product's own features find, without the network."""
    return [(hit.product.id, hit.distance) for hit in shop.similar(first(shop), k=30, space=SPACE)]


def expected(shop: Workspace, features: np.ndarray) -> dict[str, float]:
    """Distances of all products by the definition: shop pictures, scaled for their category."""
    card, transform = store.load_model(store.folder_of(shop.settings.home, "default"))
    gallery, vectors = shop.gallery(), transform.apply(features)
    found: dict[str, float] = {}
    for category in gallery.counts():
        feature_set = gallery.location.feature_set
        for ids, rows in shop.catalog.features(feature_set, category=category, domain=Domain.SHOP):
            of_gallery = scale_for_category(transform, transform.apply(rows), category)
            values = distances(scale_for_category(transform, vectors, category), of_gallery, card.metric).min(
                axis=0
            )
            hits = shop.catalog.hits_for(ids.tolist())
            for feature_id, value in zip(ids.tolist(), values.tolist(), strict=True):
                product = hits[feature_id][0].id
                found[product] = min(found.get(product, np.inf), value)
    return found


def assert_right(shop: Workspace) -> None:
    wanted = expected(shop, shop.gallery(space=SPACE).features_of(first(shop)))
    del wanted[first(shop)]
    found = dict(answers(shop))
    assert found.keys() == wanted.keys()
    assert [found[name] for name in wanted] == pytest.approx([*wanted.values()], rel=1e-4, abs=1e-5)
    assert list(found.values()) == sorted(found.values())


@pytest.mark.parametrize("metric", ["cosine", "l1", "l2"])
def test_a_search_gives_the_weighted_distances(shop: Workspace, metric: str) -> None:
    weights = shop.models.get("default").weights
    save_fake_model(shop.settings, metric=metric, weights=weights, untrained="whitened")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", IndexWarning)
        assert_right(shop)  # exactly, without an index
    shop.indexes.build(space=SPACE)
    assert states(shop) == {"ready"}
    assert_right(shop)


def test_the_model_brings_its_extractor_and_its_metric(shop: Workspace, drawn_shop: Path) -> None:
    save_fake_model(shop.settings, metric="l1")
    shop.indexes.build(space=SPACE)
    photo = photo_of(drawn_shop)
    right = [(hit.product.id, hit.distance) for hit in shop.query(photo, space=SPACE)]
    assert len(right) == 20
    with ss.open(shop.settings.home, space=SPACE, extractor="resnet50", metric="l2") as other:
        assert [(hit.product.id, hit.distance) for hit in other.query(photo)] == right
        assert other.query(photo, extractor=EXTRACTOR, metric="l1").hits[0].product.id == right[0][0]
        with pytest.raises(ConfigError, match="metric l1"):
            other.query(photo, metric="cosine")
        with pytest.raises(ConfigError, match=re.escape(f"features of {EXTRACTOR}")):
            other.query(photo, extractor="efficientnet-lite0@224")
        with pytest.raises(ConfigError, match="metric l1"):
            other.indexes.build(metric="l2")


def test_the_settings_file_may_name_it(shop: Workspace, drawn_shop: Path, stylesearch: Command) -> None:
    home = shop.settings.home
    (home / "config.toml").write_text(f'# ours\nspace = "{SPACE}"\n')
    by_file = stylesearch("--home", home, "--json", "query", photo_of(drawn_shop))
    named = stylesearch("--home", home, "--json", "query", "-s", SPACE, photo_of(drawn_shop))
    assert by_file.code == named.code == 0, by_file.err
    assert by_file.json == named.json
    assert (
        by_file.json != stylesearch("--home", home, "--json", "query", "-s", "raw", photo_of(drawn_shop)).json
    )
    removed = stylesearch("--home", home, "models", "remove", "default")
    assert "config.toml" in removed.out
    assert (home / "config.toml").read_text() == "# ours\n"
    assert stylesearch("--home", home, "--json", "query", photo_of(drawn_shop)).code == 0


def test_a_name_in_the_settings_that_is_gone_is_said(workspace: Path, drawn_shop: Path) -> None:
    with ss.open(workspace, space="siamese:gone") as shop:
        for call in (
            lambda: shop.query(photo_of(drawn_shop)),
            lambda: shop.ingest(drawn_shop / "products.csv"),
            shop.evaluate,
        ):
            with pytest.raises(UnknownName, match="gone") as caught:
                call()
            assert "settings" in caught.value.hint


def test_new_products_get_their_vectors_on_ingest_and_the_network_runs_once(
    shop: Workspace, drawn_shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maintenance, "REBUILD_AT_LEAST", 0)
    new = tmp_path / "new" / "dress"
    new.mkdir(parents=True)
    images = sorted((drawn_shop / "catalog").rglob("*.jpg"))
    for number in range(4):
        shutil.copy(images[number], new / f"new{number}.jpg")
        with (new / f"new{number}.jpg").open("ab") as file:
            file.write(b"another file")
    ((_, n_before),) = shop.catalog.status().features
    shop.ingest(tmp_path / "new")
    ((_, n_now),) = shop.catalog.status().features
    assert n_now == n_before + 4
    found = {one.category: one for one in shop.indexes.status(space=SPACE)}
    assert sum(one.n_indexed + one.n_pending for one in found.values()) == n_before + 4
    assert found["dress"].state == "ready"
    assert found["dress"].n_pending == 0
    assert_right(shop)


def test_what_is_pending_is_scaled_for_its_category(
    shop: Workspace, drawn_shop: Path, tmp_path: Path
) -> None:
    category = next(iter(shop.gallery().counts()))
    new = tmp_path / "new" / category
    new.mkdir(parents=True)
    shutil.copy(sorted((drawn_shop / "catalog").rglob("*.jpg"))[0], new / "again.jpg")
    shop.ingest(tmp_path / "new")
    assert {one.category for one in shop.indexes.status(space=SPACE) if one.n_pending} == {category}
    assert_right(shop)


def test_a_model_trained_anew_is_searched_at_once_and_its_older_indexes_go(shop: Workspace) -> None:
    before = answers(shop)
    folder = shop.gallery(space=SPACE).location.folder
    old = {path.name for path in folder.iterdir()}
    assert len(old) == 1
    save_fake_model(shop.settings, seed=1)
    assert states(shop) == {"missing"}
    with pytest.warns(IndexWarning, match="searched exactly"):
        after = answers(shop)
    assert after != before
    assert_right(shop)
    shop.indexes.repair()
    assert states(shop) == {"ready"}
    assert old.isdisjoint(path.name for path in folder.iterdir())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert [product_id for product_id, _ in answers(shop)] == [product_id for product_id, _ in after]


def test_a_crash_before_the_indexes_are_built_loses_nothing(shop: Workspace, drawn_shop: Path) -> None:
    """The model is in force, and whoever comes next finds the older one's indexes and none of its own."""
    save_fake_model(shop.settings, seed=1, metric="l1")
    with ss.open(shop.settings.home) as later:
        with pytest.warns(IndexWarning):
            later.query(photo_of(drawn_shop), space=SPACE)
        assert_right(later)
    with ss.open(shop.settings.home) as later:
        assert states(later) == {"ready"}
        assert len(list(later.gallery(space=SPACE).location.folder.iterdir())) == 1


def test_an_ingest_builds_the_indexes_of_a_model_that_has_none(shop: Workspace, drawn_shop: Path) -> None:
    save_fake_model(shop.settings, seed=1)
    save_fake_model(shop.settings, "second", metric="l2")
    shop.ingest(drawn_shop / "products.csv")
    assert states(shop) == {"ready"}
    assert {one.state for one in shop.indexes.status(space="siamese:second")} == {"ready"}
    assert len(list(shop.gallery(space=SPACE).location.folder.iterdir())) == 1


def test_a_search_never_mixes_two_versions(shop: Workspace) -> None:
    """Models come and go while a gallery is searched: every answer is that of one of them."""
    settings = shop.settings
    right, models = [], []
    for seed in (1, 2):
        save_fake_model(settings, seed=seed)
        shop.indexes.build(space=SPACE)
        right.append(answers(shop))
        models.append(store.load_model(store.folder_of(settings.home, "default")))
    done = threading.Event()

    def train() -> None:
        try:
            with ss.open(settings.home) as other:
                for turn in range(6):
                    store.save_model(settings.home, *models[turn % 2])
                    if turn % 3 == 0:
                        other.indexes.build(space=SPACE)
        finally:
            done.set()

    thread = threading.Thread(target=train)
    seen = set()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", IndexWarning)
        thread.start()
        while not done.is_set():
            found = answers(shop)
            alike = [
                [one[0] for one in found] == [one[0] for one in model]
                and [one[1] for one in found] == pytest.approx([one[1] for one in model], rel=1e-4, abs=1e-5)
                for model in right
            ]
            assert sum(alike) == 1, "an answer of neither model"
            seen.add(alike.index(True))
        thread.join()
    assert seen == {0, 1}


def test_a_removed_model_leaves_nothing_and_says_so(shop: Workspace) -> None:
    gallery = shop.gallery(space=SPACE)
    features = gallery.features_of(first(shop))
    gallery.search(features, SearchRequest(k=3))
    folder = gallery.location.folder
    assert shop.models.remove("default") == {}
    assert not folder.exists()
    assert shop.models.list() == []
    assert not (shop.settings.home / "models" / "default").exists()
    for call in (
        lambda: gallery.search(features, SearchRequest(k=3)),
        lambda: answers(shop),
        lambda: shop.models.get("default"),
    ):
        with pytest.raises(UnknownName, match="default"):
            call()
    with pytest.raises(UnknownName):
        shop.models.remove("default")
    save_fake_model(shop.settings, seed=3)
    shop.indexes.build(space=SPACE)
    assert_right(shop)


@pytest.mark.parametrize(
    "where", ["stylesearch.models.networks.forget_features", "stylesearch.models.store._remove"]
)
def test_an_interrupted_removal_leaves_a_shop_that_answers_and_is_done_again(
    shop: Workspace, drawn_shop: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    home = shop.settings.home
    change_settings(home, {"space": SPACE})

    def interrupted(*args: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(where, interrupted)
        with ss.open(home) as other, pytest.raises(KeyboardInterrupt):
            other.models.remove("default")
    with ss.open(home) as other:
        assert other.query(photo_of(drawn_shop)).hits
        assert other.models.remove("default") == {}
    assert not (home / "models" / "default").exists()
    assert not list((home / "indexes").glob("*/siamese-default"))


def test_removing_waits_for_whoever_builds(shop: Workspace) -> None:
    with ss.open(shop.settings.home, lock_timeout=0.1) as other:
        with shop.catalog.writing(), pytest.raises(CatalogLocked):
            other.models.remove("default")
        assert [card.name for card in other.models.list()] == ["default"]


def test_a_model_of_other_features_is_refused(shop: Workspace, drawn_shop: Path) -> None:
    """The extractor's weights changed since: what it makes now is not what the model was trained on."""
    gallery = shop.gallery(space=SPACE)
    features = gallery.features_of(first(shop))
    with ss.open(shop.settings.home, weights="random") as other, pytest.raises(ConfigError) as caught:
        other.query(photo_of(drawn_shop), space=SPACE)
    assert "was trained on features of" in str(caught.value)
    assert "stylesearch train default" in caught.value.hint
    card, transform = store.load_model(store.folder_of(shop.settings.home, "default"))
    store.save_model(shop.settings.home, dataclasses.replace(card, feature_set="0" * 64), transform)
    for call in (lambda: gallery.search(features, SearchRequest(k=3)), lambda: answers(shop)):
        with pytest.raises(ConfigError, match="was trained on features of"):
            call()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        shop.ingest(drawn_shop / "products.csv")  # it has no part in this


def test_a_gallery_refuses_a_model_trained_anew_for_another_metric(shop: Workspace) -> None:
    gallery = shop.gallery(space=SPACE)
    features = gallery.features_of(first(shop))
    gallery.search(features, SearchRequest(k=3))
    save_fake_model(shop.settings, metric="l1")
    with pytest.raises(ConfigError, match="metric l1"):
        gallery.search(features, SearchRequest(k=3))
    with pytest.warns(IndexWarning):
        answers(shop)
    assert_right(shop)


def test_a_damaged_model_is_said_and_keeps_no_other_index_from_being_built(
    shop: Workspace, drawn_shop: Path, stylesearch: Command
) -> None:
    save_fake_model(shop.settings, "broken")
    (store.files_of(shop.settings.home, "broken") / "transform.npz").write_bytes(b"nothing")
    shutil.rmtree(shop.gallery(space=SPACE).location.folder)
    with pytest.warns(IndexWarning, match="siamese:broken"):
        shop.ingest(drawn_shop / "products.csv")
    assert states(shop) == {"ready"}
    with pytest.raises(SpaceError, match="'broken' is damaged"):
        shop.similar(first(shop), space="siamese:broken")
    found = stylesearch("--home", shop.settings.home, "--json", "doctor").json
    checks = {one["check"]: one for one in found}
    assert checks["model broken"]["state"] == "problem"
    assert checks["model default"]["state"] == "ok"
    assert checks["indexes efficientnet-lite0@320+texture+colors/siamese:default/cosine"]["state"] == "ok"


def test_the_doctor_names_a_model_without_features_and_indexes_that_are_missing(
    shop: Workspace, stylesearch: Command
) -> None:
    home = shop.settings.home
    save_fake_model(shop.settings, seed=1)
    card, transform = store.load_model(store.folder_of(home, "default"))
    other = dataclasses.replace(transform, name="siamese:other")
    card = dataclasses.replace(card, name="other", feature_set="0" * 64, transform_version=other.version)
    store.save_model(home, card, other)
    (home / "config.toml").write_text('space = "siamese:gone"\n')
    found = stylesearch("--home", home, "--json", "doctor").json
    checks = {one["check"]: one for one in found}
    assert "which the catalog does not have" in checks["model other"]["detail"]
    missing = checks["indexes efficientnet-lite0@320+texture+colors/siamese:default/cosine"]
    assert missing["state"] == "note"
    assert missing["hint"] == f"stylesearch --home {home} index build --space siamese:default"
    assert "siamese:gone" in checks["space"]["detail"]


def test_a_study_ranks_by_the_weighted_distances_and_the_index_agrees(
    shop: Workspace, drawn_shop: Path
) -> None:
    shop.ingest(drawn_shop / "street.csv", domain="consumer")
    study = shop.evaluate([EXTRACTOR, SPACE], metrics=("l1", "cosine"), regions="box")
    assert [(run.method, run.metric) for run in study.runs] == [
        (EXTRACTOR, "l1"),
        (EXTRACTOR, "cosine"),
        (SPACE, "cosine"),
    ]
    run = study.run(SPACE, "cosine")
    feature_set = shop.gallery(space=SPACE).location.feature_set
    catalog = shop.catalog
    for place in (0, len(study.queries.images) - 1):
        image = study.queries.images[place]
        (one,) = [one for one in list_images(catalog) if one.image.path == image.path]
        features = np.empty((1, feature_set.dim), np.float32)
        read_features(catalog, feature_set, [one], features)
        right, wanted = image.product, expected(shop, features)
        assert run.columns.right_distance[place] == pytest.approx(wanted[right], rel=1e-4, abs=1e-5)
        nearer = sum(value < wanted[right] - 1e-6 for value in wanted.values())
        assert run.columns.n_nearer[place] == nearer
    indexed = shop.evaluate([SPACE, f"{EXTRACTOR}/{SPACE}"], metrics=("cosine",), regions="box", index=True)
    assert [one.method for one in indexed.runs] == [SPACE, f"{EXTRACTOR}/{SPACE}"]
    for one in indexed.runs:
        assert one.ann_recall is not None
        assert one.ann_recall.value == 1
        assert one.micro.values["top-5"].value == run.micro.values["top-5"].value


def test_a_study_refuses_what_the_model_is_not_for(shop: Workspace, drawn_shop: Path) -> None:
    shop.ingest(drawn_shop / "street.csv", domain="consumer")
    with pytest.raises(ConfigError, match="metric cosine"):
        shop.evaluate([SPACE], metrics=("l1",))
    with pytest.raises(ConfigError, match="was trained on features of"):
        shop.evaluate([f"efficientnet-lite0@224/{SPACE}"])
    with pytest.raises(UnknownName, match="Did you mean 'default'"):
        shop.evaluate(["siamese:defaul"])


def test_models_are_listed_shown_and_removed(shop: Workspace, stylesearch: Command) -> None:
    home = shop.settings.home
    for arguments in (("models",), ("models", "list")):
        listed = stylesearch("--home", home, *arguments)
        assert listed.code == 0
        assert "siamese:default" in listed.out
    assert stylesearch("--home", home, "--json", "models").json[0]["name"] == "default"
    shown = stylesearch("--home", home, "models", "show", "default")
    assert "efficientnet-lite0@320+texture+colors" in shown.out
    assert "any other" in shown.out
    assert "all            2          50.0 -> 50.0 (+0.0 to +0.0) ~" in shown.out
    assert re.search(r"top-1 +top-5 +top-20", shown.out)
    assert stylesearch("--home", home, "models", "show", "default", "--json").json["loss"] == "softmax"
    unknown = stylesearch("--home", home, "models", "show", "defalt")
    assert unknown.code == 1
    assert "Did you mean 'default'" in unknown.err
    assert stylesearch("--home", home, "models", "remove", "default").out == "removed default\n"
    assert "stylesearch train" in stylesearch("--home", home, "models").out
    assert stylesearch("--home", home, "models", "remove", "default").code == 1


def test_the_command_line_refuses_another_metric(shop: Workspace, stylesearch: Command) -> None:
    home = shop.settings.home
    for command in (("query", "--product", first(shop)), ("index", "status"), ("index", "build")):
        outcome = stylesearch("--home", home, *command, "-s", SPACE, "-m", "l1")
        assert outcome.code == 1
        assert "metric cosine" in outcome.err
    assert stylesearch("--home", home, "index", "verify", "-s", SPACE).out == "no damage found\n"


COLD = """
import sys
from stylesearch.cli.process import run
from stylesearch.cli.main import cli
code = run(cli, sys.argv[1:])
loaded = [name for name in ("tensorflow", "keras") if name in sys.modules]
sys.exit(f"loaded: {loaded}" if loaded else code)
"""


def test_a_cold_query_imports_no_tensorflow(shop: Workspace, drawn_shop: Path) -> None:
    arguments = ["--home", str(shop.settings.home), "query", "-s", SPACE, str(photo_of(drawn_shop))]
    probe = subprocess.run(
        [sys.executable, "-c", COLD, *arguments], capture_output=True, text=True, check=False
    )
    assert probe.returncode == 0, probe.stderr
    assert probe.stderr == ""
    assert "20 products" in probe.stdout


def test_a_damaged_model_is_listed_beside_the_others(
    stylesearch: Command, modelled: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    shutil.copytree(modelled, home)
    for name, content in (("nested", b"[" * 5000), ("cut", b"{")):
        card = home / "models" / name / "model.json"
        card.parent.mkdir()
        card.write_bytes(content)
    done = stylesearch("--home", home, "models", "list")
    assert done.code == 0
    assert "siamese:default" in done.out
    assert "damaged: nested: " in done.err
    assert "it is nested too deeply" in done.err
    named = f"stylesearch --home {home}"
    assert f"-> {named} train nested, or {named} models remove nested" in done.err
    listed = stylesearch("--home", home, "models", "list", "--json").json
    assert [one["name"] for one in listed] == ["default", "cut", "nested"]
    assert "model.json" in listed[1]["damaged"]
    findings = stylesearch("--home", home, "doctor", "--json").json
    states = {one["check"]: one["state"] for one in findings}
    assert (states["model default"], states["model nested"]) == ("ok", "problem")
