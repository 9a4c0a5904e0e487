"""The training loop: epochs, validation, early stopping, checkpoints.

Not ``keras.Model.fit``: one call for all epochs stops each at the number of batches of the first one, and
here the number differs where products have duplicates; ``EarlyStopping`` forgets its best weights and its
patience when a run is resumed, so that such a run would not give what an undisturbed one gives. One call for
each epoch would only replace the loop over batches.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import math
import shutil
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
import numpy.typing as npt

from stylesearch.errors import ConfigError
from stylesearch.training.batches import Batches
from stylesearch.training.checkpoints import Checkpoint, checkpoint_path
from stylesearch.training.data import TrainingData
from stylesearch.training.epoch import Epoch, OnEpoch, Trained, TrainingDiverged
from stylesearch.training.history import can_draw, write_curve, write_history
from stylesearch.training.keras.event_log import EventLog
from stylesearch.training.keras.model import build_tower, l1_start, siamese, to_layers
from stylesearch.training.keras.step import Step, strategy_over
from stylesearch.training.options import TrainOptions
from stylesearch.training.validation import Validation

__all__ = ["CURVE", "HISTORY", "MODEL", "BuildTower", "train"]

BuildTower = Callable[[], keras.Model]

MODEL: Final = "model.keras"
HISTORY: Final = "history.csv"
CURVE: Final = "curve.png"

_VALUES_AT_ONCE: Final = 2**22
"""Numbers of photos that are copied at once, from arrays that may be larger than the memory."""

_VERSIONS: Final = {name: importlib.metadata.version(name) for name in ("keras", "numpy", "tensorflow")}
"""Of a checkpoint: with other versions a resumed run would not give what an undisturbed one would have."""


def train(
    data: TrainingData,
    batches: Batches,
    options: TrainOptions,
    folder: Path,
    *,
    resume: bool = False,
    build_tower: BuildTower | None = None,
    devices: int = 1,
    tensorboard: Path | None = None,
    on_epoch: OnEpoch | None = None,
    identity: Mapping[str, Any] | None = None,
) -> Trained:
    """Trains a tower by pairs and keeps the weights of the epoch that validates best.

    Equal data, options and batches give equal weights, bit for bit, on the processors of one machine. (On a
    GPU that takes ``TF_DETERMINISTIC_OPS=1`` in the environment.) A run that was killed and is resumed gives
    what it would have given undisturbed: at the end of each epoch its whole state is written to
    ``folder/checkpoint``, and the epoch that was interrupted is repeated.

    Args:
        data: training and validation data; not modified.
        batches: of the same data, before their first epoch.
        options: of the run.
        folder: of ``model.keras``, ``history.csv``, ``curve.png`` and ``checkpoint/``, which stays until the
            caller removes it; is created.
        resume: whether to continue from the checkpoint, if there is one; else a run begins anew and removes
            the checkpoint.
        build_tower: builds a model called ``tower`` from ``data.shape_in`` to vectors, for fine-tuning a
            backbone; by default the tower is a head over vectors of the base space.
        devices: over how many GPUs (logical processors where there is none) a batch is spread.
        tensorboard: folder of event files for TensorBoard; none by default.
        on_epoch: called with each epoch.
        identity: values that a resumed run must share besides data and options, JSON values by name.

    Raises:
        ConfigError: data that do not fit, a checkpoint of another run, more devices than there are.
        TrainingDiverged: the loss or the weights are not finite; the error has the best network before that.
    """
    data.check()
    options = options.resolve_defaults()
    run = _Run(data, batches, options, folder, build_tower, devices, identity or {})
    if not can_draw():
        warnings.warn("no learning curve is drawn: pip install 'stylesearch[report]'", stacklevel=2)
    with contextlib.ExitStack() as stack:
        listeners = [] if on_epoch is None else [on_epoch]
        if tensorboard is not None:
            log = EventLog(tensorboard)
            stack.callback(log.close)
            listeners.append(log.write)
        for epoch in run.epochs(resume):
            for listener in listeners:
                listener(epoch)
    return run.result()


class _Run:
    """One training run, from its start or from its checkpoint."""

    def __init__(
        self,
        data: TrainingData,
        batches: Batches,
        options: TrainOptions,
        folder: Path,
        tower: BuildTower | None,
        devices: int,
        identity: Mapping[str, Any],
    ) -> None:
        self._data, self._batches, self._options, self._folder = data, batches, options, folder
        self._given_tower = tower is not None
        self._make_model = _model_maker(data, options, tower)
        dtype = np.uint8 if data.shop.dtype == np.uint8 else np.float32
        self._dtype = np.dtype(dtype)
        self._step = Step(
            self._make_model, options, data.shape_in, dtype, strategy_over(devices), batches.n_batches
        )
        self._dim = int(self._step.model.get_layer("tower").output_shape[-1])
        self._validation = Validation(data, options.metric, self._dim)
        self._history: list[Epoch] = []
        self._best = 0
        self._best_weights = self._step.weights()
        self._finished = False
        of_data = {"options": options.as_dict(), "data": data.digest, "devices": devices}
        self._identity = of_data | dict(identity) | _VERSIONS

    def epochs(self, resume: bool) -> Iterator[Epoch]:
        """Trains; yields the epochs of the checkpoint, and then each new one."""
        path = checkpoint_path(self._folder)
        if resume and path.exists():
            self._restore(Checkpoint.load(path))
            yield from self._history
        else:
            if path.parent.exists():
                shutil.rmtree(path.parent)
            began = time.perf_counter()
            yield self._add(0, math.nan, 0.0, began)
        while not self._finished:
            epoch = self._epoch(len(self._history))
            self._checkpoint().save(path)
            yield epoch

    def result(self) -> Trained:
        """Writes the best network and the history to the folder, and returns them."""
        model = self._make_model()
        for variable, value in zip(model.variables, self._best_weights, strict=True):
            variable.assign(value)
        self._folder.mkdir(parents=True, exist_ok=True)
        files = [self._folder / MODEL, self._folder / HISTORY]
        unfinished = self._folder / f".unfinished.{MODEL}"
        model.save(unfinished)
        unfinished.replace(files[0])
        write_history(self._history, files[1])
        if can_draw():
            files.append(self._folder / CURVE)
            write_curve(self._history, self._best, self._options.top_k, files[-1])
        return Trained(
            model=model,
            layers=None if self._given_tower else to_layers(model),
            metric=self._options.metric,
            history=tuple(self._history),
            best=self._best,
            stopped_early=self._finished and len(self._history) <= self._options.epochs,
            files=tuple(files),
        )

    def _epoch(self, number: int) -> Epoch:
        began = time.perf_counter()
        data, options = self._data, self._options
        if options.hard_negatives and (number - 1) % options.refresh_every == 0:
            of_shop = self._step.embed(self._rows(data.shop))
            self._batches.refresh(self._embed_photos, of_shop, options.metric)
        losses = []
        for batch in self._batches.epoch():
            loss = self._step.run(
                self._rows(data.photos[batch.photos]),
                self._rows(data.shop[batch.shop]),
                data.groups[batch.products],
            )
            if not math.isfinite(loss):
                raise self._divergence(number, f"the loss is {loss} at step {self._step.n_steps - 1}")
            losses.append(loss)
        if not losses:
            raise ConfigError("there is no batch of right pairs to learn from")
        if not all(np.isfinite(weights).all() for weights in self._step.weights()):
            raise self._divergence(number, "weights are no numbers any more")
        epoch = self._add(number, float(np.mean(losses)), self._step.learning_rate, began)
        self._finished = number >= options.epochs or number - self._best >= options.patience
        return epoch

    def _add(self, number: int, loss: float, rate: float, began: float) -> Epoch:
        """Validates and adds an epoch to the history; keeps its weights if none were better."""
        photos = self._embed_photos(self._validation.photos)
        shop = self._step.embed(self._rows(self._data.shop))
        top_k, reciprocal_rank = self._validation.score(photos, shop, self._options.top_k)
        epoch = Epoch(number, loss, rate, top_k, reciprocal_rank, time.perf_counter() - began)
        self._history.append(epoch)
        if epoch.score > self._history[self._best].score:
            self._best, self._best_weights = number, self._step.weights()
        return epoch

    def _embed_photos(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Vectors of photos, float32 (n, regions, dim)."""
        n_regions, shape_in = self._data.n_regions, self._data.shape_in
        vectors = np.empty((len(rows), n_regions, self._dim), np.float32)
        at_once = max(1, _VALUES_AT_ONCE // (n_regions * math.prod(shape_in)))
        for start in range(0, len(rows), at_once):
            block = vectors[start : start + at_once]
            seen = self._rows(self._data.photos[rows[start : start + at_once]])
            block[:] = self._step.embed(seen.reshape(-1, *shape_in)).reshape(block.shape)
        return vectors

    def _rows(self, rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return np.ascontiguousarray(rows, self._dtype)

    def _divergence(self, number: int, what: str) -> TrainingDiverged:
        return TrainingDiverged(
            f"training went wrong in epoch {number}: {what}. "
            f"The network of epoch {self._best} is kept, the best before that",
            self.result(),
            hint=f"choose a smaller learning rate than {self._options.learning_rate:g}",
        )

    def _checkpoint(self) -> Checkpoint:
        return Checkpoint(
            run=self._identity,
            history=tuple(self._history),
            best=self._best,
            finished=self._finished,
            state=self._step.state(),
            best_weights=tuple(self._best_weights),
            batches=self._batches.state(),
        )

    def _restore(self, checkpoint: Checkpoint) -> None:
        checkpoint.check_run(self._identity)
        self._step.restore(checkpoint.state)
        self._batches.restore(checkpoint.batches)
        self._history = list(checkpoint.history)
        self._best = checkpoint.best
        self._best_weights, self._finished = list(checkpoint.best_weights), checkpoint.finished


def _model_maker(data: TrainingData, options: TrainOptions, tower: BuildTower | None) -> BuildTower:
    """Returns a function that builds the untrained Siamese network, the same each time."""
    if tower is None and len(data.shape_in) != 1:
        raise ConfigError(f"a head sees vectors of the base space. Received: shape {data.shape_in}")
    scale, bias = l1_start(data) if options.metric == "l1" and tower is None else (None, 0.0)

    def make() -> keras.Model:
        made = tower() if tower is not None else None
        if made is None:
            head = str(options.head)
            made = build_tower(
                head,
                data.shape_in[0],
                options.dim,
                n_last=data.n_colors,
                l1_scale=scale,
                seed=options.seed,
            )
        return siamese(made, options.metric, l1_start=bias or 0.0)

    return make
