"""Trainings that were interrupted: what there is to go on with."""

from __future__ import annotations

from pathlib import Path

from stylesearch import trained
from stylesearch.errors import ConfigError
from stylesearch.training.checkpoints import checkpoint_path

__all__ = ["NETWORK", "check_interrupted", "interrupted", "part_of", "training_folder"]

NETWORK = "network"


def training_folder(home: Path, name: str) -> Path:
    """Where a training that is going on keeps its checkpoint; removed when the model is in force."""
    return trained.folder_of(home, name) / "training"


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
