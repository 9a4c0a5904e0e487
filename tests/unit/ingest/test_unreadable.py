"""A file that cannot be read just now says nothing against the picture that the catalog knows."""

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stylesearch.catalog import Catalog, FeatureSet, KnownImage
from stylesearch.features.stream import ExtractionOptions
from stylesearch.images import source as source_module
from stylesearch.importers.tables.importer import TableImporter
from stylesearch.ingest import IngestOptions, IngestReport, ingest
from stylesearch.testing.fake_extractor import FakeExtractor


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A table of one picture."""
    pixels = np.random.default_rng(5).integers(0, 255, (40, 30, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    (tmp_path / "products.csv").write_text("id,category,image\np1,dress,a.png\n")
    return tmp_path / "products.csv"


@pytest.fixture
def catalog(tmp_path: Path, source: Path) -> Catalog:
    catalog = Catalog.open(tmp_path / "catalog.db")
    assert run(catalog, source).added == 1
    return catalog


def run(catalog: Catalog, source: Path, extractor: FakeExtractor | None = None) -> IngestReport:
    options = IngestOptions(extraction=ExtractionOptions(batch_size=4, n_workers=2))
    return ingest(catalog, source, TableImporter(), [extractor or FakeExtractor()], options)


def known(catalog: Catalog, source: Path) -> tuple[KnownImage, list[FeatureSet]]:
    """The picture as the catalog has it, and the feature sets that it was asked for."""
    sets = catalog.feature_sets()
    key = ("p1", str(source.parent / "a.png"))
    return catalog.known_images([key], sets)[key], sets


def make_unreadable(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def fail(path: Path) -> bytes:
        raise OSError(code, "not now", str(path))

    monkeypatch.setattr(source_module, "open_image", fail)


@pytest.mark.parametrize("code", [errno.EACCES, errno.EIO])
def test_row_and_vectors_stay_and_the_failure_is_told(
    catalog: Catalog, source: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    before, sets = known(catalog, source)
    assert before.feature_sets == {sets[0].pk}
    (source.parent / "a.png").touch()
    with monkeypatch.context() as patch:
        make_unreadable(patch, code)
        report = run(catalog, source)
    assert [(one.item, one.reason) for one in report.failed] == [(before.path, "not now")]
    assert (report.added, report.changed, report.unchanged, report.removed) == (0, 0, 0, 0)
    assert known(catalog, source)[0] == before
    later = run(catalog, source)
    assert (later.unchanged, later.computed, later.failed) == (1, 0, [])


def test_vectors_of_another_extractor_stay(
    catalog: Catalog, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, _ = known(catalog, source)
    with monkeypatch.context() as patch:
        make_unreadable(patch, errno.EIO)
        assert len(run(catalog, source, FakeExtractor(seed=1)).failed) == 1
    assert known(catalog, source)[0] == before
    assert run(catalog, source, FakeExtractor(seed=1)).computed == 1


def test_another_box_waits_until_the_file_can_be_read(
    catalog: Catalog, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, _ = known(catalog, source)
    source.write_text('id,category,image,box\np1,dress,a.png,"0,0,20,20"\n')
    with monkeypatch.context() as patch:
        make_unreadable(patch, errno.EIO)
        assert len(run(catalog, source).failed) == 1
    assert known(catalog, source)[0] == before
    later = run(catalog, source)
    assert (later.changed, later.computed) == (1, 1)
    assert str(known(catalog, source)[0].box) == "0,0,20,20"


def test_a_new_image_that_cannot_be_read_is_marked(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog = Catalog.open(tmp_path / "other.db")
    with monkeypatch.context() as patch:
        make_unreadable(patch, errno.EACCES)
        assert [one.reason for one in run(catalog, source).failed] == ["not now"]
    assert known(catalog, source)[0].error == "not now"
    report = run(catalog, source)
    assert (report.failed, report.computed) == ([], 1)


@pytest.mark.parametrize("what", ["missing", "damaged"])
def test_a_missing_or_damaged_file_takes_the_vectors_with_it(
    catalog: Catalog, source: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    image = source.parent / "a.png"
    with monkeypatch.context() as patch:
        if what == "missing":  # between the listing and the reading: the table's rows are looked at before
            image.touch()
            make_unreadable(patch, errno.ENOENT)
        else:
            image.write_bytes(b"no picture")
        assert len(run(catalog, source).failed) == 1
    after, _ = known(catalog, source)
    assert after.error
    assert after.feature_sets == frozenset()


def test_a_file_of_gigabytes_is_told_and_not_read(tmp_path: Path, source: Path) -> None:
    with (tmp_path / "a.png").open("wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        file.truncate(6_000_000_000)  # takes no space
    report = run(Catalog.open(tmp_path / "other.db"), source)
    (failure,) = report.failed
    assert failure.item.endswith("a.png")
    assert failure.reason == "the picture has 6,000,000,000 bytes; files of up to 200,000,000 are read"
