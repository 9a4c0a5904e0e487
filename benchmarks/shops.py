"""Shops to measure on: drawn ones, and large catalogs whose features are made from a few real ones."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from stylesearch.extractors.base import Extractor

__all__ = [
    "Source",
    "drawn_images",
    "drawn_shop",
    "fill_catalog",
    "likely_features",
    "real_photos",
    "region_features",
    "sources",
]


def real_photos() -> Path | None:
    """The folder with ``clothing/`` and ``luma/`` that $STYLESEARCH_TEST_DATA names, if it is there."""
    folder = Path(os.environ.get("STYLESEARCH_TEST_DATA", ""))
    return folder if (folder / "clothing").is_dir() and (folder / "luma").is_dir() else None


def drawn_shop(folder: Path, n_products: int, seed: int = 11) -> None:
    """Draws products and one street photo of each into ``folder``."""
    from stylesearch.drawn_shop import write_demo

    write_demo(folder, n_products=n_products, seed=seed, processes=os.cpu_count() or 1)


def drawn_images(folder: Path, n_images: int, seed: int = 5) -> None:
    """Writes different JPEG files of 600 to 1,000 pixels, as shops have them: few drawings, many crops."""
    from stylesearch.drawn_shop import write_demo

    drawings = folder.with_name(f"{folder.name}-drawings")
    write_demo(drawings, n_products=24, seed=seed, street_photos_per_product=0, processes=os.cpu_count() or 1)
    originals = [Image.open(path).convert("RGB") for path in sorted((drawings / "catalog").rglob("*.jpg"))]
    rng = np.random.default_rng(seed)
    for number in range(n_images):
        image = originals[number % len(originals)]
        width, height = image.size
        left, top, right, bottom = (int(rng.integers(0, side // 10)) for side in (width, height) * 2)
        cut = image.crop((left, top, width - right, height - bottom))
        long_side = int(rng.integers(600, 1000))
        scale = long_side / max(cut.size)
        size = (round(cut.width * scale), round(cut.height * scale))
        sized = cut.resize(size, Image.Resampling.BICUBIC)
        target = folder / f"category-{number % 8}" / f"p{number:06}.jpg"
        target.parent.mkdir(parents=True, exist_ok=True)
        encoded = io.BytesIO()
        sized.save(encoded, "JPEG", quality=int(rng.integers(80, 95)))
        target.write_bytes(encoded.getvalue())


def likely_features(
    n: int, dim: int, originals: npt.NDArray[np.float32], seed: int = 0
) -> Iterator[npt.NDArray[np.float32]]:
    """Blocks of features between real ones that are alike, float32 (up to 2,000, dim), never negative.

    Each lies between a real feature and one of its eight nearest, every number a tenth off: so neighbours are
    as dense, and vary in as few directions, as those of real photos.
    """
    from stylesearch.distance import nearest

    rng = np.random.default_rng(seed)
    near, _ = nearest(originals, originals, "cosine", min(9, len(originals)))
    for start in range(0, n, 2000):
        size = min(2000, n - start)
        one = rng.integers(0, len(originals), size)
        other = near[one, rng.integers(1, near.shape[1], size)]
        share = rng.uniform(0.1, 0.9, (size, 1)).astype(np.float32)
        mixed = share * originals[one] + (1 - share) * originals[other]
        yield mixed * np.maximum(1 + 0.1 * rng.standard_normal((size, dim), dtype=np.float32), 0)


def region_features(extractor: Extractor, paths: list[Path]) -> npt.NDArray[np.float32]:
    """Features of pictures seen through all regions, (16 n, dim): many real features from few pictures."""
    from stylesearch.images.decode import decode
    from stylesearch.images.regions import crops, plan_boxes

    features = []
    for path in paths:
        image = decode(path)
        boxes = plan_boxes("street", image.width, image.height)
        features.append(extractor.extract(crops(image, boxes, extractor.input_size)))
    return np.concatenate(features)


@dataclass(frozen=True)
class Source:
    """What large galleries are made from, and photos to search them with.

    Attributes:
        name: for tables.
        images: whose features are mixed.
        originals: those features, through all regions, float32, (n, dim).
        photo_paths: files of other photos.
        photos: their features, through all regions, float32, (m, regions, dim).
    """

    name: str
    images: list[Path]
    originals: npt.NDArray[np.float32]
    photo_paths: list[Path]
    photos: npt.NDArray[np.float32]


def sources(folder: Path, extractor: Extractor, n_images: int = 200, n_photos: int = 60) -> Iterator[Source]:
    """Drawn shop pictures and street photos of them; then, if there are any, real photos and others."""
    drawn_shop(folder, n_images)
    shop = sorted((folder / "catalog").rglob("*.jpg"))
    street = sorted((folder / "street").glob("*.jpg"))[:n_photos]
    yield _source("drawn", extractor, shop, street)
    home = real_photos()
    if home:
        paths = sorted(home.rglob("*.jpg"))
        drawn = np.random.default_rng(0).permutation(len(paths))[: n_images + n_photos]
        real, others = ([paths[i] for i in part] for part in np.split(drawn, [n_images]))
        yield _source("real", extractor, real, others)


def _source(name: str, extractor: Extractor, images: list[Path], photos: list[Path]) -> Source:
    from benchmarks.retrieval import FIXED_PLAN, photo_features

    features = photo_features(extractor, photos, FIXED_PLAN)
    return Source(name, images, region_features(extractor, images), photos, features)


def fill_catalog(
    database: Path,
    extractor: Extractor,
    n_products: int,
    n_categories: int,
    paths: list[Path],
    originals: npt.NDArray[np.float32],
) -> None:
    """Puts products with features like ``originals`` straight into a catalog, as if ingested."""
    from stylesearch.catalog import Catalog, ImageEntry
    from stylesearch.features.compute import feature_set_of
    from stylesearch.types import Product

    with Catalog.open(database) as catalog, catalog.writing() as writer:
        feature_set = feature_set_of(writer, extractor)
        number = 0
        for block in likely_features(n_products, extractor.dim, originals):
            products = [
                Product(
                    f"p{number + i:07}", f"Product {number + i}", f"category-{(number + i) % n_categories}"
                )
                for i in range(len(block))
            ]
            entries = [
                ImageEntry(
                    product.id, str(paths[i % len(paths)]), sha256=f"{number + i:064x}", width=600, height=800
                )
                for i, product in enumerate(products)
            ]
            with writer.transaction():
                writer.upsert_products(products, source="shop")
                images = writer.upsert_images(entries, source="benchmark")
                writer.add_features(feature_set, [pk for pk, _ in images.values()], block)
            number += len(block)
