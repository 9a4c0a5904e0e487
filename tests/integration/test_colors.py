"""Colors joined to a network: the default, and how a workspace from before gets them."""

from __future__ import annotations

import csv
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import stylesearch as ss
from stylesearch.errors import NotInCatalog
from stylesearch.extractors.cnn import CnnExtractor
from stylesearch.models.store import load_model
from stylesearch.settings import Settings
from stylesearch.spaces.joined import JoinedTransform
from tests.integration.patchworks import photo_of

pytestmark = pytest.mark.slow

PLAIN, JOINED = "efficientnet-lite0@64", "efficientnet-lite0@64+colors"


def features_of(shop: Any, spec: str) -> dict[tuple[str, str], np.ndarray]:
    feature_set = shop.catalog.find_feature_set(ss.load_extractor(spec).fingerprint)
    assert feature_set is not None
    found = {}
    for ids, vectors in shop.catalog.features(feature_set):
        for feature_id, (product, image) in shop.catalog.hits_for(ids.tolist()).items():
            found[product.id, image.path] = vectors[np.searchsorted(ids, feature_id)]
    return found


@pytest.fixture(scope="module")
def fresh(drawn_shop: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], np.ndarray]:
    """Features of a workspace that never had others."""
    with ss.open(tmp_path_factory.mktemp("fresh"), extractor=JOINED) as shop:
        shop.ingest(drawn_shop / "products.csv")
        return features_of(shop, JOINED)


def a_photo(drawn_shop: Path) -> Path:
    with (drawn_shop / "street.csv").open() as file:
        return drawn_shop / next(csv.DictReader(file))["image"]


def test_a_workspace_from_before_is_told_how_to_get_colors_and_gets_them_without_the_network(
    fresh: dict[tuple[str, str], np.ndarray],
    drawn_shop: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source, photo = drawn_shop / "products.csv", a_photo(drawn_shop)
    with ss.open(tmp_path / "home", extractor=PLAIN) as shop:
        shop.ingest(source)
        before = [hit.product.id for hit in shop.query(photo)]
        of_network = features_of(shop, PLAIN)
    with ss.open(tmp_path / "home", extractor=JOINED) as shop:
        with pytest.raises(NotInCatalog, match=re.escape(f"no features of {JOINED}")) as caught:
            shop.query(photo)
        assert "ingest the same products again" in caught.value.hint
        assert f"--extractor {PLAIN}" in caught.value.hint
        assert [hit.product.id for hit in shop.query(photo, extractor=PLAIN)] == before
        with monkeypatch.context() as patch:
            patch.setattr(CnnExtractor, "extract", None)  # the network is not run again
            report = shop.ingest(source)
        assert (report.added, report.unchanged, report.computed) == (0, 24, 24)
        assert len(shop.query(photo)) == 20
        assert shop.ingest(source).computed == 0
        upgraded = features_of(shop, JOINED)
        assert all(np.array_equal(upgraded[key][:1280], of_network[key]) for key in of_network)
    assert fresh.keys() == upgraded.keys()
    for key, vector in fresh.items():
        assert np.array_equal(upgraded[key], vector)


def test_new_images_come_in_beside_known_ones(
    fresh: dict[tuple[str, str], np.ndarray], drawn_shop: Path, tmp_path: Path
) -> None:
    """Some with the network's part at hand and some without, in one batch, each get their own."""
    rows = (drawn_shop / "products.csv").read_text().splitlines()
    few = drawn_shop / "few.csv"
    few.write_text("\n".join([rows[0], *rows[1::2]]) + "\n")
    try:
        with ss.open(tmp_path / "home", extractor=JOINED) as shop:
            shop.ingest(few, extractors=[PLAIN])
            assert shop.ingest(drawn_shop / "products.csv").computed == 24
            found = features_of(shop, JOINED)
    finally:
        few.unlink()
    assert found.keys() == fresh.keys()
    for key, vector in fresh.items():
        # In a batch of another size an engine may round differently.
        assert np.allclose(found[key], vector, atol=0.01)


@pytest.mark.parametrize("metric", ["cosine", "l2", "l1"])
def test_studies_know_the_joined_spaces(metric: str, workspace: Path, drawn_shop: Path) -> None:
    default = Settings().extractor
    with ss.open(workspace) as shop:
        shop.ingest(drawn_shop / "street.csv")
        methods = [default, f"{default}/mixed"]
        study = shop.evaluate(methods, metrics=[metric], ks=[1, 5], regions="whole")
        through_index = shop.evaluate(methods[1:], metrics=[metric], ks=[1, 5], regions="whole", index=True)
    assert [one.label for one in study.methods] == methods
    assert [one.feature_dim for one in study.methods] == [1628, 1628]
    assert study.methods[1].dim < 1628
    exact = study.run(methods[1], metric).micro.values["top-5"].value
    assert through_index.run(methods[1], metric).micro.values["top-5"].value == exact


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_a_head_begins_with_the_colors_too(patterned: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(patterned, home)
    with ss.open(home) as shop:
        report = shop.train("colorful", extractor=JOINED, epochs=2, dim=16)
        transform = load_model(report.folder.parent)[1]
        assert transform.dim_learned == 16 + 108
        assert shop.query(photo_of(home, "p000"), space="siamese:colorful").hits
    assert isinstance(transform.untrained, JoinedTransform)
    assert report.card.extractor == JOINED
