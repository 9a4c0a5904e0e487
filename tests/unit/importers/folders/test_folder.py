from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest

from stylesearch.errors import DatasetError
from stylesearch.importers.folders.importer import FolderImporter
from stylesearch.listing import Listing, Record
from stylesearch.types import Domain, Failure
from tests.unit.importers.folders.trees import plant, read


def images(root: Path) -> dict[str, str]:
    """Product id by path from the root, as a new catalog has them; there must be no failures."""
    found: dict[str, str] = {}
    places: dict[str, str] = {}
    for item in read(root):
        assert isinstance(item, Record), item
        one = item.product
        name = next(
            name for name in (one.id, *one.other_ids) if places.setdefault(name, one.place) == one.place
        )
        found[os.path.relpath(item.path, root)] = name
    return found


def failures(root: Path) -> dict[str, str]:
    return {os.path.relpath(f.item, root): f.reason for f in read(root) if isinstance(f, Failure)}


def test_a_category_of_product_folders(tmp_path: Path) -> None:
    plant(tmp_path, "dress/red-summer_dress/2.jpg", "dress/red-summer_dress/1.jpg", "skirt/mini/a.png")
    red = Listing(
        "red-summer_dress",
        {"category": "dress"},
        {"title": "Red summer dress", "category": "dress"},
        place="dress/red-summer_dress",
        other_ids=("dress/red-summer_dress", "dress/red-summer_dress/"),
    )
    found = read(tmp_path)
    assert found[:2] == [
        Record(red, str(tmp_path / "dress/red-summer_dress/1.jpg")),
        Record(red, str(tmp_path / "dress/red-summer_dress/2.jpg")),
    ]
    assert isinstance(found[2], Record)
    assert (found[2].path, found[2].product.id) == (str(tmp_path / "skirt/mini/a.png"), "mini")


def test_a_category_of_images_and_one_of_both(tmp_path: Path) -> None:
    plant(tmp_path, "dress/10021.jpg", "dress/wrap/1.jpg", "dress/wrap/2.jpg", "top/10022.webp")
    assert images(tmp_path) == {
        "dress/10021.jpg": "10021",
        "dress/wrap/1.jpg": "wrap",
        "dress/wrap/2.jpg": "wrap",
        "top/10022.webp": "10022",
    }


def test_a_category_s_own_folder_finds_the_same_products(tmp_path: Path) -> None:
    plant(tmp_path, "dress/10021.jpg", "dress/wrap/1.jpg", "skirt/mini.jpg")
    above = [item for item in read(tmp_path) if isinstance(item, Record) and item.product.id == "10021"]
    own = read(tmp_path / "dress")
    assert isinstance(own[0], Record)
    assert own[0].path == above[0].path == str(tmp_path / "dress/10021.jpg")
    assert (own[0].product.id, own[0].product.guesses) == ("10021", {"title": "10021", "category": "dress"})
    assert own[0].product.guesses == above[0].product.guesses
    assert isinstance(own[1], Record)
    assert own[1].product.id == "wrap"


def test_images_deeper_down_belong_to_the_product(tmp_path: Path) -> None:
    plant(tmp_path, "dress/wrap/front/1.jpg", "dress/wrap/back/detail/2.jpg", "dress/wrap/0.jpg")
    assert images(tmp_path) == {
        "dress/wrap/0.jpg": "wrap",
        "dress/wrap/back/detail/2.jpg": "wrap",
        "dress/wrap/front/1.jpg": "wrap",
    }


def test_a_name_in_two_categories_is_told_apart(tmp_path: Path) -> None:
    plant(tmp_path, "dress/1.jpg", "skirt/1.jpg", "top/1/a.jpg", "top/2.jpg")
    assert images(tmp_path) == {
        "dress/1.jpg": "dress/1",
        "skirt/1.jpg": "skirt/1",
        "top/1/a.jpg": "top/1",
        "top/2.jpg": "2",
    }


def test_a_name_twice_in_one_category_is_told_apart(tmp_path: Path) -> None:
    plant(tmp_path, "dress/1.jpg", "dress/1.png", "dress/2/a.jpg", "dress/2.jpg", "dress/3.jpg")
    assert images(tmp_path) == {
        "dress/1.jpg": "dress/1.jpg",
        "dress/1.png": "dress/1.png",
        "dress/2/a.jpg": "dress/2",
        "dress/2.jpg": "dress/2.jpg",
        "dress/3.jpg": "3",
    }


def test_a_name_in_the_root_and_in_a_category_named_like_the_root(tmp_path: Path) -> None:
    root = plant(tmp_path / "shop", "1.jpg", "shop/1.jpg")
    assert images(root) == {"1.jpg": "./1", "shop/1.jpg": "shop/1"}
    assert {item.product.guesses["category"] for item in read(root) if isinstance(item, Record)} == {"shop"}


def test_a_folder_without_images_does_not_change_another_product_s_id(tmp_path: Path) -> None:
    plant(tmp_path, "dress/1.jpg", "skirt/1/notes.txt")
    (tmp_path / "top" / "1").mkdir(parents=True)
    assert images(tmp_path) == {"dress/1.jpg": "1"}


def test_ids_are_all_different_whatever_the_names(tmp_path: Path) -> None:
    names = [
        "1.jpg",
        "1.png",
        "1/1.jpg",
        "1/1.png",
        "1/1/1.jpg",
        "2/1.jpg",
        "2/1/1.jpg",
        "2/2.jpg",
        "a/b.jpg",
    ]
    plant(tmp_path, *names)
    ids = images(tmp_path)
    assert set(ids) == set(names)
    assert len(set(ids.values())) == len(names)


def test_the_order_depends_on_the_names_alone(tmp_path: Path) -> None:
    names = [f"c{c}/p{p}/{i}.jpg" for c in range(3) for p in range(3) for i in range(3)]
    first = plant(tmp_path / "first", *names)
    second = plant(tmp_path / "second", *reversed(names))
    assert list(images(first)) == list(images(second)) == sorted(names)


def test_junk_and_files_that_are_no_images_are_passed_over(tmp_path: Path) -> None:
    plant(
        tmp_path, "dress/ok.jpg", ".stylesearch/catalog.db", ".git/x/y.jpg", "labels.csv", "LICENSE", "README"
    )
    plant(
        tmp_path,
        "dress/.hidden.jpg",
        "dress/._ok.jpg",
        "dress/Thumbs.db",
        "dress/.DS_Store",
        "dress/desktop.ini",
    )
    plant(tmp_path, "__MACOSX/dress/ok.jpg", "dress/wrap/sizes.PDF", "dress/wrap/film.mp4", "dress/Readme.md")
    assert images(tmp_path) == {"dress/ok.jpg": "ok"}


def test_everything_else_is_left_to_the_decoder(tmp_path: Path) -> None:
    plant(tmp_path, "dress/a.heic", "dress/b", "dress/c.jpeg.download", "dress/d.psd", "dress/e.JPG")
    assert images(tmp_path) == {
        "dress/a.heic": "a",
        "dress/b": "b",
        "dress/c.jpeg.download": "c.jpeg",
        "dress/d.psd": "d",
        "dress/e.JPG": "e",
    }


def test_an_empty_folder_says_what_was_expected(tmp_path: Path) -> None:
    plant(tmp_path, "dress/notes.txt")
    with pytest.raises(DatasetError, match="no pictures in") as caught:
        read(tmp_path)
    assert "category/product/picture.jpg" in caught.value.hint


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    plant(tmp_path, "a.jpg")
    with pytest.raises(DatasetError, match="not a folder"):
        read(tmp_path / "a.jpg")
    with pytest.raises(DatasetError, match="not a folder"):
        read(tmp_path / "missing")


def test_links_are_followed(tmp_path: Path) -> None:
    elsewhere = plant(tmp_path / "elsewhere", "wrap/1.jpg", "single.jpg")
    root = plant(tmp_path / "shop", "dress/own.jpg")
    (root / "linked").symlink_to(elsewhere)
    (root / "dress" / "linked-product").symlink_to(elsewhere / "wrap")
    (root / "dress" / "linked-picture.jpg").symlink_to(elsewhere / "single.jpg")
    assert images(root) == {
        "dress/linked-picture.jpg": "linked-picture",
        "dress/linked-product/1.jpg": "linked-product",
        "dress/own.jpg": "own",
        "linked/single.jpg": "single",
        "linked/wrap/1.jpg": "wrap",
    }


@pytest.mark.parametrize("place", ["loop", "dress/loop", "dress/wrap/loop", "dress/wrap/deep/loop"])
@pytest.mark.parametrize("target", [".", "..", "../..", "../../.."])
def test_a_link_never_leads_around_in_circles(tmp_path: Path, place: str, target: str) -> None:
    root = plant(tmp_path / "a" / "b" / "c" / "shop", "dress/wrap/deep/1.jpg", "dress/own.jpg")
    (root / place).symlink_to(target)
    assert failures(root) == {place: "a link to a folder that contains it"}
    assert len(read(root)) == 3


def test_many_links_between_folders_end(tmp_path: Path) -> None:
    root = plant(tmp_path / "shop", *(f"dress/wrap/f{i}/1.jpg" for i in range(8)))
    for i in range(8):
        for k in range(8):
            (root / "dress" / "wrap" / f"f{i}" / f"to{k}").symlink_to(f"../f{k}")
    as_one = read(root, layout="category/product/image")
    assert len([item for item in as_one if isinstance(item, Record)]) == 16
    by_folder = read(root)
    assert len([item for item in by_folder if isinstance(item, Record)]) == 64


def test_a_link_that_leads_nowhere_or_to_itself(tmp_path: Path) -> None:
    plant(tmp_path, "dress/ok.jpg")
    (tmp_path / "dress" / "broken.jpg").symlink_to("missing.jpg")
    (tmp_path / "dress" / "self.jpg").symlink_to("self.jpg")
    found = failures(tmp_path)
    assert found["dress/broken.jpg"] == "a link that leads nowhere"
    assert "symbolic links" in found["dress/self.jpg"]
    assert len(read(tmp_path)) == 3


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    plant(tmp_path, "dress/ok.jpg")
    os.mkfifo(tmp_path / "dress" / "pipe.jpg")
    assert failures(tmp_path) == {"dress/pipe.jpg": "neither a file nor a folder"}


def test_names_that_are_not_utf_8_are_failures(tmp_path: Path) -> None:
    plant(tmp_path, "dress/ok.jpg")
    plant(tmp_path, os.fsdecode(b"dress/caf\xe9.jpg"), os.fsdecode(b"r\xf6cke/1.jpg"))
    found = failures(tmp_path)
    assert set(found) == {r"dress/caf\udce9.jpg", r"r\udcf6cke"}
    assert set(found.values()) == {"its name is not valid UTF-8: rename it"}


def test_a_root_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    root = plant(tmp_path / os.fsdecode(b"caf\xe9"), "dress/1.jpg")
    with pytest.raises(DatasetError, match=r"not valid UTF-8: .*caf\\udce9"):
        read(root)


def test_a_folder_that_cannot_be_listed_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(tmp_path, "dress/secret/1.jpg", "dress/ok.jpg")
    scandir = os.scandir

    def refuse(path: str) -> object:
        if path.endswith("secret"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert failures(tmp_path) == {"dress/secret": "cannot list this folder: Permission denied"}
    assert len(read(tmp_path)) == 2


def test_names_are_compared_in_one_unicode_form_but_paths_stay(tmp_path: Path) -> None:
    decomposed = unicodedata.normalize("NFD", "Röcke")
    plant(tmp_path, f"{decomposed}/{decomposed}.jpg")
    (record,) = read(tmp_path)
    assert isinstance(record, Record)
    assert record.product.said["category"] == record.product.id == unicodedata.normalize("NFC", "Röcke")
    assert Path(record.path).exists()


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (
            ["R\u00f6cke/1/a.jpg", "Ro\u0308cke/1/b.jpg", "Ro\u0308cke/2/a.jpg"],
            {"R\u00f6cke/1": 2, "R\u00f6cke/2": 1},
        ),
        (["dress/\u00e9t\u00e9/a.jpg", "dress/e\u0301t\u00e9/a.jpg"], {"dress/\u00e9t\u00e9": 2}),
        (["dress/\u00e9.jpg", "dress/e\u0301.jpg"], {"dress/\u00e9.jpg": 2}),
        (["\u00e9.jpg", "e\u0301.jpg", "f.jpg"], {"\u00e9.jpg": 2, "f.jpg": 1}),
    ],
)
def test_entries_that_differ_only_in_unicode_form_are_one(
    tmp_path: Path, names: list[str], expected: dict[str, int]
) -> None:
    plant(tmp_path, *names)
    found: dict[str, int] = {}
    for item in read(tmp_path):
        assert isinstance(item, Record)
        assert Path(item.path).exists()
        found[item.product.place] = found.get(item.product.place, 0) + 1
        assert item.product.id == unicodedata.normalize("NFC", item.product.id)
    assert found == expected


def test_the_domain_is_the_user_s(tmp_path: Path) -> None:
    plant(tmp_path, "dress/1.jpg")
    (record,) = read(tmp_path, domain=Domain.CONSUMER)
    assert isinstance(record, Record)
    assert record.domain is Domain.CONSUMER


def test_a_relative_folder_gives_absolute_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(tmp_path / "shop", "dress/1.jpg")
    monkeypatch.chdir(tmp_path / "shop")
    (record,) = read(Path())
    assert isinstance(record, Record)
    assert record.path == str(tmp_path / "shop" / "dress" / "1.jpg")
    assert record.product.said == {"category": "dress"}


def test_count(tmp_path: Path) -> None:
    plant(tmp_path, "dress/1.jpg", "dress/2/a.jpg", "dress/2/b.jpg", "notes.txt")
    assert FolderImporter().count(tmp_path) == 3
