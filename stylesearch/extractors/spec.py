"""How an extractor is written down: ``name``, ``name@SIZE``, and ``+colors`` behind either."""

from __future__ import annotations

import re
from pathlib import Path

from stylesearch.errors import ConfigError

__all__ = [
    "COLORS",
    "file_of",
    "kept_path",
    "spec_of",
    "whole_path",
    "without_colors",
]

COLORS = "+colors"
"""Stands behind a network whose features a color histogram is joined to."""


def without_colors(spec: str) -> tuple[str, bool]:
    """What stands before ``+colors``, and whether that is there.

    A file that is called so is a file.

    Raises:
        ConfigError: it does not stand last, or nothing stands before it.

    Example:
        >>> without_colors("efficientnet-lite0@320+colors")
        ('efficientnet-lite0@320', True)
    """
    before, plus, behind = spec.rpartition(COLORS)
    if not plus or Path(spec).is_file():
        return spec, False
    if not before:
        raise ConfigError(f"{COLORS} stands behind a network. Received: {spec!r}", hint=f"resnet50{COLORS}")
    if behind.startswith("@"):
        raise ConfigError(f"{COLORS} stands last. Received: {spec!r}", hint=f"{before}{behind}{COLORS}")
    return (before, True) if not behind else (spec, False)


def spec_of(name: str, input_size: int) -> str:
    """What loads the extractor of a name in an input size, for those that have a name.

    Args:
        name: as :attr:`~stylesearch.extractors.base.Extractor.name` has it.
        input_size: side of its input in pixels.

    Example:
        >>> spec_of("efficientnet-lite0+colors", 320)
        'efficientnet-lite0@320+colors'
    """
    before = name.removesuffix(COLORS)
    return f"{before}@{input_size}{name[len(before) :]}"


# Paths of models' files in a workspace: kept from the workspace folder on, so that it can be moved.

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
    """The path alone, without input size and colors.

    Example:
        >>> file_of("shop/net.keras@224+colors")
        'shop/net.keras'
    """
    return _split(spec)[0]


def _split(spec: str) -> tuple[str, str]:
    """``"a.keras@224+colors"`` as path and ``@224+colors``; a file may have an @ in its own name."""
    found = BEHIND_FILE.fullmatch(spec)
    return (found["file"], found["behind"]) if found else (spec, "")
