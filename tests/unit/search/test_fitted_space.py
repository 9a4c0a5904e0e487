"""A fit reads as many vectors as it needs, drawn from the whole gallery."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stylesearch.catalog import Catalog, FeatureSet
from stylesearch.catalog.queries import FeatureBlock
from stylesearch.search import fitted_space
from stylesearch.search.local_store import LocalVectorStores
from stylesearch.spaces import unsupervised
from stylesearch.testing.index_contract import feature_like
from tests.contracts.vector_shop import DIM, Shop


@pytest.mark.parametrize("space", ["whitened", "raw"])
def test_of_a_large_gallery_a_sample_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, space: str
) -> None:
    read: list[int] = []
    vectors = Catalog.vectors

    def recorded(self: Catalog, feature_set: FeatureSet, ids: Iterable[int]) -> FeatureBlock:
        block = vectors(self, feature_set, ids)
        read.extend(block[0].tolist())
        return block

    monkeypatch.setattr(unsupervised, "MAX_ROWS", 400)
    monkeypatch.setattr(Catalog, "vectors", recorded)
    with Catalog.open(tmp_path / "catalog.db", create=True) as catalog:
        shop = Shop(catalog, tmp_path, LocalVectorStores())
        dresses = shop.add("dress", feature_like(900, DIM, seed=1)).tolist()
        skirts = shop.add("skirt", feature_like(100, DIM, seed=2)).tolist()
        location = replace(shop.location, space=space)
        monkeypatch.delattr(Catalog, "features")  # which reads all
        transform = fitted_space.fit_in_memory(location)
        if space == "raw":  # nothing is fitted
            assert read == []
            return
        assert len(set(read)) == len(read) == 400
        assert 20 <= len(set(read).intersection(skirts)) <= 60
        assert set(read) <= {*dresses, *skirts}
        assert fitted_space.fit_in_memory(location).version == transform.version
        _, rows = catalog.vectors(location.feature_set, read[:400])
        whitened = transform.apply(rows)
        assert np.allclose(whitened.mean(axis=0), 0, atol=0.05 * whitened.std(axis=0).max())
