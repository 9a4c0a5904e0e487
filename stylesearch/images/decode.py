"""Decodes any file that a phone or a shop produces to upright RGB pixels, or raises a clear error."""

from __future__ import annotations

import contextlib
import functools
import struct
import threading
import warnings
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile

from stylesearch.errors import ImageTooLarge, ImageTooSmall, NotAnImage, StyleSearchError
from stylesearch.images.budget import BUDGET, Reservation
from stylesearch.images.color import to_srgb
from stylesearch.images.decoding_memory import bytes_of_result, bytes_to_decode
from stylesearch.images.formats import FORMATS, ImageFormat
from stylesearch.images.source import ImageSource, read_source
from stylesearch.images.structure.check import check_structure
from stylesearch.images.truncated_jpeg import CutShortWarning, load_cut_short

__all__ = [
    "DEFAULT_MAX_PIXELS",
    "MIN_SIDE",
    "CutShortWarning",
    "Decoded",
    "DecodedImage",
    "Decoder",
    "Picture",
    "SideWanted",
    "decode",
    "decode_data",
    "decode_elsewhere",
    "decode_here",
    "decode_reduced",
    "exif_orientation",
    "keep_reserved",
    "turn_upright",
    "upright_size",
]

DEFAULT_MAX_PIXELS: Final = 200_000_000
"""The largest phone cameras write 200 megapixels."""

MIN_SIDE: Final = 16
"""Pixels a side below which no garment can be told from another."""

SideWanted = int | Callable[[int, int], int]
"""How many pixels the longer side must keep, or a function of full width and height that says so."""

_WHITE: Final = (255, 255, 255)
_TIFF_TILE_WIDTH, _TIFF_TILE_HEIGHT = 322, 323

_warning_filters = threading.Lock()

# The tag, and the length of an entry of an EXIF directory.
_ORIENTATION_TAG: Final = 0x0112
_ENTRY_BYTES: Final = 12
_NUMBER_FORMATS: Final = {1: "B", 3: "H", 4: "L"}

_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What to do with the stored pixels; 1 is upright already."""


@dataclass(frozen=True, eq=False)
class DecodedImage:
    """A decoded image.

    Attributes:
        upright: the picture, of mode RGB, sRGB, upright; possibly reduced, aspect kept. Not to be modified.
        width, height: size of the upright image at full resolution; boxes are in these pixels.
    """

    upright: Image.Image
    width: int
    height: int

    @functools.cached_property
    def pixels(self) -> npt.NDArray[np.uint8]:
        """The picture as uint8 (h, w, 3), read-only; a copy, which those that only resize it do without."""
        return np.asarray(self.upright)


@dataclass(frozen=True, eq=False, slots=True)
class Picture:
    """A picture that is to be decoded.

    Attributes:
        label: what it is called in messages.
        format: its format.
        data: the bytes of the file.
        max_pixels: width times height above which it is refused.
        sides_wanted: how many pixels the longer side must keep for each use, None for all, given the upright
            full width and height.
    """

    label: str
    format: ImageFormat
    data: bytes
    max_pixels: int
    sides_wanted: Callable[[int, int], list[int | None]]


Decoded = tuple[list[DecodedImage], str | None]
"""An image for each use of a picture, and what is missing of a file that is cut short."""

Decoder = Callable[[Picture], Decoded]

_elsewhere: Decoder | None = None


def decode(
    source: ImageSource, *, reduce_to: SideWanted | None = None, max_pixels: int = DEFAULT_MAX_PIXELS
) -> DecodedImage:
    """Decodes an image: JPEG (also MPO), PNG, WebP, HEIC, AVIF, GIF, BMP, TIFF, JPEG 2000 or binary PPM.

    The format is recognised by the content, not by the name. EXIF orientation is applied, colors become sRGB
    over white (see ``stylesearch.images.color.to_srgb``), and of an animation the first frame is decoded.
    Any number of threads may call this at once; it changes no setting of Pillow. A picture waits until the
    memory that it takes is free (``stylesearch.images.budget``).

    A file that is cut short or damaged is refused, with one exception: a JPEG that lacks at most the last
    tenth of its rows is decoded with these rows white, and a ``CutShortWarning`` is issued. A progressive
    JPEG lacks some of the finest detail instead of rows.

    Args:
        source: the bytes of a file, its path, or a binary file, which is read from its position to its end.
        reduce_to: how many pixels the longer side of the image must keep, or a function that returns this for
            the upright full width and height (``stylesearch.images.regions.reduction`` makes one).
            The side returned is never shorter than this unless the file's is, and at most about twice
            as long. A JPEG is then decoded at 1/2, 1/4 or 1/8, which is faster. None keeps every pixel.
        max_pixels: width times height above which an image is refused before decoding. (For TIFF and WebP
            Pillow's own limit holds too, by default 178 megapixels.)

    Raises:
        NotAnImage: not an image of these formats, empty, damaged, or cut short.
        ImageTooSmall: under 16 pixels a side.
        ImageTooLarge: more than ``max_pixels``, or it takes more memory than one picture may; or the file has
            more than ``max_file_bytes`` (``stylesearch.images.limits``).
        ImageError: the file cannot be read.
        MissingDependency: HEIC without pillow-heif.
    """
    return decode_reduced(source, [reduce_to], max_pixels=max_pixels)[0]


def decode_reduced(
    source: ImageSource,
    reductions: Sequence[SideWanted | None],
    *,
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> list[DecodedImage]:
    """Decodes an image for several uses, each of which gets the pixels that ``decode`` would give it.

    The pixels are decoded once, or for a JPEG once for each of the scales 1, 1/2, 1/4 and 1/8 that is wanted.

    Args:
        source, max_pixels: see ``decode``.
        reductions: one ``reduce_to`` for each use.

    Raises:
        ImageError: as ``decode``.
    """
    label, image_format, data = read_source(source)
    uses: dict[tuple[int, int], list[int | None]] = {}

    def sides_wanted(width: int, height: int) -> list[int | None]:
        if (width, height) not in uses:
            uses[width, height] = [_side_wanted(one, width, height) for one in reductions]
        return uses[width, height]

    decoder = _elsewhere or decode_here
    images, cut_short = decoder(Picture(label, image_format, data, max_pixels, sides_wanted))
    if cut_short:
        warnings.warn(cut_short, CutShortWarning, stacklevel=3)
    return images


def decode_elsewhere(decoder: Decoder | None) -> None:
    """Has all pictures of this process decoded by ``decoder``, or with None again by ``decode_here``."""
    global _elsewhere
    _elsewhere = decoder


def decode_here(picture: Picture) -> Decoded:
    """Decodes a picture in this process and thread, when there is memory for it.

    Raises:
        ImageError: as ``decode``.
    """
    reservation: Reservation | None = None

    def reserve(n_bytes: int, size: tuple[int, int]) -> None:
        nonlocal reservation
        reservation = BUDGET.reserve(n_bytes, picture.label, size)

    try:
        decoded = decode_data(picture, reserve)
    except BaseException:
        if reservation is not None:
            reservation.finish(0)
        raise
    if reservation is not None:
        keep_reserved(reservation, decoded[0])
    return decoded


def keep_reserved(reservation: Reservation, images: Sequence[DecodedImage]) -> None:
    """Ends the decoding of a picture: what the images take stays reserved as long as each is in use."""
    sizes = {id(one): bytes_of_result(*one.upright.size) for one in images}
    reservation.finish(sum(sizes.values()))
    for one in {id(one): one for one in images}.values():
        finalizer = weakref.finalize(one, reservation.give_back, sizes[id(one)])
        finalizer.atexit = False


def decode_data(picture: Picture, reserve: Callable[[int, tuple[int, int]], None]) -> Decoded:
    """Decodes a picture, once it is known how much memory that takes.

    Args:
        picture: the picture.
        reserve: called before the pixels are decoded, with the bytes that this takes and with the picture's
            width and height; what it raises ends the decoding.

    Raises:
        ImageError: as ``decode``.
    """
    label, image_format, data = picture.label, picture.format, picture.data
    loaded: dict[tuple[int, int], tuple[Image.Image, float | None]] = {}  # by decoded size
    reduced: dict[tuple[tuple[int, int], int], DecodedImage] = {}  # by decoded size and reduction factor
    images = []
    with _image_errors_only(label, image_format):
        check_structure(label, image_format, data)
        first = _open(image_format, data)
        _check_size(label, first, picture.max_pixels)
        full_size = first.size
        sides = picture.sides_wanted(*upright_size(full_size, _orientation(first)))
        # Only at another scale is a picture decoded once more.
        headers = [first, *(_open(image_format, data) if image_format.scales else first for _ in sides[1:])]
        drafted = [_draft(image_format, *one) for one in zip(headers, sides, strict=True)]
        is_turned = _orientation(first) > 1
        reserve(
            bytes_to_decode(image_format, data, full_size, headers, sides, is_turned=is_turned), full_size
        )
        sizes = [one.size for one in headers]
        for number, (header, size) in enumerate(zip(headers, sizes, strict=True)):
            if size not in loaded:
                loaded[size] = _load_or_repair(label, image_format, header, data, sides[number])
            image, intact = loaded[size]
            # Loading may change the size: TIFF was turned, HEIF cropped, PNG may have its orientation at its
            # end.
            shown = full_size if drafted[number] else image.size
            orientation = _orientation(image)
            long_side = picture.sides_wanted(*upright_size(shown, orientation))[number]
            factor = max(1, max(image.size) // long_side) if long_side else 1
            if (size, factor) not in reduced:
                rgb = to_srgb(image, factor)
                if intact is not None:
                    rgb.paste(_WHITE, (0, int(intact * rgb.height), *rgb.size))
                upright = turn_upright(rgb, orientation)
                reduced[size, factor] = DecodedImage(upright, *upright_size(shown, orientation))
            images.append(reduced[size, factor])
    if intact is None:
        return images, None
    missing = (
        f"the last {1 - intact:.0%} of its rows are white" if intact < 1 else "some detail may be missing"
    )
    return images, f"{label} is cut short: {missing}"


def _load_or_repair(
    label: str, image_format: ImageFormat, image: ImageFile.ImageFile, data: bytes, long_side: int | None
) -> tuple[Image.Image, float | None]:
    """Decodes the pixels; for a JPEG that is cut short also returns the share of its rows that are there."""
    try:
        _load(image_format, image)
    except OSError:
        if image_format.name != "JPEG":
            raise
        return _load_without_end(label, image_format, data, long_side)
    return image, None


@contextlib.contextmanager
def _image_errors_only(label: str, image_format: ImageFormat) -> Iterator[None]:
    """Turns whatever a decoder raises on damaged or hostile bytes into an error of this library."""
    try:
        yield
    except StyleSearchError:
        raise
    except MemoryError as error:
        raise ImageTooLarge(f"{label} does not fit into memory") from error
    except Image.DecompressionBombError as error:
        most = 2 * (Image.MAX_IMAGE_PIXELS or 0)  # Pillow's own limit, from which it raises
        raise ImageTooLarge(
            f"{label} has more than {most:,} pixels; they are not decoded", hint="make the picture smaller"
        ) from error
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise NotAnImage(
            f"{label} is damaged, or no {image_format.name} that can be read: {reason}"
        ) from error


@contextlib.contextmanager
def _no_warnings(wanted: bool) -> Iterator[None]:
    """Suppresses a decoder's warnings about odd headers.

    Warning filters belong to the whole process, so two threads must not change them at once. JPEG and WebP
    never need this, the others only while a header is read (TIFF: while it is decoded).
    """
    if not wanted:
        yield
        return
    with _warning_filters, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _open(image_format: ImageFormat, data: bytes) -> ImageFile.ImageFile:
    """Reads the header only."""
    decoder = FORMATS.load(image_format.name)
    with _no_warnings(image_format.warns):
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
    # TIFF stores it elsewhere, and Pillow applies it; HEIF's decoder turns the image and removes the tag.
    return exif_orientation(image.info.get("exif"))


def _side_wanted(reduce_to: SideWanted | None, width: int, height: int) -> int | None:
    if reduce_to is None:
        return None
    return max(1, reduce_to(width, height) if callable(reduce_to) else reduce_to)


def _draft(image_format: ImageFormat, image: ImageFile.ImageFile, long_side: int | None) -> bool:
    """Asks the decoder for a reduced scale where the format allows it; returns whether it will be reduced."""
    width, height = image.size
    longest = max(width, height)
    if long_side is None or longest <= long_side or not image_format.scales:
        return False
    # Pillow takes the smallest scale at which neither side is shorter than this.
    image.draft(image.mode, (max(1, width * long_side // longest), max(1, height * long_side // longest)))
    return image.size != (width, height)


def _load(image_format: ImageFormat, image: ImageFile.ImageFile) -> None:
    """Decodes the pixels."""
    with _no_warnings(image_format.warns_late):
        image.load()


def _load_without_end(
    label: str, image_format: ImageFormat, data: bytes, long_side: int | None
) -> tuple[Image.Image, float]:
    def load(whole: bytes) -> Image.Image:
        image = _open(image_format, whole)
        _draft(image_format, image, long_side)
        _load(image_format, image)
        return image

    loaded = load_cut_short(data, load)
    if loaded is None:
        raise NotAnImage(f"{label} is cut short: too much of it is missing", hint="fetch the file again")
    return loaded


# The orientation is read here rather than by Pillow: only one tag of the EXIF block is needed, a damaged
# block must not fail the image, and Pillow issues warnings about odd ones.


def exif_orientation(block: object) -> int:
    r"""Reads the orientation, 1 to 8, from the first directory of an EXIF block.

    Args:
        block: the bytes of the block, with or without ``Exif\0\0`` before it; anything else counts as none.

    Returns:
        1 (upright) where there is no block, no such tag, or no valid value.

    References:
        Exif 2.32 (CIPA DC-008), 4.6.4 A, tag 274; TIFF 6.0, section 2.

    Example:
        >>> exif_orientation(b"Exif\0\0MM\0*\0\0\0\x08\0\1\x01\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0")
        6
    """
    if not isinstance(block, bytes):
        return 1
    # Some writers prefix the block twice.
    for _ in range(2):
        block = block.removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None:
        return 1
    try:
        (directory,) = struct.unpack_from(f"{order}L", block, 4)
        (n_entries,) = struct.unpack_from(f"{order}H", block, directory)
        for number in range(n_entries):
            entry = directory + 2 + number * _ENTRY_BYTES
            tag, kind = struct.unpack_from(f"{order}HH", block, entry)
            if tag == _ORIENTATION_TAG and kind in _NUMBER_FORMATS:
                (value,) = struct.unpack_from(order + _NUMBER_FORMATS[kind], block, entry + 8)
                return int(value) if value in _TURNS else 1
    except struct.error:
        # The block ends before its directory does.
        return 1
    return 1


def upright_size(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    """Width and height of the upright image."""
    return (size[1], size[0]) if orientation >= 5 else size


def turn_upright(image: Image.Image, orientation: int) -> Image.Image:
    """Turns an image upright, given its EXIF orientation."""
    turn = _TURNS.get(orientation)
    return image if turn is None else image.transpose(turn)
