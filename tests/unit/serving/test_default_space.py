"""Whether the request or the settings named what cannot be searched in."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import stylesearch as ss
from stylesearch.catalog import Catalog, ImageEntry
from stylesearch.errors import (
    CatalogError,
    ConfigError,
    NotInCatalog,
    SpaceError,
    StyleSearchError,
    UnknownName,
)
from stylesearch.extractors import load_extractor
from stylesearch.features.compute import feature_set_of
from stylesearch.serving.problems import OwnSpaceUnusable
from stylesearch.serving.search.default_space import as_server_fault, searcher_for
from stylesearch.testing import save_fake_model
from stylesearch.types import Domain, Product, SpaceChoice
from stylesearch.workspace.workspace import Workspace

COLORS, SHAPES = "color-histogram", "hog"


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Workspace]:
    """A workspace with an empty catalog, whose settings name an extractor of shapes."""
    Catalog.open(tmp_path / "catalog.db", create=True).close()
    with ss.open(tmp_path, extractor=SHAPES) as shop:
        yield shop


def put(shop: Workspace, product: str, extractor: str, domain: Domain = Domain.SHOP) -> None:
    """Two pictures of a product, with features; the files themselves are not there."""
    with shop.catalog.writing() as writer:
        feature_set = feature_set_of(writer, load_extractor(extractor))
        with writer.transaction():
            writer.upsert_products([Product(product, product, "coat")], source="shop")
            entries = [
                ImageEntry(product, f"/x/{product}{name}", domain, sha256=name * 64, width=9, height=9)
                for name in "ab"
            ]
            rows = writer.upsert_images(entries, source="t")
            vectors = np.random.default_rng(0).random((2, feature_set.dim), np.float32)
            writer.add_features(feature_set, [rows[product, one.path][0] for one in entries], vectors)


@pytest.mark.parametrize(
    ("named", "error", "raised"),
    [
        ({}, UnknownName("no model"), OwnSpaceUnusable),
        ({}, SpaceError("damaged"), OwnSpaceUnusable),
        ({}, ConfigError("other features"), OwnSpaceUnusable),
        ({"metric": "l1"}, UnknownName("no model"), OwnSpaceUnusable),
        ({"metric": "l1"}, ConfigError("it was trained for cosine"), ConfigError),
        ({"space": "siamese:x"}, UnknownName("no model"), UnknownName),
        ({"space": "siamese:x"}, SpaceError("damaged"), SpaceError),
        ({"space": "raw"}, ConfigError("no such metric"), ConfigError),
        ({}, CatalogError("damaged"), CatalogError),
    ],
)
def test_who_named_it_is_to_blame(
    named: dict[str, str], error: StyleSearchError, raised: type[Exception]
) -> None:
    with pytest.raises(StyleSearchError) as caught, as_server_fault(SpaceChoice(**named)):
        raise error
    assert type(caught.value) is raised
    assert caught.value.message == error.message, "the log is to have it"


def test_features_that_nothing_was_ingested_with_are_the_settings_fault(shop: Workspace) -> None:
    put(shop, "a", COLORS)
    for space, metric in (("", ""), ("", "l1"), ("raw", ""), ("whitened", "cosine")):
        with pytest.raises(OwnSpaceUnusable, match=f"no features of {SHAPES}"):
            searcher_for(shop, SpaceChoice(space=space, metric=metric))
    save_fake_model(shop.settings, "colors", extractor=COLORS)
    assert searcher_for(shop, SpaceChoice(space="siamese:colors")).extractor.name == COLORS, (
        "it brings its own"
    )


def test_a_trained_model_without_features_is_the_fault_of_who_named_it(
    shop: Workspace, tmp_path: Path
) -> None:
    put(shop, "a", SHAPES)
    save_fake_model(shop.settings, "shapes")
    Catalog.open(tmp_path / "other" / "catalog.db", create=True).close()
    shutil.copytree(tmp_path / "models", tmp_path / "other" / "models")
    with ss.open(tmp_path / "other", extractor=COLORS) as other:
        put(other, "a", COLORS)
        with pytest.raises(NotInCatalog, match=f"no features of {SHAPES}"):
            searcher_for(other, SpaceChoice(space="siamese:shapes"))
    with (
        ss.open(tmp_path / "other", extractor=COLORS, space="siamese:shapes") as other,
        pytest.raises(OwnSpaceUnusable, match=f"no features of {SHAPES}"),
    ):
        searcher_for(other)


def test_features_that_are_all_gone_again_are_the_settings_fault_while_there_are_others(
    shop: Workspace,
) -> None:
    put(shop, "a", SHAPES)
    assert searcher_for(shop).extractor.name == SHAPES
    put(shop, "b", COLORS)
    shop.remove(["a"])
    with pytest.raises(OwnSpaceUnusable, match=f"no shop picture has features of {SHAPES}"):
        searcher_for(shop)
    shop.remove(["b"])
    with pytest.raises(NotInCatalog, match="there are no products yet"):
        searcher_for(shop)


def test_nobody_is_to_blame_for_a_shop_with_nothing_but_photos_of_customers(shop: Workspace) -> None:
    put(shop, "a", SHAPES, Domain.CONSUMER)
    assert searcher_for(shop).extractor.name == SHAPES


def test_a_catalog_that_the_settings_name_and_that_is_missing_is_no_empty_shop(tmp_path: Path) -> None:
    with ss.open(tmp_path, extractor=SHAPES) as shop, pytest.raises(NotInCatalog, match="no products yet"):
        searcher_for(shop)
    with ss.open(tmp_path, extractor=SHAPES, db=str(tmp_path / "elsewhere.db")) as shop:
        with pytest.raises(CatalogError) as caught:
            searcher_for(shop)
        assert not isinstance(caught.value, NotInCatalog)
