"""``stylesearch train`` from end to end, on a shop of patchworks: learned, searched, gone on with."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Final

import pytest

import stylesearch as ss
from stylesearch.cli.train import LOSSES as LOSSES_OF_HELP
from stylesearch.cli.train import PAIRS as PAIRS_OF_HELP
from stylesearch.cli.train import EpochLines
from stylesearch.errors import ConfigError
from stylesearch.evaluation.scores import score_columns
from stylesearch.features.images import list_images
from stylesearch.settings import load_settings
from stylesearch.training.checkpoints import training_folder
from stylesearch.training.epoch import Epoch
from stylesearch.training.near_duplicates import connected_products, find_near_duplicates
from stylesearch.training.options import LOSSES
from stylesearch.training.pair_dataset import KINDS
from stylesearch.training.results import TrainReport
from stylesearch.training.scores import SCORES
from stylesearch.training.split import split_products
from tests.integration.patchworks import CATEGORIES, N_PRODUCTS, NAME, photo_of

# Keras converts its variables in a way that NumPy is going to give up.
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.slow,
]

OPTIONS: Final = {"epochs": 12, "dim": 64}


@pytest.fixture(scope="module")
def report(patterned: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainReport:
    """Of the one training that most tests look at."""
    home = tmp_path_factory.mktemp("trained") / "home"
    shutil.copytree(patterned, home)
    with ss.open(home) as shop:
        return shop.train(**OPTIONS)


@pytest.fixture(scope="module")
def trained(report: TrainReport) -> Path:
    """The workspace of that training; not to be written to."""
    return report.folder.parents[2]


@pytest.fixture
def workspace(trained: Path, tmp_path: Path) -> Path:
    """A copy of that workspace, to be written to."""
    home = tmp_path / "home"
    shutil.copytree(trained, home)
    return home


def test_the_names_of_the_help_are_those_there_are() -> None:
    assert set(LOSSES_OF_HELP) == set(LOSSES)
    assert tuple(PAIRS_OF_HELP) == KINDS


def test_train_measures(report: TrainReport) -> None:
    model = report.as_dict()["model"]
    assert sum(model["n_products"].values()) == N_PRODUCTS
    assert min(model["n_products"].values()) >= 5
    assert model["pairs"] == "consumer"
    assert model["options"]["regions"] == "few"
    of_all = model["scores"]["test"][""]
    n_queries = sum(model["scores"]["test"][name]["n_queries"] for name in CATEGORIES)
    assert of_all["n_queries"] == n_queries == model["n_products"]["test"]
    for score in ("top-1", "top-5", "top-20"):
        gained = of_all["after"][score]["value"] - of_all["before"][score]["value"]
        assert of_all["difference"][score]["value"] == pytest.approx(gained)
    assert not training_folder(report.folder.parents[2], "default").exists()
    assert {path.name for path in report.folder.iterdir()} >= {"model.keras", "history.csv"}


def test_the_figures_of_the_report_are_those_of_a_study(trained: Path) -> None:
    methods = {"after": "siamese:default"}
    with ss.open(trained) as shop:
        card = shop.models.get("default")
        images = list_images(shop.catalog)
        groups = connected_products(images, find_near_duplicates(images, trained / "cache"))
        categories = {one.product.id: one.product.category for one in images}
        test_products = split_products(categories, groups).test
        methods["before"] = NAME if card.untrained == "raw" else f"{NAME}/{card.untrained}"
        study = shop.evaluate(list(methods.values()), metrics=["cosine"], ks=[1, 5, 20], regions="few")
    tested = [image.product in test_products for image in study.queries.images]
    assert sum(tested) == card.n_products["test"]
    for when, method in methods.items():
        shares = score_columns(study.run(method, "cosine").columns, SCORES)[tested]
        said = [card.scores["test"][""][when][name]["value"] for name in SCORES]
        assert said == pytest.approx(shares.mean(axis=0).tolist())


def test_a_model_is_searched_as_a_space(stylesearch: Any, workspace: Path) -> None:
    photo = photo_of(workspace, "p000")
    done = stylesearch("--home", workspace, "query", photo, "-s", "siamese:default", "--json")
    assert done.code == 0, done.err
    with ss.open(workspace) as shop:
        hits = [hit.product.id for hit in shop.query(photo, space="siamese:default").hits]
        states = {one.category: one.state for one in shop.indexes.status(space="siamese:default")}
    assert len(hits) == 20
    assert states == dict.fromkeys(CATEGORIES, "ready")


def test_the_table_has_weights_and_marks_noise(stylesearch: Any, workspace: Path) -> None:
    done = stylesearch("--home", workspace, "train", "again", "--epochs", 2, "--loss", "bce", "-e", NAME)
    assert done.code == 0, done.err
    with ss.open(workspace) as shop:
        n = shop.models.get("again").n_products
    counts = f"{n['train']} products to train, {n['validation']} to validate, {n['test']} to test"
    assert f"learned from consumer photos: {counts}" in done.out
    assert [line for line in done.out.splitlines() if line.startswith("coarse")]
    assert f"stylesearch query photo.jpg -s siamese:again --home {workspace}" in done.out
    assert 'space = "siamese:again" in config.toml, or stylesearch train again --default' in done.out
    assert f"train again --default --home {workspace} --extractor {NAME}" in done.out
    assert "epoch 2: loss" in done.err
    with ss.open(workspace) as shop:
        assert [card.name for card in shop.models.list()] == ["again", "default"]
        assert shop.models.get("again").metric == "l1"


def test_default_is_written_into_the_settings_and_nothing_else_is(stylesearch: Any, workspace: Path) -> None:
    done = stylesearch("--home", workspace, "train", "--epochs", 1, "--default", "-q")
    assert done.code == 0, done.err
    assert "default:  yes" in done.out
    text = (workspace / "config.toml").read_text()
    assert text == f'# ours\nextractor = "{NAME}"\nregions = "few"\nspace = "siamese:default"\n'
    assert load_settings({"home": workspace}).space == "siamese:default"
    with ss.open(workspace) as shop:
        assert shop.query(photo_of(workspace, "p000")).hits


def test_a_catalog_that_changes_meanwhile_changes_nothing(
    patterned: Path, tmp_path: Path, report: TrainReport
) -> None:
    home = tmp_path / "home"
    shutil.copytree(patterned, home)

    def prune(epoch: Epoch) -> None:
        if epoch.number == 1:
            with ss.open(home) as other:
                other.remove(["p000", "p001", "p002"])

    with ss.open(home) as shop:
        again = shop.train(**OPTIONS, on_epoch=prune)
        assert len(list(shop.products(limit=1000))) == N_PRODUCTS - 3
    assert again.card.transform_version == report.card.transform_version
    assert again.test == report.test


def test_an_interrupted_training_goes_on_to_the_same_model(
    stylesearch: Any, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ss.open(workspace) as shop:
        before = shop.models.get("default")
    train = ("--home", workspace, "train", *(f"--{name}={value}" for name, value in OPTIONS.items()), "-q")
    epochs: list[int] = []

    def see(_: EpochLines, epoch: Epoch) -> None:
        epochs.append(epoch.number)
        if epochs.count(5) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(EpochLines, "__call__", see)
    stopped = stylesearch(*train)
    assert stopped.code == 130
    assert "run the same command with --resume" in stopped.err
    with ss.open(workspace) as shop:
        assert shop.models.get("default") == before  # still in force
        with pytest.raises(ConfigError, match=r"temperature was 0\.1 and is 0\.2"):
            shop.train(resume=True, temperature=0.2, **OPTIONS)
    epochs.append(5)
    done = stylesearch(*train, "--resume", "--json")
    assert done.code == 0, done.err
    assert epochs[-OPTIONS["epochs"] - 1 :] == list(range(OPTIONS["epochs"] + 1))
    assert done.json["model"]["transform_version"] == before.transform_version


def test_an_interruption_while_indexes_are_built_leaves_a_default(
    stylesearch: Any, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("stylesearch.workspace.indexes.Indexes.refresh", interrupt)
    stopped = stylesearch("--home", workspace, "train", "late", "--epochs", 1, "--default")
    assert stopped.code == 130
    assert f"stylesearch index build -s siamese:late --home {workspace}" in stopped.err
    assert load_settings({"home": workspace}, {}).space == "siamese:late"
    assert not training_folder(workspace, "late").exists()
    again = stylesearch("--home", workspace, "train", "late", "--epochs", 1, "--resume")
    assert again.code == 1
    assert "no interrupted training of 'late'" in again.err


def test_too_few_pairs_are_said_before_anything_is_computed(stylesearch: Any, ingested: Path) -> None:
    done = stylesearch("--home", ingested, "train", "-q")
    assert done.code == 1
    assert "70" in done.err
    assert "hint:" in done.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["Big Name"], "a model's name is of small letters"),
        (["--regions", "stret"], "street"),
        (["--split-shares", "100,0,0"], "the shares of train, validation and test"),
        (["--split-shares", "70,20"], "is not of the form 70,15,15"),
        (["--split-shares", "70,20,20"], "three percentages that sum to 100"),
        (["--head", "deep"], "head"),
    ],
)
def test_what_makes_no_sense_is_refused(
    stylesearch: Any, trained: Path, arguments: list[str], message: str
) -> None:
    done = stylesearch("--home", trained, "train", *arguments, "-q")
    assert done.code in (1, 2)
    assert message in done.err
