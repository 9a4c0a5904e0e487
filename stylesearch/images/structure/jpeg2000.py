"""Checks the boxes and segments of a JPEG 2000 file, and into how many packets its pixels are divided."""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from stylesearch.images.structure.boxes import read_boxes
from stylesearch.images.structure.limits import at_most

__all__ = ["check_jpeg2000"]

_MAX_BOXES: Final = 1_000
_MAX_SEGMENTS: Final = 50_000
"""In the headers of the picture and of all its tiles."""

_MAX_COMPONENTS: Final = 16
_MAX_TILES: Final = 20_000
"""Tiles of 128 pixels: 300 megapixels."""

_MAX_TILE_PARTS: Final = 65_535
_MAX_PRECINCTS: Final = 200_000
"""A precinct is a part of a tile, of one color at one resolution; usually of 256 pixels or more each way."""

_MAX_PACKETS: Final = 1_000_000
"""A packet is what one layer of quality adds to one precinct."""

_START: Final = b"\xff\x4f\xff\x51"
_CODING, _CODING_OF_COMPONENT, _START_OF_TILE, _START_OF_DATA, _END = 0x52, 0x53, 0x90, 0x93, 0xD9
_LARGEST_PRECINCT: Final = 15


class _Grid(NamedTuple):
    """The picture, and its division into tiles.

    Attributes:
        width, height: of a tile, in pixels; no larger than the picture.
        n_tiles: how many there are.
        n_components: how many colors.
    """

    width: int
    height: int
    n_tiles: int
    n_components: int


def check_jpeg2000(data: bytes) -> None:
    """Follows the boxes to the pixels, and the segments before the pixels of each tile.

    Raises:
        TooMany: of boxes, segments, tiles, packets.

    References:
        ITU-T T.800, A.4 (segments), A.6.1 (coding style), B.6 and B.7 (precincts), I.4 (boxes).
    """
    if data.startswith(_START):
        _check_codestream(data, 0, len(data))
        return
    for box in read_boxes(data, 0, len(data), _MAX_BOXES, "in the file"):
        if box.kind == b"jp2h":
            for inner in read_boxes(data, box.start, box.end, _MAX_BOXES, "in its header"):
                if inner.kind == b"res ":
                    for _ in read_boxes(data, inner.start, inner.end, _MAX_BOXES, "of resolutions"):
                        pass
        elif box.kind == b"jp2c":
            _check_codestream(data, box.start, box.end)
            return


def _check_codestream(data: bytes, at: int, end: int) -> None:
    grid = None
    at += 2
    n_segments = n_parts = 0
    in_tile, next_part = False, end
    while at + 4 <= end:
        marker = data[at + 1]
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        content = at + 4
        n_segments += 1
        at_most(_MAX_SEGMENTS, n_segments, "segments")
        if data[at] != 0xFF or marker == _END:
            return
        if marker == _START_OF_DATA:
            at, in_tile = next_part, False
            continue
        if length < 2:
            return
        if marker == 0x51:
            grid = _read_grid(data[content : at + 2 + length])
        elif marker == _START_OF_TILE:
            n_parts += 1
            at_most(_MAX_TILE_PARTS, n_parts, "parts of tiles")
            size = int.from_bytes(data[content + 2 : content + 6], "big")
            next_part = at + size if size else end
            in_tile = True
            if next_part <= at:
                return
        elif marker == _CODING and grid:
            _check_packets(grid, data[content : at + 2 + length], in_tile)
        elif marker == _CODING_OF_COMPONENT and grid:
            wide = grid.n_components > 256
            style = data[content + (2 if wide else 1) : at + 2 + length]
            # The number of layers is that of the picture, which is checked at one precinct.
            _check_packets(grid, style[:1] + b"\0\0\1\0" + style[1:], in_tile)
        at += 2 + length


def _read_grid(size: bytes) -> _Grid | None:
    if len(size) < 36:
        return None
    right, bottom, left, top, width, height, tile_left, tile_top, n_components = struct.unpack_from(
        ">8IH", size, 2
    )
    if not width or not height:
        return None
    at_most(_MAX_COMPONENTS, n_components, "colors")
    n_tiles = max(1, -(-(right - tile_left) // width)) * max(1, -(-(bottom - tile_top) // height))
    at_most(_MAX_TILES, n_tiles, "tiles")
    return _Grid(min(width, max(1, right - left)), min(height, max(1, bottom - top)), n_tiles, n_components)


def _check_packets(grid: _Grid, style: bytes, in_tile: bool) -> None:
    """Counts the packets of the picture, or of a tile that is coded in a style of its own."""
    if len(style) < 10:
        return
    n_layers, n_levels = int.from_bytes(style[2:4], "big"), style[5]
    precincts = style[10 : 10 + n_levels + 1] if style[0] & 1 else b""
    n_precincts = 0
    for level in range(min(n_levels, 32) + 1):
        packed = precincts[level] if level < len(precincts) else _LARGEST_PRECINCT * 17
        # The first resolution is the smallest.
        scale = n_levels - level
        columns = (grid.width >> scale >> (packed & 15)) + 1
        rows = (grid.height >> scale >> (packed >> 4)) + 1
        n_precincts += columns * rows
    n_precincts *= grid.n_components * (1 if in_tile else grid.n_tiles)
    at_most(_MAX_PRECINCTS, n_precincts, "precincts, parts of its tiles")
    at_most(_MAX_PACKETS, n_precincts * n_layers, "packets: precincts times layers of quality")
