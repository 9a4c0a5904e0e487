"""Checks the items of a HEIF or AVIF file: pictures, their tiles, and what is told of them."""

from __future__ import annotations

import functools
import struct
from collections import defaultdict
from typing import Final

from stylesearch.images.structure.boxes import Box, read_boxes
from stylesearch.images.structure.limits import at_most

__all__ = ["check_items"]

_MAX_BOXES: Final = 2_000
"""In the file, and in each box of boxes. The properties of a picture are boxes too."""

_MAX_ITEMS: Final = 2_000
"""Phones write tiles of 512 pixels: of 200 megapixels 768, and as many again at most for how it is shown."""

_MAX_EXTENTS: Final = 10_000
_MAX_REFERENCES: Final = 10_000
_MAX_TOLD_BYTES: Final = 64 * 2**20
"""EXIF and XMP, counted once for each picture that they tell of: the decoder copies them for each."""

_SPARE_PIXELS: Final = 32_000_000
"""Pixels decoded for a picture may be twice its own (another layer of it), and these (edges of tiles)."""

_MAX_DEPTH: Final = 8

_FULL: Final = 4
"""Bytes of version and flags, with which some boxes begin."""


def check_items(data: bytes) -> None:
    """Counts boxes, items, where their bytes are, and what refers to what.

    A picture may be put together from others (a grid of tiles), and those again: the pixels of all that are
    decoded for it are summed.

    Raises:
        TooMany: of these.

    References:
        ISO/IEC 14496-12, 8.11 (items); ISO/IEC 23008-12 (HEIF), 6.6 (derived pictures), 9.3 (properties).
    """
    for box in read_boxes(data, 0, len(data), _MAX_BOXES, "in the file"):
        if box.kind == b"meta":
            try:
                _check_meta(data, box)
            except struct.error:
                # A box ends too early: the decoder will say so.
                continue
        elif box.kind == b"moov":
            _check_tracks(data, box, 0)


def _check_tracks(data: bytes, parent: Box, depth: int) -> None:
    """Counts the boxes of a sequence of pictures, which are nested."""
    at_most(_MAX_DEPTH, depth, "boxes inside one another")
    for box in read_boxes(data, parent.start, parent.end, _MAX_BOXES, "in a box"):
        if box.kind in (b"trak", b"mdia", b"minf", b"stbl", b"dinf", b"edts", b"moov"):
            _check_tracks(data, box, depth + 1)


def _check_meta(data: bytes, meta: Box) -> None:
    found = {
        box.kind: box
        for box in read_boxes(data, meta.start + _FULL, meta.end, _MAX_BOXES, "in its description")
    }
    if b"iinf" in found:
        _check_infos(data, found[b"iinf"])
    n_bytes = _read_lengths(data, found[b"iloc"]) if b"iloc" in found else {}
    made_of, tells_of = _read_references(data, found[b"iref"]) if b"iref" in found else ({}, {})
    n_told = sum(n_bytes.get(item, 0) * n_pictures for item, n_pictures in tells_of.items())
    at_most(_MAX_TOLD_BYTES, n_told, "bytes of EXIF and XMP, for all its pictures")
    sizes = _read_sizes(data, found[b"iprp"]) if b"iprp" in found else {}
    if b"pitm" in found and made_of:
        start = found[b"pitm"].start
        primary = struct.unpack_from(">H" if data[start] == 0 else ">I", data, start + _FULL)[0]
        _check_derived_pixels(primary, made_of, sizes)


def _check_infos(data: bytes, box: Box) -> None:
    wide = data[box.start] > 0
    (n_items,) = struct.unpack_from(">I" if wide else ">H", data, box.start + _FULL)
    at_most(_MAX_ITEMS, n_items, "items")
    for _ in read_boxes(data, box.start + _FULL + (4 if wide else 2), box.end, _MAX_ITEMS, "of items"):
        pass


def _read_lengths(data: bytes, box: Box) -> dict[int, int]:
    """Reads of how many bytes each item is."""
    version = data[box.start]
    at = box.start + _FULL
    sizes, base = data[at], data[at + 1]
    extent_bytes = (sizes >> 4) + (sizes & 15) + ((base & 15) if version else 0)
    (n_items,) = struct.unpack_from(">I" if version == 2 else ">H", data, at + 2)
    at_most(_MAX_ITEMS, n_items, "items")
    at += 6 if version == 2 else 4
    # Id, how it is stored (from version 1), where, a base, the number of extents.
    before = (4 if version == 2 else 2) + (2 if version else 0) + 2 + (base >> 4)
    n_extents = 0
    n_bytes: dict[int, int] = {}
    for _ in range(n_items):
        (item,) = struct.unpack_from(">I" if version == 2 else ">H", data, at)
        (n,) = struct.unpack_from(">H", data, at + before)
        n_extents += n
        at_most(_MAX_EXTENTS, n_extents, "pieces of items")
        at += before + 2
        # Each ends with its length; one of no length reaches to the end of the file.
        for _ in range(n):
            at += extent_bytes
            length = int.from_bytes(data[at - (sizes & 15) : at], "big") or len(data)
            n_bytes[item] = n_bytes.get(item, 0) + min(length, len(data))
    return n_bytes


def _read_references(data: bytes, box: Box) -> tuple[dict[int, list[int]], dict[int, int]]:
    """Reads which pictures an item is made of, and how many it tells of."""
    kind = ">I" if data[box.start] else ">H"
    width = struct.calcsize(kind)
    made_of: dict[int, list[int]] = defaultdict(list)
    tells_of: dict[int, int] = defaultdict(int)
    n_references = 0
    for one in read_boxes(data, box.start + _FULL, box.end, _MAX_REFERENCES, "of references"):
        (source,) = struct.unpack_from(kind, data, one.start)
        (n,) = struct.unpack_from(">H", data, one.start + width)
        n_references += n
        at_most(_MAX_REFERENCES, n_references, "references between items")
        if one.kind == b"dimg":
            made_of[source] += struct.unpack_from(f">{n}{kind[1]}", data, one.start + width + 2)
        elif one.kind == b"cdsc":
            tells_of[source] += n
    return made_of, tells_of


def _read_sizes(data: bytes, box: Box) -> dict[int, int]:
    """Reads the pixels of each item that has a size."""
    pixels: list[int] = []
    sizes: dict[int, int] = {}
    for part in read_boxes(data, box.start, box.end, _MAX_BOXES, "of properties"):
        if part.kind == b"ipco":
            pixels += (
                _area(data, one) if one.kind == b"ispe" else 0
                for one in read_boxes(data, part.start, part.end, _MAX_BOXES, "of properties")
            )
        elif part.kind == b"ipma":
            version, wide = data[part.start], bool(data[part.start + 3] & 1)
            (n_items,) = struct.unpack_from(">I", data, part.start + _FULL)
            at_most(_MAX_ITEMS, n_items, "items with properties")
            at = part.start + _FULL + 4
            for _ in range(n_items):
                (item,) = struct.unpack_from(">I" if version else ">H", data, at)
                at += 4 if version else 2
                n = data[at]
                chosen = struct.unpack_from(f">{n}{'H' if wide else 'B'}", data, at + 1)
                at += 1 + n * (2 if wide else 1)
                numbers = [number & (0x7FFF if wide else 0x7F) for number in chosen]
                sizes[item] = max((pixels[one - 1] for one in numbers if 0 < one <= len(pixels)), default=0)
    return sizes


def _area(data: bytes, box: Box) -> int:
    width, height = struct.unpack_from(">II", data, box.start + _FULL)
    return int(width) * int(height)


def _check_derived_pixels(primary: int, made_of: dict[int, list[int]], sizes: dict[int, int]) -> None:
    """Sums the pixels that are decoded for a picture, each as often as it is used."""
    limit = 2 * sizes.get(primary, 0) + _SPARE_PIXELS

    @functools.cache
    def pixels(item: int, depth: int) -> int:
        at_most(_MAX_DEPTH, depth, "pictures put together from one another")
        if item not in made_of:
            return sizes.get(item, 0)
        return sum(pixels(one, depth + 1) for one in made_of[item])

    at_most(limit, pixels(primary, 0), "pixels in the pictures of which it is put together")
