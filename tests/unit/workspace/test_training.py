"""What is written down around a training: settings, locks, and what there is to go on with."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from stylesearch.errors import ConfigError
from stylesearch.models import store
from stylesearch.models.card import ModelCard
from stylesearch.models.networks import fingerprints_of, owner_of, unused_networks
from stylesearch.settings import load_settings
from stylesearch.training.checkpoints import (
    check_resumable,
    checkpoint_path,
    head_folder,
    interrupted_trainings,
    training_folder,
)
from stylesearch.training.results import TrainRequest
from stylesearch.workspace.resources import Resources
from stylesearch.workspace.training import _remove_leftovers, follow_network, make_default
from stylesearch.workspace.workspace import Workspace
from tests.unit.models.test_store import model_of


def saved(home: Path, extractor: str, name: str = "default") -> ModelCard:
    card, transform = model_of(name)
    card = dataclasses.replace(card, extractor=extractor)
    store.save_model(home, card, transform)
    return card


def network(home: Path, digit: str) -> Path:
    path = (home / "models" / "default").resolve() / f"network-{digit * 16}.keras"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def extractor_of(home: Path) -> str:
    return load_settings({"home": home}, {}).extractor


def test_one_owner_of_a_name_at_a_time(tmp_path: Path) -> None:
    saved(tmp_path, "fake@64")
    with store.training_lock(tmp_path, "default", 0):
        with pytest.raises(ConfigError, match="training or removing the model 'default'"):
            store.training_lock(tmp_path, "default", 0).__enter__()
        with store.training_lock(tmp_path, "other", 0):
            pass
        shop = Workspace(load_settings({"home": tmp_path, "lock_timeout": 0}, {}))
        with pytest.raises(ConfigError, match="training or removing"):
            shop.models.remove("default")
        assert store.model_names(tmp_path) == ["default"]
    shop.models.remove("default")
    assert store.model_names(tmp_path) == []


def test_the_settings_name_the_new_network_before_the_old_one_goes(tmp_path: Path) -> None:
    old, new = network(tmp_path, "a"), network(tmp_path, "b")
    make_default(tmp_path, saved(tmp_path, str(old)))
    assert extractor_of(tmp_path) == str(old)
    card = saved(tmp_path, str(new))
    follow_network(tmp_path, card)
    assert extractor_of(tmp_path) == str(new)
    assert old.exists()
    assert unused_networks(tmp_path, "default") == [old]


def test_a_network_that_another_model_takes_stays_and_the_settings_too(tmp_path: Path) -> None:
    old, new = network(tmp_path, "a"), network(tmp_path, "b")
    make_default(tmp_path, saved(tmp_path, str(old)))
    saved(tmp_path, f"{old}@96", "other")
    follow_network(tmp_path, saved(tmp_path, str(new)))
    assert extractor_of(tmp_path) == str(old)
    assert unused_networks(tmp_path, "default") == []


def test_a_network_that_cannot_go_now_goes_later(tmp_path: Path) -> None:
    old, new = network(tmp_path, "a"), network(tmp_path, "b")
    saved(tmp_path, str(new))
    resources, ingest = (
        Resources(load_settings({"home": tmp_path, "lock_timeout": 0}, {})) for _ in range(2)
    )
    resources.catalog(create=True)
    with ingest.catalog().writing(timeout=0):
        with pytest.warns(UserWarning, match="1 networks that no model takes any more could not be removed"):
            _remove_leftovers(resources, "default")
        assert old.exists()
    _remove_leftovers(resources, "default")
    assert not old.exists()
    assert new.exists()
    resources.close()
    ingest.close()


def test_whose_network_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = network(tmp_path / "home", "a")
    for spec in (f"{path}", f"{path}@96", f"{path}+colors", str(path.relative_to(tmp_path.resolve()))):
        assert owner_of(Path("home"), spec) == "default"
    odd = path.parents[1] / "Not a name" / path.name
    for spec in (
        "efficientnet-lite0@320",
        "own.keras",
        "/own.keras",
        str(path.parents[2] / path.name),
        str(odd),
    ):
        assert owner_of(Path("home"), spec) is None
    assert owner_of(tmp_path, str(path)) is None


def test_the_network_that_is_learned_on_stays_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = network(tmp_path, "a")
    saved(tmp_path, str(path))
    shop = Workspace(load_settings({"home": tmp_path, "lock_timeout": 0}, {}))
    shop._resources.catalog(create=True)
    attempts = []

    def try_to_remove(*_: object, **__: object) -> None:
        with pytest.raises(ConfigError, match="training or removing the model 'default'"):
            shop.models.remove("default")
        attempts.append("default")
        raise InterruptedError

    monkeypatch.setattr("stylesearch.training.run.train_model", try_to_remove)
    for name in ("other", "a", "default"):  # its own lock is not waited for twice
        with pytest.raises(InterruptedError):
            shop.train(name, extractor=f"{path}+colors")
    assert len(attempts) == 3
    with (
        store.training_lock(tmp_path, "default", 0),
        pytest.raises(ConfigError, match="training or removing the model 'default'"),
    ):
        shop.train("other", extractor=str(path))
    path.unlink()
    with pytest.raises(ConfigError, match="the model 'default' was trained anew or removed"):
        shop.train("other", extractor=str(path))
    shop.close()


@pytest.mark.parametrize(
    ("of_settings", "asked", "learned"),
    [("person", None, "street"), ("few", None, "few"), ("person", "large", "large")],
)
def test_the_regions_that_are_learned_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, of_settings: str, asked: str | None, learned: str
) -> None:
    plans = []

    def take_plan(context: object, home: object, request: TrainRequest, **_: object) -> None:
        plans.append(request.pair_options.regions)
        raise InterruptedError

    monkeypatch.setattr("stylesearch.training.run.train_model", take_plan)
    settings = load_settings({"home": tmp_path, "regions": of_settings}, {})
    with Workspace(settings) as shop:
        shop._resources.catalog(create=True)
        with pytest.raises(InterruptedError):
            shop.train(extractor="fake@64", regions=asked)
    assert plans == [learned]


def test_a_damaged_network_can_still_go(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert fingerprints_of([network(tmp_path, "a")]) == []  # nothing says how it is used
    assert "stay in the catalog" in caplog.text


def test_default_keeps_the_weights_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card = saved(tmp_path, "fake@64")
    file = tmp_path / "own.weights.h5"
    file.touch()
    monkeypatch.chdir(tmp_path)
    make_default(tmp_path, card, "own.weights.h5")
    said = load_settings({"home": tmp_path}, {})
    assert (said.space, said.extractor, said.weights) == ("siamese:default", "fake@64", str(file.resolve()))
    make_default(tmp_path, card, "random")
    assert load_settings({"home": tmp_path}, {}).weights == "random"
    make_default(tmp_path, card, "")
    assert "weights" not in (tmp_path / "config.toml").read_text()


def test_what_was_not_interrupted_cannot_be_gone_on_with(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no interrupted training of 'default'.*one of: no model"):
        check_resumable(tmp_path, "default", "f" * 64)
    path = checkpoint_path(head_folder(training_folder(tmp_path, "shoes"), "f" * 64))
    path.parent.mkdir(parents=True)
    path.touch()
    assert interrupted_trainings(tmp_path) == ["shoes"]
    check_resumable(tmp_path, "shoes", "f" * 64)
    with pytest.raises(ConfigError, match="there is one of: shoes"):
        check_resumable(tmp_path, "default", "f" * 64)
    with pytest.raises(ConfigError, match="was another one"):
        check_resumable(tmp_path, "shoes", "0" * 64)
