"""A search with a filter finds what comparing with every product that meets it finds."""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from stylesearch.array_types import Floats
from stylesearch.artifacts.base import FIT
from stylesearch.artifacts.home import HomeArtifacts
from stylesearch.catalog import Catalog, ImageEntry
from stylesearch.distance import distances
from stylesearch.index.annoy_forest import annoy_works
from stylesearch.index.reranked import Strategy
from stylesearch.search import fitted_space
from stylesearch.search.fitted_space import SpaceLocation
from stylesearch.search.gallery import Gallery
from stylesearch.search.local_store import LocalVectorStore, LocalVectorStores
from stylesearch.testing.index_contract import feature_like
from stylesearch.types import Product, ProductFilter, SearchRequest, Variant

DIM, N = 16, 1200
Names = Callable[[Any], bool]

FILTERS: list[tuple[Any, Names]] = [
    ("number>=0", lambda n: True),
    ("parity=even", lambda n: n % 2 == 0),
    ("not parity=even", lambda n: n % 2 == 1),
    ({"hundred": 7}, lambda n: n % 100 == 7),
    ("number in (3, 500, 1100)", lambda n: n in (3, 500, 1100)),
    ("number>5000", lambda n: False),
    (["size=XL", "price=100..200", "source=mine"], lambda n: n % 3 == 0 and 100 <= n <= 200),
    ("category=skirt and number<300", lambda n: n % 10 == 0 and n < 300),
]


class Stores(LocalVectorStores):
    """Stores that are searched in one way."""

    def __init__(self, strategy: Strategy | None) -> None:
        self.strategy = strategy

    def at_fit(self, location: SpaceLocation, metric: str, transform: Any, **options: Any) -> Any:
        store = LocalVectorStore(location, metric, transform, options["stamp"], strategy=self.strategy)
        if not options["is_built"]:
            store.damaged = dict.fromkeys(store.categories(), "")
        return store


def add(catalog: Catalog, numbers: range, features: Floats) -> None:
    with catalog.writing() as writer, writer.transaction():
        feature_set = writer.feature_set(
            extractor="fake", parameters={}, weights_digest="w", fingerprint="f" * 64, dim=DIM
        )
        writer.upsert_products(
            [
                Product(
                    f"p{n}",
                    f"p{n}",
                    "skirt" if n % 10 == 0 else "dress",
                    price=f"{n}.00 EUR",
                    attributes={"number": n, "parity": ["Odd", "EVEN"][n % 2 == 0], "hundred": f"{n % 100}"},
                    variants=(Variant("", {"Size": "XL"}),) if n % 3 == 0 else (),
                )
                for n in numbers
            ],
            source="mine",
        )
        entries = [ImageEntry(f"p{n}", f"/{n}.jpg", sha256=f"{n:064d}", width=9, height=9) for n in numbers]
        rows = writer.upsert_images(entries, source="mine")
        writer.add_features(feature_set, [rows[one.product_id, one.path][0] for one in entries], features)


@pytest.fixture(scope="module")
def features() -> Floats:
    return feature_like(N, DIM, seed=4)


@pytest.fixture(scope="module")
def location(tmp_path_factory: pytest.TempPathFactory, features: Floats) -> Iterator[SpaceLocation]:
    """A catalog of which 1,100 products are in indexes, 100 are newer, and every 11th is removed."""
    folder = tmp_path_factory.mktemp("filtered")
    with Catalog.open(folder / "catalog.db") as catalog:
        add(catalog, range(1100), features[:1100])
        feature_set = catalog.feature_sets()[0]
        artifacts = HomeArtifacts(folder, catalog.id)
        place = artifacts.folder(FIT, f"{'f' * 16}/raw")
        one = SpaceLocation(catalog, feature_set, "raw", place, LocalVectorStores(), artifacts)
        transform, record = fitted_space.fit(one)
        fitted_space.activate(one, record)
        LocalVectorStores().at_fit(one, "cosine", transform).build()
        add(catalog, range(1100, N), features[1100:])
        with catalog.writing() as writer, writer.transaction():
            writer.remove_products([f"p{n}" for n in range(0, N, 11)])
        yield one


def nearest(features: Floats, stored: Floats, meets: Names, k: int, but_every: int) -> list[str]:
    numbers = [n for n in range(N) if n % 11 and meets(n) and (not but_every or n % but_every)]
    if not numbers:
        return []
    far = distances(features, stored[numbers], "cosine").min(axis=0)
    return [f"p{numbers[place]}" for place in np.lexsort((numbers, far))[:k]]


@pytest.mark.parametrize("strategy", [None, *Strategy])
def test_hits_are_the_nearest_of_what_meets_the_filter(
    location: SpaceLocation, features: Floats, strategy: Strategy | None
) -> None:
    if strategy is Strategy.ANNOY and not annoy_works():
        pytest.skip("Annoy gives wrong answers here")
    gallery = Gallery(dataclasses.replace(location, stores=Stores(strategy)), "cosine")
    for where, _ in FILTERS:  # all that meet them are handed to the index
        len(location.catalog.select_features(location.feature_set, ProductFilter(where=where)))
    check_hits(gallery, features)


@pytest.mark.parametrize(
    ("guess", "n_read"),
    [
        (None, 5),  # two filters are met by so many that each candidate is looked at
        ((10**6, 1.0), 4),  # until too few candidates meet it
        ((0, 0.0), 8),
    ],
)
def test_a_wrong_guess_of_how_many_meet_a_filter_changes_no_hit(
    location: SpaceLocation,
    features: Floats,
    guess: tuple[int, float] | None,
    n_read: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if guess is not None:
        monkeypatch.setattr("stylesearch.catalog.selection.estimate", lambda *_: guess)
    kept = forget_selections(location)
    check_hits(Gallery(location, "cosine"), features)
    assert len(kept) == len(FILTERS)
    assert sum(selection.is_read for _, selection in kept.values()) == n_read


def forget_selections(location: SpaceLocation) -> OrderedDict[Any, Any]:
    """As in a new process; returns what will be kept."""
    selections = location.catalog._selections
    for kept in (selections._kept, selections._products, selections._n_asked):
        kept.clear()
    return selections._kept


def check_hits(gallery: Gallery, features: Floats) -> None:
    photo = (features[[1, 60]] + features[[30, 700]]) / 2
    for where, meets in FILTERS:
        for category in (None, "dress"):
            hits = gallery.search(photo, SearchRequest(k=7, category=category, where=where))
            expected = nearest(photo, features, meets, 7, but_every=10 if category else 0)
            assert [hit.product.id for hit in hits] == expected, (where, category)


def test_hits_are_the_same_once_the_products_of_features_are_known(
    location: SpaceLocation, features: Floats
) -> None:
    kept = forget_selections(location)
    known = location.catalog._selections._products
    check_hits(Gallery(location, "cosine"), features)
    assert not known, "one search after another pays for it"
    for _ in range(10):
        kept.clear()
        check_hits(Gallery(location, "cosine"), features)
    assert known


def test_a_category_with_those_below_it_is_searched_at_once(
    location: SpaceLocation, features: Floats, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    search = LocalVectorStore.search
    monkeypatch.setattr(LocalVectorStore, "categories", lambda self: ["A", "A > dress", "A > skirt", "B"])

    def recorded(self: LocalVectorStore, vectors: Floats, categories: Any, *given: Any, **named: Any) -> Any:
        asked.append(categories)
        return search(self, vectors, None, *given, **named)

    monkeypatch.setattr(LocalVectorStore, "search", recorded)
    gallery = Gallery(location, "cosine")
    gallery.search(features[:1], SearchRequest(k=3, category="A"))
    gallery.search(features[:1], SearchRequest(k=3))
    gallery.search(features[:1], SearchRequest(k=3, category="B"))
    assert {str(one) for one in asked} == {"['A', 'A > dress', 'A > skirt']", "None", "['B']"}


@pytest.mark.parametrize("is_known", [False, True])
def test_a_change_counts_at_once(location: SpaceLocation, features: Floats, is_known: bool) -> None:
    forget_selections(location)
    if is_known:
        location.catalog._selections._n_asked[location.feature_set.pk] = N
    gallery = Gallery(location, "cosine")
    request = SearchRequest(k=3, where="number=5")
    assert [one.product.id for one in gallery.search(features[:1], request)] == ["p5"]
    assert bool(location.catalog._selections._products) == is_known
    with location.catalog.writing() as writer, writer.transaction():
        writer.upsert_products([Product("p7", "p7", "dress", attributes={"number": "5.0"})], source="mine")
    found = gallery.search(features[:1], request)
    assert {one.product.id for one in found} == {"p5", "p7"}
    with location.catalog.writing() as writer, writer.transaction():
        writer.upsert_products([Product("p7", "p7", "dress", attributes={"number": 7})], source="mine")
    assert [one.product.id for one in gallery.search(features[:1], request)] == ["p5"]
