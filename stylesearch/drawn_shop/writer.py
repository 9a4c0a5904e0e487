"""Writes a drawn shop: images, street photos, and the tables that describe them."""

from __future__ import annotations

import csv
import io
import multiprocessing
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import resource_tracker
from pathlib import Path
from random import Random
from typing import IO

import numpy as np
import numpy.typing as npt
from PIL import Image

from stylesearch.drawn_shop.products import DrawnProduct, draw_product
from stylesearch.drawn_shop.scenes.camera import encode_jpeg
from stylesearch.drawn_shop.shop import draw_shop_image
from stylesearch.drawn_shop.street import draw_street_photo
from stylesearch.errors import ConfigError
from stylesearch.files import atomic_file, write_json
from stylesearch.listing import Listing, Record
from stylesearch.types import Box, Domain, Product, ReportCount

__all__ = ["DemoReport", "draw_photos", "write_demo"]

_MARK = "demo.json"
_SHOP_QUALITY = 90
_FIXED = ("id", "title", "category", "image", "price", "url", "domain", "box")


@dataclass(frozen=True, slots=True)
class DemoReport:
    """Counts and paths of the files that ``write_demo`` wrote.

    Attributes:
        folder: folder of the demo shop.
        products, shop_photos, street_photos: number of each.
        catalog: the folder of the shop's images, ``<category>/<product id>/shop_1.jpg``.
        products_csv, street_csv: the tables.
    """

    folder: Path
    products: int
    shop_photos: int
    street_photos: int
    catalog: Path
    products_csv: Path
    street_csv: Path


@dataclass(frozen=True, slots=True)
class _Order:
    """Numbers and sizes of the images of a product, and the seed."""

    seed: int
    shop_photos: int
    street_photos: int
    shop_size: int
    street_size: int
    hard: bool = False


def write_demo(
    folder: str | os.PathLike[str],
    *,
    n_products: int,
    seed: int = 0,
    street_photos_per_product: int = 1,
    shop_photos_per_product: int = 1,
    shop_size: int = 480,
    street_size: int = 640,
    hard: bool = False,
    overwrite: bool = False,
    processes: int = 1,
    progress: ReportCount | None = None,
) -> DemoReport:
    """Draws a shop: ``catalog/``, ``street/``, ``products.csv`` and ``street.csv``.

    ``products.csv`` lists the shop's images, ``street.csv`` the street photos with the id of the product
    that is worn and the box around what is seen of it. The same arguments write the same bytes (with the same
    versions of NumPy and Pillow), whatever ``processes`` is; with more products the first ones stay the same.
    The tables appear last, when all images are there.

    Args:
        folder: made if it is missing.
        n_products: number of products.
        seed: another seed is another shop.
        street_photos_per_product, shop_photos_per_product: number of images of each product; the shop's
            second shows the back, the third is a close-up.
        shop_size, street_size: the longer side in pixels.
        hard: whether street photos are of a poor camera in bad light, in which garments are harder to
            distinguish.
        overwrite: whether to replace files of an earlier call in this folder.
        processes: number of processes that draw at once.
        progress: called with (products done, n_products) after each product.

    Raises:
        ConfigError: a number that makes no sense, or a folder that is not empty.
    """
    target = Path(folder)
    _check(n_products, street_photos_per_product, shop_photos_per_product, shop_size, street_size, processes)
    _make_room(target, overwrite=overwrite)
    order = _Order(seed, shop_photos_per_product, street_photos_per_product, shop_size, street_size, hard)
    what = {"seed": seed, "n_products": n_products, "hard": hard}
    write_json(target / _MARK, {**what, "what": "drawn by stylesearch"})
    products_csv, street_csv = target / "products.csv", target / "street.csv"
    done = 0
    with atomic_file(products_csv) as products_file, atomic_file(street_csv) as street_file:
        attribute_names = tuple(draw_product(0, seed).attributes)
        _write_row(products_file, (*_FIXED, *attribute_names))
        _write_row(street_file, ("id", "title", "category", "image", "domain", "box"))
        for product, shop, street in _draw_products(target, order, n_products, processes):
            for path in shop:
                row = (product.id, product.title, product.spec.category, path, product.price, product.url)
                _write_row(products_file, (*row, str(Domain.SHOP), "", *product.attributes.values()))
            for path, box in street:
                row = (product.id, product.title, product.spec.category, path, str(Domain.CONSUMER), str(box))
                _write_row(street_file, row)
            done += 1
            if progress is not None:
                progress(done, n_products)
    return DemoReport(
        folder=target,
        products=n_products,
        shop_photos=n_products * shop_photos_per_product,
        street_photos=n_products * street_photos_per_product,
        catalog=target / "catalog",
        products_csv=products_csv,
        street_csv=street_csv,
    )


def draw_photos(
    n_products: int,
    *,
    seed: int = 0,
    first: int = 0,
    street_photos_per_product: int = 1,
    shop_photos_per_product: int = 1,
    shop_size: int = 480,
    street_size: int = 640,
) -> Iterator[tuple[npt.NDArray[np.uint8], Record]]:
    """Yields the images that ``write_demo`` would write, without writing them.

    Args:
        n_products: number of products, from number ``first`` on.
        seed, street_photos_per_product, shop_photos_per_product, shop_size, street_size: as for
            ``write_demo``.
        first: the first product's number.

    Yields:
        The pixels as decoded from the JPEG, uint8 of shape (h, w, 3), RGB, and their record; its path is
        relative to a folder of the demo shop.

    Example:
        >>> for pixels, record in draw_photos(1, seed=4, shop_size=64, street_size=96):
        ...     print(record.domain, pixels.dtype, record.box is not None)
        shop uint8 False
        consumer uint8 True
    """
    _check(n_products, street_photos_per_product, shop_photos_per_product, shop_size, street_size, 1)
    order = _Order(seed, shop_photos_per_product, street_photos_per_product, shop_size, street_size)
    for index in range(first, first + n_products):
        product = draw_product(index, seed)
        entry = Product(
            id=product.id,
            title=product.title,
            category=product.spec.category,
            url=product.url,
            price=product.price,
            attributes=product.attributes,
        )
        for path, data, box in _product_images(product, order):
            with Image.open(io.BytesIO(data)) as image:
                pixels = np.asarray(image)
            domain = Domain.SHOP if box is None else Domain.CONSUMER
            yield pixels, Record(product=Listing.of(entry), path=path, domain=domain, box=box)


def _product_images(product: DrawnProduct, order: _Order) -> Iterator[tuple[str, bytes, Box | None]]:
    """Yields path, JPEG bytes, and for street photos the box, of each image of a product."""
    spec = product.spec
    for number in range(order.shop_photos):
        random = Random(f"stylesearch/{order.seed}/shop/{product.index}/{number}")
        image = draw_shop_image(spec, random, size=order.shop_size, view=number)
        path = f"catalog/{spec.category}/{product.id}/shop_{number + 1}.jpg"
        yield path, encode_jpeg(image, _SHOP_QUALITY), None
    for number in range(order.street_photos):
        random = Random(f"stylesearch/{order.seed}/street/{product.index}/{number}")
        photo = draw_street_photo(spec, random, size=order.street_size, hard=order.hard)
        yield (
            f"street/{product.id}_{number + 1}.jpg",
            encode_jpeg(photo.image, photo.camera.quality),
            photo.box,
        )


_Written = tuple[DrawnProduct, list[str], list[tuple[str, Box]]]


def _draw_products(folder: Path, order: _Order, n_products: int, processes: int) -> Iterator[_Written]:
    """Draws and writes all images; yields products in order."""
    tasks = ((folder, order, index) for index in range(n_products))
    if processes == 1 or n_products == 1:
        yield from map(_write_product, tasks)
        return
    # spawned, since a fork of a process with threads (TensorFlow's, OpenVINO's) may hang
    with _interruptions_held_back():
        pool = multiprocessing.get_context("spawn").Pool(min(processes, n_products))
    try:
        yield from pool.imap(_write_product, tasks, chunksize=4)
    finally:
        pool.terminate()
        pool.join()


@contextmanager
def _interruptions_held_back() -> Iterator[None]:
    """Lets Ctrl-C wait, and keeps it for ever from processes that are started meanwhile.

    A terminal sends it to all processes. Those started here inherit what the thread holds back, and are ended
    by the process that started them.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # which would otherwise begin within, and end what is held back
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _write_product(task: tuple[Path, _Order, int]) -> _Written:
    folder, order, index = task
    product = draw_product(index, order.seed)
    shop: list[str] = []
    street: list[tuple[str, Box]] = []
    for path, data, box in _product_images(product, order):
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        if box is None:
            shop.append(path)
        else:
            street.append((path, box))
    return product, shop, street


def _write_row(file: IO[bytes], row: tuple[str, ...]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(row)
    file.write(text.getvalue().encode())


def _check(n_products: int, street: int, shop: int, shop_size: int, street_size: int, processes: int) -> None:
    if n_products < 1:
        raise ConfigError(f"a shop needs at least one product. Received: n_products={n_products}")
    if shop < 1 or street < 0:
        raise ConfigError(
            "each product needs a shop photo, and no fewer than 0 street photos. Received: "
            f"shop_photos_per_product={shop}, street_photos_per_product={street}"
        )
    if min(shop_size, street_size) < 64:
        raise ConfigError(
            f"pictures need at least 64 pixels. Received: shop_size={shop_size}, street_size={street_size}"
        )
    if processes < 1:
        raise ConfigError(f"somebody has to draw. Received: processes={processes}")


def _make_room(target: Path, *, overwrite: bool) -> None:
    """Creates or empties a folder, or raises an error."""
    if target.exists() and not target.is_dir():
        raise ConfigError(f"{target} is a file, not a folder", hint="name a new folder")
    if not target.exists() or not any(target.iterdir()):
        target.mkdir(parents=True, exist_ok=True)
        return
    if not overwrite:
        raise ConfigError(
            f"{target} is not empty", hint="name a new folder, or draw over it with --overwrite"
        )
    if not (target / _MARK).is_file():
        raise ConfigError(
            f"{target} is not empty and holds no {_MARK}, so it was not drawn here and is not overwritten",
            hint="name a new folder",
        )
    for name in ("catalog", "street"):
        if (target / name).is_dir():
            shutil.rmtree(target / name)
    for name in ("products.csv", "street.csv", _MARK):
        (target / name).unlink(missing_ok=True)
