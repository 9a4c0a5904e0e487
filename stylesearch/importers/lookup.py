"""Finds files and folders by name where the case of letters may be another one."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

__all__ = ["find_below", "has_any"]

N_NAMES_READ: Final = 10_000
"""Names of a folder that are compared; a folder with more is none that a dataset is laid out in."""


def find_below(root: Path, name: str) -> Path | None:
    """Finds what has the relative path ``name`` below a folder; of several, the exact one, else the first.

    Args:
        root: the folder.
        name: relative path, or a pattern of one, as in ``meta/json/retrieval_*.json``.
    """
    if "*" not in name and os.path.lexists(root / name):
        return root / name
    first, _, rest = name.partition("/")
    for found in _entries_like(root, first):
        below = find_below(root / found, rest) if rest else root / found
        if below is not None:
            return below
    return None


def has_any(root: Path, names: Iterable[str]) -> bool:
    """Whether anything has one of these relative paths, or patterns of them, below a folder."""
    return any(find_below(root, name) is not None for name in names)


def _entries_like(folder: Path, pattern: str) -> list[str]:
    """Names in a folder that match, whatever the case of their letters; sorted."""
    wanted = pattern.casefold()
    try:
        with os.scandir(folder) as listing:
            names = [entry.name for entry in itertools.islice(listing, N_NAMES_READ)]
    except OSError:
        return []
    return sorted(name for name in names if fnmatchcase(name.casefold(), wanted))
