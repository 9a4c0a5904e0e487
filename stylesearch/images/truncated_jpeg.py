"""Reads the scans of JPEG files, and decodes files that lack only a little at their end.

A baseline file holds its image in one scan, from the top down. A progressive one has several scans, each of
the whole image and adding detail, so that a file that is cut within its last scan still shows all of it.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

__all__ = [
    "END_OF_IMAGE",
    "LEAST_INTACT",
    "MAX_SEGMENTS",
    "CutShortWarning",
    "JpegFile",
    "Scans",
    "load_cut_short",
    "read_scans",
    "read_segments",
]

END_OF_IMAGE: Final = b"\xff\xd9"
START_OF_SCAN: Final = b"\xff\xda"

MAX_SEGMENTS: Final = 5_000
"""Segments that are read: 300 MB of metadata, in segments of 64 KB, or some tables for each of the scans."""

LEAST_INTACT: Final = 0.9
"""Share of its rows that a picture must still have to be of use."""

_FILLER: Final = bytes(range(1, 255)) * 4
"""Stands in for the missing end: no byte 255, so no marker, and like no real picture."""

_COEFFICIENTS: Final = 64
_MARKER: Final = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])")
"""A byte 255 in the data of a scan is followed by a zero, a restart marker, or padding (255 again)."""


@dataclass
class Scans:
    """The scans of a file, as far as it goes.

    Attributes:
        count: number of scans whose header is there.
        missing_bits: by component and coefficient, how many low bits no scan has begun to send; None for
            a coefficient that has not been sent at all.
    """

    count: int = 0
    missing_bits: dict[int, list[int | None]] = field(default_factory=dict)

    @property
    def all_begun(self) -> bool:
        """Whether every coefficient of every component is in a scan that has at least begun."""
        return bool(self.missing_bits) and all(
            bits == 0 for coefficients in self.missing_bits.values() for bits in coefficients
        )


def read_scans(data: bytes) -> Scans:
    """Reads the headers of a JPEG file, up to its end marker or to where it is cut.

    Of more than ``MAX_SEGMENTS`` only the first count.

    References:
        ITU-T T.81, B.2.2 (frame header), B.2.3 (scan header), G.1.2 (progressive scans).
    """
    scans = Scans()
    for marker, segment in itertools.islice(read_segments(data), MAX_SEGMENTS):
        try:
            if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
                components = segment[6 : 6 + 3 * segment[5] : 3]
                scans.missing_bits = {component: [None] * _COEFFICIENTS for component in components}
            elif marker == 0xDA:
                n_components = segment[0]
                first, last, bits = segment[1 + 2 * n_components : 4 + 2 * n_components]
                scans.count += 1
                for component in segment[1 : 1 + 2 * n_components : 2]:
                    sent = scans.missing_bits[component]
                    for coefficient in range(first, min(last, _COEFFICIENTS - 1) + 1):
                        sent[coefficient] = bits & 0x0F
        except (IndexError, KeyError, ValueError):
            # A malformed header ends the file: only what came before it counts.
            break
    return scans


def read_segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yields marker and content of each complete segment, without the compressed data between them."""
    at = 2
    while found := _MARKER.search(data, at):
        marker, at = found[1][0], found.end()
        if marker == END_OF_IMAGE[1]:
            return
        if marker == 0x01 or marker == 0xD8:
            continue
        length = int.from_bytes(data[at : at + 2], "big")
        if length < 2 or at + length > len(data):
            return
        yield marker, data[at + 2 : at + length]
        at += length


class CutShortWarning(UserWarning):
    """A JPEG file lacks its end, but so little that it is used all the same."""


def load_cut_short(data: bytes, load: Callable[[bytes], Image.Image]) -> tuple[Image.Image, float] | None:
    """Decodes what there is of a JPEG file that ends too early.

    Pillow can be told to accept such files, but only for the whole process and however little is there. Here
    the missing end marker is added. To find the rows that are really there, the file is decoded again with a
    filler before the marker: the two results differ from where the data ends.

    Args:
        data: the bytes of the file.
        load: decodes the bytes of a whole file.

    Returns:
        The image and the share of its rows, counted from the top, that are there (the others are
        meaningless); None if too much is missing. A progressive file loses detail and no rows: it is
        accepted when all its scans have begun.

    Raises:
        Exception: as ``load`` raises it on a file that is damaged otherwise.
    """
    scans = read_scans(data)
    if not scans.all_begun:
        return None
    image = load(data + END_OF_IMAGE)
    if scans.count > 1:
        return image, 1.0
    filled = load(data + _FILLER + END_OF_IMAGE)
    parts = np.not_equal(np.asarray(image), np.asarray(filled)).reshape(image.height, -1).any(axis=1)
    n_intact = int(np.argmax(parts)) if parts.any() else image.height
    share = n_intact / image.height
    return (image, share) if share >= LEAST_INTACT else None


class JpegFile(JpegImageFile):
    """A JPEG file, or the first image of an MPO file (several images in one).

    Pillow looks for the resolution in dots per inch while it opens a file, reads the whole EXIF block for it,
    and warns of a damaged one. Nothing here needs it, so the method is overridden. (Should Pillow rename the
    method, this override does nothing.)
    """

    def _read_dpi_from_exif(self) -> None:
        pass
