"""How an extractor is written down: ``name``, ``name@SIZE``, and ``+colors`` behind either."""

from __future__ import annotations

from pathlib import Path

from stylesearch.errors import ConfigError

__all__ = ["COLORS", "spec_of", "without_colors"]

COLORS = "+colors"
"""Stands behind a network whose features a colour histogram is joined to."""


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
