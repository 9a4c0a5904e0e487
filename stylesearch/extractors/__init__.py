"""Extractors, which turn RGB images into vectors; ``load_extractor`` loads one by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from stylesearch.extractors.base import Extractor, ExtractorInfo
    from stylesearch.extractors.load import describe_extractors, load_extractor
    from stylesearch.extractors.spec import ExtractorSpec

__all__ = [
    "Extractor",
    "ExtractorInfo",
    "ExtractorSpec",
    "describe_extractors",
    "load_extractor",
]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "base": ["Extractor", "ExtractorInfo"],
        "load": ["describe_extractors", "load_extractor"],
        "spec": ["ExtractorSpec"],
    },
)
