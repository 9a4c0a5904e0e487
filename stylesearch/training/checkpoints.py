"""Checkpoints: one file that holds all a training run needs to go on as if nothing had happened."""

from __future__ import annotations

import dataclasses
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from stylesearch.errors import ConfigError
from stylesearch.files import atomic_file
from stylesearch.models.store import folder_of
from stylesearch.training.epoch import Epoch

__all__ = [
    "NETWORK",
    "Checkpoint",
    "check_interrupted",
    "checkpoint_path",
    "interrupted",
    "part_of",
    "training_folder",
]

_FORMAT = 1

Arrays = Mapping[str, npt.NDArray[Any]]


def checkpoint_path(folder: Path) -> Path:
    """Where a run in ``folder`` keeps its checkpoint."""
    return folder / "checkpoint" / "state.npz"


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """A run at the end of an epoch.

    Attributes:
        run: what identifies the run, JSON values by name: options, digest of the data, versions.
        history: the epochs so far.
        steps: taken so far.
        best: number of the best epoch.
        finished: whether there is nothing more to do.
        state: of network and optimizer.
        best_weights: of the best epoch, in the network's order.
        batches: where the batches stand.
    """

    run: Mapping[str, Any]
    history: tuple[Epoch, ...]
    steps: int
    best: int
    finished: bool
    state: Arrays
    best_weights: tuple[npt.NDArray[Any], ...]
    batches: Arrays

    def save(self, path: Path) -> None:
        """Writes it; a reader sees the one before or this one, never a part."""
        header = {
            "format": _FORMAT,
            "run": dict(self.run),
            "history": [dataclasses.asdict(epoch) for epoch in self.history],
            "steps": self.steps,
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
        """Reads what :meth:`save` wrote.

        Raises:
            ConfigError: it is damaged or of another version.
        """
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                arrays = dict(stored)
            header = json.loads(arrays.pop("header").tobytes())
            if header["format"] != _FORMAT:
                raise ValueError(f"format {header['format']} instead of {_FORMAT}")
            best = _part(arrays, "best")
            return cls(
                run=header["run"],
                history=tuple(Epoch(**epoch) for epoch in header["history"]),
                steps=header["steps"],
                best=header["best"],
                finished=header["finished"],
                state=_part(arrays, "state"),
                best_weights=tuple(best[str(number)] for number in range(len(best))),
                batches=_part(arrays, "batches"),
            )
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
            raise ConfigError(
                f"{path} is no checkpoint that training can go on from: {error}",
                hint="train without resuming, which begins anew",
            ) from error

    def check_run(self, run: Mapping[str, Any]) -> None:
        """Makes sure that going on gives what an undisturbed run would have given.

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


# Trainings that were interrupted: what there is to go on with.

NETWORK = "network"


def training_folder(home: Path, name: str) -> Path:
    """Where a training that is going on keeps its checkpoint; removed when the model is in force."""
    return folder_of(home, name) / "training"


def part_of(folder: Path, fingerprint: str) -> Path:
    """Where in the training's folder the head over features of that fingerprint is learned."""
    return folder / fingerprint[:16]


def interrupted(home: Path) -> list[str]:
    """Names of models with a checkpoint that a training could go on from, sorted."""
    found = (home / "models").glob(f"*/training/{checkpoint_path(Path('*')).as_posix()}")
    return sorted({path.relative_to(home / "models").parts[0] for path in found})


def check_interrupted(home: Path, name: str, fingerprint: str) -> None:
    """Makes sure that there is a checkpoint to go on from.

    Args:
        home: the workspace folder.
        name: of the model.
        fingerprint: of the features that were asked for.

    Raises:
        ConfigError: there is none; the message says of which models there is one.
    """
    folder = training_folder(home, name)
    if checkpoint_path(part_of(folder, fingerprint)).exists():  # the head on that network is learned first
        return
    names = interrupted(home)
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
