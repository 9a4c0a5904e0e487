"""Regions, input size, space and metric: what finds the garment, on drawn and on real photos.

Three tests. *drawn*: street photos of drawn products. *cut out*: the back views of the real shop, cut out of
their white ground and pasted, smaller and off centre, on photos of other garments, searched among its main
views and 1,589 photos of other garments: worn by a real person, before a misleading ground. *views*: the same
shop's back and detail views as they are, searched among its main views (product = style).
"""

from __future__ import annotations

import csv
import io
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter

from benchmarks.measuring import print_table
from benchmarks.retrieval import gallery_features, photo_features, ranks_of, top_k
from benchmarks.shops import drawn_shop, real_photos
from stylesearch.images import regions
from stylesearch.images.regions import REGION_PLANS, WHOLE, centred

N_DRAWN = int(os.environ.get("BENCH_PRODUCTS", "500"))
SIZES = (224, 320)
PLANS = {
    "whole": REGION_PLANS["whole"],
    "few": REGION_PLANS["few"],
    "narrow": (WHOLE, *centred(0.8, 0.5, 5), *centred(0.6, 0.4, 5), *centred(0.7, 0.35, 5)),
    "street": REGION_PLANS["street"],
}
SPACES = (("raw", "cosine"), ("raw", "l1"), ("whitened", "cosine"), ("whitened", "l2"), ("whitened", "l1"))


@dataclass(frozen=True)
class Test:
    """Photos with the product they show, and a gallery."""

    photos: list[Path]
    right: list[str]
    gallery: list[Path]
    products: list[str]


def main() -> None:
    """Prints a table a test."""
    regions.REGION_PLANS = PLANS  # plans that are measured and not kept need no place in the library
    with tempfile.TemporaryDirectory() as name:
        tests = {"drawn": _drawn(Path(name) / "drawn")}
        photos = real_photos()
        if photos is None:
            print("Real photos are needed for the other two: set STYLESEARCH_TEST_DATA.\n")
        else:
            tests |= {"cut out": _cut_out(photos, Path(name) / "cut-out"), "views": _views(photos)}
        for title, test in tests.items():
            _measure(title, test)


def _measure(title: str, test: Test) -> None:
    from stylesearch.extractors import load_extractor
    from stylesearch.spaces import fit_transform

    rows = []
    for size in SIZES:
        extractor = load_extractor(f"efficientnet-lite0@{size}", throughput=True)
        gallery = gallery_features(extractor, test.gallery)
        transforms = {
            space: fit_transform(space, iter([gallery]), dim_in=extractor.dim, n_rows=len(gallery))
            for space, _ in SPACES
        }
        for plan in PLANS:
            features = photo_features(extractor, test.photos, plan)
            for space, metric in SPACES:
                transform = transforms[space]
                moved = transform.apply(features.reshape(-1, extractor.dim)).reshape(*features.shape[:2], -1)
                ranks = ranks_of(moved, test.right, transform.apply(gallery), test.products, metric)
                found = ("{:.0f} [{:.0f}, {:.0f}]".format(*top_k(ranks, k)) for k in (1, 5, 20))
                rows.append([size, f"{plan} ({features.shape[1]})", space, metric, *found])
    print(f"**{title}**: {len(test.photos)} photos, gallery of {len(test.gallery)} pictures\n")
    print_table(["input", "regions", "space", "metric", "top 1, %", "top 5, %", "top 20, %"], rows)
    print(flush=True)


def _drawn(folder: Path) -> Test:
    drawn_shop(folder, N_DRAWN)
    shop, street = (_rows(folder / f"{part}.csv") for part in ("products", "street"))
    return Test(
        [folder / row["image"] for row in street],
        [row["id"] for row in street],
        [folder / row["image"] for row in shop],
        [row["id"] for row in shop],
    )


def _views(photos: Path) -> Test:
    rows = _rows(photos / "luma" / "images.csv")
    queries = [row for row in rows if row["view"] != "main"]
    gallery = [row for row in rows if row["view"] == "main"]
    return Test(
        [photos / "luma" / row["image"] for row in queries],
        [row["style"] for row in queries],
        [photos / "luma" / row["image"] for row in gallery],
        [row["style"] for row in gallery],
    )


def _cut_out(photos: Path, folder: Path) -> Test:
    folder.mkdir()
    rows = _rows(photos / "luma" / "images.csv")
    others = sorted((photos / "clothing").rglob("*.jpg"))
    rng = np.random.default_rng(5)
    pasted, right = [], []
    for row in rows:
        if row["view"] == "back":
            pasted.append(folder / f"{len(pasted):04}.jpg")
            ground = others[int(rng.integers(len(others)))]
            pasted[-1].write_bytes(_paste(photos / "luma" / row["image"], ground, rng))
            right.append(row["style"])
    main_views = [row for row in rows if row["view"] == "main"]
    return Test(
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


def _rows(table: Path) -> list[Mapping[str, str]]:
    with table.open() as file:
        return list(csv.DictReader(file))
