"""``stylesearch train --finetune`` from end to end, on a network so small that it takes seconds."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import stylesearch as ss
from stylesearch.errors import ConfigError
from stylesearch.features.images import list_images
from stylesearch.models import store
from stylesearch.search import IndexWarning
from stylesearch.settings import load_settings
from stylesearch.training.checkpoints import NETWORK, checkpoint_path, training_folder
from stylesearch.training.epoch import Epoch
from stylesearch.training.near_duplicates import connected_products, find_near_duplicates
from stylesearch.training.seen_products import SeenProducts
from stylesearch.training.split import Split, split_products
from tests.integration.patchworks import photo_of

pytestmark = [
    pytest.mark.slow,
    # Keras converts its variables in a way that NumPy is going to give up.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:no learning curve"),
]

ARGUMENTS = [
    "--finetune",
    1,
    "--epochs",
    6,
    "--batch-size",
    28,
    "--learning-rate",
    0.01,
    "--regions",
    "whole",
    "-q",
]


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network of one's own: two convolutions with their statistics."""
    import keras

    keras.utils.set_random_seed(0)
    layers = [keras.layers.Input((32, 32, 3))]
    for width in (16, 32):
        layers += [
            keras.layers.Conv2D(width, 3, strides=2, use_bias=False),
            keras.layers.BatchNormalization(),
            keras.layers.ReLU(),
        ]
    path = tmp_path_factory.mktemp("network") / "tiny.keras"
    keras.Sequential([*layers, keras.layers.AveragePooling2D(3), keras.layers.Flatten()]).save(path)
    path.with_suffix(".json").write_text(json.dumps({"input_size": 32, "preprocessing": "tf"}))
    return path


@pytest.fixture(scope="module")
def tuned(patterned: Path, network: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a fine-tuned model as its default; not to be written to."""
    from stylesearch.cli.main import cli
    from stylesearch.cli.process import run

    home = tmp_path_factory.mktemp("tuned") / "home"
    shutil.copytree(patterned, home)
    arguments = ["--home", home, "train", "tuned", "-e", network, *ARGUMENTS, "--default"]
    assert run(cli, [str(one) for one in arguments]) == 0
    return home


@pytest.fixture
def workspace(tuned: Path, tmp_path: Path) -> Path:
    """A copy of it in another place, to be written to."""
    shutil.copytree(tuned, tmp_path / "moved")
    return tmp_path / "moved"


def test_the_last_blocks_only_are_changed_and_the_network_is_an_extractor(tuned: Path, network: Path) -> None:
    import keras

    from stylesearch.training.keras.backbone import blocks_of

    with ss.open(tuned) as shop:
        card = shop.models.get("tuned")
        assert shop.query(photo_of(tuned, "p000")).hits  # config.toml names both space and network
        study = shop.evaluate(["siamese:tuned"], metrics=["cosine"], ks=[1], regions="whole")
    assert study.methods[0].extractor == "tiny-tuned"
    assert Path(card.extractor).parent == (tuned / "models" / "tuned").resolve()
    assert (card.options["finetuned_from"], card.options["finetuned_blocks"]) == (str(network.resolve()), 1)
    before, after = (
        blocks_of(keras.saving.load_model(path, compile=False)) for path in (network, card.extractor)
    )
    changed = [
        any(not np.array_equal(x, y) for x, y in zip(old.get_weights(), new.get_weights(), strict=True))
        for block, tuned_block in zip(before, after, strict=True)
        for old, new in zip(block, tuned_block, strict=True)
    ]
    assert changed == [False, False, True, False]  # the last convolution, not its statistics


def test_a_workspace_that_has_moved_finds_its_network(workspace: Path, tuned: Path) -> None:
    for file in (workspace / "models" / "tuned" / "model.json", workspace / "config.toml"):
        assert str(tuned) not in file.read_text()
    network = next((workspace / "models" / "tuned").glob("network-*.keras")).resolve()
    settings = load_settings({"home": workspace})
    assert (settings.space, settings.extractor) == ("siamese:tuned", str(network))
    with ss.open(workspace) as shop:
        assert shop.models.get("tuned").extractor == str(network)
        assert shop.query(photo_of(workspace, "p000")).hits
        shop.ingest(
            photo_of(workspace, "p000").parents[1] / "products.csv"
        )  # new products would be seen by it
        assert {one.state for one in shop.indexes.status()} == {"ready"}


def test_removing_the_model_leaves_the_network_that_was_tuned(
    stylesearch: Any, workspace: Path, network: Path
) -> None:
    with ss.open(workspace) as shop:
        fingerprint = shop.models.get("tuned").feature_set
    assert [path for path in workspace.glob("*/*") if fingerprint[:16] in path.name]
    removed = stylesearch("--home", workspace, "models", "remove", "tuned")
    assert removed.code == 0, removed.err
    assert removed.out == (
        "removed tuned\n"
        "config.toml used it as the space; the line was removed, and the default is used\n"
        f'config.toml used it as the extractor; it is now "{network.resolve()}"\n'
    )
    settings = load_settings({"home": workspace})
    assert (settings.space, settings.extractor) == ("mixed", str(network.resolve()))
    assert not (workspace / "models" / "tuned").exists()
    with ss.open(workspace) as shop:
        names = [one.extractor for one in shop.catalog.feature_sets()]
    assert "tiny" in names
    assert "tiny-tuned" not in names
    assert not [path for path in workspace.glob("*/*") if fingerprint[:16] in path.name]
    with ss.open(workspace) as shop, pytest.warns(IndexWarning, match="mixed is not fitted"):
        assert shop.query(photo_of(workspace, "p000")).hits


def test_a_network_that_another_model_takes_stays(workspace: Path) -> None:
    home = workspace
    card, transform = store.load_model(store.folder_of(home, "tuned"))
    other = dataclasses.replace(transform, name="siamese:other")
    card = dataclasses.replace(card, name="other", transform_version=other.version)
    store.save_model(home, card, other)
    with ss.open(home) as shop:
        with pytest.raises(ConfigError, match="siamese:other takes features of the network of siamese:tuned"):
            shop.models.remove("tuned")
        assert shop.models.remove("other") == {}
        assert shop.models.remove("tuned").keys() == {"space", "extractor"}


def test_the_settings_follow_a_network_that_is_replaced(
    stylesearch: Any, workspace: Path, network: Path
) -> None:
    old = load_settings({"home": workspace}).extractor
    again = stylesearch("--home", workspace, "train", "tuned", "-e", network, *ARGUMENTS, "--seed", 1)
    assert again.code == 0, again.err
    with ss.open(workspace) as shop:
        card = shop.models.get("tuned")
        names = [one.extractor for one in shop.catalog.feature_sets()]
    assert card.extractor != old
    assert not Path(old).exists()
    assert names.count("tiny-tuned") == 1  # features of the old network went with it
    assert load_settings({"home": workspace}).extractor == card.extractor


def test_a_network_is_not_tested_on_what_it_has_learned_from(stylesearch: Any, workspace: Path) -> None:
    with ss.open(workspace) as shop:
        network = shop.models.get("tuned").extractor
    arguments = ["--home", workspace, "train", "head", "-e", network, "--epochs", 1, "-q"]
    leaking = stylesearch(*arguments, "--seed", 1)
    assert leaking.code == 1
    assert "was fine-tuned with another split of the products" in leaking.err
    assert "same --seed" in leaking.err
    assert stylesearch(*arguments).code == 0


def test_nor_on_what_has_moved_since(workspace: Path) -> None:
    def split_now() -> Split:
        images = list_images(shop.catalog)
        groups = connected_products(images, find_near_duplicates(images, workspace / "cache"))
        return split_products({one.product.id: one.product.category for one in images}, groups)

    with ss.open(workspace) as shop:
        network = shop.models.get("tuned").extractor
        known = SeenProducts.read(network)
        assert known is not None
        n = shop.models.get("tuned").n_products
        assert (len(known.train), len(known.validation)) == (n["train"], n["validation"])
        first = split_now()
        shop.remove(sorted(one for one in first.test if int(one[1:]) % 2)[:2])  # alone, each: no group moves
        now = split_now()
        moved = (now.test - first.test) | (now.validation & first.train)
        assert moved
        card = shop.train("head", extractor=network, epochs=1).card
    assert card.options["split_seen_before"] == len(moved)
    assert card.n_products == {
        "train": len(now.train),
        "validation": len(now.validation - moved),
        "test": len(now.test - moved),
    }


def test_another_fine_tuning_does_not_go_on_with_this_one(
    patterned: Path, network: Path, tmp_path: Path
) -> None:
    home, other = tmp_path / "home", tmp_path / "other.keras"
    shutil.copytree(patterned, home)
    shutil.copyfile(network, other)  # of the same shape; its name makes it another one
    shutil.copyfile(network.with_suffix(".json"), other.with_suffix(".json"))
    checkpoint = checkpoint_path(training_folder(home, "default") / NETWORK)

    def stop_in_fine_tuning(_: Epoch) -> None:
        if checkpoint.exists():
            raise KeyboardInterrupt

    def stop_in_the_head(epoch: Epoch) -> None:
        if epoch.number == 1:
            raise KeyboardInterrupt

    asked: dict[str, Any] = {"extractor": str(network), "finetune": 1, "epochs": 2, "regions": "whole"}
    with ss.open(home) as shop:
        with pytest.raises(KeyboardInterrupt):
            shop.train(**asked, on_epoch=stop_in_fine_tuning)
        assert checkpoint.exists()
        for name, value in {"finetune": 2, "epochs": 3}.items():
            with pytest.raises(ConfigError, match=f"was another one: {name}.* was .* and is {value}"):
                shop.train(**(asked | {name: value}), resume=True)
        with pytest.raises(KeyboardInterrupt):
            shop.train(**(asked | {"extractor": str(other)}), on_epoch=stop_in_the_head)
        assert not checkpoint.exists()  # so that --resume finds nothing of the first network
        assert shop.train(**(asked | {"extractor": str(other)}), resume=True).card.name == "default"


def test_what_is_no_network_is_not_finetuned(stylesearch: Any, patterned: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(patterned, home)
    done = stylesearch("--home", home, "train", "-e", "color-histogram", *ARGUMENTS)
    assert done.code == 1
    assert "color-histogram is no network" in done.err
