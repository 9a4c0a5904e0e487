"""Extractors: RGB images in, vectors out. ``load_extractor(name)`` is the way in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stylesearch.extractors.base import Extractor, ExtractorInfo
    from stylesearch.extractors.load import describe_extractors, load_extractor

__all__ = ["Extractor", "ExtractorInfo", "describe_extractors", "load_extractor"]

_HOMES = {
    "Extractor": "stylesearch.extractors.base",
    "ExtractorInfo": "stylesearch.extractors.base",
    "describe_extractors": "stylesearch.extractors.load",
    "load_extractor": "stylesearch.extractors.load",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)
