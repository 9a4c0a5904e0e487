"""Checks the segments of a JPEG file, up to its first scan, and how much work its scans are."""

from __future__ import annotations

import itertools
import re
from typing import Final

from stylesearch.images.structure.limits import TooMany, at_most
from stylesearch.images.truncated_jpeg import END_OF_IMAGE, MAX_SEGMENTS, START_OF_SCAN, read_segments

__all__ = ["MAX_SCANS", "check_jpeg"]

MAX_SCANS: Final = 100
"""More scans than any encoder writes; each costs a pass over the picture, however few bytes it has."""

_MAX_SAMPLES: Final = 2_000_000_000
"""Samples of all scans together: the usual 10 scans of 200 megapixels are 1,600 million."""

_MAX_BETWEEN: Final = 1_000
"""Fill bytes, and bytes that belong to nothing, between segments: the decoder reads them one by one."""

_MAX_EXIF_SEGMENTS: Final = 100
_MAX_RESOURCES: Final = 20_000
_MAX_TABLE_BYTES: Final = 100_000
_MAX_FRAME_BYTES: Final = 4_000

_FILL: Final = b"\xff" * (_MAX_BETWEEN + 1)
_NEXT: Final = re.compile(rb"\xff[^\x00\xff]")
_WITHOUT_CONTENT: Final = {0xC8, *range(0xD0, 0xDA), *range(0xF0, 0xFE)}
_FRAMES: Final = {*range(0xC0, 0xD0), 0xDE} - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE: Final = {0xC2, 0xC6, 0xCA, 0xCE}


def check_jpeg(data: bytes) -> None:
    """Follows the segments as Pillow's decoder does, which reads them in Python.

    Raises:
        TooMany: of segments, bytes between them, tables, scans.

    References:
        ITU-T T.81, B.1.1 (markers, fill bytes), B.2 (the order of segments).
    """
    at = 2
    n_between = n_exif = n_resources = n_table_bytes = n_frame_bytes = 0
    progressive, frame = False, b""
    for number in itertools.count(1):
        found = _NEXT.search(data, at, at + _MAX_BETWEEN + 2)
        if found is None:
            # No more were looked at.
            at_most(_MAX_BETWEEN, min(len(data) - at, _MAX_BETWEEN + 1), "bytes between two segments")
            return
        n_between += found.start() - at
        at_most(_MAX_BETWEEN, n_between, "bytes between its segments")
        at_most(MAX_SEGMENTS, number, "segments before its pixels")
        at = found.end()
        marker = data[at - 1]
        if marker in _WITHOUT_CONTENT:
            continue
        if marker < 0xC0:
            return
        length = max(2, int.from_bytes(data[at : at + 2], "big"))
        start, end = at + 2, at + length
        if end > len(data):
            return
        if marker == 0xDA:
            _check_fill(data, end)
            if frame and (progressive or data[start : start + 1] != frame[5:6]):
                _check_scans(data, frame)
            return
        if marker == 0xE1 and data.startswith(b"Exif\0\0", start, end):
            n_exif += 1
            at_most(_MAX_EXIF_SEGMENTS, n_exif, "EXIF segments")
        elif marker == 0xED:
            n_resources += data.count(b"8BIM", start, end)
            at_most(_MAX_RESOURCES, n_resources, "Photoshop resources")
        elif marker == 0xDB:
            n_table_bytes += length
            at_most(_MAX_TABLE_BYTES, n_table_bytes, "bytes of quantization tables")
        elif marker in _FRAMES:
            n_frame_bytes += length
            at_most(_MAX_FRAME_BYTES, n_frame_bytes, "bytes of frame headers")
            progressive, frame = marker in _PROGRESSIVE, data[start:end]
        at = end


def _check_fill(data: bytes, start: int) -> None:
    """Refuses long fill in the data of the scans.

    Whenever libjpeg needs more data than it was given, it begins again where the fill begins.
    """
    at = data.find(_FILL, start)
    if at >= 0 and data.find(END_OF_IMAGE, start, at) < 0:
        raise TooMany(len(_FILL), len(_FILL) - 1, "fill bytes in a row among its pixels")


def _check_scans(data: bytes, frame: bytes) -> None:
    """Counts the samples that all scans go over.

    Args:
        data: the file.
        frame: the content of its frame header.
    """
    height, width = int.from_bytes(frame[1:3], "big"), int.from_bytes(frame[3:5], "big")
    listed = [frame[at : at + 3] for at in range(6, 6 + 3 * frame[5], 3)]
    blocks = {one[0]: (one[1] >> 4) * (one[1] & 15) for one in listed if len(one) == 3}
    # A component is as fine as the picture at most, in each direction.
    largest = max(1, max((one[1] >> 4 for one in listed if len(one) == 3), default=1)) * max(
        1, max((one[1] & 15 for one in listed if len(one) == 3), default=1)
    )
    all_samples = height * width * sum(blocks.values()) // largest
    # The quick count may be too high (a thumbnail, a film behind the picture), never too low.
    n_scans = data.count(START_OF_SCAN)
    if n_scans <= MAX_SCANS and n_scans * all_samples <= _MAX_SAMPLES:
        return
    n_scans = n_samples = 0
    for number, (marker, segment) in enumerate(read_segments(data), 1):
        at_most(MAX_SEGMENTS, number, "segments")
        if marker == 0xDA and segment:
            n_scans += 1
            at_most(MAX_SCANS, n_scans, "scans, which no camera or shop writes")
            chosen = segment[1 : 1 + 2 * segment[0] : 2]
            n_samples += sum(height * width * blocks.get(one, 0) // largest for one in chosen)
            if n_samples > _MAX_SAMPLES:
                raise TooMany(n_samples, _MAX_SAMPLES, f"samples in its first {n_scans} scans")
