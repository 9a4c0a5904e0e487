"""Which way up a picture is: the orientation that a camera notes in the EXIF block.

The block is read here rather than by Pillow, since only one tag of it is wanted, a damaged block must cost no
more than the orientation, and Pillow warns about odd ones through the warnings of the whole process.
"""

from __future__ import annotations

import struct

from PIL import Image

__all__ = ["exif_orientation", "turned_upright", "upright_size"]

_ORIENTATION_TAG = 0x0112
_ENTRY_BYTES = 12
_NUMBER_FORMATS = {1: "B", 3: "H", 4: "L"}

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What to do with the stored pixels; 1 is upright already."""


def exif_orientation(block: object) -> int:
    r"""The orientation, 1 to 8, in the first directory of an EXIF block.

    Args:
        block: the bytes of the block, with or without ``Exif\0\0`` before it; anything else counts as none.

    Returns:
        1 (upright) where there is no block, no such tag, or no sense in it.

    References:
        Exif 2.32 (CIPA DC-008), 4.6.4 A, tag 274; TIFF 6.0, section 2.

    Example:
        >>> exif_orientation(b"Exif\0\0MM\0*\0\0\0\x08\0\1\x01\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0")
        6
    """
    if not isinstance(block, bytes):
        return 1
    # Some writers prefix the block twice.
    while block.startswith(b"Exif\0\0"):
        block = block[6:]
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
    """Width and height once the picture stands upright."""
    return (size[1], size[0]) if orientation >= 5 else size


def turned_upright(image: Image.Image, orientation: int) -> Image.Image:
    """The picture as it was seen when the camera noted ``orientation``."""
    turn = _TURNS.get(orientation)
    return image if turn is None else image.transpose(turn)
