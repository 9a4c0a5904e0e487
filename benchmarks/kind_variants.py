"""What a head that names kinds is trained on besides plain photos: cut out, drawn, and no garment at all."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Final
from unittest import mock

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from benchmarks.kind_photos import KINDS
from stylesearch.drawn_shop import draw_product, street
from stylesearch.drawn_shop.scenes.scenes import SCENES, draw_scene
from stylesearch.drawn_shop.shop import draw_shop_image
from stylesearch.drawn_shop.wardrobe import GarmentSpec
from stylesearch.files import atomic_file, sha256_file

__all__ = ["cut_out", "draw_garments", "draw_other_things", "kind_of_spec"]

Pixels = npt.NDArray[np.uint8]

MASK_SIDE: Final = 200
MARGIN: Final = 0.05
"""Of a photo's sides: what lies there is not the garment, it is supposed."""

LEAST_SHOWN, MOST_SHOWN = 0.08, 0.80
"""Shares of a photo that a garment which was cut out may fill; else something went wrong."""

CLOSE_UP: Final = 0.16
"""Side of a close-up, as a share of the photo's shorter side."""

_PLAIN_KINDS: Final = {
    "dress": "dress",
    "skirt": "skirt",
    "shirt": "shirt",
    "trousers": "pants",
    "shorts": "shorts",
    "jacket": "outwear",
    "coat": "outwear",
}


def kind_of_spec(spec: GarmentSpec) -> str | None:
    """The kind of a drawn garment; None where it has none of ours (a jumper with short sleeves).

    T-shirts, tops and jumpers are sorted by their sleeves.
    """
    if spec.category in _PLAIN_KINDS:
        return _PLAIN_KINDS[spec.category]
    if spec.sleeves in ("long", "bell", "rolled"):
        return "longsleeve"
    return "t-shirt" if spec.category in ("t-shirt", "top") else None


def cut_out(photo: Path, folder: Path) -> tuple[Path | None, Path | None]:
    """Cuts the garment out of a photo, by GrabCut from its border.

    Args:
        photo: its file.
        folder: where results are kept.

    Returns:
        the garment on white, and a close-up of its cloth without any outline, as files; None for what could
        not be made.
    """
    stem = f"{sha256_file(photo)[:24]}"
    made = folder / f"{stem}.done"
    on_white, close_up = folder / f"{stem}-white.jpg", folder / f"{stem}-cloth.jpg"
    if not made.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        image = Image.open(photo).convert("RGB")
        image.thumbnail((640, 640))
        pixels = np.asarray(image)
        mask = _garment_mask(pixels)
        if mask is not None:
            _save(_on_white(pixels, mask), on_white)
            corner = _inside(mask, round(CLOSE_UP * min(mask.shape)))
            if corner is not None:
                _save(image.crop(corner).resize((320, 320), Image.Resampling.BICUBIC), close_up)
        made.touch()
    return (on_white if on_white.is_file() else None, close_up if close_up.is_file() else None)


def _garment_mask(pixels: Pixels) -> npt.NDArray[np.bool_] | None:
    """Where the garment is, bool (h, w); None where that is not known."""
    height, width = pixels.shape[:2]
    scale = MASK_SIDE / max(height, width)
    small = cv2.resize(pixels, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA)
    mask = np.zeros(small.shape[:2], np.uint8)
    x, y = (max(2, round(MARGIN * side)) for side in (small.shape[1], small.shape[0]))
    rectangle = (x, y, small.shape[1] - 2 * x, small.shape[0] - 2 * y)
    cv2.setRNGSeed(1)
    cv2.grabCut(
        np.ascontiguousarray(small[:, :, ::-1]),
        mask,
        rectangle,
        np.zeros((1, 65)),
        np.zeros((1, 65)),
        4,
        cv2.GC_INIT_WITH_RECT,
    )
    inside = np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    inside = cv2.morphologyEx(inside, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    n_parts, labels, stats, _ = cv2.connectedComponentsWithStats(inside)
    if n_parts < 2:
        return None
    sizes = stats[1:, cv2.CC_STAT_AREA]
    kept = np.isin(labels, 1 + np.flatnonzero(sizes > 0.2 * sizes.max()))
    if not LEAST_SHOWN < kept.mean() < MOST_SHOWN:
        return None
    large = cv2.resize(kept.astype(np.uint8) * 255, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(large > 127)


def _on_white(pixels: Pixels, mask: npt.NDArray[np.bool_]) -> Image.Image:
    soft = Image.fromarray(mask.astype(np.uint8) * 255).filter(ImageFilter.GaussianBlur(1))
    page = Image.new("RGB", soft.size, (255, 255, 255))
    page.paste(Image.fromarray(pixels), (0, 0), soft)
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    room = round(0.06 * max(mask.shape))
    return page.crop(
        (
            max(0, int(columns[0]) - room),
            max(0, int(rows[0]) - room),
            min(page.width, int(columns[-1]) + room),
            min(page.height, int(rows[-1]) + room),
        )
    )


def _inside(mask: npt.NDArray[np.bool_], side: int) -> tuple[int, int, int, int] | None:
    """A square that lies as deep in a mask as possible; None where no square of this side fits."""
    padded = np.pad(mask.astype(np.uint8), 1)
    depth = cv2.distanceTransform(padded, cv2.DIST_C, 3)[1:-1, 1:-1]
    y, x = np.unravel_index(int(depth.argmax()), depth.shape)
    if depth[y, x] < side / 2:
        return None
    left, top = int(x) - side // 2, int(y) - side // 2
    return left, top, left + side, top + side


def draw_garments(folder: Path, n_products: int, seed: int) -> tuple[list[Path], list[int]]:
    """Draws garments flat, worn on white, and worn in a street; dresses and coats with the whole person too.

    Args:
        folder: where they are kept; what is there already is taken.
        n_products: how many products are drawn.
        seed: of the products; another than that of shops that are searched.

    Returns:
        files, and the place in ``KINDS`` of each.
    """
    paths: list[Path] = []
    kinds: list[int] = []
    for index in range(n_products):
        spec = draw_product(index, seed).spec
        kind = kind_of_spec(spec)
        if kind is None:
            continue
        for name, draw in _garment_views(spec, f"{seed}/{index}"):
            path = folder / f"{seed}-{index:04}-{name}.jpg"
            if not path.is_file():
                _save(draw(), path)
            paths.append(path)
            kinds.append(KINDS.index(kind))
    return paths, kinds


def _garment_views(spec: GarmentSpec, seed: str) -> Iterator[tuple[str, Callable[[], Image.Image]]]:
    yield "flat", functools.partial(draw_shop_image, spec, Random(f"{seed}/flat"))
    for name, white in (("white-1", True), ("white-2", True), ("white-3", True), ("street", False)):
        photo = functools.cache(functools.partial(_draw_worn, spec, f"{seed}/{name}", white))
        yield f"{name}-near", functools.partial(_draw_near, photo, f"{seed}/{name}")
        if spec.category in ("dress", "coat"):  # others are worn with something that may be as large
            yield f"{name}-whole", functools.partial(_image_of, photo)


def _image_of(photo: Callable[[], street.StreetPhoto]) -> Image.Image:
    return photo().image


def _draw_worn(spec: GarmentSpec, seed: str, white: bool) -> street.StreetPhoto:
    if not white:
        return street.draw_street_photo(spec, Random(seed))

    def draw_white(
        kind: str, random: Random, size: tuple[int, int], floor: float, horizon: float, person: float
    ) -> Image.Image:
        return Image.new("RGB", size, (255, 255, 255))

    nothing = mock.patch.multiple(
        street,
        draw_scene=draw_white,
        draw_mirror=mock.DEFAULT,
        draw_foreground=mock.DEFAULT,
        expose=lambda image, camera: image,
        _cast_shadow=mock.DEFAULT,
    )
    with nothing:
        return street.draw_street_photo(spec, Random(seed))


def _draw_near(photo: Callable[[], street.StreetPhoto], seed: str) -> Image.Image:
    """The garment with a little of what is around it, as a shop shows it on a person."""
    shown, random = photo(), Random(f"{seed}/near")
    box = shown.box
    across, down = box.x1 - box.x0, box.y1 - box.y0
    left, right = (random.uniform(0.0, 0.35) * across for _ in range(2))
    above, below = (random.uniform(0.0, 0.45) * down for _ in range(2))
    return shown.image.crop(
        (
            max(0, round(box.x0 - left)),
            max(0, round(box.y0 - above)),
            min(shown.image.width, round(box.x1 + right)),
            min(shown.image.height, round(box.y1 + below)),
        )
    )


def draw_other_things(folder: Path, n_each: int, seed: int) -> list[Path]:
    """Draws what is not a garment: scenes without people, textures, gradients, single colors, white.

    Args:
        folder: where they are kept; what is there already is taken.
        n_each: how many of each of the eight kinds of scene; textures and gradients are in proportion.
        seed: another seed draws other things.
    """
    paths = []
    for kind in SCENES:
        for number in range(n_each):
            path = folder / f"{seed}-{kind}-{number:03}.jpg"
            if not path.is_file():
                _save(_draw_empty_scene(kind, Random(f"{seed}/{kind}/{number}")), path)
            paths.append(path)
    for name, draw, count in (
        ("noise", _draw_noise, 3 * n_each),
        ("weave", _draw_weave, 3 * n_each),
        ("gradient", _draw_gradient, 2 * n_each),
        ("color", _draw_color, n_each),
    ):
        for number in range(count):
            path = folder / f"{seed}-{name}-{number:03}.jpg"
            if not path.is_file():
                _save(Image.fromarray(draw(np.random.default_rng((seed, number)))), path)
            paths.append(path)
    white = folder / "white.jpg"
    if not white.is_file():
        _save(Image.new("RGB", (320, 320), (255, 255, 255)), white)
    return [*paths, white]


def _draw_empty_scene(kind: str, random: Random) -> Image.Image:
    width, height = random.choice(((360, 480), (480, 360), (400, 400), (300, 480)))
    floor = height * random.uniform(0.55, 0.95)
    return draw_scene(
        kind,
        random,
        (width, height),
        floor,
        height * random.uniform(0.2, 0.5),
        height * random.uniform(0.3, 0.9),
    )


def _draw_noise(rng: np.random.Generator) -> Pixels:
    """Blotches of a few sizes in colors between two."""
    field = np.zeros((240, 240))
    for cells in rng.choice([3, 6, 12, 24, 48, 96], 3, replace=False):
        small = rng.standard_normal((int(cells), int(cells)))
        field += cv2.resize(small, (240, 240), interpolation=cv2.INTER_CUBIC) * rng.uniform(0.2, 1)
    return _between_colors(rng, field)


def _draw_weave(rng: np.random.Generator) -> Pixels:
    """Waves in one or two directions, a little uneven."""
    y, x = np.mgrid[:240, :240] / 240.0
    field = 0.3 * rng.standard_normal((240, 240))
    for _ in range(int(rng.integers(1, 3))):
        angle, waves = rng.uniform(0, np.pi), rng.uniform(4, 60)
        field += np.sin(2 * np.pi * waves * (np.cos(angle) * x + np.sin(angle) * y))
    return _between_colors(rng, field)


def _draw_gradient(rng: np.random.Generator) -> Pixels:
    y, x = np.mgrid[:240, :240] / 240.0
    angle = rng.uniform(0, 2 * np.pi)
    return _between_colors(rng, np.cos(angle) * x + np.sin(angle) * y)


def _draw_color(rng: np.random.Generator) -> Pixels:
    return np.broadcast_to(rng.integers(0, 256, 3).astype(np.uint8), (240, 240, 3)).copy()


def _between_colors(rng: np.random.Generator, field: npt.NDArray[np.float64]) -> Pixels:
    share = (field - field.min()) / max(float(np.ptp(field)), 1e-9)
    one, other = rng.integers(0, 256, (2, 3))
    pixels: Pixels = (one + share[:, :, None] * (other - one)).astype(np.uint8)
    return pixels


def _save(image: Image.Image, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path) as file:
        image.save(file, "JPEG", quality=92)
