"""Options, training data, schedule, checkpoints: what a run is made of besides the network."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from stylesearch.errors import ConfigError, UnknownName
from stylesearch.training.checkpoints import Checkpoint
from stylesearch.training.epoch import Epoch
from stylesearch.training.keras.step import cosine_schedule
from stylesearch.training.options import LOSSES, TrainOptions


def test_options_take_what_belongs_to_their_loss() -> None:
    for name, defaults in LOSSES.items():
        options = TrainOptions(loss=name).resolve_defaults()
        assert (options.metric, options.head, options.learning_rate, options.margin or 0.0) == (
            defaults.metric, defaults.head, defaults.learning_rate, defaults.margin
        )  # fmt: skip
        assert options.resolve_defaults() == options
    given = TrainOptions(loss="triplet", margin=0.5, learning_rate=0.1, head="axes").resolve_defaults()
    assert (given.margin, given.learning_rate, given.head) == (0.5, 0.1, "axes")


def test_options_are_known_by_their_values() -> None:
    assert TrainOptions().digest == TrainOptions(learning_rate=LOSSES["softmax"].learning_rate).digest
    assert TrainOptions().digest != TrainOptions(seed=1).digest


@pytest.mark.parametrize(
    "wrong",
    [
        {"dim": 0}, {"epochs": 0}, {"batch_size": 1}, {"temperature": 0.0}, {"learning_rate": -1.0},
        {"learning_rate": math.inf}, {"dropout": 1.0}, {"warmup": -1}, {"weight_decay": math.nan},
        {"margin": 0.0},
    ],
)  # fmt: skip
def test_options_that_cannot_be(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        TrainOptions(**wrong)


@pytest.mark.parametrize("wrong", [{"loss": "sofmax"}, {"head": "liner"}, {"mining": "semihard"}])
def test_names_that_are_not_known(wrong: dict[str, Any]) -> None:
    with pytest.raises(UnknownName, match="Did you mean"):
        TrainOptions(**wrong)


def test_the_rate_rises_and_falls() -> None:
    schedule = cosine_schedule(0.5, 100, 10)
    rates = [float(schedule(step)) for step in range(100)]
    assert np.argmax(rates) == 9 and rates[9] == 0.5
    np.testing.assert_allclose(np.diff(rates[:10]), 0.05, rtol=1e-5)
    assert (np.diff(rates[9:]) < 0).all() and 0 < rates[-1] < 0.001
    assert float(cosine_schedule(0.5, 1, 5)(0)) == 0.5
    rates = [float(cosine_schedule(0.5, 100, 0)(step)) for step in range(100)]
    assert rates[0] == 0.5 and (np.diff(rates) < 0).all() and rates[-1] > 0


def test_data_that_fit(toy: ModuleType) -> None:
    data = toy.toy_data()
    data.check()
    assert (data.n_products, data.n_regions, data.shape_in) == (150, 3, (16,))


WRONG: dict[str, Any] = {
    "photo_product": lambda data: {"photo_product": data.photo_product[1:]},
    "photos": lambda data: {"photos": data.photos[:, :, 1:]},
    "numbers beyond": lambda data: {"shop_product": data.shop_product + 1},
    "both learned from and validated on": lambda data: {"train": data.train | True},
    "no photo of a validation product": lambda data: {"validation": data.validation & False},
    "duplicates": lambda data: {"duplicates": np.arange(3)},
}


@pytest.mark.parametrize("message", WRONG)
def test_data_that_do_not_fit(toy: ModuleType, message: str) -> None:
    data = toy.toy_data()
    with pytest.raises(ConfigError, match=message):
        dataclasses.replace(data, **WRONG[message](data)).check()


def test_data_are_known_by_their_content(toy: ModuleType) -> None:
    data = toy.toy_data()
    assert data.digest == toy.toy_data().digest
    shop = data.shop.copy()
    shop[-1, -1] += 1
    changed = [
        {"shop": shop},
        {"train": data.train & False},
        {"own": np.full(150, -1)},
        {"product_category": ("c",) * 150},
    ]
    digests = {dataclasses.replace(data, **change).digest for change in changed}
    assert len(digests | {data.digest}) == 5


def some_checkpoint() -> Checkpoint:
    return Checkpoint(
        run={"options": {"seed": 1, "dim": 4}, "data": "ab"},
        history=(Epoch(0, math.nan, 0.0, 0.1, 0.05, 1.5), Epoch(1, 2.25, 1e-3, 0.2, 0.1, 0.5)),
        best=1,
        finished=False,
        state={"model.0": np.float32([[1, 2]]), "optimizer.0": np.array(7)},
        best_weights=tuple(np.float32([number]) for number in range(12)),
        batches={"epoch": np.array(1), "order": np.arange(3)},
    )


def test_a_checkpoint_is_read_as_it_was_written(tmp_path: Path) -> None:
    checkpoint = some_checkpoint()
    checkpoint.save(tmp_path / "new" / "state.npz")
    again = Checkpoint.load(tmp_path / "new" / "state.npz")
    assert repr(again) == repr(checkpoint)
    assert again.state["optimizer.0"].dtype == np.int64 and again.best_weights[11].tolist() == [11]


def test_a_checkpoint_that_is_cut_short_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "state.npz"
    some_checkpoint().save(path)
    whole = path.read_bytes()
    for length in (0, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(ConfigError, match="cannot be read as a checkpoint"):
            Checkpoint.load(path)


def test_a_checkpoint_knows_its_run() -> None:
    checkpoint = some_checkpoint()
    checkpoint.check_run({"options": {"seed": 1, "dim": 4}, "data": "ab"})
    with pytest.raises(ConfigError, match="dim was 4 and is 8; new was None and is True"):
        checkpoint.check_run({"options": {"seed": 1, "dim": 8, "new": True}, "data": "ab"})
