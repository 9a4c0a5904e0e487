"""Fakes and contract suites, for the tests here and those of plug-in authors. Needs pytest only to be run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from stylesearch.testing.extractor_contract import ExtractorContract
    from stylesearch.testing.fake_extractor import FakeExtractor
    from stylesearch.testing.fake_model import fake_transform, save_fake_model
    from stylesearch.testing.index_contract import IndexContract
    from stylesearch.testing.vector_store_contract import VectorStoreContract

__all__ = [
    "ExtractorContract",
    "FakeExtractor",
    "IndexContract",
    "VectorStoreContract",
    "fake_transform",
    "save_fake_model",
]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "extractor_contract": ["ExtractorContract"],
        "fake_extractor": ["FakeExtractor"],
        "fake_model": ["fake_transform", "save_fake_model"],
        "index_contract": ["IndexContract"],
        "vector_store_contract": ["VectorStoreContract"],
    },
)
