"""Checks the first directory of a TIFF file."""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

import numpy as np

from stylesearch.images.structure.limits import at_most

__all__ = ["check_tiff"]

_MAX_ENTRIES: Final = 4_000
"""Entries of a directory; cameras and maps have some hundreds."""

_MAX_PARTS: Final = 100_000
"""Strips and tiles: a strip a row is usual, and three times as many where colors are apart."""

_MAX_VALUES: Final = 1_000_000
"""Numbers in all entries beside strips and tiles, which Pillow makes Python numbers of."""

_MAX_XMP_BYTES: Final = 16 * 2**20
"""Pillow searches XMP for the orientation."""

_WIDTHS: Final = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}
_BYTES: Final = {1, 2, 6, 7}
_XMP: Final = 700
_COMPRESSION: Final = 259
_OFFSETS: Final = {273, 324}
_LENGTHS: Final = {279, 325}
_DIRECTORIES: Final = {34665, 34853, 40965}
"""EXIF, GPS and interoperability."""


class _Entry(NamedTuple):
    tag: int
    kind: int
    n_values: int
    value: bytes


class _Layout(NamedTuple):
    """How numbers are written: their order, and the formats of a directory."""

    order: str
    n_entries: str
    entry: str
    offset: str


_LAYOUTS: Final = {
    b"II*\0": (_Layout("<", "H", "HHI4s", "I"),),
    b"MM\0*": (_Layout(">", "H", "HHI4s", "I"),),
    b"II+\0": (_Layout("<", "Q", "HHQ8s", "Q"),),
    # Pillow reads it as if numbers had 4 bytes.
    b"MM\0+": (_Layout(">", "Q", "HHQ8s", "Q"), _Layout(">", "H", "HHI4s", "I")),
}


def check_tiff(data: bytes) -> None:
    """Counts the entries of the first directory and of those that it points to, its strips and tiles.

    Raises:
        TooMany: of these.

    References:
        TIFF 6.0, section 2; BigTIFF (libtiff).
    """
    for layout in _LAYOUTS[data[:4]]:
        try:
            (at,) = struct.unpack_from(layout.order + layout.offset, data, 8 if layout.offset == "Q" else 4)
            _check_directory(data, layout, at)
        except struct.error:
            # The file ends too early: the decoder will say so.
            continue


def _check_directory(data: bytes, layout: _Layout, at: int) -> None:
    entries = _read_entries(data, layout, at)
    n_values = 0
    compressed = any(entry.tag == _COMPRESSION and _number(layout, entry) != 1 for entry in entries)
    for entry in entries:
        if entry.tag in _OFFSETS | _LENGTHS:
            at_most(_MAX_PARTS, entry.n_values, "strips or tiles")
            if entry.tag in _LENGTHS and compressed:
                # One that is read again and again makes a long file of a short one.
                at_most(4 * len(data), _sum(data, layout, entry), "bytes in its strips or tiles")
        elif entry.kind not in _BYTES:
            n_values += entry.n_values
        if entry.tag == _XMP:
            at_most(_MAX_XMP_BYTES, entry.n_values, "bytes of XMP")
        if entry.tag in _DIRECTORIES:
            _read_entries(data, layout, _number(layout, entry))
    at_most(_MAX_VALUES, n_values, "numbers in its directory")


def _read_entries(data: bytes, layout: _Layout, at: int) -> list[_Entry]:
    if at + 8 > len(data):
        return []
    (n_entries,) = struct.unpack_from(layout.order + layout.n_entries, data, at)
    at_most(_MAX_ENTRIES, n_entries, "entries in a directory")
    entry = struct.Struct(layout.order + layout.entry)
    start = at + struct.calcsize(layout.order + layout.n_entries)
    n_entries = min(n_entries, max(0, len(data) - start) // entry.size)
    return [_Entry(*one) for one in entry.iter_unpack(data[start : start + n_entries * entry.size])]


def _number(layout: _Layout, entry: _Entry) -> int:
    """The value of an entry of one number, which stands in the entry itself."""
    kind = {3: "H", 16: "Q"}.get(entry.kind, "I")
    return int(struct.unpack_from(layout.order + kind, entry.value.ljust(8, b"\0"))[0])


def _sum(data: bytes, layout: _Layout, entry: _Entry) -> int:
    width = _WIDTHS.get(entry.kind, 0)
    if entry.kind not in (3, 4, 13, 16):
        return 0
    if entry.n_values * width <= len(entry.value):
        raw = entry.value[: entry.n_values * width]
    else:
        (at,) = struct.unpack_from(layout.order + layout.offset, entry.value)
        raw = data[at : at + entry.n_values * width]
    numbers = np.frombuffer(raw[: len(raw) // width * width], f"{layout.order}u{width}")
    return int(numbers.sum(dtype=np.float64))
