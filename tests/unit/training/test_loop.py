from __future__ import annotations

import csv
import dataclasses
import json
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from stylesearch.errors import ConfigError
from stylesearch.spaces.learned import Layer
from stylesearch.training.checkpoints import checkpoint_path
from stylesearch.training.epoch import Epoch, TrainingDiverged
from stylesearch.training.keras.loop import Trained, train
from stylesearch.training.keras.model import load_siamese
from stylesearch.training.keras.step import tf
from stylesearch.training.options import LOSSES, TrainOptions
from stylesearch.training.validation import Validation

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.slow,
]


def run(toy: ModuleType, folder: Path, *, data: Any = None, resume: bool = False, **changes: Any) -> Trained:
    data = toy.toy_data() if data is None else data
    names = ("on_epoch", "tensorboard", "devices", "identity")
    beside = {name: changes.pop(name) for name in names if name in changes}
    options = TrainOptions(**(toy.SMALL | changes))
    return train(data, toy.toy_batches(data, options), options, folder, resume=resume, **beside)


def weights_of(trained: Trained) -> list[bytes]:
    return [variable.value.numpy().tobytes() for variable in trained.model.variables]


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_learns_what_tells_products_apart(toy: ModuleType, tmp_path: Path, loss: str) -> None:
    trained = run(toy, tmp_path, loss=loss, epochs=30, patience=30, learning_rate=0.03)
    first, best = trained.history[0], trained.history[trained.best]
    assert trained.metric == LOSSES[loss].metric
    # 5 of 150 products by chance: the loud axes say nothing.
    assert first.top_k < 0.3
    assert best.top_k > first.top_k + 0.25, (first.top_k, best.top_k)
    assert trained.history[-1].loss < trained.history[1].loss


@pytest.mark.parametrize("head", ["residual", "axes"])
def test_other_heads_learn_too(toy: ModuleType, tmp_path: Path, head: str) -> None:
    trained = run(toy, tmp_path, head=head, epochs=20, dropout=0.1)
    assert trained.history[trained.best].top_k > trained.history[0].top_k + 0.2
    assert trained.layers is not None and all(isinstance(layer, Layer) for layer in trained.layers)


def test_equal_options_give_equal_weights_and_another_seed_gives_others(
    toy: ModuleType, tmp_path: Path
) -> None:
    first, same, other = (
        weights_of(run(toy, tmp_path / str(n), seed=seed, dropout=0.2, epochs=3))
        for n, seed in enumerate((1, 1, 2))
    )
    assert first == same
    assert first != other


def test_the_best_epoch_is_kept_and_not_the_last(toy: ModuleType, tmp_path: Path) -> None:
    trained = run(toy, tmp_path, epochs=80, patience=3, learning_rate=0.1)
    scores = [epoch.score for epoch in trained.history]
    assert trained.best == scores.index(max(scores)) > 0
    assert trained.stopped_early and trained.history[-1].number == trained.best + 3 < 80
    # The weights are those of that epoch: they give its score again.
    data = toy.toy_data()
    vectors = [data.photos.reshape(-1, 16), data.shop]
    for layer in trained.layers or ():
        vectors = [layer.apply(rows) for rows in vectors]
    validation = Validation(data, "cosine", 16)
    found = validation.score(vectors[0].reshape(150, 3, 16)[validation.photos], vectors[1], 5)
    assert found == pytest.approx(max(scores), abs=0.02)


def test_a_tower_that_learns_nothing_is_the_base_space(toy: ModuleType, tmp_path: Path) -> None:
    trained = run(toy, tmp_path, epochs=2, learning_rate=1e-12)
    assert trained.layers is not None
    found = trained.layers[0].apply(toy.toy_data().shop)
    np.testing.assert_allclose(found, toy.toy_data().shop, atol=1e-6)


def test_weight_decay_pulls_to_the_base_space(toy: ModuleType, tmp_path: Path) -> None:
    free, held = (
        run(toy, tmp_path / str(decay), weight_decay=decay, epochs=10, patience=10, warmup=0)
        for decay in (0, 20)
    )
    changes = []
    for trained in (free, held):
        assert trained.layers is not None and trained.layers[0].kernel is not None
        assert trained.best > 0
        changes.append(float(np.abs(trained.layers[0].kernel - np.eye(16)).mean()))
    assert changes[1] < 0.7 * changes[0]


def test_the_files_say_what_the_result_says(toy: ModuleType, tmp_path: Path) -> None:
    seen: list[Epoch] = []
    trained = run(toy, tmp_path, on_epoch=seen.append)
    assert [path.name for path in trained.files] == ["model.keras", "history.csv", "curve.png"]
    assert tuple(seen) == trained.history
    with (tmp_path / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["epoch"]) for row in rows] == [epoch.number for epoch in trained.history]
    assert rows[0]["loss"] == "" and float(rows[-1]["loss"]) == trained.history[-1].loss
    assert [float(row["top_k"]) for row in rows] == [epoch.top_k for epoch in trained.history]
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
    saved = load_siamese(tmp_path / "model.keras")
    pair = [toy.toy_data().photos[:, 1], toy.toy_data().shop[::2]]
    assert (saved.predict_on_batch(pair) == trained.model.predict_on_batch(pair)).all()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_without_matplotlib_there_is_no_curve_and_a_warning(
    toy: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stylesearch.training.keras.loop.can_draw", lambda: False)
    with pytest.warns(UserWarning, match="no learning curve"):
        trained = run(toy, tmp_path, epochs=1)
    assert [path.name for path in trained.files] == ["model.keras", "history.csv"]


def test_event_files_hold_the_history(toy: ModuleType, tmp_path: Path) -> None:
    trained = run(toy, tmp_path, tensorboard=tmp_path / "logs", epochs=2)
    (path,) = (tmp_path / "logs").iterdir()
    found: dict[str, list[float]] = {}
    for record in tf.data.TFRecordDataset(str(path)):
        event = tf.compat.v1.Event.FromString(record.numpy())
        for value in event.summary.value:
            found.setdefault(value.tag, []).append(value.simple_value)
            assert event.step == len(found[value.tag]) - (value.tag != "loss")
    assert found["validation top-k"] == pytest.approx([epoch.top_k for epoch in trained.history])
    assert found["loss"] == pytest.approx([epoch.loss for epoch in trained.history[1:]])


def test_training_that_diverges_keeps_the_best_network(toy: ModuleType, tmp_path: Path) -> None:
    data = toy.toy_data()
    options = TrainOptions(**toy.SMALL)
    batches = toy.toy_batches(data, options)
    spoiled = Spoiled(batches, data, in_epoch=3)
    with pytest.raises(TrainingDiverged, match=r"epoch 3: the loss is nan") as caught:
        train(spoiled.data, spoiled, options, tmp_path)
    trained = caught.value.trained
    undisturbed = run(toy, tmp_path / "good").history
    assert [epoch.score for epoch in trained.history] == [epoch.score for epoch in undisturbed[:3]]
    assert trained.best in (0, 1, 2)
    assert all(np.isfinite(variable.value.numpy()).all() for variable in trained.model.variables)
    assert "learning rate" in caught.value.hint
    saved = load_siamese(tmp_path / "model.keras")
    assert [w.tobytes() for w in saved.get_weights()] == [w.tobytes() for w in trained.model.get_weights()]


class Spoiled:
    """Batches that spoil the data in an epoch: what a photo that is no number would do."""

    def __init__(self, batches: Any, data: Any, in_epoch: int) -> None:
        self._batches, self._left = batches, in_epoch
        self.data = dataclasses.replace(data, photos=data.photos.copy())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batches, name)

    def epoch(self) -> Any:
        self._left -= 1
        for batch in self._batches.epoch():
            if self._left == 0:
                self.data.photos[batch.photos] = np.nan
            yield batch


def test_hard_negatives_are_looked_up_with_the_learned_vectors(toy: ModuleType, tmp_path: Path) -> None:
    data = toy.toy_data()
    options = TrainOptions(**(toy.SMALL | {"hard_negatives": True, "refresh_every": 2, "patience": 9}))
    seen = []
    batches = toy.toy_batches(data, options)
    original = batches.refresh

    def refresh(embed: Any, shop: Any, metric: str = "cosine") -> None:
        photos = embed(np.arange(150))
        seen.append((photos.shape, shop.shape, metric, photos))
        original(embed, shop, metric)

    batches.refresh = refresh
    train(data, batches, options, tmp_path)
    assert [one[:3] for one in seen] == [((150, 3, 16), (300, 16), "cosine")] * 3
    assert (seen[0][3] == data.photos).all()
    assert (seen[1][3] != data.photos).any()


def test_a_finished_run_is_not_trained_again(toy: ModuleType, tmp_path: Path) -> None:
    trained = run(toy, tmp_path)
    before = checkpoint_path(tmp_path).read_bytes()
    again = run(toy, tmp_path, resume=True)
    assert weights_of(again) == weights_of(trained)
    assert repr(again.history) == repr(trained.history)  # as text, since the first loss is NaN
    assert checkpoint_path(tmp_path).read_bytes() == before


def test_going_on_with_something_else_is_an_error(toy: ModuleType, tmp_path: Path) -> None:
    run(toy, tmp_path, epochs=1)
    with pytest.raises(ConfigError, match=r"temperature was 0\.1 and is 0\.2"):
        run(toy, tmp_path, epochs=1, temperature=0.2, resume=True)
    with pytest.raises(ConfigError, match="data was"):
        run(toy, tmp_path, epochs=1, data=toy.toy_data(seed=1), resume=True)
    checkpoint_path(tmp_path).write_bytes(b"PK no zip")
    with pytest.raises(ConfigError, match="cannot be read as a checkpoint"):
        run(toy, tmp_path, epochs=1, resume=True)


def test_going_on_with_another_network_is_an_error(toy: ModuleType, tmp_path: Path) -> None:
    run(toy, tmp_path, epochs=1, identity={"extractor": "a" * 64, "finetune": 1})
    for other in ({"extractor": "a" * 64, "finetune": 2}, {"extractor": "a" * 64}):
        with pytest.raises(ConfigError, match=f"finetune was 1 and is {other.get('finetune')}"):
            run(toy, tmp_path, epochs=1, identity=other, resume=True)
    with pytest.raises(ConfigError, match="extractor was 'aaa"):
        run(toy, tmp_path, epochs=1, identity={"extractor": "b" * 64, "finetune": 1}, resume=True)
    run(toy, tmp_path, epochs=1, identity={"extractor": "a" * 64, "finetune": 1}, resume=True)


def test_without_resume_it_begins_anew(toy: ModuleType, tmp_path: Path) -> None:
    run(toy, tmp_path, epochs=1, seed=3)
    trained = run(toy, tmp_path)
    fresh = run(toy, tmp_path / "fresh", resume=True)  # nothing to go on from: the same
    assert weights_of(trained) == weights_of(fresh)


def test_more_devices_than_there_are(toy: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="over 99 devices"):
        run(toy, tmp_path, devices=99)


def test_a_tower_that_is_given(toy: ModuleType, tmp_path: Path) -> None:
    """As for fine-tuning: pictures instead of vectors, and layers of which some are not trained."""
    import keras

    data = toy.toy_data()

    def to_bytes(array):
        return np.clip(array * 20 + 128, 0, 255).astype(np.uint8)

    pixel_data = dataclasses.replace(
        data,
        photos=to_bytes(data.photos).reshape(150, 3, 4, 4, 1),
        shop=to_bytes(data.shop).reshape(300, 4, 4, 1),
    )

    def tower() -> Any:
        images = keras.Input((4, 4, 1), dtype="uint8")
        found = keras.layers.Rescaling(1 / 20, -128 / 20)(images)
        found = keras.layers.BatchNormalization(trainable=False)(keras.layers.Flatten()(found))
        return keras.Model(
            images, keras.layers.Dense(16, "linear", kernel_initializer="identity")(found), name="tower"
        )

    options = TrainOptions(**(toy.SMALL | {"epochs": 15}))
    trained = train(pixel_data, toy.toy_batches(pixel_data, options), options, tmp_path, build_tower=tower)
    assert trained.layers is None
    assert trained.history[trained.best].top_k > trained.history[0].top_k + 0.2


class TestProcesses:
    """Trainings in processes of their own."""

    def test_killed_in_an_epoch_and_gone_on_is_as_undisturbed(self, run_toy: Any, tmp_path: Path) -> None:
        options = {"dropout": 0.2, "hard_negatives": True, "refresh_every": 2, "learning_rate": 0.05}
        whole = run_toy(tmp_path / "whole", options=options)
        assert whole.returncode == 0, whole.stderr
        scores = [json.loads(line)[2:] for line in whole.stdout.splitlines()[:-1]]
        assert scores.index(max(scores)) >= 4  # the weights that are kept were learned after the kill
        killed = run_toy(tmp_path / "killed", options=options, killed_in=4)
        assert killed.returncode == -9
        assert [path.name for path in (tmp_path / "killed").iterdir()] == ["checkpoint"]
        assert len(killed.stdout.splitlines()) == 4
        resumed = run_toy(tmp_path / "killed", options=options, resume=True)
        assert resumed.returncode == 0, resumed.stderr
        assert resumed.stdout == whole.stdout  # every figure of every epoch, and the digest of the weights

    @pytest.mark.nightly
    def test_two_devices_learn_as_one(self, toy: ModuleType, run_toy: Any, tmp_path: Path) -> None:
        """Two logical processors, batches of odd sizes too: the loss is that of the whole batch."""
        settings = [
            {"loss": loss, "batch_size": 13, "epochs": 6, "learning_rate": 0.05, "warmup": 0}
            for loss in ("softmax", "bce")
        ]
        done = run_toy(tmp_path, options=settings, devices=2)
        assert done.returncode == 0, done.stderr
        for number, options in enumerate(settings):
            one = run(toy, tmp_path / f"one-{number}", **options)
            with (tmp_path / str(number) / "history.csv").open() as file:
                rows = list(csv.DictReader(file))
            losses = [float(row["loss"]) for row in rows[1:]]
            np.testing.assert_allclose(losses, [epoch.loss for epoch in one.history[1:]], rtol=1e-3)
            of_two = np.load(tmp_path / str(number) / "weights.npy")
            of_one = np.concatenate([v.value.numpy().ravel() for v in one.model.variables])
            assert np.abs(of_one).max() > 0.05
            np.testing.assert_allclose(of_two, of_one, atol=1e-3)


def test_nothing_is_printed_and_nothing_is_warned_of(
    toy: ModuleType, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
        run(toy, tmp_path, epochs=1)
    assert capfd.readouterr() == ("", "")
