"""A shop of patchworks: small, quick, and with pairs that something can be learned from."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import stylesearch as ss

__all__ = ["CATEGORIES", "NAME", "N_PRODUCTS", "draw_shop", "photo_of"]

NAME = "efficientnet-lite0@64"
N_PRODUCTS = 80
CATEGORIES = ("coarse", "fine")


def pattern(number: int, size: int = 96) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """A patchwork of its own, of large or of small patches."""
    rng, n_patches = np.random.default_rng(number), (4, 5)[number % 2]
    light = rng.integers(0, 2, (n_patches, n_patches, 1))
    patches = 160 * light + rng.integers(0, 95, (n_patches, n_patches, 3))
    return np.array(Image.fromarray(patches.astype(np.uint8)).resize((size, size), Image.Resampling.NEAREST))


def draw_shop(folder: Path) -> Path:
    """Shop pictures, and photos of the same cloth in other light on a colored ground."""
    for part in ("shop", "photos"):
        (folder / part).mkdir(parents=True)
    with (folder / "products.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["id", "category", "image", "domain"])
        for number in range(N_PRODUCTS):
            rng = np.random.default_rng(1000 + number)
            product, category = f"p{number:03}", CATEGORIES[number % 2]
            shop = pattern(number, 128)
            ground = rng.integers(0, 256, (16, 12, 3)).astype(np.uint8)
            photo = np.array(Image.fromarray(ground).resize((180, 240)))
            top, left = rng.integers(10, 120), rng.integers(10, 70)
            light = pattern(number) * rng.uniform(0.5, 0.9)
            photo[top : top + 96, left : left + 96] = light.astype(np.uint8)
            for domain, pixels in (("shop", shop), ("consumer", photo)):
                path = f"{'shop' if domain == 'shop' else 'photos'}/{product}.png"
                Image.fromarray(pixels).save(folder / path)
                table.writerow([product, category, path, domain])
    return folder / "products.csv"


def photo_of(home: Path, product: str) -> Path:
    """The customer's photo of a product."""
    with ss.open(home) as shop:
        return next(Path(one.path) for one in shop.images(product) if one.domain == "consumer")
