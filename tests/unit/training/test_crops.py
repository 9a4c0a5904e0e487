"""Pictures for a network that is trained: the crops that a query and an ingest would make."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stylesearch.errors import CatalogError, StyleSearchError
from stylesearch.features.images import CatalogImage
from stylesearch.features.stream import ExtractionOptions
from stylesearch.files import sha256_bytes
from stylesearch.images.decode import decode
from stylesearch.images.regions import crops, plan_boxes
from stylesearch.training.data import MAX_REGIONS, temporary_crops
from stylesearch.types import Box, Domain, ImageRecord, Product

OPTIONS = ExtractionOptions(n_workers=2)


def catalog_images(folder: Path, n_images: int, box: Box | None = None) -> list[CatalogImage]:
    rng = np.random.default_rng(0)
    found = []
    for number in range(n_images):
        path = folder / f"{number}.png"
        Image.fromarray(rng.integers(0, 256, (60, 40, 3)).astype(np.uint8)).save(path)
        record = ImageRecord(str(path), sha256_bytes(path.read_bytes()), Domain.SHOP, 40, 60, box)
        found.append(CatalogImage(number, Product(f"p{number}", "a coat", "coat"), record))
    return found


def expected(image: CatalogImage, boxes: list[Box]) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return crops(decode(image.image.path), boxes, 24)


def test_crops_are_those_of_a_query(tmp_path: Path) -> None:
    images = catalog_images(tmp_path, 3)
    with temporary_crops(images, "few", 24, tmp_path / "cache", OPTIONS) as found:
        assert found.shape == (3, 4, 24, 24, 3)
        for image, pixels in zip(images, found, strict=True):
            np.testing.assert_array_equal(pixels, expected(image, plan_boxes("few", 40, 60)))
    assert not list((tmp_path / "cache").iterdir())


def test_of_many_regions_the_whole_and_a_few_others_are_drawn(tmp_path: Path) -> None:
    images = catalog_images(tmp_path, 4)
    with temporary_crops(images, "street", 24, tmp_path, OPTIONS, seed=1) as found:
        assert found.shape[1] == MAX_REGIONS
        first = np.array(found)
        drawn = set()
        for image, pixels in zip(images, found, strict=True):
            every = expected(image, plan_boxes("street", 40, 60))
            places = [int((every == one).all(axis=(1, 2, 3)).argmax()) for one in pixels]
            assert places[0] == 0
            assert len(set(places)) == MAX_REGIONS
            drawn.add(tuple(places))
        assert len(drawn) > 1
    with temporary_crops(images, "street", 24, tmp_path, OPTIONS, seed=1) as again:
        np.testing.assert_array_equal(first, again)


def test_a_box_is_what_the_catalog_has_features_of(tmp_path: Path) -> None:
    box = Box(5, 10, 30, 50)
    images = catalog_images(tmp_path, 2, box)
    done: list[tuple[int, int]] = []

    def progress(n_done, n_images):
        done.append((n_done, n_images))

    with temporary_crops(images, "box", 24, tmp_path, OPTIONS, progress=progress) as found:
        np.testing.assert_array_equal(found[1], expected(images[1], [box]))
    assert done == [(1, 2), (2, 2)]


def test_a_file_that_has_changed_is_refused(tmp_path: Path) -> None:
    images = catalog_images(tmp_path, 2)
    Image.new("RGB", (40, 60)).save(images[1].image.path)
    with (
        pytest.raises(CatalogError, match=r"1\.png: the file has changed"),
        temporary_crops(images, "whole", 24, tmp_path, OPTIONS),
    ):
        pass
    Path(images[1].image.path).unlink()
    with (
        pytest.raises(CatalogError, match=r"1\.png: No such file"),
        temporary_crops(images, "whole", 24, tmp_path, OPTIONS),
    ):
        pass


def test_a_disk_without_room_for_all_images_is_an_error_before_any_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = catalog_images(tmp_path, 3)
    asked, done = [], []

    def full(descriptor: int, offset: int, n_bytes: int) -> None:
        asked.append(n_bytes)
        os.truncate(descriptor, n_bytes // 2)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    with (
        pytest.raises(StyleSearchError, match=r"does not fit: .*cache has .* MiB left") as caught,
        temporary_crops(
            images, "few", 24, tmp_path / "cache", OPTIONS, progress=lambda *counts: done.append(counts)
        ),
    ):
        pass
    assert asked == [3 * 4 * 24 * 24 * 3]
    assert not done
    assert "make room" in caught.value.hint
    assert not list((tmp_path / "cache").iterdir())
