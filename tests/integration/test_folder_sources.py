"""Folders as sources of a workspace: what is kept of how they were read, and the ids of their products."""

from __future__ import annotations

import shutil
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


def options_of(shop: ss.Workspace) -> dict[str, object]:
    """What is kept with the only source, but for the extractor of these tests."""
    (one,) = shop.sources.list()
    return {name: value for name, value in one.source.options.items() if name != "extractors"}


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


def test_two_folders_with_a_product_of_one_name_have_two_products(shop: ss.Workspace, tmp_path: Path) -> None:
    women = draw(tmp_path / "women", "Shirts/000/a.png", "Shirts/000/b.png", "Shirts/001/c.png")
    men = draw(tmp_path / "men", "Jackets/000/d.png", "Shirts/001/e.png")
    ingest(shop, women, layout="category/product/image")
    for _ in range(2):
        ingest(shop, men, layout="category/product/image")
        ingest(shop, women)
    assert ids(tmp_path, women) == {"000": "Shirts/000", "001": "Shirts/001"}
    assert ids(tmp_path, men) == {"Jackets/000": "Jackets/000", "Shirts/001": "Shirts/001"}
    assert [shop.product(name).category for name in ("000", "Jackets/000")] == ["Shirts", "Jackets"]
    assert len(shop.images("000")) == 2


def test_folders_of_one_name_with_the_same_places_have_products_of_their_own(
    shop: ss.Workspace, tmp_path: Path
) -> None:
    names = ("Shirts/000/a.png", "Shirts/000.png", "Jackets/000/b.png")
    roots = [draw(tmp_path / part / "men", *names) for part in ("old", "new", "next")]
    for root in roots:
        assert ingest(shop, root, layout="category/product/image").products["added"] == 3
    known = [name for root in roots for name in ids(tmp_path, root)]
    assert len(set(known)) == len(known) == 9
    assert "men/Shirts/000" in known


def test_a_table_joins_the_products_of_a_folder(shop: ss.Workspace, tmp_path: Path) -> None:
    root = draw(tmp_path / "pictures", "4711/front.png", "4712/front.png")
    table = tmp_path / "products.csv"
    table.write_text("id,title,image\n4711,Red dress,pictures/4711/front.png\n", encoding="utf-8")
    ingest(shop, table)
    ingest(shop, root, layout="product/image")
    assert ids(tmp_path, root) == {"4711": "4711", "4712": "4712"}
    assert shop.product("4711").title == "Red dress"


def test_a_folder_within_a_folder_and_one_that_has_moved_are_the_same_products(
    shop: ss.Workspace, tmp_path: Path
) -> None:
    root = draw(tmp_path / "shop", "dress/a1/1.png", "skirt/b1/1.png")
    ingest(shop, root)
    assert ingest(shop, root / "dress", layout="product/image").products["unchanged"] == 1
    moved = root.rename(tmp_path / "moved")
    assert ingest(shop, moved).products["added"] == 0
    assert ids(tmp_path, moved) == {"a1": "dress/a1", "b1": "skirt/b1"}


class TestALayoutThatWasFound:
    @pytest.fixture
    def root(self, shop: ss.Workspace, tmp_path: Path) -> Path:
        root = draw(tmp_path / "shop", "Dresses/1001/1.png", "Dresses/1002/1.png")
        ingest(shop, root)
        return root

    def options(self, shop: ss.Workspace) -> dict[str, object]:
        return options_of(shop)

    def test_is_kept_as_one_that_was_found(self, shop: ss.Workspace, root: Path) -> None:
        assert self.options(shop) == {"layout": "category/product/image", "layout_found": True}
        ingest(shop, root, layout="category/product/image")
        assert self.options(shop) == {"layout": "category/product/image"}

    def test_says_what_looks_otherwise_and_is_new(self, shop: ss.Workspace, root: Path) -> None:
        draw(root, "Women/Skirts/2001/1.png", "Women/Skirts/2002/1.png", "Dresses/1003/1.png")
        note = (
            "took the new folders in 'Women' ('Skirts') as the layout category/product/image says, which an "
            "earlier run found: products; they look like categories: --layout auto looks at each folder, "
            "--layout category/category/product/image is for a source in which all are so"
        )
        assert ingest(shop, root, dry_run=True).notes == [note]
        assert ingest(shop, root).notes == [note]
        assert shop.product("Skirts").category == "Women"
        assert ingest(shop, root).notes == []  # known by now, and read as before

    def test_that_is_given_says_nothing(self, shop: ss.Workspace, root: Path) -> None:
        ingest(shop, root, layout="category/product/image")
        draw(root, "Women/Skirts/2001/1.png", "Women/Skirts/2002/1.png")
        assert ingest(shop, root).notes == []

    def test_can_be_left_for_looking_at_each_folder(
        self, shop: ss.Workspace, root: Path, tmp_path: Path
    ) -> None:
        draw(root, "Women/Skirts/2001/1.png", "Women/Skirts/2002/1.png")
        ingest(shop, root, layout="auto")
        assert ids(tmp_path, root) == {
            "1001": "Dresses/1001",
            "1002": "Dresses/1002",
            "2001": "Women/Skirts/2001",
            "2002": "Women/Skirts/2002",
        }
        assert self.options(shop) == {"layout": "auto"}


def test_folders_without_a_single_layout_are_read_as_before(shop: ss.Workspace, tmp_path: Path) -> None:
    root = draw(tmp_path / "shop", "Women/Dresses/1001/1.png", "Shoes/2001/1.png", "a/1.png", "b/1.png")
    ingest(shop, root)
    before = ids(tmp_path, root)
    assert set(before.values()) == {"Women/Dresses/1001", "Shoes/2001", "a/1.png", "b/1.png"}
    assert shop.sources.list()[0].source.options["roles"] == {
        "": {"category": ["Shoes", "Women", "a", "b"]},
        "Shoes": {"product": ["2001"]},
        "Women": {"category": ["Dresses"]},
        "Women/Dresses": {"product": ["1001"]},
    }
    # By looking alone, a and b are products from now on.
    draw(root, "a/2.png", "a/3.png", "b/2.png", "b/3.png", "Shoes/2002/1.png")
    report = ingest(shop, root)
    assert (report.products["added"], report.products["unlisted"]) == (5, 0)
    assert before.items() <= ids(tmp_path, root).items()
    assert "2002" in shop.sources.list()[0].source.options["roles"]["Shoes"]["product"]
    ingest(shop, root, layout="category/product/image")
    assert options_of(shop) == {"layout": "category/product/image"}


class TestAProductThatMoves:
    @pytest.fixture
    def root(self, shop: ss.Workspace, tmp_path: Path) -> Path:
        root = draw(tmp_path / "shop", "Dresses/p10/1.png", "Skirts/p11/1.png", "Skirts/p12.png")
        ingest(shop, root, layout="category/product/image")
        return root

    def test_keeps_its_id(self, shop: ss.Workspace, root: Path, tmp_path: Path) -> None:
        (root / "Sale").mkdir()
        (root / "Dresses/p10").rename(root / "Sale/p10")
        (root / "Skirts/p12.png").rename(root / "Sale/p12.png")
        planned = ingest(shop, root, dry_run=True)
        report = ingest(shop, root)
        for one in (planned, report):
            assert {name: n for name, n in one.products.items() if n} == {"changed": 2, "unchanged": 1}
            assert (one.added, one.removed, one.computed) == (2, 2, 0)
        assert ids(tmp_path, root) == {"p10": "Sale/p10", "p11": "Skirts/p11", "p12": "Sale/p12.png"}
        assert [shop.product(name).category for name in ("p10", "p12")] == ["Sale", "Sale"]
        assert [image.path for image in shop.images("p10")] == [str(root / "Sale/p10/1.png")]

    @pytest.mark.parametrize("prune", [False, True])
    def test_is_not_one_of_its_name_with_other_images(
        self, shop: ss.Workspace, root: Path, tmp_path: Path, prune: bool
    ) -> None:
        draw(root, "Coats/p10/1.png")
        assert (root / "Coats/p10/1.png").read_bytes() != (root / "Dresses/p10/1.png").read_bytes()
        shutil.rmtree(root / "Dresses")
        ingest(shop, root, prune=prune, force=True)
        assert ids(tmp_path, root)["Coats/p10"] == "Coats/p10"
        assert ids(tmp_path, root).get("p10") == (None if prune else "Dresses/p10")

    def test_is_not_a_copy_of_one_that_is_there(self, shop: ss.Workspace, root: Path, tmp_path: Path) -> None:
        shutil.copytree(root / "Dresses", root / "Sale")
        assert ingest(shop, root).products["added"] == 1
        assert ids(tmp_path, root)["p10"] == "Dresses/p10"

    def test_is_one_product_where_it_has_become_two(
        self, shop: ss.Workspace, root: Path, tmp_path: Path
    ) -> None:
        shutil.copytree(root / "Dresses", root / "New")
        (root / "Dresses").rename(root / "Sale")
        ingest(shop, root)
        assert ids(tmp_path, root) == {
            "p10": "New/p10",
            "Sale/p10": "Sale/p10",
            "p11": "Skirts/p11",
            "p12": "Skirts/p12.png",
        }

    def test_comes_back_to_its_place(self, shop: ss.Workspace, root: Path, tmp_path: Path) -> None:
        for there, back in (("Dresses", "Sale"), ("Sale", "Dresses")):
            (root / there).rename(root / back)
            assert ingest(shop, root).products["added"] == 0
        assert ids(tmp_path, root)["p10"] == "Dresses/p10"


@pytest.mark.parametrize(
    ("options", "said"),
    [
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
