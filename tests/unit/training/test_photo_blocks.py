"""Photos may lie in a file that is larger than the memory: a training looks at a few at a time."""

from __future__ import annotations

import dataclasses
import tracemalloc
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from stylesearch.training.keras.loop import train
from stylesearch.training.options import TrainOptions

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def test_photos_embedded_where_they_are_looked_up_give_what_all_at_once_gave(
    toy: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stylesearch.training.batches.LOOKED_UP_AT_ONCE", 40)
    data = toy.toy_data()
    options = TrainOptions(**(toy.SMALL | {"hard_negatives": True, "refresh_every": 1}))
    at_once = toy.toy_batches(data, options)
    original = at_once.refresh

    def refresh(embed: Any, shop: Any, metric: str) -> None:
        of_all = embed(np.arange(len(data.photos)))
        original(lambda rows: of_all[rows], shop, metric)

    at_once.refresh = refresh
    whole = train(data, at_once, options, tmp_path / "whole")
    monkeypatch.setattr("stylesearch.training.keras.loop._VALUES_AT_ONCE", 7 * 3 * 16)
    parts = train(data, toy.toy_batches(data, options), options, tmp_path / "parts")
    assert [epoch.loss for epoch in parts.history[1:]] == [epoch.loss for epoch in whole.history[1:]]
    for found, wanted in zip(parts.model.variables, whole.model.variables, strict=True):
        np.testing.assert_array_equal(found.value.numpy(), wanted.value.numpy())


def test_photos_are_copied_a_few_at_a_time(
    toy: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All lie in a file of 32 MiB, a quarter of which is validated with; a block of them takes one."""
    monkeypatch.setattr("stylesearch.training.keras.loop._VALUES_AT_ONCE", 2**18)
    shape = (8192, 4, 256)
    photos = np.lib.format.open_memmap(tmp_path / "photos.npy", "w+", np.float32, shape)
    random = np.random.default_rng(0)
    for start in range(0, len(photos), 512):
        photos[start : start + 512] = random.normal(size=(512, 4, 256))
    products = np.arange(64)
    data = dataclasses.replace(
        toy.toy_data(64),
        photos=photos,
        shop=random.normal(size=(128, 256)).astype(np.float32),
        photo_product=np.repeat(products, 128),
        train=products > 15,
        validation=products < 16,
    )
    changes = {"hard_negatives": True, "refresh_every": 1, "epochs": 1, "dim": 48}
    options = TrainOptions(**(toy.SMALL | changes))
    # What is loaded once does not count.
    train(data, toy.toy_batches(data, options), options, tmp_path / "first")
    tracemalloc.start()
    train(data, toy.toy_batches(data, options), options, tmp_path / "second")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 9 * 2**20
