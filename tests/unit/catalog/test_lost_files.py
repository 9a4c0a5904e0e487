"""A folder that was moved and ingested again: what it listed at its old place goes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from stylesearch.catalog import Catalog, FeatureSet, ImageEntry, Writer, pruning
from stylesearch.catalog.pruning import Pruner
from stylesearch.types import Product

RED = Product("red", "Red dress", "dress")

See = Callable[..., str]


def paths(catalog: Catalog) -> set[str]:
    return {image.path for product in catalog.products() for image in catalog.images_of(product.id)}


@pytest.fixture
def see(
    tmp_path: Path, writer: Writer, store: Callable[..., dict[str, int]], entry: Callable[..., ImageEntry]
) -> See:
    """Puts a picture of the red dress in under another source; marks it as seen unless told.

    All have the same bytes, unless others are given.
    """

    def put(path: str, *, seen: bool = True, content: str = "the dress") -> str:
        pks = store((RED, entry("red", path, content)), source="another place")
        if seen:
            with writer.transaction():
                Pruner(writer, "shop").mark(pks.values())
        return path

    return put


def forget(writer: Writer) -> int:
    with writer.transaction():
        return Pruner(writer, "shop").forget_lost_files()


def test_lost_images_of_seen_products_go_with_their_vectors(
    catalog: Catalog, writer: Writer, feature_set: FeatureSet, shop: dict[str, int], see: See
) -> None:
    old = see("/nowhere/old.jpg", seen=False)
    new = see("/nowhere/seen, so it stays.jpg")
    assert old in paths(catalog)
    assert forget(writer) == 1
    assert paths(catalog) == {new, *shop}
    assert [ids.tolist() for ids, _ in catalog.features(feature_set)] == [[1, 2, 3, 4, 6]]
    assert forget(writer) == 0


def test_images_with_other_bytes_stay_since_their_drive_may_be_absent(
    catalog: Catalog, writer: Writer, feature_set: FeatureSet, shop: dict[str, int], see: See
) -> None:
    kept = {see("/nas/back.jpg", seen=False, content="the back"), see("/nowhere/front.jpg")}
    assert forget(writer) == 0
    assert paths(catalog) == {*kept, *shop}


def test_without_marks_nothing_goes(catalog: Catalog, writer: Writer, shop: dict[str, int]) -> None:
    assert forget(writer) == 0
    assert paths(catalog) == set(shop)


def test_files_that_are_there_and_urls_stay(
    tmp_path: Path, catalog: Catalog, writer: Writer, feature_set: FeatureSet, see: See
) -> None:
    kept = {
        see(str(tmp_path / "seen.jpg")),
        see("https://shop.example/red.jpg", seen=False),
        see("S3://bucket/red.jpg", seen=False),
        see(f"{tmp_path}/{'long' * 100}.jpg", seen=False),  # the system refuses to look
    }
    there = tmp_path / "there.jpg"
    there.touch()
    link = tmp_path / "link.jpg"
    link.symlink_to(there)
    kept |= {see(str(there), seen=False), see(str(link), seen=False)}
    broken = tmp_path / "broken.jpg"
    broken.symlink_to(tmp_path / "nothing")
    see(str(broken), seen=False)
    see(str(there / "below a file.jpg"), seen=False)
    assert forget(writer) == 2
    assert paths(catalog) == kept


def test_candidates_come_in_batches(
    tmp_path: Path,
    catalog: Catalog,
    writer: Writer,
    feature_set: FeatureSet,
    see: See,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pruning, "BATCH", 2)
    kept = {see("/seen.jpg")}
    for number in range(7):
        path = tmp_path / f"{number}.jpg"
        if number in (1, 2, 3):  # a whole batch that stays must not end the search
            path.touch()
            kept.add(str(path))
        see(str(path), seen=False)
    assert forget(writer) == 4
    assert paths(catalog) == kept
