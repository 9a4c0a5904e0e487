"""What a store of artifacts does, and where the files of artifacts lie.

An artifact is a set of files in a folder of the workspace, made once and read by many searches. One of its
files is its record, which names the others: it is written last, and whoever replaces it puts another version
in force. There are two kinds, fits of spaces and trained models.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, Protocol

__all__ = ["FIT", "FOLDERS", "MODEL", "NO_STAMP", "RECORDS", "ArtifactStore", "Stamp"]

FIT: Final = "fit"
"""Kind of the fit of a space; named by the features and the space, ``f1f1f1f1f1f1f1f1/whitened``."""

MODEL: Final = "model"
"""Kind of a trained model; named as the model is."""

RECORDS: Final[Mapping[str, str]] = {FIT: "space.json", MODEL: "model.json"}
"""Name of the record by kind."""

FOLDERS: Final[Mapping[str, str]] = {FIT: "indexes", MODEL: "models"}
"""Folder of the workspace in which the artifacts of a kind lie."""

Stamp = tuple[int, int]
"""Tells one version of an artifact from another without reading it."""

NO_STAMP: Final[Stamp] = (0, 0)
"""The stamp where there is no such artifact."""


class ArtifactStore(Protocol):
    """The artifacts of a workspace. Readers use the files in ``folder``, after ``get``."""

    def folder(self, kind: str, name: str) -> Path:
        """The folder of the workspace where the files of an artifact lie, whether or not there are any."""
        ...

    def names(self, kind: str) -> list[str]:
        """Names of the artifacts of a kind that are in force, sorted; damaged ones included."""
        ...

    def stamp(self, kind: str, name: str) -> Stamp:
        """A stamp that changes with the version in force; quick. ``NO_STAMP`` where there is none."""
        ...

    def get(self, kind: str, name: str) -> Path | None:
        """The folder, when it holds the version in force; None where there is no such artifact.

        Raises:
            SpaceError: it is damaged.
        """
        ...

    def get_all(self, kind: str) -> dict[str, str]:
        """Makes the folders of a kind hold what is in force; reasons by name of what is damaged."""
        ...

    def put(
        self,
        kind: str,
        name: str,
        record: Mapping[str, Any],
        files: Iterable[str],
        *,
        replacing: Stamp | None = None,
    ) -> bool:
        """Puts a version in force: files that lie in the folder already, and the record of them.

        Args:
            kind, name: the artifact.
            record: values of the record, which is written here.
            files: the other files, by their paths within the folder.
            replacing: stamp that has to be in force until then; by default any.

        Returns:
            whether it is in force now: not where somebody else was first.
        """
        ...

    def remove(self, kind: str, name: str) -> None:
        """Takes an artifact out of force; its other files are left to the caller."""
        ...
