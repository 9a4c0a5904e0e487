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
from stylesearch.storage import atomic_file
from stylesearch.training.result import Epoch

__all__ = ["Checkpoint", "checkpoint_path"]

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
