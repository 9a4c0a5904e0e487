"""An image that several products have is computed once, also where none of them is stored yet."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stylesearch.catalog import Catalog
from stylesearch.features.stream import ExtractionOptions
from stylesearch.importers.tables.importer import TableImporter
from stylesearch.ingest import IngestOptions, IngestReport, ingest
from stylesearch.testing.fake_extractor import FakeExtractor

SMALL, LARGE = FakeExtractor(input_size=64), FakeExtractor(input_size=224, seed=1)


def draw(path: Path, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 255, (40, 30, 3), np.uint8)
    Image.fromarray(pixels).resize((120, 160)).save(path)


def write(folder: Path, rows: list[list[str]]) -> Path:
    table = folder / "products.csv"
    with table.open("w", newline="") as file:
        csv.writer(file).writerows([["id", "image", "box"], *rows])
    return table


def run(catalog: Catalog, table: Path, *extractors: FakeExtractor, batch_size: int = 4) -> IngestReport:
    options = IngestOptions("shop", extraction=ExtractionOptions(batch_size=batch_size))
    return ingest(catalog, table, TableImporter(), extractors, options)


def vectors(catalog: Catalog, extractor: FakeExtractor) -> dict[str, bytes]:
    """Of each product with one image, by its id."""
    feature_set = catalog.find_feature_set(extractor.fingerprint)
    assert feature_set is not None
    found = {}
    for ids, rows in catalog.features(feature_set):
        hits = catalog.hits_for(ids.tolist())
        found.update({hits[key][0].id: row.tobytes() for key, row in zip(ids.tolist(), rows, strict=True)})
    return found


@pytest.mark.parametrize("batch_size", [1, 2, 4, 32])
def test_products_with_the_same_new_image_have_one_computed(tmp_path: Path, batch_size: int) -> None:
    for name in ("a.png", "b.png", "other.png"):
        draw(tmp_path / name, seed=0 if name != "other.png" else 1)
    (tmp_path / "a again.png").write_bytes((tmp_path / "a.png").read_bytes())
    names = ["a.png", "other.png", "a again.png", "b.png", "a.png"]
    table = write(tmp_path, [[f"p{number}", name, ""] for number, name in enumerate(names)])
    with Catalog.open(tmp_path / "catalog.db") as catalog:
        report = run(catalog, table, SMALL, LARGE, batch_size=batch_size)
        assert (report.added, report.computed, report.failed) == (5, 4, [])
        for extractor in (SMALL, LARGE):
            found = vectors(catalog, extractor)
            assert len(found) == 5
            assert found["p0"] == found["p2"] == found["p3"] == found["p4"] != found["p1"]


def test_another_box_in_the_same_image_is_computed(tmp_path: Path) -> None:
    draw(tmp_path / "a.png", seed=0)
    rows = [["p0", "a.png", ""], ["p1", "a.png", "0,0,60,80"], ["p2", "a.png", "0,0,60,80"]]
    with Catalog.open(tmp_path / "catalog.db") as catalog:
        assert run(catalog, write(tmp_path, rows), SMALL).computed == 2
        found = vectors(catalog, SMALL)
        assert found["p1"] == found["p2"] != found["p0"]


def test_features_of_an_extractor_that_came_later_are_computed_once_too(tmp_path: Path) -> None:
    draw(tmp_path / "a.png", seed=0)
    with Catalog.open(tmp_path / "catalog.db") as catalog:
        assert run(catalog, write(tmp_path, [["p0", "a.png", ""]]), SMALL).computed == 1
        # p0 lacks LARGE only; p1 and p2 are new and lack both, of which the catalog has SMALL.
        table = write(tmp_path, [[f"p{number}", "a.png", ""] for number in range(3)])
        assert run(catalog, table, SMALL, LARGE).computed == 1
        for extractor in (SMALL, LARGE):
            found = vectors(catalog, extractor)
            assert len(found) == 3
            assert len(set(found.values())) == 1
