"""The ids of a folder's products, through any sequence of adding and removing them."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from stylesearch.catalog import Catalog
from stylesearch.importers.base import ImportOptions
from stylesearch.importers.folders.importer import FolderImporter
from stylesearch.ingest import IngestOptions, ingest
from stylesearch.listing import Record
from stylesearch.testing.fake_extractor import FakeExtractor

SOURCE = "shop"
PLACES = tuple(
    f"{category}/{name}"
    for category in ("dress", "skirt", "Ro\u0308cke", "R\u00f6cke")
    for name in (
        "1/a.png",
        "1.png",
        "1.jpg.png",
        "1.jpg",
        "2/a.png",
        "e\u0301.png",
        "\u00e9.png",
        "\u00e9/a.png",
    )
)
"""Images: names that clash within a category and in several, also in two Unicode forms."""

STEPS = st.lists(
    st.tuples(st.sets(st.sampled_from(PLACES), min_size=1, max_size=4), st.sampled_from(["keep", "prune"])),
    min_size=2,
    max_size=6,
)


def run(catalog: Catalog, root: Path, *, prune: bool) -> None:
    source = ImportOptions(layout="category/product/image")
    options = IngestOptions(SOURCE, source, prune=prune, force=True)
    ingest(catalog, root, FolderImporter(), [FakeExtractor(dim=2, input_size=4)], options)


def places_on_disk(root: Path) -> set[str]:
    found = FolderImporter().records(root, ImportOptions(layout="category/product/image"))
    return {item.product.place for item in found if isinstance(item, Record)}


@given(steps=STEPS)
@settings(max_examples=20, deadline=None)
def test_a_product_keeps_its_id_while_it_is_there_and_no_two_share_one(
    steps: list[tuple[set[str], str]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "shop"
        picture = Path(folder) / "picture.png"
        Image.new("RGB", (4, 4), "navy").save(picture)
        present: set[str] = set()
        before: dict[str, str] = {}
        with Catalog.open(Path(folder) / "catalog.db") as catalog:
            for changed, mode in steps:
                for name in sorted(changed):
                    if name in present:
                        (root / name).unlink()
                        if not any((root / name).parent.iterdir()):
                            (root / name).parent.rmdir()
                    else:
                        (root / name).parent.mkdir(parents=True, exist_ok=True)
                        shutil.copyfile(picture, root / name)
                present ^= changed
                if not present:
                    break
                run(catalog, root, prune=mode == "prune")
                places = places_on_disk(root)
                now = catalog.sources.ids_of_places(SOURCE, places)
                assert set(now) == places, "every product on the disk is in the catalog"
                assert len(set(now.values())) == len(now), "no two places share an id"
                kept = {place: name for place, name in before.items() if place in places}
                assert {place: now[place] for place in kept} == kept, "no id changes while its place is there"
                before = now


MIXED = tuple(
    f"{folder}{name}"
    for folder in (
        "",
        "Women/",
        "Women/Dresses/",
        "Women/Dresses/d100/",
        "Shoes/",
        "Shoes/s100/",
        "a/",
        "a/b/",
    )
    for name in (
        "1.png",
        "front.png",
        "red wrap dress.png",
        "4711/1.png",
        "amelia/2.png",
        "Skirts/k200/1.png",
    )
)
"""Images in trees of mixed depth, whose folders can be taken for this or that."""

CHANGES = st.lists(st.sets(st.sampled_from(MIXED), min_size=1, max_size=9), min_size=2, max_size=8)


@given(changes=CHANGES)
@settings(max_examples=150, deadline=None)
def test_an_image_is_of_the_same_product_however_its_folder_grows_and_shrinks(
    changes: list[set[str]],
) -> None:
    """Each run looks at the folder, and keeps for the next one how it has read it."""
    importer = FolderImporter()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "shop"
        root.mkdir()
        present: set[str] = set()
        kept: dict[str, Any] = {}
        before: dict[str, str] = {}
        for changed in changes:
            for name in sorted(changed):
                place = root / name
                if name in present:
                    place.unlink()
                    while place.parent != root and not any(place.parent.iterdir()):
                        place = place.parent
                        place.rmdir()
                else:
                    place.parent.mkdir(parents=True, exist_ok=True)
                    place.touch()
            present ^= changed
            if not present:
                break
            options = ImportOptions(**kept)
            if "layout" not in kept:
                kept |= importer.find_reading(root, options)
            now = {
                item.path: item.product.place
                for item in importer.records(root, options)
                if isinstance(item, Record)
            }
            assert len(now) == len(present)
            assert now == {path: before.get(path, place) for path, place in now.items()}
            before |= now
