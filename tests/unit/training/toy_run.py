"""A small problem with a right answer: the last axes of a vector name its product, the loud others nothing.

Also a script, so that a test can train in a process of its own, kill it, or give it two devices:
``python toy_run.py FOLDER '{"options": {...}, "devices": 1}'`` prints a line an epoch and then a digest
of the weights.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np

from stylesearch.training.batches import Batches
from stylesearch.training.candidate import build_batches
from stylesearch.training.data import TrainingData
from stylesearch.training.epoch import Epoch
from stylesearch.training.options import TrainOptions

SMALL: dict[str, Any] = {
    "dim": 16,
    "batch_size": 16,
    "epochs": 6,
    "top_k": 5,
    "warmup": 1,
    "learning_rate": 0.02,
}


def toy_data(n_products: int = 150, seed: int = 0) -> TrainingData:
    random = np.random.default_rng(seed)
    names = np.repeat(random.normal(size=(n_products, 8)), 2, axis=0)
    shop = np.concatenate([random.normal(size=(2 * n_products, 8)) * 3, names], axis=1)
    photos = np.concatenate(
        [random.normal(size=(n_products, 3, 8)) * 3, random.normal(size=(n_products, 3, 8))], axis=2
    )
    photos[:, 1, 8:] = names[::2] + 0.3 * random.normal(size=(n_products, 8))  # one region shows the product
    part = np.arange(n_products) % 3
    return TrainingData(
        photos=photos.astype(np.float32),
        shop=shop.astype(np.float32),
        photo_product=np.arange(n_products),
        shop_product=np.repeat(np.arange(n_products), 2),
        product_category=tuple("ab"[number % 2] for number in range(n_products)),
        train=part != 0,
        validation=part == 0,
    )


toy_batches = build_batches


class KilledBatches:
    """Batches that kill their process in the middle of an epoch, as a power cut would."""

    def __init__(self, batches: Batches, in_epoch: int) -> None:
        self._batches, self._left = batches, in_epoch

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batches, name)

    def epoch(self) -> Any:
        self._left -= 1
        for number, batch in enumerate(self._batches.epoch()):
            if self._left == 0 and number == 1:
                os.kill(os.getpid(), signal.SIGKILL)
            yield batch


def digest_of_weights(model: Any) -> str:
    digest = hashlib.sha256()
    for variable in model.variables:
        digest.update(variable.value.numpy().tobytes())
    return digest.hexdigest()


def main(folder: Path, settings: dict[str, Any]) -> None:
    devices = settings.get("devices", 1)
    if devices > 1:
        from stylesearch.extractors.engines.tensorflow import import_tensorflow

        tensorflow = import_tensorflow()
        processor = tensorflow.config.list_physical_devices("CPU")[0]
        logical = [tensorflow.config.LogicalDeviceConfiguration()] * devices
        tensorflow.config.set_logical_device_configuration(processor, logical)
    options = settings.get("options", {})
    if isinstance(options, list):
        for number, one in enumerate(options):
            (folder / str(number)).mkdir()
            train_once(folder / str(number), settings | {"options": one}, devices)
    else:
        train_once(folder, settings, devices)


def train_once(folder: Path, settings: dict[str, Any], devices: int) -> None:
    from stylesearch.training.keras.loop import train

    data = toy_data()
    options = TrainOptions(**(SMALL | settings.get("options", {})))
    batches: Any = toy_batches(data, options)
    if settings.get("killed_in"):
        batches = KilledBatches(batches, settings["killed_in"])
    trained = train(
        data,
        batches,
        options,
        folder,
        resume=settings.get("resume", False),
        devices=devices,
        on_epoch=say,
    )
    flat = np.concatenate([variable.value.numpy().ravel() for variable in trained.model.variables])
    np.save(folder / "weights.npy", flat)
    print(digest_of_weights(trained.model))


def say(epoch: Epoch) -> None:
    print(json.dumps([epoch.number, epoch.loss, epoch.top_k, epoch.reciprocal_rank]), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))
