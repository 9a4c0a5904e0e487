"""Fakes and contract suites, for the tests here and those of plug-in authors. Needs pytest only to be run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stylesearch.testing.extractor_contract import ExtractorContract
    from stylesearch.testing.fake_extractor import FakeExtractor
    from stylesearch.testing.fake_model import fake_transform, save_fake_model
    from stylesearch.testing.index_contract import IndexContract

__all__ = ["ExtractorContract", "FakeExtractor", "IndexContract", "fake_transform", "save_fake_model"]

_HOMES = {
    "ExtractorContract": "stylesearch.testing.extractor_contract",
    "FakeExtractor": "stylesearch.testing.fake_extractor",
    "IndexContract": "stylesearch.testing.index_contract",
    "fake_transform": "stylesearch.testing.fake_model",
    "save_fake_model": "stylesearch.testing.fake_model",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)
