"""Counts of facets: how they are written, and how long they are kept."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import numpy as np
import pytest

from stylesearch.catalog import Catalog, FeatureSet, ImageEntry, facets
from stylesearch.types import Product, ProductFilter

EVERYTHING = ProductFilter()


def put(catalog: Catalog, *products: Product) -> FeatureSet:
    with catalog.writing() as writer, writer.transaction():
        one = writer.feature_set(
            extractor="fake", parameters={}, weights_digest="w", fingerprint="f" * 64, dim=2
        )
        writer.upsert_products(products, source="mine")
        entries = [ImageEntry(p.id, f"/{p.id}", sha256=p.id, width=9, height=9) for p in products]
        keys = [pk for pk, _ in writer.upsert_images(entries, source="mine").values()]
        writer.add_features(one, keys, np.ones((len(keys), 2), np.float32))
    return one


def count(catalog: Catalog, feature_set: FeatureSet, name: str) -> dict[str, int]:
    (values,) = catalog.facets.count(feature_set, EVERYTHING, [name]).values()
    return {value.label: value.count for value in values}


@pytest.mark.parametrize("price", ["0.02 BTC", "1250000 KRW", "98000000 VND"])
def test_ranges_of_small_and_large_prices_can_be_asked_for(catalog: Catalog, price: str) -> None:
    feature_set = put(catalog, Product("a", "A", "dress", price=price))
    (only,) = catalog.facets.count(feature_set, EVERYTHING, ["price"])["price"]
    assert "e" not in only.label
    assert catalog.selection.count(ProductFilter(where=only.where)) == only.count == 1


def test_a_number_is_counted_once_however_it_is_written(catalog: Catalog) -> None:
    widths = ["50", "50", "50.0", ["50", "50.0"], "50 cm", "60"]
    feature_set = put(
        catalog, *(Product(str(n), "A", "dress", attributes={"width": one}) for n, one in enumerate(widths))
    )
    assert count(catalog, feature_set, "width") == {"50": 5, "50 cm": 1, "60": 1}


def test_counts_follow_each_change(catalog: Catalog) -> None:
    feature_set = put(catalog, Product("a", "A", "dress"))
    assert count(catalog, feature_set, "category") == {"dress": 1}
    put(catalog, Product("b", "B", "dress"))
    assert count(catalog, feature_set, "category") == {"dress": 2}


def test_counts_that_take_long_are_used_for_a_while(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facets, "QUICK", 0.0)
    monkeypatch.setattr(facets, "AGE", 1e9)
    feature_set = put(catalog, Product("a", "A", "dress"))
    assert count(catalog, feature_set, "category") == {"dress": 1}
    put(catalog, Product("b", "B", "dress"))
    assert count(catalog, feature_set, "category") == {"dress": 1}
    monkeypatch.setattr(facets, "LONGEST", 0.0)
    assert count(catalog, feature_set, "category") == {"dress": 2}


def test_while_one_counts_others_take_slow_counts_and_wait_for_quick_ones(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    feature_set = put(catalog, Product("a", "A", "dress"))
    assert count(catalog, feature_set, "category") == {"dress": 1}
    put(catalog, Product("b", "B", "dress"))
    begun, may_end = threading.Event(), threading.Event()
    count_facets = facets._count_facets

    def count_slowly(*arguments: Any) -> Any:
        begun.set()
        assert may_end.wait(10)
        return count_facets(*arguments)

    monkeypatch.setattr(facets, "_count_facets", count_slowly)
    with ThreadPoolExecutor(2) as pool:
        counting = pool.submit(count, catalog, feature_set, "category")
        assert begun.wait(10)
        waiting = pool.submit(count, catalog, feature_set, "category")
        assert not wait([waiting], timeout=0.1).done
        monkeypatch.setattr(facets, "QUICK", -1.0)
        assert count(catalog, feature_set, "category") == {"dress": 1}
        may_end.set()
        assert counting.result() == waiting.result() == {"dress": 2}
