"""Checkpoints of training runs: one file, from which an interrupted run continues exactly.

Keras's ``BackupAndRestore`` is not used: it writes several files in place, so that a crash can leave parts of
two epochs, and it stores neither the best weights, the history nor the state of the batches.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from stylesearch.data_files import parse_json, read_arrays
from stylesearch.errors import ConfigError
from stylesearch.files import atomic_file
from stylesearch.models.store import folder_of
from stylesearch.training.epoch import Epoch

__all__ = [
    "NETWORK",
    "Checkpoint",
    "check_resumable",
    "checkpoint_path",
    "head_folder",
    "interrupted_trainings",
    "training_folder",
]

NETWORK: Final = "network"
"""Folder of the fine-tuning within that of its training."""

_FORMAT: Final = 2

Arrays = Mapping[str, npt.NDArray[Any]]


def checkpoint_path(folder: Path) -> Path:
    """Path of the checkpoint of a run in ``folder``."""
    return folder / "checkpoint" / "state.npz"


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """The state of a run at the end of an epoch.

    Attributes:
        run: identity of the run, JSON values by name: options, digest of the data, versions.
        history: the epochs so far.
        best: number of the best epoch.
        finished: whether the run has ended.
        state: variables of network and optimizer, by name.
        best_weights: weights of the best epoch, in the network's order.
        batches: state of the batches.
    """

    run: Mapping[str, Any]
    history: tuple[Epoch, ...]
    best: int
    finished: bool
    state: Arrays
    best_weights: tuple[npt.NDArray[Any], ...]
    batches: Arrays

    def save(self, path: Path) -> None:
        """Writes the checkpoint atomically: a reader sees the previous one or this one, never a part."""
        header = {
            "format": _FORMAT,
            "run": dict(self.run),
            "history": [dataclasses.asdict(epoch) for epoch in self.history],
            "best": self.best,
            "finished": self.finished,
        }
        arrays: dict[str, Any] = {f"state/{name}": array for name, array in self.state.items()}
        arrays |= {f"best/{number}": array for number, array in enumerate(self.best_weights)}
        arrays |= {f"batches/{name}": array for name, array in self.batches.items()}
        text = np.frombuffer(json.dumps(header).encode(), np.uint8)
        with atomic_file(path) as file:
            np.savez(file, header=text, **arrays)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads what ``save`` wrote.

        Raises:
            ConfigError: the file is damaged or of another version.
        """
        try:
            arrays = read_arrays(path)
            header = parse_json(arrays.pop("header").tobytes(), nan=True)
            if header["format"] != _FORMAT:
                raise ValueError(f"format {header['format']} instead of {_FORMAT}")
            best = _part(arrays, "best")
            return cls(
                run=header["run"],
                history=tuple(Epoch(**epoch) for epoch in header["history"]),
                best=header["best"],
                finished=header["finished"],
                state=_part(arrays, "state"),
                best_weights=tuple(best[str(number)] for number in range(len(best))),
                batches=_part(arrays, "batches"),
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ConfigError(
                f"{path} cannot be read as a checkpoint that training can go on from: {error}",
                hint="train without resuming, which begins anew",
            ) from error

    def check_run(self, run: Mapping[str, Any]) -> None:
        """Checks that a resumed run would give the same result as one without interruption.

        Raises:
            ConfigError: the checkpoint is of other options, data or versions; the message says which.
        """
        mine, other = _flat(self.run), _flat(run)
        differing = [name for name in sorted({*mine, *other}) if mine.get(name) != other.get(name)]
        if differing:
            changes = "; ".join(
                f"{name} was {mine.get(name)!r} and is {other.get(name)!r}" for name in differing
            )
            raise ConfigError(
                f"the training that was interrupted was another one: {changes}",
                hint="resume with the same options and data, or train without resuming, which begins anew",
            )


def _part(arrays: Arrays, prefix: str) -> dict[str, npt.NDArray[Any]]:
    return {
        name.removeprefix(f"{prefix}/"): array
        for name, array in arrays.items()
        if name.startswith(f"{prefix}/")
    }


def _flat(run: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in run.items():
        flat |= value if isinstance(value, Mapping) else {name: value}
    return flat


def training_folder(home: Path, name: str) -> Path:
    """Folder of the checkpoints of a model's training; the caller removes it when the model is active."""
    return folder_of(home, name) / "training"


def head_folder(folder: Path, fingerprint: str) -> Path:
    """Folder of the head over features of that fingerprint, within that of its training."""
    return folder / fingerprint[:16]


def interrupted_trainings(home: Path) -> list[str]:
    """Names of models with a checkpoint that a training could resume from, sorted."""
    found = (home / "models").glob(f"*/training/{checkpoint_path(Path('*')).as_posix()}")
    return sorted({path.relative_to(home / "models").parts[0] for path in found})


def check_resumable(home: Path, name: str, fingerprint: str) -> None:
    """Checks that there is a checkpoint to resume from.

    Args:
        home: the workspace folder.
        name: name of the model.
        fingerprint: fingerprint of the features.

    Raises:
        ConfigError: there is none; the message names the models that have one.
    """
    folder = training_folder(home, name)
    if checkpoint_path(head_folder(folder, fingerprint)).exists():  # the head is trained first
        return
    names = interrupted_trainings(home)
    if name in names:
        raise ConfigError(
            f"the training of {name!r} that was interrupted was another one: with another extractor, or "
            "other weights",
            hint="resume with the same options, or train without resuming, which begins anew",
        )
    raise ConfigError(
        f"there is no interrupted training of {name!r} to go on with; there is one of: "
        f"{', '.join(names) or 'no model'}",
        hint="train without resuming; features that were computed are kept",
    )
