"""Paths of models' files in a workspace: kept from the workspace folder on, so that it can be moved."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["file_of", "kept_path", "whole_path"]

SUFFIX = ".keras"
BEHIND_FILE = re.compile(r"(?P<file>.*\.keras)(?P<behind>[@+][^/]*)", re.DOTALL)
OF_MODELS = "models/"


def kept_path(spec: str, home: Path) -> str:
    """What is written down of an extractor: its path from ``home`` on, if it is a model's file in there.

    Args:
        spec: as :func:`stylesearch.extractors.load_extractor` takes it, a path being a whole one.
        home: the workspace folder.

    Example:
        >>> kept_path("efficientnet-lite0@320", Path("shop"))
        'efficientnet-lite0@320'
    """
    name, size = _split(spec)
    path = Path(name)
    if path.suffix != SUFFIX or not path.is_relative_to(home.resolve()):
        return spec
    return path.relative_to(home.resolve()).as_posix() + size


def whole_path(spec: str, home: Path) -> str:
    """The inverse of :func:`kept_path`; what is no path, or one from where one stands, is as it was.

    A network of a trained model is one in ``home`` even when it is gone.
    """
    name, size = _split(spec)
    path, from_here = home / name, Path(name)
    if path.suffix != SUFFIX or from_here.is_absolute():
        return spec
    if not name.startswith(OF_MODELS) and from_here.is_file() and not path.is_file():
        return spec
    return f"{path.resolve()}{size}"


def file_of(spec: str) -> str:
    """The path alone, without input size and colours.

    Example:
        >>> file_of("shop/net.keras@224+colors")
        'shop/net.keras'
    """
    return _split(spec)[0]


def _split(spec: str) -> tuple[str, str]:
    """``"a.keras@224+colors"`` as path and ``@224+colors``; a file may have an @ in its own name."""
    found = BEHIND_FILE.fullmatch(spec)
    return (found["file"], found["behind"]) if found else (spec, "")
