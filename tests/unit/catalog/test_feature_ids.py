from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from stylesearch.catalog import Catalog, FeatureSet, ImageEntry, Writer, feature_rows
from stylesearch.types import Product


def ids_of_a_new_catalog(path: Path, entry: Callable[..., ImageEntry]) -> list[int]:
    with Catalog.open(path) as catalog, catalog.writing() as writer:
        with writer.transaction():
            feature_set: FeatureSet = writer.feature_set(
                extractor="x", parameters={}, weights_digest="", fingerprint="f", dim=2
            )
            writer.upsert_products([Product("a", "A", "dress")], source="shop")
            images = writer.upsert_images([entry("a", f"/{n}.jpg", str(n)) for n in range(3)], source="s")
            writer.add_features(feature_set, [pk for pk, _ in images.values()], np.ones((3, 2), np.float32))
        ((ids, _),) = catalog.features(feature_set)
    return [int(feature_id) for feature_id in ids]


def test_a_catalog_made_anew_gives_out_other_ids(
    tmp_path: Path, entry: Callable[..., ImageEntry], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_000
    monkeypatch.setattr(feature_rows, "microseconds_since_1970", lambda: now)
    first = ids_of_a_new_catalog(tmp_path / "first.db", entry)
    now = 2_000
    second = ids_of_a_new_catalog(tmp_path / "second.db", entry)
    assert first == [1001, 1002, 1003]
    assert second == [2001, 2002, 2003]


def test_ids_rise_though_the_clock_does_not(
    tmp_path: Path, entry: Callable[..., ImageEntry], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feature_rows, "microseconds_since_1970", lambda: 5_000)
    first = ids_of_a_new_catalog(tmp_path / "catalog.db", entry)
    monkeypatch.setattr(feature_rows, "microseconds_since_1970", lambda: 10)
    second = ids_of_a_new_catalog(tmp_path / "catalog.db", entry)  # the same file: the rows are replaced
    assert min(second) > max(first)


def test_the_highest_id_ever_given_stays_when_rows_go(
    catalog: Catalog, writer: Writer, feature_set: FeatureSet, shop: dict[str, int]
) -> None:
    assert catalog.highest_feature_id() == 4
    with writer.transaction():
        writer.remove_products(["red", "blue", "pleated"])
    assert catalog.last_feature_id(feature_set) == 0
    assert catalog.highest_feature_id() == 4


def test_ids_of_a_transaction_that_failed_were_not_given(
    catalog: Catalog, writer: Writer, feature_set: FeatureSet, shop: dict[str, int]
) -> None:
    with pytest.raises(KeyError), writer.transaction():
        writer.add_features(feature_set, list(shop.values()), np.ones((4, feature_set.dim), np.float32))
        raise KeyError
    assert catalog.highest_feature_id() == 4
