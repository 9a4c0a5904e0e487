"""An ingest with several extractors reads every image once, and stores what each alone would have stored."""

from __future__ import annotations

import dataclasses
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from stylesearch.catalog import Catalog
from stylesearch.extractors.base import Extractor
from stylesearch.features import prepare
from stylesearch.features.stream import ExtractionOptions
from stylesearch.images import inputs
from stylesearch.importers.folders.importer import FolderImporter
from stylesearch.ingest import IngestOptions, IngestReport, ingest
from stylesearch.testing.fake_extractor import FakeExtractor

SMALL, LARGE = FakeExtractor(input_size=64), FakeExtractor(input_size=224, seed=1)
N_IMAGES = 6


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Photos so large that a JPEG decoder reduces them, further for one extractor than for the other."""
    rng = np.random.default_rng(6)
    folder = tmp_path / "shop" / "dress"
    folder.mkdir(parents=True)
    for number in range(N_IMAGES):
        rough = rng.integers(0, 255, (30, 20, 3), np.uint8)
        photo = Image.fromarray(rough).resize((700, 1000), Image.Resampling.BICUBIC)
        photo.save(folder / f"{number}.{'png' if number == 0 else 'jpg'}")
    (folder / "broken.jpg").write_bytes(b"no picture")
    return tmp_path / "shop"


def run(catalog: Catalog, source: Path, *extractors: Extractor) -> IngestReport:
    options = IngestOptions(extraction=ExtractionOptions(batch_size=4))
    return ingest(catalog, source, FolderImporter(), extractors, options)


def vectors(catalog: Catalog, extractor: Extractor) -> dict[str, bytes]:
    """Of each image, by its path."""
    feature_set = catalog.find_feature_set(extractor.fingerprint)
    assert feature_set is not None
    found = {}
    for ids, rows in catalog.features(feature_set):
        hits = catalog.hits_for(ids.tolist())
        for key, row in zip(ids.tolist(), rows, strict=True):
            found[hits[key][1].path] = row.tobytes()
    return found


def test_vectors_are_those_of_an_ingest_with_each_alone(tmp_path: Path, source: Path) -> None:
    both = Catalog.open(tmp_path / "both.db")
    report = run(both, source, SMALL, LARGE)
    assert (report.added, report.computed, report.processed) == (N_IMAGES, 2 * N_IMAGES, N_IMAGES + 1)
    assert len(report.failed) == 1
    for extractor in (SMALL, LARGE):
        alone = Catalog.open(tmp_path / f"{extractor.input_size}.db")
        run(alone, source, extractor)
        assert vectors(both, extractor) == vectors(alone, extractor)
        assert len(vectors(both, extractor)) == N_IMAGES


def test_another_executor_stores_the_same(tmp_path: Path, source: Path) -> None:
    here = Catalog.open(tmp_path / "here.db")
    run(here, source, SMALL, LARGE)
    there = Catalog.open(tmp_path / "there.db")
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as processes:
        options = IngestOptions(extraction=ExtractionOptions(batch_size=4, executor=processes))
        report = ingest(there, source, FolderImporter(), [SMALL, LARGE], options)
    assert (report.added, report.computed) == (N_IMAGES, 2 * N_IMAGES)
    assert len(report.failed) == 1
    for extractor in (SMALL, LARGE):
        assert vectors(there, extractor) == vectors(here, extractor)


def test_every_image_is_read_once(tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    n_decoded = 0
    really_read, really_decode = prepare.read_image, inputs.decode_reduced

    def count_reads(path: str) -> bytes:
        read.append(path)
        return really_read(path)

    def count_decodes(*arguments: Any, **options: Any) -> Any:
        nonlocal n_decoded
        n_decoded += 1
        return really_decode(*arguments, **options)

    monkeypatch.setattr(prepare, "read_image", count_reads)
    monkeypatch.setattr(inputs, "decode_reduced", count_decodes)
    run(Catalog.open(tmp_path / "catalog.db"), source, SMALL, LARGE)
    assert len(read) == len(set(read)) == N_IMAGES + 1
    assert n_decoded == N_IMAGES  # what is no image is not decoded


def test_only_what_an_extractor_lacks_is_computed(tmp_path: Path, source: Path) -> None:
    catalog = Catalog.open(tmp_path / "catalog.db")
    assert run(catalog, source, LARGE).computed == N_IMAGES
    before = vectors(catalog, LARGE)
    report = run(catalog, source, SMALL, LARGE)
    assert (report.unchanged, report.computed) == (N_IMAGES, N_IMAGES)
    assert vectors(catalog, LARGE) == before
    assert len(vectors(catalog, SMALL)) == N_IMAGES
    report = run(catalog, source, SMALL, LARGE)
    assert (report.unchanged, report.computed) == (N_IMAGES, 0)


def test_a_changed_image_gets_new_vectors_of_all(tmp_path: Path, source: Path) -> None:
    catalog = Catalog.open(tmp_path / "catalog.db")
    run(catalog, source, SMALL, LARGE)
    before = [vectors(catalog, one) for one in (SMALL, LARGE)]
    changed = source / "dress" / "1.jpg"
    Image.new("RGB", (400, 300), (90, 20, 150)).save(changed)
    report = run(catalog, source, SMALL, LARGE)
    assert (report.changed, report.computed) == (1, 2)
    for old, extractor in zip(before, (SMALL, LARGE), strict=True):
        new = vectors(catalog, extractor)
        assert {path for path in new if new[path] != old[path]} == {str(changed)}


def test_two_extractors_of_one_size_share_the_inputs(tmp_path: Path, source: Path) -> None:
    other = dataclasses.replace(SMALL, seed=5)
    catalog = Catalog.open(tmp_path / "catalog.db")
    assert run(catalog, source, SMALL, other).computed == 2 * N_IMAGES
    alone = Catalog.open(tmp_path / "alone.db")
    run(alone, source, other)
    assert vectors(catalog, other) == vectors(alone, other)
