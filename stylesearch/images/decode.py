"""Any file that a phone or a shop produces becomes upright RGB pixels, or a clear error."""

from __future__ import annotations

import contextlib
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile

from stylesearch.errors import ImageTooLarge, ImageTooSmall, NotAnImage, StyleSearchError
from stylesearch.images.color import to_srgb
from stylesearch.images.cut_short import CutShortWarning, load_cut_short
from stylesearch.images.formats import FORMATS, PictureFormat
from stylesearch.images.jpeg_scans import MAX_SCANS, has_too_many_scans
from stylesearch.images.orientation import exif_orientation, turned_upright, upright_size
from stylesearch.images.source import Source, read_source

__all__ = ["DEFAULT_MAX_PIXELS", "MIN_SIDE", "CutShortWarning", "Picture", "SideWanted", "decode"]

DEFAULT_MAX_PIXELS = 200_000_000
"""The largest phone cameras write 200 megapixels."""

MIN_SIDE = 16
"""Pixels a side below which no garment can be told from another."""

SideWanted = int | Callable[[int, int], int]
"""How many pixels the longer side must keep, or a function of full width and height that says so."""

_WHITE = (255, 255, 255)
_TIFF_TILE_WIDTH, _TIFF_TILE_HEIGHT = 322, 323

_warning_filters = threading.Lock()


@dataclass(frozen=True, eq=False, slots=True)
class Picture:
    """A decoded picture.

    Attributes:
        pixels: uint8, shape (h, w, 3), sRGB, upright, read-only; possibly reduced, aspect kept.
        width, height: of the upright picture at full resolution; boxes are in these pixels.
    """

    pixels: npt.NDArray[np.uint8]
    width: int
    height: int


def decode(
    source: Source, *, reduce_to: SideWanted | None = None, max_pixels: int = DEFAULT_MAX_PIXELS
) -> Picture:
    """Reads a picture: JPEG (also MPO), PNG, WebP, HEIC, AVIF, GIF, BMP, TIFF, JPEG 2000 or binary PPM.

    The content tells the format, the name does not matter. EXIF orientation is applied, colours become sRGB
    over white (:func:`stylesearch.images.color.to_srgb` says how), of an animation the first frame is taken.
    Any number of threads may call it at once; it changes no setting of Pillow.

    A file that is cut short or damaged is refused, with one exception. A JPEG of which at most the last tenth
    of the rows is missing is decoded; these rows are white, and a :class:`CutShortWarning` tells. Of a
    progressive one, which has no rows to lose, some of the finest detail may be missing instead.

    Args:
        source: the bytes of a file, its path, or a binary file, read from where it stands to its end.
        reduce_to: how many pixels the longer side of the picture must keep, or a function that says so
            given its upright full width and height (:func:`stylesearch.images.regions.reduction` makes one).
            The side returned is never shorter than this unless the file's is, and at most about twice
            as long. A JPEG is then decoded at 1/2, 1/4 or 1/8, which is faster. None keeps every pixel.
        max_pixels: width times height above which a picture is refused before decoding. (For TIFF and WebP
            Pillow's own limit holds too, by default 178 megapixels.)

    Raises:
        NotAnImage: not a picture of these formats, empty, damaged, or cut short.
        ImageTooSmall: under 16 pixels a side.
        ImageTooLarge: more than ``max_pixels``, or more than fits into memory.
        ImageError: the file cannot be read.
        MissingDependency: HEIC without pillow-heif.
    """
    label, picture_format, data = read_source(source)
    image: Image.Image
    intact: float | None = None
    with _image_errors_only(label, picture_format):
        image = _open(picture_format, data)
        _check_size(label, image, max_pixels)
        if picture_format.name == "JPEG" and has_too_many_scans(data):
            raise NotAnImage(f"{label} has more than {MAX_SCANS} scans, which no camera or shop writes")
        full_size = image.size
        long_side = _long_side_wanted(reduce_to, full_size, _orientation(image))
        drafted = _draft(picture_format, image, long_side)
        try:
            _load(picture_format, image)
        except OSError:
            if picture_format.name != "JPEG":
                raise
            image, intact = _load_without_end(label, picture_format, data, long_side)
        # Some know better now: TIFF has been turned, HEIF cropped, PNG may tell the orientation at its end.
        full_size = full_size if drafted else image.size
        orientation = _orientation(image)
        long_side = _long_side_wanted(reduce_to, full_size, orientation)
        rgb = to_srgb(image, max(1, max(image.size) // long_side) if long_side else 1)
        if intact is not None:
            rgb.paste(_WHITE, (0, int(intact * rgb.height), *rgb.size))
        pixels = np.asarray(turned_upright(rgb, orientation))
        width, height = upright_size(full_size, orientation)
    if intact is not None:
        missing = (
            f"the last {1 - intact:.0%} of its rows are white" if intact < 1 else "some detail may be missing"
        )
        warnings.warn(f"{label} is cut short: {missing}", CutShortWarning, stacklevel=2)
    return Picture(pixels, width, height)


@contextlib.contextmanager
def _image_errors_only(label: str, picture_format: PictureFormat) -> Iterator[None]:
    """Decoders raise whatever they like on bytes made to confuse them; here it becomes one of our errors."""
    try:
        yield
    except StyleSearchError:
        raise
    except MemoryError as error:
        raise ImageTooLarge(f"{label} does not fit into memory") from error
    except Image.DecompressionBombError as error:
        raise ImageTooLarge(f"{label} is too large. {error}") from error
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise NotAnImage(
            f"{label} is damaged, or no {picture_format.name} that can be read: {reason}"
        ) from error


@contextlib.contextmanager
def _no_warnings(wanted: bool) -> Iterator[None]:
    """Keeps what a decoder has to say about odd headers from the caller, who asked for pixels.

    The filters belong to the whole process, so two threads must not change them at once. JPEG and WebP never
    come here, and the others only for the time that a header takes (TIFF: for as long as it decodes).
    """
    if not wanted:
        yield
        return
    with _warning_filters, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _open(picture_format: PictureFormat, data: bytes) -> ImageFile.ImageFile:
    """Reads the header only."""
    decoder = FORMATS.load(picture_format.name)
    with _no_warnings(picture_format.warns):
        image: ImageFile.ImageFile = decoder(BytesIO(data))
    return image


def _check_size(label: str, image: ImageFile.ImageFile, max_pixels: int) -> None:
    width, height = image.size
    if min(width, height) < MIN_SIDE:
        raise ImageTooSmall(f"{label} is {width} x {height} pixels; at least {MIN_SIDE} a side are needed")
    tags = getattr(image, "tag_v2", {})
    # A TIFF file may store a small picture in one enormous tile.
    tile = (tags.get(_TIFF_TILE_WIDTH, 0), tags.get(_TIFF_TILE_HEIGHT, 0))
    for what_width, what_height in ((width, height), tile):
        if what_width * what_height > max_pixels:
            raise ImageTooLarge(
                f"{label} is {what_width} x {what_height} pixels; at most {max_pixels:,} in all are decoded",
                hint="make the picture smaller, or raise max_pixels: STYLESEARCH_MAX_PIXELS, or for ingest "
                "--max-pixels",
            )


def _orientation(image: Image.Image) -> int:
    # TIFF keeps it elsewhere, and Pillow applies it; HEIF is turned by its decoder, which then removes it.
    return exif_orientation(image.info.get("exif"))


def _long_side_wanted(reduce_to: SideWanted | None, size: tuple[int, int], orientation: int) -> int | None:
    if reduce_to is None:
        return None
    return max(1, reduce_to(*upright_size(size, orientation)) if callable(reduce_to) else reduce_to)


def _draft(picture_format: PictureFormat, image: ImageFile.ImageFile, long_side: int | None) -> bool:
    """Asks for the pixels at reduced scale where the format can; returns whether they will be."""
    width, height = image.size
    longest = max(width, height)
    if long_side is None or longest <= long_side or not picture_format.scales:
        return False
    # It takes the smallest scale at which neither side is shorter than this.
    image.draft(image.mode, (max(1, width * long_side // longest), max(1, height * long_side // longest)))
    return image.size != (width, height)


def _load(picture_format: PictureFormat, image: ImageFile.ImageFile) -> None:
    """Decodes the pixels."""
    with _no_warnings(picture_format.warns_late):
        image.load()


def _load_without_end(
    label: str, picture_format: PictureFormat, data: bytes, long_side: int | None
) -> tuple[Image.Image, float]:
    def load(whole: bytes) -> Image.Image:
        image = _open(picture_format, whole)
        _draft(picture_format, image, long_side)
        _load(picture_format, image)
        return image

    loaded = load_cut_short(data, load)
    if loaded is None:
        raise NotAnImage(f"{label} is cut short: too much of it is missing", hint="fetch the file again")
    return loaded
