"""Folders as sources of a workspace: what is kept of how they were read, and the ids of their products."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

import stylesearch as ss
from stylesearch.catalog import Catalog
from stylesearch.errors import DatasetError
from stylesearch.ingest import IngestReport
from tests.integration.conftest import Command
from tests.integration.tiny_shop import EXTRACTOR


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[ss.Workspace]:
    with ss.open(tmp_path / "home") as opened:
        yield opened


def draw(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (16, 16), tuple(name.encode()[:3])).save(root / name)
    return root


def ingest(shop: ss.Workspace, root: Path, **options: object) -> IngestReport:
    return shop.ingest(root, extractors=[EXTRACTOR], **options)  # type: ignore[arg-type]


def ids(tmp_path: Path, root: Path) -> dict[str, str]:
    """Places by id."""
    with Catalog.open(tmp_path / "home" / "catalog.db", readonly=True) as catalog:
        known = [product.id for product in catalog.products()]
        return catalog.sources.places_of_ids(str(root), known)


def test_a_second_product_of_a_name_changes_no_id(shop: ss.Workspace, tmp_path: Path) -> None:
    root = draw(tmp_path / "shop", "skirt/1.png")
    ingest(shop, root)
    draw(root, "dress/1.png")
    report = ingest(shop, root, prune=True)
    assert ids(tmp_path, root) == {"1": "skirt/1.png", "dress/1": "dress/1.png"}
    assert (report.added, report.removed, report.changed) == (1, 0, 0)
    (root / "skirt/1.png").unlink()
    ingest(shop, root, prune=True, force=True)
    assert ids(tmp_path, root) == {"dress/1": "dress/1.png"}


def test_what_a_folder_was_taken_for_stays_when_images_are_added(shop: ss.Workspace, tmp_path: Path) -> None:
    root = draw(tmp_path / "shop", "a/1.png", "b/1.png")
    assert ingest(shop, root).notes == [
        "took the folders in the folder ('a', 'b') for categories in which each image is a product; "
        "if they are products: --layout product/image"
    ]
    before = ids(tmp_path, root)
    draw(root, "a/2.png", "a/3.png", "b/2.png", "b/3.png")
    report = ingest(shop, root)
    assert (report.added, report.notes, report.products["unlisted"]) == (4, [], 0)
    assert before.items() <= ids(tmp_path, root).items()
    other = ingest(shop, root, layout="product/image", prune=True, force=True)
    assert other.products["added"] == 2
    assert ids(tmp_path, root) == {"a": "a", "b": "b"}


def test_a_layout_that_is_no_layout_stores_nothing(shop: ss.Workspace, tmp_path: Path) -> None:
    root = draw(tmp_path / "shop", "dress/1.png")
    with pytest.raises(DatasetError, match="no level 'brand'"):
        ingest(shop, root, layout="brand/image")
    assert ingest(shop, root, layout="auto").added == 1
    with Catalog.open(tmp_path / "home" / "catalog.db", readonly=True) as catalog:
        assert catalog.sources.get(str(root)).options["layout"] == "auto"


def test_a_table_put_into_a_folder_of_pictures_gives_no_product_another_id(
    shop: ss.Workspace, tmp_path: Path
) -> None:
    root = draw(tmp_path / "shop", "dress/1.png")
    ingest(shop, root)
    (root / "products.csv").write_text("id,image\nx,dress/1.png\n", encoding="utf-8")
    assert ingest(shop, root).unchanged == 1
    assert ids(tmp_path, root) == {"1": "dress/1.png"}
    assert ingest(shop, root, format="csv").added == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--force"], "--force is for --prune"),
        (["--layout", "category/image"], "--layout is for a folder"),
        (["--media-root", "nowhere"], "there is no folder nowhere"),
    ],
)
def test_options_that_could_do_nothing_are_refused(
    stylesearch: Command, tmp_path: Path, options: list[str], said: str
) -> None:
    table = tmp_path / "a.csv"
    table.write_text("id,image\n")
    done = stylesearch("--home", tmp_path / "home", "ingest", table, *options)
    assert (done.code, said in done.err) == (2, True)
