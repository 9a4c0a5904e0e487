"""Texture, and the mixed space: the default, and how a workspace of an older version comes to it."""

from __future__ import annotations

import csv
import logging
from pathlib import Path
from typing import Any

import pytest

import stylesearch as ss
from stylesearch.settings import Settings
from stylesearch.spaces.mixed import MixedTransform

pytestmark = pytest.mark.slow

OLDER, WANTED = "efficientnet-lite0@64+colors", "efficientnet-lite0@64+texture+colors"


@pytest.fixture
def photo(drawn_shop: Path) -> Path:
    with (drawn_shop / "street.csv").open() as file:
        return drawn_shop / next(csv.DictReader(file))["image"]


@pytest.fixture
def older(drawn_shop: Path, tmp_path: Path) -> Path:
    """A workspace as an older version left it, with 24 products."""
    home = tmp_path / "home"
    with ss.open(home, extractor=OLDER, space="whitened") as shop:
        shop.ingest(drawn_shop / "products.csv")
    return home


def answers(shop: Any, photo: Path, **options: str) -> list[tuple[str, float]]:
    return [(hit.product.id, hit.distance) for hit in shop.query(photo, **options)]


def n_features(shop: Any, spec: str) -> int:
    feature_set = shop.catalog.find_feature_set(ss.load_extractor(spec).fingerprint)
    return sum(shop.catalog.categories(feature_set).values()) if feature_set else 0


def test_texture_colors_and_kinds_are_the_default(ingested: Path) -> None:
    assert Settings().extractor == "efficientnet-lite0@320+texture+colors"
    assert (Settings().space, Settings().regions) == ("mixed", "person")
    with ss.open(ingested) as shop:
        (feature_set,) = shop.catalog.feature_sets()
        assert (feature_set.extractor, feature_set.dim) == ("efficientnet-lite0+texture+colors", 1628)
        transform = shop.gallery().transform
    assert isinstance(transform, MixedTransform)
    assert (transform.parts.n_texture, transform.parts.n_colors) == (240, 108)
    assert transform.parts.head is not None


def test_an_older_workspace_keeps_its_features_and_its_space_until_the_next_ingest(
    older: Path, drawn_shop: Path, photo: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING), ss.open(older, extractor=WANTED) as shop:
        location = shop.gallery().location
        assert (location.feature_set.extractor, location.space) == ("efficientnet-lite0+colors", "whitened")
        # The regions are those of the plan of now.
        assert answers(shop, photo) == answers(shop, photo, extractor=OLDER, space="whitened")
    messages = [record.message for record in caplog.records]
    assert len(messages) == 2
    assert "with the features and the space of before" in messages[0]
    assert "searches use whitened" in messages[1]

    table = (drawn_shop / "products.csv").read_text().splitlines()
    half = drawn_shop / "half.csv"
    half.write_text("\n".join(table[:13]) + "\n")
    try:
        with ss.open(older, extractor=WANTED) as shop:
            assert shop.extractors_to_fill() == [WANTED, OLDER]
            assert shop.ingest(half).filled == 12
            assert (n_features(shop, WANTED), n_features(shop, OLDER)) == (24, 24)
            assert shop.extractors_to_fill() == [WANTED]
            assert shop.gallery().location.feature_set.extractor == "efficientnet-lite0+texture+colors"
            assert isinstance(shop.gallery().transform, MixedTransform)
            after = answers(shop, photo)
    finally:
        half.unlink()
    with ss.open(tmp_path / "new", extractor=WANTED) as shop:
        shop.ingest(drawn_shop / "products.csv")
        fresh = answers(shop, photo)
    assert [product for product, _ in after] == [product for product, _ in fresh]
    assert [distance for _, distance in after] == pytest.approx([one for _, one in fresh], abs=0.02)


def test_products_that_are_added_to_an_older_workspace_are_found(
    older: Path, drawn_shop: Path, photo: Path, tmp_path: Path
) -> None:
    rows = (drawn_shop / "products.csv").read_text().splitlines()
    first = rows[1].split(",")
    added = drawn_shop / "added.csv"
    added.write_text("\n".join([rows[0], ",".join(["brand-new", *first[1:]])]) + "\n")
    try:
        with ss.open(older, extractor=WANTED) as shop:
            shop.ingest(added)
            assert (n_features(shop, WANTED), n_features(shop, OLDER)) == (25, 25)
            assert "brand-new" in {hit.product.id for hit in shop.query(photo, k=25)}
    finally:
        added.unlink()


def test_a_choice_is_never_replaced(older: Path) -> None:
    with ss.open(older, extractor=WANTED) as shop:
        for space in ("raw", "mixed"):
            assert shop.gallery(extractor=OLDER, space=space).location.space == space


@pytest.mark.usefixtures("drawn_shop")
def test_an_empty_workspace_has_the_settings_own(tmp_path: Path) -> None:
    with ss.open(tmp_path / "home", extractor=WANTED) as shop:
        assert shop.extractors_to_fill() == [WANTED]
        assert not (tmp_path / "home").exists()
