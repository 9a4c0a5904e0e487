"""Photos with the product they show, and the galleries they are searched in: three tests of accuracy.

*drawn*: street photos of drawn products. *cut out*: the back views of the real shop, cut out of their white
ground and pasted, smaller and off centre, on photos of other garments, searched among its main views and
1,589 photos of other garments: worn by a real person, before a misleading ground. *views*: the same shop's
back and detail views as they are, searched among its main views (product = style).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter

from benchmarks.shops import drawn_shop, real_photos
from stylesearch.files import atomic_file

__all__ = ["PhotoTest", "in_other_light", "photo_tests", "rows_of"]


@dataclass(frozen=True)
class PhotoTest:
    """Photos with the product they show, and a gallery.

    Attributes:
        photos: what is searched with. right: the product that each shows.
        gallery: what is searched. products: the product of each.
    """

    photos: list[Path]
    right: list[str]
    gallery: list[Path]
    products: list[str]


def photo_tests(folder: Path, n_drawn: int, drawn: Path | None = None) -> dict[str, PhotoTest]:
    """The tests by name; only the drawn one, with a remark, where there are no real photos.

    Args:
        folder: where pictures are made; what is there already from an earlier run is made anew, the same.
        n_drawn: how many products are drawn.
        drawn: a folder that ``stylesearch demo`` drew, whose first products are taken instead.
    """
    if drawn is None:
        drawn = folder / "drawn"
        drawn_shop(drawn, n_drawn)
    tests = {"drawn": _draw_test(drawn, n_drawn)}
    photos = real_photos()
    if photos is None:
        print("Real photos are needed for the other two: set STYLESEARCH_TEST_DATA.\n")
        return tests
    return tests | {"cut out": _cut_out(photos, folder / "cut-out"), "views": _views(photos)}


def in_other_light(test: PhotoTest, folder: Path) -> PhotoTest:
    """The same photos as other cameras may have taken them in other light.

    Each channel of each photo is about 12 % brighter or darker, its gamma about 20 % higher or lower
    (standard deviations of the logarithms).

    Args:
        test: not modified.
        folder: where the photos are made.
    """
    rng = np.random.default_rng(8)
    photos: list[Path] = []
    for path in test.photos:
        pixels = np.asarray(Image.open(path).convert("RGB")).astype(np.float32) / 255
        gain, gamma = np.exp(rng.normal(0, 0.12, 3)), np.exp(rng.normal(0, 0.2))
        lit = (np.clip(pixels**gamma * gain, 0, 1) * 255).round().astype(np.uint8)
        photos.append(folder / f"{len(photos):04}.jpg")
        with atomic_file(photos[-1]) as file:
            Image.fromarray(lit).save(file, "JPEG", quality=85)
    return replace(test, photos=photos)


def _draw_test(folder: Path, n_products: int) -> PhotoTest:
    shop = rows_of(folder / "products.csv")[:n_products]
    street = [row for row in rows_of(folder / "street.csv") if row["id"] in {one["id"] for one in shop}]
    return PhotoTest(
        [folder / row["image"] for row in street],
        [row["id"] for row in street],
        [folder / row["image"] for row in shop],
        [row["id"] for row in shop],
    )


def _views(photos: Path) -> PhotoTest:
    rows = rows_of(photos / "luma" / "images.csv")
    queries = [row for row in rows if row["view"] != "main"]
    gallery = [row for row in rows if row["view"] == "main"]
    return PhotoTest(
        [photos / "luma" / row["image"] for row in queries],
        [row["style"] for row in queries],
        [photos / "luma" / row["image"] for row in gallery],
        [row["style"] for row in gallery],
    )


def _cut_out(photos: Path, folder: Path) -> PhotoTest:
    folder.mkdir(exist_ok=True)
    rows = rows_of(photos / "luma" / "images.csv")
    others = sorted((photos / "clothing").rglob("*.jpg"))
    rng = np.random.default_rng(5)
    pasted: list[Path] = []
    right = []
    for row in rows:
        if row["view"] == "back":
            pasted.append(folder / f"{len(pasted):04}.jpg")
            ground = others[int(rng.integers(len(others)))]
            with atomic_file(pasted[-1]) as file:
                file.write(_paste(photos / "luma" / row["image"], ground, rng))
            right.append(row["style"])
    main_views = [row for row in rows if row["view"] == "main"]
    return PhotoTest(
        pasted,
        right,
        [*(photos / "luma" / row["image"] for row in main_views), *others],
        [*(row["style"] for row in main_views), *(path.stem for path in others)],
    )


def _paste(person: Path, ground: Path, rng: np.random.Generator) -> bytes:
    """A person from a white ground on another photo, with other light, blur and compression, as JPEG."""
    width, height = 600, 800
    figure = Image.open(person).convert("RGB")
    mask = Image.fromarray(_figure_mask(np.asarray(figure))).filter(ImageFilter.GaussianBlur(1))
    page = Image.open(ground).convert("RGB").resize((width, height))
    page = page.filter(ImageFilter.GaussianBlur(rng.uniform(0, 3)))
    scale = rng.uniform(0.45, 1.0) * height / figure.height
    size = (round(figure.width * scale), round(figure.height * scale))
    left = round((width - size[0]) / 2 + rng.uniform(-0.12, 0.12) * width)
    top = round(rng.uniform(0, 0.6) * (height - size[1]))
    page.paste(figure.resize(size, Image.Resampling.BICUBIC), (left, top), mask.resize(size))
    page = ImageEnhance.Brightness(page).enhance(rng.uniform(0.65, 1.2))
    page = ImageEnhance.Color(page).enhance(rng.uniform(0.7, 1.2))
    encoded = io.BytesIO()
    page.filter(ImageFilter.GaussianBlur(rng.uniform(0, 1.2))).save(
        encoded, "JPEG", quality=int(rng.integers(40, 85))
    )
    return encoded.getvalue()


def _figure_mask(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """255 where the picture is not the white that reaches in from its border."""
    padded = np.pad((pixels.min(axis=2) > 244).astype(np.uint8) * 255, 1, constant_values=255)
    flooded = Image.fromarray(padded)
    ImageDraw.floodfill(flooded, (0, 0), 128)
    inside: npt.NDArray[np.bool_] = np.asarray(flooded)[1:-1, 1:-1] != 128
    return inside.astype(np.uint8) * 255


def rows_of(table: Path) -> list[Mapping[str, str]]:
    """The rows of a CSV file."""
    with table.open() as file:
        return list(csv.DictReader(file))
