"""Trees as shops have them, and what a person would take them for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.importers.folders.trees import notes, plant, products, read

CLEAR: dict[str, tuple[list[str], dict[str, tuple[str, int]]]] = {
    "category/product": (
        ["dress/wrap/1.jpg", "dress/wrap/2.jpg", "skirt/mini/1.jpg"],
        {"dress/wrap": ("dress", 2), "skirt/mini": ("skirt", 1)},
    ),
    "category/product in words that nobody knows": (
        [f"{c}/{c}-{p}/{i}.jpg" for c in ("zib", "zob") for p in (101, 102, 103) for i in (1, 2, 3)],
        {f"{c}/{c}-{p}": (c, 3) for c in ("zib", "zob") for p in (101, 102, 103)},
    ),
    "category/image": (
        ["dress/10021.jpg", "dress/10022.jpg", "shoes/20001.jpg"],
        {"dress/10021.jpg": ("dress", 1), "dress/10022.jpg": ("dress", 1), "shoes/20001.jpg": ("shoes", 1)},
    ),
    "category/image, many in words that nobody knows": (
        [f"{c}/{i:05}.jpg" for c in ("zib", "zob") for i in range(60)],
        {f"{c}/{i:05}.jpg": (c, 1) for c in ("zib", "zob") for i in range(60)},
    ),
    "two levels of categories": (
        [f"Women/{c}/{c[0]}{p}/{i}.jpg" for c in ("Dresses", "Skirts") for p in (11, 12) for i in (1, 2)],
        {f"Women/{c}/{c[0]}{p}": (f"Women > {c}", 2) for c in ("Dresses", "Skirts") for p in (11, 12)},
    ),
    "two levels of categories, products by title": (
        [
            "Women/Dresses/Red Wrap Dress/1.jpg",
            "Women/Shoes/Blue Pumps/1.jpg",
            "Men/Shirts/Oxford Blue/1.jpg",
        ],
        {
            "Women/Dresses/Red Wrap Dress": ("Women > Dresses", 1),
            "Women/Shoes/Blue Pumps": ("Women > Shoes", 1),
            "Men/Shirts/Oxford Blue": ("Men > Shirts", 1),
        },
    ),
    "an export around all": (
        [f"export/2026/shop/{c}/{i}.jpg" for c in ("dress", "hat") for i in (10021, 10022)],
        {f"export/2026/shop/{c}/{i}.jpg": (c, 1) for c in ("dress", "hat") for i in (10021, 10022)},
    ),
    "a season around all is a category": (
        [f"Sommer/Men/hat/{i}.jpg" for i in (10021, 10022)],
        {f"Sommer/Men/hat/{i}.jpg": ("Sommer > Men > hat", 1) for i in (10021, 10022)},
    ),
    "the one product of the issue": (
        ["Women/Dresses/item/1.jpg"],
        {"Women/Dresses/item": ("Women > Dresses", 1)},
    ),
    "three levels of categories": (
        [f"Damen/Bekleidung/Kleider/{p}/{i}.jpg" for p in ("4711", "4712") for i in (1, 2)],
        {f"Damen/Bekleidung/Kleider/{p}": ("Damen > Bekleidung > Kleider", 2) for p in ("4711", "4712")},
    ),
    "two levels of categories of images": (
        [f"Women/{c}/{i}.jpg" for c in ("Dresses", "Skirts") for i in (10021, 10022, 10023)],
        {
            f"Women/{c}/{i}.jpg": (f"Women > {c}", 1)
            for c in ("Dresses", "Skirts")
            for i in (10021, 10022, 10023)
        },
    ),
    "categories of different depth": (
        ["Women/Dresses/d11/1.jpg", "Women/Dresses/d12/1.jpg", "Shoes/s11/1.jpg", "Bags/5001.jpg"],
        {
            "Women/Dresses/d11": ("Women > Dresses", 1),
            "Women/Dresses/d12": ("Women > Dresses", 1),
            "Shoes/s11": ("Shoes", 1),
            "Bags/5001.jpg": ("Bags", 1),
        },
    ),
    "products called by ids, without categories": (
        [f"{p}/{i}.jpg" for p in ("MH01-black", "MH02-red", "WS07-blue") for i in (1, 2, 3)],
        dict.fromkeys(("MH01-black", "MH02-red", "WS07-blue"), ("", 3)),
    ),
    "products called by numbers, with an image each": (
        ["100201/9f3ac1d2-1.jpg", "100202/77ac1d21-2.jpg"],
        {"100201": ("", 1), "100202": ("", 1)},
    ),
    "categories in the order of numbers": (
        ["01_dresses/1001.jpg", "01_dresses/1002.jpg", "02_tops/1003.jpg", "02_tops/1004.jpg"],
        {
            "01_dresses/1001.jpg": ("01_dresses", 1),
            "01_dresses/1002.jpg": ("01_dresses", 1),
            "02_tops/1003.jpg": ("02_tops", 1),
            "02_tops/1004.jpg": ("02_tops", 1),
        },
    ),
    "images of a camera in products of two levels of categories": (
        [f"Men/Shirts/{p}/IMG_{i}.jpg" for p in ("Oxford", "Linen", "Denim Shirt") for i in (2001, 2002)],
        {f"Men/Shirts/{p}": ("Men > Shirts", 2) for p in ("Oxford", "Linen", "Denim Shirt")},
    ),
    "products called by numbers, images by name": (
        [f"{p}/{p}_{i}.jpg" for p in (100201, 100202) for i in ("front", "back")],
        {f"{p}": ("", 2) for p in (100201, 100202)},
    ),
    "products called by titles, without categories": (
        [f"{p}/{i}.jpg" for p in ("Red Summer Dress", "Blue Skinny Jeans") for i in range(1, 5)],
        dict.fromkeys(("Red Summer Dress", "Blue Skinny Jeans"), ("", 4)),
    ),
    "products with a folder for each view, without categories": (
        [f"{p}/{v}/1.jpg" for p in ("100201", "100202") for v in ("front", "back")],
        dict.fromkeys(("100201", "100202"), ("", 2)),
    ),
    "products with a folder for each view": (
        [f"dress/{p}/{v}/1.jpg" for p in ("wrap", "maxi") for v in ("front", "back", "detail")],
        {f"dress/{p}": ("dress", 3) for p in ("wrap", "maxi")},
    ),
    "products with a folder for each color": (
        [
            f"dress/{p}/{v}/{i}.jpg"
            for p in ("wrap-11", "maxi-12")
            for v in ("red", "navy blue")
            for i in (1, 2)
        ],
        {f"dress/{p}": ("dress", 4) for p in ("wrap-11", "maxi-12")},
    ),
    "some products with folders, and some without": (
        ["dress/wrap/1.jpg", "dress/maxi/1.jpg", "dress/maxi/back/2.jpg", "dress/midi/0.jpg", "dress/5.jpg"],
        {
            "dress/wrap": ("dress", 1),
            "dress/maxi": ("dress", 2),
            "dress/midi": ("dress", 1),
            "dress/5.jpg": ("dress", 1),
        },
    ),
    "a flat folder": (
        ["10021.jpg", "10022.jpg", "red-dress.png"],
        {"10021.jpg": ("", 1), "10022.jpg": ("", 1), "red-dress.png": ("", 1)},
    ),
    "splits": (
        ["train/dress/1.jpg", "train/skirt/2.jpg", "validation/dress/3.jpg", "test/dress/4.jpg"],
        {
            "train/dress/1.jpg": ("dress", 1),
            "train/skirt/2.jpg": ("skirt", 1),
            "validation/dress/3.jpg": ("dress", 1),
            "test/dress/4.jpg": ("dress", 1),
        },
    ),
    "splits of products": (
        [
            f"{s}/{c}/{c[0]}{n}/{i}.jpg"
            for s, n in (("train", 11), ("test", 12))
            for c in ("dress", "top")
            for i in "12"
        ],
        {f"{s}/{c}/{c[0]}{n}": (c, 2) for s, n in (("train", 11), ("test", 12)) for c in ("dress", "top")},
    ),
    "splits of images": (
        [f"{s}/{i}.jpg" for s, i in (("train", 101), ("train", 102), ("test", 103))],
        {"train/101.jpg": ("", 1), "train/102.jpg": ("", 1), "test/103.jpg": ("", 1)},
    ),
    "uploads": (
        [
            "uploads/2024/05/red-dress.jpg",
            "uploads/2024/05/red-dress-150x150.jpg",
            "uploads/2024/05/red-dress-1.jpg",
            "uploads/2024/05/red-dress-1-300x300.jpg",
            "uploads/2024/06/hoodie-scaled.jpg",
            "uploads/2024/06/hoodie-768x1024.jpg",
            "uploads/2023/12/cap.jpg",
        ],
        {
            "uploads/2024/05/red-dress.jpg": ("", 2),
            "uploads/2024/06/hoodie-scaled.jpg": ("", 1),
            "uploads/2023/12/cap.jpg": ("", 1),
        },
    ),
    "the folder of a year": (["05/red.jpg", "06/blue.jpg"], {"05/red.jpg": ("", 1), "06/blue.jpg": ("", 1)}),
    "days": (
        ["2024-05-01/red.jpg", "2024-05-02/b.jpg"],
        {"2024-05-01/red.jpg": ("", 1), "2024-05-02/b.jpg": ("", 1)},
    ),
    "a category with folders of dates": (
        ["dress/2024/05/red.jpg", "dress/2024/06/blue.jpg"],
        {"dress/2024/05/red.jpg": ("dress", 1), "dress/2024/06/blue.jpg": ("dress", 1)},
    ),
    "one folder around all": (
        ["catalog/dress/wrap/1.jpg", "catalog/skirt/mini/1.jpg"],
        {"catalog/dress/wrap": ("dress", 1), "catalog/skirt/mini": ("skirt", 1)},
    ),
    "categories under the name of a code": (
        [f"SS24/{c}/{p}/{i}.jpg" for c in ("Dresses", "Tops") for p in ("11", "12") for i in (1, 2)],
        {f"SS24/{c}/{p}": (f"SS24 > {c}", 2) for c in ("Dresses", "Tops") for p in ("11", "12")},
    ),
    "images beside folders of products": (
        ["dress/1001.jpg", "dress/1002.jpg", "dress/wrap/1.jpg", "dress/wrap/2.jpg"],
        {"dress/1001.jpg": ("dress", 1), "dress/1002.jpg": ("dress", 1), "dress/wrap": ("dress", 2)},
    ),
    "products of many images": (
        [f"dress/{p}/{i:02}.jpg" for p in ("wrap", "maxi") for i in range(36)],
        {f"dress/{p}": ("dress", 36) for p in ("wrap", "maxi")},
    ),
}
ROOTS = {"the folder of a year": "2024"}


@pytest.mark.parametrize("shape", CLEAR)
def test_a_clear_tree_is_taken_as_a_person_would(tmp_path: Path, shape: str) -> None:
    names, expected = CLEAR[shape]
    root = plant(tmp_path / ROOTS.get(shape, "shop"), *names)
    assert products(root) == expected
    assert notes(root) == []


AMBIGUOUS: dict[str, tuple[list[str], dict[str, tuple[str, int]], str]] = {
    "folders of few images called by nothing": (
        [f"{name}/DSC_{i:04}.jpg" for name in ("amelia", "berta") for i in range(4)],
        {"amelia": ("", 4), "berta": ("", 4)},
        "took the folders in the folder ('amelia', 'berta') for products with all images below them; "
        "if they are categories: --layout category/image",
    ),
    "folders of images that have names": (
        [f"{name}/{color}-{name}.jpg" for name in ("sukienki", "spodnie") for color in ("red", "blue")],
        {
            f"{name}/{color}-{name}.jpg": (name, 1)
            for name in ("sukienki", "spodnie")
            for color in ("red", "blue")
        },
        "took the folders in the folder ('spodnie', 'sukienki') for categories in which each image is a "
        "product; if they are products: --layout product/image",
    ),
    "folders in folders in a folder": (
        ["Nike/Pegasus/4711/1.jpg", "Nike/Pegasus/4712/1.jpg"],
        {"Nike/Pegasus/4711": ("Nike > Pegasus", 1), "Nike/Pegasus/4712": ("Nike > Pegasus", 1)},
        "took the folders in 'Nike' ('Pegasus') for categories; "
        "if they are products with all images below them: --layout category/product/image",
    ),
}


@pytest.mark.parametrize("shape", AMBIGUOUS)
def test_what_is_assumed_is_told_with_the_layout_that_says_otherwise(tmp_path: Path, shape: str) -> None:
    names, expected, note = AMBIGUOUS[shape]
    root = plant(tmp_path / "shop", *names)
    assert products(root) == expected
    assert notes(root) == [note]
    other = note.rpartition(" ")[2]
    assert products(root, layout=other) != expected


def test_one_kind_of_assumption_is_told_once(tmp_path: Path) -> None:
    names = [f"Marke {m}/Linie {n}/{p}/1.jpg" for m in "ABC" for n in "XYZ" for p in (4711, 4712)]
    assert len(notes(plant(tmp_path, *names))) <= 1


def test_files_and_folders_without_images_decide_nothing(tmp_path: Path) -> None:
    plant(tmp_path, "dress/1.jpg", "100201/notes.txt", "100202/notes.txt", "Red Wrap/Blue/notes.txt")
    (tmp_path / "100203").mkdir()
    assert products(tmp_path) == {"dress/1.jpg": ("dress", 1)}


def test_thousands_of_folders_are_judged_by_some_of_them(tmp_path: Path) -> None:
    plant(tmp_path, *(f"{i:05}/1.jpg" for i in range(300)), "00150/2.jpg")
    found = products(tmp_path)
    assert len(found) == 300
    assert found["00150"] == ("", 2)


def test_the_split_is_an_attribute(tmp_path: Path) -> None:
    plant(tmp_path, "train/dress/a11/1.jpg", "test/dress/a11/1.jpg")
    said = {item.product.place: dict(item.product.said) for item in read(tmp_path)}  # type: ignore[union-attr]
    assert said == {
        "test/dress/a11": {"category": "dress", "attributes.split": "test"},
        "train/dress/a11": {"category": "dress", "attributes.split": "train"},
    }
    assert {item.product.id for item in read(tmp_path)} == {"test/dress/a11", "train/dress/a11"}  # type: ignore[union-attr]


def test_one_split_alone_is_a_category(tmp_path: Path) -> None:
    plant(tmp_path, "test/dress/a11/1.jpg", "men/shirt/a11/1.jpg")
    assert products(tmp_path)["test/dress/a11"] == ("test > dress", 1)


def test_smaller_copies_are_skipped_only_beside_their_image(tmp_path: Path) -> None:
    plant(
        tmp_path,
        "dress/wrap/1.jpg",
        "dress/wrap/1-150x150.jpg",
        "dress/wrap/2-300x200.jpg",
        "dress/wrap/2-scaled.png",
    )
    assert [Path(item.path).name for item in read(tmp_path)] == ["1.jpg", "2-scaled.png"]  # type: ignore[union-attr]
    plant(tmp_path / "other", "dress/wrap/1-150x150.jpg")
    assert [Path(item.path).name for item in read(tmp_path / "other")] == ["1-150x150.jpg"]  # type: ignore[union-attr]


def test_further_images_of_uploads_are_one_product_and_others_are_not(tmp_path: Path) -> None:
    root = tmp_path / "uploads"
    plant(
        root,
        "2024/05/red.jpg",
        "2024/05/red-1.png",
        "2024/05/red-2.jpg",
        "2024/05/blue-1.jpg",
        "2024/06/red-1.jpg",
    )
    assert products(root) == {
        "2024/05/blue-1.jpg": ("", 1),
        "2024/05/red.jpg": ("", 3),
        "2024/06/red-1.jpg": ("", 1),
    }
