"""Which pictures are joined: copies are, different garments on white ground are not."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance

from stylesearch.features.images import CatalogImage
from stylesearch.files import sha256_file
from stylesearch.training import near_duplicates
from stylesearch.training.near_duplicates import (
    MAX_PRODUCTS_OF_IMAGE,
    NEAR_BITS,
    NearDuplicates,
    connected_products,
    duplicate_products,
    find_near_duplicates,
    uninformative_images,
)
from stylesearch.training.perceptual_hash import perceptual_hash, same_colors
from stylesearch.types import Box, Domain, ImageRecord, Product

DATA = os.environ.get("STYLESEARCH_TEST_DATA")


def listed(path: str | Path, product: str, *, sha256: str = "", shop: bool = True, box: Box | None = None):
    domain = Domain.SHOP if shop else Domain.CONSUMER
    image = ImageRecord(str(path), sha256 or sha256_file(path), domain, 300, 400, box)
    return CatalogImage(0, Product(product, product, "dress"), image)


def dress(seed: int, color: tuple[int, int, int] = (150, 40, 60)) -> Image.Image:
    """A garment of its own cut and print on white ground."""
    random = np.random.default_rng(seed)
    image = Image.new("RGB", (300, 400), "white")
    draw = ImageDraw.Draw(image)
    waist, hem = random.integers(30, 90), random.integers(60, 140)
    outline = [
        (90, 30),
        (210, 30),
        (150 + waist, 180),
        (150 + hem, 370),
        (150 - hem, 370),
        (150 - waist, 180),
    ]
    draw.polygon([(int(x), int(y)) for x, y in outline], fill=color)
    for x, y, size in random.integers((110, 60, 8), (190, 340, 30), (14, 3)).tolist():
        draw.ellipse([x, y, x + size, y + size], fill=tuple(value // 2 for value in color))
    return image


def saved(image: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def padded(image: Image.Image) -> Image.Image:
    canvas = Image.new("RGB", (image.width + 80, image.height + 30), "white")
    canvas.paste(image, (60, 10))
    return canvas


COPIES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "smaller": lambda image: image.resize((image.width // 2, image.height // 2)),
    "larger": lambda image: image.resize((2 * image.width, 2 * image.height)),
    "saved again": lambda image: saved(image, 75),
    "padded": padded,
    "cropped": lambda image: image.crop((4, 5, image.width - 3, image.height - 6)),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.05),
}


def n_bits(one: Image.Image, other: Image.Image) -> int:
    codes = [perceptual_hash(np.asarray(image)).shape for image in (one, other)]
    return int(np.bitwise_count(codes[0] ^ codes[1]).sum())


def one_color(one: Image.Image, other: Image.Image) -> bool:
    colors = [perceptual_hash(np.asarray(image)).colors[None] for image in (one, other)]
    return bool(same_colors(colors[0], colors[1])[0])


@pytest.mark.parametrize("copied", COPIES)
def test_a_copy_is_near_and_of_one_color(copied):
    for seed in range(5):
        original = dress(seed)
        assert n_bits(original, COPIES[copied](original)) <= NEAR_BITS
        assert one_color(original, COPIES[copied](original))


def test_different_dresses_on_white_ground_are_far():
    distances = [n_bits(dress(one), dress(other)) for one in range(8) for other in range(one)]
    assert min(distances) > NEAR_BITS


def test_a_recolored_dress_is_of_one_shape_and_another_color():
    red, blue = dress(1), dress(1, (40, 60, 150))
    assert n_bits(red, blue) <= NEAR_BITS
    assert not one_color(red, blue)


def test_looking_changes_no_pixel_and_takes_images_of_nothing():
    pixels = np.full((40, 30, 3), 255, np.uint8)
    code = perceptual_hash(pixels)
    assert (pixels == 255).all()
    grey = perceptual_hash(np.full((16, 90, 3), 128, np.uint8))
    assert np.array_equal(code.shape, grey.shape)  # no shape at all
    assert not same_colors(code.colors[None], grey.colors[None])[0]


@pytest.fixture
def shop(tmp_path: Path) -> list[CatalogImage]:
    """Two copies, a recolored one, and two other dresses, each a product's picture."""
    dress(1).save(tmp_path / "a.png")
    dress(1).resize((150, 200)).save(tmp_path / "b.jpg", quality=70)
    dress(1, (40, 60, 150)).save(tmp_path / "c.png")
    dress(2).save(tmp_path / "d.png")
    dress(3).save(tmp_path / "e.png")
    return [listed(tmp_path / name, name[0]) for name in ("a.png", "b.jpg", "c.png", "d.png", "e.png")]


def test_copies_join_products_and_so_do_other_colors_for_a_split(shop, tmp_path):
    near = find_near_duplicates(shop, tmp_path / "cache")
    assert not near.failures
    assert connected_products(shop, near) == [{"a", "b", "c"}]
    assert duplicate_products(shop, near) == [{"a", "b"}]
    names = sorted(one.image.sha256 for one in shop[:3])
    assert dict(near.same_shape) == dict.fromkeys(names, names[0])


def test_a_image_is_looked_at_once(shop, tmp_path, monkeypatch):
    told: list[tuple[int, int]] = []
    first = find_near_duplicates(shop, tmp_path / "cache", progress=lambda *numbers: told.append(numbers))
    assert told == [(number, 5) for number in range(1, 6)]
    monkeypatch.setattr(near_duplicates, "perceptual_hash", None)
    assert find_near_duplicates(shop, tmp_path / "cache") == first


def test_what_was_seen_before_a_stop_is_kept(shop, tmp_path, monkeypatch):
    def stop(n_done: int, _: int) -> None:
        if n_done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        find_near_duplicates(shop, tmp_path / "cache", progress=stop)
    told: list[tuple[int, int]] = []
    find_near_duplicates(shop, tmp_path / "cache", progress=lambda *numbers: told.append(numbers))
    assert told[-1] == (2, 2)


def test_a_image_that_cannot_be_read_is_told_and_compared_by_its_hash(shop, tmp_path):
    Path(shop[0].image.path).write_bytes(b"no picture")
    Path(shop[3].image.path).unlink()
    twin = listed(shop[3].image.path, "twin", sha256=shop[3].image.sha256)
    images = [*shop, twin]
    near = find_near_duplicates(images, tmp_path / "cache")
    assert set(near.failures) == {shop[0].image.sha256, shop[3].image.sha256}
    assert "changed" in near.failures[shop[0].image.sha256]
    assert connected_products(images, near) == [{"b", "c"}, {"d", "twin"}]


def test_a_second_file_of_the_same_content_stands_in(shop, tmp_path):
    other = tmp_path / "other.png"
    other.write_bytes(Path(shop[3].image.path).read_bytes())
    Path(shop[3].image.path).unlink()
    assert not find_near_duplicates([shop[3], listed(other, "d")], tmp_path / "cache").failures


def test_chains_are_one_group_and_nothing_joins_nothing():
    near = NearDuplicates()
    images = [listed("x", "a", sha256="1"), listed("x", "b", sha256="1"), listed("x", "b", sha256="2")]
    images += [listed("x", "c", sha256="2", shop=False), listed("x", "d", sha256="3")]
    assert connected_products(images, near) == [{"a", "b", "c"}]
    assert duplicate_products(images, near) == [{"a", "b"}]  # `c` has it as a consumer's photo
    assert connected_products([], near) == []


def test_two_boxes_in_one_shop_image_are_two_products():
    images = [
        listed("x", "top", sha256="1", box=Box(0, 0, 9, 9)),
        listed("x", "skirt", sha256="1", box=Box(0, 9, 9, 18)),
    ]
    assert connected_products(images, NearDuplicates()) == [{"top", "skirt"}]
    assert duplicate_products(images, NearDuplicates()) == []


def test_a_image_of_very_many_products_joins_none():
    few = [listed("x", f"p{number}", sha256="1") for number in range(MAX_PRODUCTS_OF_IMAGE)]
    assert len(connected_products(few, NearDuplicates())[0]) == MAX_PRODUCTS_OF_IMAGE
    many = [*few, listed("x", "one more", sha256="1")]
    assert uninformative_images(many, NearDuplicates()) == {"1"}
    assert connected_products(many, NearDuplicates()) == duplicate_products(many, NearDuplicates()) == []


def test_of_a_shape_of_very_many_products_only_copies_join():
    """A mock-up in many colors: none of its pictures is of many products, but all are of one shape."""
    few = [listed("x", f"p{number}", sha256=f"{number:03}") for number in range(MAX_PRODUCTS_OF_IMAGE)]
    digests = [f"{number:03}" for number in range(MAX_PRODUCTS_OF_IMAGE + 1)]
    near = NearDuplicates(same_shape=dict.fromkeys(digests, "000"), same_image={"006": "006", "007": "006"})
    assert len(connected_products(few, near)[0]) == MAX_PRODUCTS_OF_IMAGE
    many = [*few, listed("x", "one more", sha256=digests[-1]), listed("x", "twin", sha256="003")]
    assert connected_products(many, near) == [{"p3", "twin"}, {"p6", "p7"}]


def test_stripes_are_no_swatch():
    stripes = np.zeros((90, 60, 3), np.uint8)
    stripes[::30] = stripes[1::30] = 200
    assert not perceptual_hash(stripes).is_blank
    assert perceptual_hash(np.full((90, 60, 3), 120, np.uint8)).is_blank


@pytest.mark.parametrize("ending", ["png", "jpg"])
def test_swatches_of_one_color_join_nothing(tmp_path, ending):
    images = []
    for number, color in enumerate([(200, 30, 30), (200, 30, 30), (0, 0, 0), (20, 60, 200)]):
        swatch, photo = Image.new("RGB", (80 + number, 80), color), tmp_path / f"{number}.png"
        swatch.save(tmp_path / f"swatch {number}.{ending}")
        dress(number).save(photo)
        images += [listed(path, f"p{number}") for path in (photo, tmp_path / f"swatch {number}.{ending}")]
    near = find_near_duplicates(images, tmp_path)
    assert near.blank == uninformative_images(images, near) == {one.image.sha256 for one in images[1::2]}
    assert connected_products(images, near) == duplicate_products(images, near) == []


@pytest.mark.data
@pytest.mark.skipif(DATA is None, reason="STYLESEARCH_TEST_DATA does not name a folder of real photos")
def test_real_garments_are_joined_only_where_they_are_one(tmp_path):
    users = sorted(Path(DATA or ".", "clothing").rglob("*.jpg"))
    models = sorted(Path(DATA or ".", "luma", "images").glob("*.jpg"))
    images = [listed(path, path.stem) for path in users]
    images += [listed(path, path.stem.partition("-")[0]) for path in models]  # product = style
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        near = find_near_duplicates(images, tmp_path)
    assert not near.failures
    joined = connected_products(images, near)
    assert len(joined) == 1  # a user's photo that is there twice
    assert joined == duplicate_products(images, near)
    assert not near.blank
    assert len(near.same_shape) > 300  # recolored photos within a style
