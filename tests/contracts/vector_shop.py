"""A catalog with features of images that are in no file, for tests of vector stores."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from stylesearch.array_types import Floats, Ids
from stylesearch.artifacts.base import FIT
from stylesearch.artifacts.home import HomeArtifacts
from stylesearch.catalog import Catalog, FeatureSet, ImageEntry
from stylesearch.search.fitted_space import SpaceLocation
from stylesearch.search.store import VectorStores
from stylesearch.types import Domain, Product

DIM = 32


class Shop:
    """A catalog and one space; ``add`` and ``remove`` change the catalog only."""

    def __init__(
        self, catalog: Catalog, home: Path, stores: VectorStores, *, space: str = "whitened", dim: int = DIM
    ) -> None:
        self.catalog = catalog
        with catalog.writing() as writer, writer.transaction():
            self.feature_set: FeatureSet = writer.feature_set(
                extractor="fake",
                parameters={"input_size": 64},
                weights_digest="w" * 64,
                fingerprint="f" * 64,
                dim=dim,
            )
        self._n_images = catalog.status().images
        artifacts = HomeArtifacts(home, catalog.id)
        folder = artifacts.folder(FIT, f"{'f' * 16}/{space}")
        self.location = SpaceLocation(catalog, self.feature_set, space, folder, stores, artifacts)

    def add(self, category: str, features: Floats) -> Ids:
        before = self.catalog.highest_feature_id()
        numbers = range(self._n_images, self._n_images + len(features))
        self._n_images += len(features)
        with self.catalog.writing() as writer, writer.transaction():
            writer.upsert_products([Product(f"p{n}", f"p{n}", category) for n in numbers], source="shop")
            entries = [
                ImageEntry(f"p{n}", f"/x/{n}.jpg", Domain.SHOP, sha256=f"{n:064d}", width=9, height=9)
                for n in numbers
            ]
            rows = writer.upsert_images(entries, source="test")
            images = [rows[one.product_id, one.path][0] for one in entries]
            writer.add_features(self.feature_set, images, features)
        blocks = self.catalog.features(self.feature_set, category=category, after_id=before)
        return np.concatenate([ids for ids, _ in blocks])

    def remove(self, ids: Ids) -> None:
        products = [product.id for product, _ in self.catalog.hits_for(ids.tolist()).values()]
        with self.catalog.writing() as writer, writer.transaction():
            writer.remove_products(products)
