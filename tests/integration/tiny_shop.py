"""A shop of a few plain pictures, ingested with a white-box feature: quick to make, quick to search."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
from PIL import Image

import stylesearch as ss

__all__ = ["KEY", "draw", "ingest_tiny_shop", "jpeg", "png"]

KEY = "a-key-of-these-tests-0123456789"
EXTRACTOR = "color-histogram"

COLORS = {
    "dress": {"red": (200, 30, 40), "blue": (30, 40, 200), "green": (20, 150, 60)},
    "skirt": {"yellow": (230, 210, 40), "black": (20, 20, 20), "pink/purple": (200, 90, 190)},
}


def draw(color: tuple[int, int, int], *, size: tuple[int, int] = (120, 160), seed: int = 0) -> Image.Image:
    """A plain garment on white, with a little noise, so that no two pictures have the same bytes."""
    width, height = size
    pixels = np.full((height, width, 3), 255, np.uint8)
    noise = np.random.default_rng(seed).integers(-8, 9, (height // 2, width // 2, 3))
    garment = np.clip(np.asarray(color) + noise, 0, 255).astype(np.uint8)
    pixels[height // 4 : height // 4 + height // 2, width // 4 : width // 4 + width // 2] = garment
    return Image.fromarray(pixels)


def jpeg(image: Image.Image) -> bytes:
    """The picture as a file."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=90)
    return file.getvalue()


def png(image: Image.Image) -> bytes:
    """The picture as a file, without loss."""
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def ingest_tiny_shop(folder: Path) -> Path:
    """Draws and ingests the shop; the workspace folder.

    Products are ``dress-red``, ``skirt-pink/purple`` and so on, each with one shop picture, and a customer's
    photo of ``dress-red``.
    """
    source = folder / "source"
    source.mkdir(parents=True)
    with (source / "products.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["id", "title", "category", "image", "domain", "price", "url", "fabric"])
        for category, colors in COLORS.items():
            for number, (name, color) in enumerate(colors.items()):
                path = f"{category}{number}.jpg"
                (source / path).write_bytes(jpeg(draw(color, seed=number)))
                url = "https://shop.example/x" if number else "javascript:alert(1)"
                row = [
                    f"{category}-{name}",
                    f"A {name} {category}",
                    category,
                    path,
                    "shop",
                    "19.90",
                    url,
                    "silk",
                ]
                table.writerow(row)
        (source / "street.jpg").write_bytes(jpeg(draw(COLORS["dress"]["red"], size=(200, 300), seed=99)))
        table.writerow(["dress-red", "A red dress", "dress", "street.jpg", "consumer", "19.90", "", "silk"])
    home = folder / "home"
    home.mkdir()
    (home / "config.toml").write_text(f'extractor = "{EXTRACTOR}"\nregions = "few"\n')
    with ss.open(home) as shop:
        report = shop.ingest(source / "products.csv")
        assert (report.added, report.failed) == (7, [])
    return home
