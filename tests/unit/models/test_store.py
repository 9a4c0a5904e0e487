"""Trained models on disk: the old one or the new one, whole."""

from __future__ import annotations

import dataclasses
import json
import threading
from pathlib import Path

import numpy as np
import pytest

from stylesearch.artifacts import home
from stylesearch.artifacts.base import MODEL
from stylesearch.artifacts.home import HomeArtifacts
from stylesearch.errors import ConfigError, SpaceError, UnknownName
from stylesearch.models import store
from stylesearch.models.card import ModelCard, check_name, name_of, space_of
from stylesearch.spaces.learned import LearnedTransform
from stylesearch.spaces.unsupervised import RawTransform
from stylesearch.testing import fake_transform

ROWS = np.random.default_rng(0).standard_normal((3, 8)).astype(np.float32)


def model_of(name: str = "default", seed: int = 0) -> tuple[ModelCard, LearnedTransform]:
    transform = fake_transform(RawTransform(8), name=name, seed=seed)
    card = ModelCard(
        name=name,
        created="2026-01-01T00:00:00+00:00",
        feature_set="f" * 64,
        extractor="fake@64",
        weights_digest="d" * 64,
        pairs="views",
        n_products={"train": 7, "validation": 2, "test": 2},
        split_seed=3,
        loss="softmax",
        options={"epochs": 5},
        scores={"test": {}},
        weights=dict(transform.weights),
        untrained="raw",
        metric=transform.metric,
        transform_version=transform.version,
        libraries={"keras": "3"},
    )
    return card, transform


def save(home: Path, name: str = "default", seed: int = 0, **files: Path) -> ModelCard:
    card, transform = model_of(name, seed)
    store.save_model(home, card, transform, files)
    return card


def test_what_is_saved_is_listed_and_loaded(tmp_path: Path) -> None:
    (tmp_path / "m.keras").write_bytes(b"keras")
    card, transform = model_of("b")
    files = {"model.keras": tmp_path / "m.keras"}
    folder = store.save_model(tmp_path, card, transform, files)
    other = save(tmp_path, "a")
    assert store.list_models(tmp_path) == [other, card]
    assert store.model_names(tmp_path) == ["a", "b"]
    assert store.read_model(tmp_path, "b") == card
    assert store.files_of(tmp_path, "b") == folder
    assert (folder / "model.keras").read_bytes() == b"keras"
    loaded = store.load_model(store.folder_of(tmp_path, "b"))
    assert loaded[0] == card
    assert loaded[1].version == transform.version
    assert np.array_equal(loaded[1].apply(ROWS), transform.apply(ROWS))


def test_names_are_checked_and_suggested(tmp_path: Path) -> None:
    assert store.list_models(tmp_path) == []
    with pytest.raises(UnknownName, match="none in this workspace"):
        store.read_model(tmp_path, "default")
    save(tmp_path)
    with pytest.raises(UnknownName, match="Did you mean 'default'"):
        store.read_model(tmp_path, "defalt")
    for name in ("", "..", "a/b", "Default", "-a", "con", "x" * 65, "é"):
        with pytest.raises(ConfigError):
            check_name(name)
        with pytest.raises(ConfigError):
            name_of(space_of(name))
    assert name_of("siamese:default") == "default"
    with pytest.raises(ConfigError):
        name_of("whitened")
    assert not (tmp_path / "models" / "defalt").exists()


def test_a_card_that_says_something_else_is_refused(tmp_path: Path) -> None:
    card, transform = model_of()
    for change in ({"name": "other"}, {"metric": "l1"}, {"weights": {"": 0.1}}, {"transform_version": "0"}):
        with pytest.raises(SpaceError, match="does not say"):
            store.save_model(tmp_path, dataclasses.replace(card, **change), transform)
    assert not (tmp_path / "models").exists()


def test_saving_anew_replaces_all_of_the_old_one_but_a_running_training(tmp_path: Path) -> None:
    save(tmp_path)
    old = store.files_of(tmp_path, "default")
    stamp = HomeArtifacts(tmp_path).stamp(MODEL, "default")
    (old.parent / "training").mkdir()
    new = save(tmp_path, seed=1)
    assert store.read_model(tmp_path, "default") == new
    assert HomeArtifacts(tmp_path).stamp(MODEL, "default") != stamp
    assert not old.exists()
    left = sorted(path.name for path in old.parent.iterdir())
    assert left == sorted(["training", "model.json", store.files_of(tmp_path, "default").name])


@pytest.mark.parametrize(
    "step", ["models.store.sync_files", "models.store.sync_folder", "artifacts.home.write_json"]
)
def test_an_interruption_leaves_the_old_one(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = save(tmp_path)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(f"stylesearch.{step}", interrupt)
    with pytest.raises(KeyboardInterrupt):
        save(tmp_path, seed=1)
    monkeypatch.undo()
    assert store.load_model(store.folder_of(tmp_path, "default"))[0] == card
    assert len(list((tmp_path / "models" / "default").iterdir())) == 2, "something of the new one is left"


def test_an_interruption_just_after_leaves_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path)
    write = home.write_json

    def interrupt(*arguments: object) -> None:
        write(*arguments)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    monkeypatch.setattr(home, "write_json", interrupt)
    with pytest.raises(KeyboardInterrupt):
        save(tmp_path, seed=1)
    monkeypatch.undo()
    new, transform = model_of(seed=1)
    loaded = store.load_model(store.folder_of(tmp_path, "default"))
    assert (loaded[0], loaded[1].version) == (new, transform.version)
    save(tmp_path, seed=2)
    assert len(list((tmp_path / "models" / "default").iterdir())) == 2, "the next one clears away"


def test_a_reader_meets_the_old_one_or_the_new_one_but_no_mixture(tmp_path: Path) -> None:
    cards = {card.transform_version: card for card in (model_of(seed=seed)[0] for seed in range(4))}
    save(tmp_path)
    folder = store.folder_of(tmp_path, "default")
    done = threading.Event()

    def train() -> None:
        try:
            for round_ in range(40):
                save(tmp_path, seed=round_ % 4)
        finally:
            done.set()

    thread = threading.Thread(target=train)
    thread.start()
    seen = set()
    while not done.is_set():
        card, transform = store.load_model(folder)
        assert card == cards[card.transform_version]
        assert transform.version == card.transform_version
        seen.add(transform.version)
    thread.join()
    assert len(seen) > 1


def test_a_damaged_model_is_told_from_none(tmp_path: Path) -> None:
    save(tmp_path)
    whole = save(tmp_path, "whole")
    folder = store.folder_of(tmp_path, "default")
    transform = store.files_of(tmp_path, "default") / "transform.npz"
    content = transform.read_bytes()
    for damaged in (b"", content[:-50]):
        transform.write_bytes(damaged)
        with pytest.raises(SpaceError, match="'default' is damaged") as caught:
            store.load_model(folder)
        assert "stylesearch models remove default" in caught.value.hint
    model_of(seed=5)[1].save(transform)
    with pytest.raises(SpaceError, match="another model"):
        store.load_model(folder)
    values = json.loads((folder / "model.json").read_text())
    for text in (
        "",
        "{}",
        "[]",
        json.dumps({**values, "files": "../whole"}),
        json.dumps({**values, "name": "x"}),
    ):
        (folder / "model.json").write_text(text)
        with pytest.raises(SpaceError, match=r"model\.json"):
            store.read_model(tmp_path, "default")
    assert store.list_models(tmp_path) == [whole]
    assert store.model_names(tmp_path) == ["default", "whole"]
    store.remove_model(tmp_path, "default")
    assert store.model_names(tmp_path) == ["whole"]


def test_removing_leaves_nothing(tmp_path: Path) -> None:
    save(tmp_path)
    save(tmp_path, "default-2")
    kept, gone = (tmp_path / "indexes" / "cat-1" / name for name in ("siamese-default-2", "siamese-default"))
    for folder in (kept, gone):
        (folder / "version").mkdir(parents=True)
    store.remove_model(tmp_path, "default")
    assert not gone.exists()
    assert kept.exists()
    assert [path.name for path in (tmp_path / "models").iterdir() if path.is_dir()] == ["default-2"]
    with pytest.raises(UnknownName, match="default-2"):
        store.remove_model(tmp_path, "default")
    (tmp_path / "models" / "unfinished" / "training").mkdir(parents=True)
    store.remove_model(tmp_path, "unfinished")
    assert not (tmp_path / "models" / "unfinished").exists()


def test_indexes_of_other_features_go_when_a_model_is_trained_anew_on_these(tmp_path: Path) -> None:
    kept, gone, others = (
        tmp_path / "indexes" / f"cat-{digit * 16}" / f"siamese-{name}"
        for digit, name in (("f", "default"), ("0", "default"), ("0", "other"))
    )
    for folder in (kept, gone, others):
        folder.mkdir(parents=True)
    save(tmp_path)
    assert (kept.exists(), gone.exists(), others.exists()) == (True, False, True)


def test_a_card_of_a_later_version_is_read_and_one_that_lacks_something_is_not() -> None:
    card, _ = model_of()
    values = json.loads(json.dumps(card.to_json()))
    assert ModelCard.from_json({**values, "more": 1}) == card
    del values["loss"]
    with pytest.raises(SpaceError, match="lacks loss"):
        ModelCard.from_json(values)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{" * 5000,
        b'{"a": ' * 5000,
        b"\xff\xfe",
        b"[" + b"9" * 5000 + b"]",
        b'{"name": "b", "name": "b"}',
        None,
    ],
)
def test_a_damaged_card_does_not_hide_the_other_models(content: bytes | None, tmp_path: Path) -> None:
    whole = save(tmp_path, "a")
    card = store.folder_of(tmp_path, "b") / store.CARD
    card.parent.mkdir()
    if content is None:
        card.mkdir()
    else:
        card.write_bytes(content)
    cards, damaged = store.examine_models(tmp_path)
    assert cards == [whole]
    assert list(damaged) == ["b"]
    assert "model.json" in damaged["b"]
    with pytest.raises(SpaceError, match=r"model\.json"):
        store.load_model(card.parent)


@pytest.mark.parametrize(
    "wrong",
    [
        {"extractor": 5},
        {"weights": {"": "1"}},
        {"weights": []},
        {"n_products": {"train": None}},
        {"metric": None},
        {"feature_set": ["f"]},
        {"files": "../other"},
        {"scores": 1},
    ],
)
def test_a_card_with_a_value_of_another_type_is_damaged(wrong: dict[str, object], tmp_path: Path) -> None:
    save(tmp_path, "a")
    path = store.folder_of(tmp_path, "a") / store.CARD
    path.write_text(json.dumps(json.loads(path.read_text()) | wrong))
    with pytest.raises(SpaceError, match=r"model\.json"):
        store.read_model(tmp_path, "a")
    assert store.list_models(tmp_path) == []


def test_a_folder_that_no_model_may_have_does_not_hide_the_others(tmp_path: Path) -> None:
    whole = save(tmp_path, "a")
    other = tmp_path / "models" / "Copy of a"
    other.mkdir()
    (other / store.CARD).write_bytes(b"{}")
    assert store.list_models(tmp_path) == [whole]


def test_no_byte_of_a_model_can_go_bad_unseen(tmp_path: Path) -> None:
    save(tmp_path, "a")
    folder = store.folder_of(tmp_path, "a")
    right = store.load_model(folder)[1].apply(ROWS)
    path = store.files_of(tmp_path, "a") / store.TRANSFORM
    whole = path.read_bytes()
    n_damaged = 0
    for place in range(0, len(whole), 29):
        harmed = bytearray(whole)
        harmed[place] ^= (0x01, 0x20, 0x80)[place % 3]
        path.write_bytes(harmed)
        try:
            found = store.load_model(folder)[1].apply(ROWS)
        except SpaceError:
            n_damaged += 1
        else:
            assert np.array_equal(found, right)
    assert n_damaged > len(whole) / 29 / 2
