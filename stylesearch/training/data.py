"""Training data: arrays of photos and of shop images, with the product of each."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from stylesearch.array_types import Ids, Pixels
from stylesearch.errors import CatalogError, ConfigError
from stylesearch.features.arrays import temporary_array
from stylesearch.features.images import BOX, CatalogImage
from stylesearch.features.stream import ExtractionOptions, Sample, extract_stream
from stylesearch.images.decode import decode
from stylesearch.images.regions import REGION_PLANS, crops, reduction
from stylesearch.images.source import read_listed
from stylesearch.types import Box, ReportCount

__all__ = [
    "MAX_REGIONS",
    "TrainingData",
    "temporary_crops",
]


MAX_REGIONS: Final = 4
"""Regions of a photo that a network is trained with: more cost time and memory in proportion."""

_ROWS_AT_ONCE: Final = 4096
_NO_ROOM: Final = "make room on that disk, or look at photos as a whole (--regions whole), and run it again"


@dataclass(frozen=True, slots=False, eq=False)
class TrainingData:
    """Photos and shop images of products, as the input of a tower.

    The arrays may be memory-mapped; none is changed. ``shop`` is the whole gallery: it includes products that
    are neither trained nor validated on, since validation ranks among all of them.

    Attributes:
        photos: the regions of each photo, shape (photos, regions, ...): float32
            (photos, regions, d) of the base space, or uint8 pixels.
        shop: the shop images, shape (images, ...).
        photo_product: number of each photo's product, int64 (photos,).
        shop_product: number of each shop image's product, int64 (images,).
        product_category: category of each product, by its number.
        train: products that are trained on, bool (products,).
        validation: products for early stopping, bool (products,); none of them in ``train``.
        own: the row of ``shop`` that is the photo itself, which is then not searched; -1 for none. int64
            (photos,); by default none.
        duplicates: group of each product, int64 (products,): products of one group count as equal; by
            default every product is its own group.
        n_colors: number of the last axes of the base space that are colors; a head starts with them too.
    """

    photos: npt.NDArray[Any]
    shop: npt.NDArray[Any]
    photo_product: Ids
    shop_product: Ids
    product_category: tuple[str, ...]
    train: npt.NDArray[np.bool_]
    validation: npt.NDArray[np.bool_]
    own: Ids | None = None
    duplicates: Ids | None = None
    n_colors: int = 0

    @property
    def n_products(self) -> int:
        """Number of products."""
        return len(self.product_category)

    @property
    def n_regions(self) -> int:
        """Number of regions of a photo."""
        return int(self.photos.shape[1])

    @property
    def shape_in(self) -> tuple[int, ...]:
        """Shape of one input of the tower: (d,) for vectors."""
        return tuple(int(size) for size in self.shop.shape[1:])

    @property
    def groups(self) -> Ids:
        """Group of duplicates of each product, int64 (products,)."""
        return np.arange(self.n_products) if self.duplicates is None else self.duplicates

    def validation_photos(self) -> Ids:
        """Rows of photos of validation products that have another shop image, int64, rising."""
        findable = np.bincount(self.shop_product, minlength=self.n_products)[self.photo_product]
        if self.own is not None:
            findable = findable - (self.own >= 0)
        return np.flatnonzero(self.validation[self.photo_product] & (findable > 0))

    @functools.cached_property
    def digest(self) -> str:
        """Hexadecimal sha256 of all attributes: a training resumes only with equal data."""
        digest = hashlib.sha256(repr((self.product_category, self.n_colors)).encode())
        for array in (
            self.photos,
            self.shop,
            self.photo_product,
            self.shop_product,
            self.train,
            self.validation,
            self.own,
            self.duplicates,
        ):
            if array is None:
                digest.update(b"-")
                continue
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            for start in range(0, len(array), _ROWS_AT_ONCE):
                digest.update(np.ascontiguousarray(array[start : start + _ROWS_AT_ONCE]).data)
        return digest.hexdigest()

    def check(self) -> None:
        """Checks that the arrays fit each other and that there are validation photos.

        Raises:
            ConfigError: they do not, or there are none.
        """
        n_photos, n_products = len(self.photos), self.n_products
        shapes = {
            "photos": self.photos.ndim == self.shop.ndim + 1 and self.photos.shape[2:] == self.shape_in,
            "photo_product": self.photo_product.shape == (n_photos,),
            "shop_product": self.shop_product.shape == (len(self.shop),),
            "train": self.train.shape == (n_products,),
            "validation": self.validation.shape == (n_products,),
            "own": self.own is None or self.own.shape == (n_photos,),
            "duplicates": self.duplicates is None or self.duplicates.shape == (n_products,),
        }
        wrong = [name for name, fits in shapes.items() if not fits]
        if wrong:
            raise ConfigError(
                f"the shapes of {', '.join(wrong)} do not fit the other arrays of the training data"
            )
        for name, numbers in (("photo_product", self.photo_product), ("shop_product", self.shop_product)):
            if len(numbers) and not 0 <= numbers.min() <= numbers.max() < n_products:
                raise ConfigError(f"{name} holds numbers beyond the {n_products} products")
        if (self.train & self.validation).any():
            raise ConfigError(
                f"{(self.train & self.validation).sum()} products are both learned from and validated on"
            )
        if not len(self.validation_photos()):
            raise ConfigError(
                "no photo of a validation product has a shop picture to be found by",
                hint="give the validation products a larger share",
            )


@contextmanager
def temporary_crops(
    images: Sequence[CatalogImage],
    plan: str,
    size: int,
    folder: Path,
    options: ExtractionOptions,
    *,
    seed: int = 0,
    progress: ReportCount | None = None,
) -> Iterator[Pixels]:
    """Decodes images and stores their crops in a temporary file, which is removed at the end of the block.

    Args:
        images: images of a catalog.
        plan: plan of regions, or ``box``: the image's box, or the whole where it has none. Of a plan with
            more than ``MAX_REGIONS`` regions, the whole image and a random choice of others are used.
        size: side of a crop in pixels.
        folder: folder of the temporary file.
        options: number of threads, and the largest image that is decoded.
        seed: seed of the choice of regions.
        progress: called as ``progress(n_done, n_images)``.

    Yields:
        uint8 (n, regions, size, size, 3).

    Raises:
        CatalogError: a file is gone or has changed.
        ImageError: an image cannot be decoded.
        StyleSearchError: the disk has no room for the crops; then no image is decoded.
    """
    n_regions = 1 if plan == BOX else min(MAX_REGIONS, len(REGION_PLANS[plan]))
    shape = (len(images), n_regions, size, size, 3)

    with temporary_array(folder, shape, np.uint8, hint=_NO_ROOM) as array:
        cut = partial(_cut_regions, plan=plan, size=size, max_pixels=options.max_pixels, seed=seed)
        with closing(extract_stream(enumerate(images), cut, n_workers=options.n_workers)) as samples:
            for row, sample in enumerate(samples):
                array[row] = sample.inputs[size]
                if progress:
                    progress(row + 1, len(images))
        yield array


def _cut_regions(
    numbered: tuple[int, CatalogImage], *, plan: str, size: int, max_pixels: int, seed: int
) -> Sample:
    number, image = numbered
    path = image.image.path
    try:
        data = read_listed(path, image.image.sha256)
    except (CatalogError, OSError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CatalogError(f"{path}: {reason}") from error
    return Sample(inputs={size: _crops(data, image, plan, size, max_pixels, (seed, number))})


def _crops(
    data: bytes, image: CatalogImage, plan: str, size: int, max_pixels: int, seed: tuple[int, int]
) -> Pixels:
    box = image.image.box
    if plan == BOX and box is not None:
        return crops(decode(data, reduce_to=reduction(size, [box]), max_pixels=max_pixels), [box], size)
    name = "whole" if plan == BOX else plan
    decoded = decode(data, reduce_to=reduction(size, name), max_pixels=max_pixels)
    boxes: list[Box] = [one.of(decoded.width, decoded.height) for one in REGION_PLANS[name]]
    if len(boxes) > MAX_REGIONS:
        drawn = np.random.default_rng(seed).choice(len(boxes) - 1, MAX_REGIONS - 1, replace=False) + 1
        boxes = [boxes[0], *(boxes[number] for number in sorted(drawn.tolist()))]
    return crops(decoded, boxes, size)
