"""JPEG files without their end: what of the picture is there, and whether that is enough."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image

from stylesearch.images.jpeg_scans import END_OF_IMAGE, read_scans

__all__ = ["LEAST_INTACT", "CutShortWarning", "load_cut_short"]

LEAST_INTACT = 0.9
"""Share of its rows that a picture must still have to be of use."""

_FILLER = bytes(range(1, 255)) * 4
"""Stands in for the missing end: no byte 255, so no marker, and like no real picture."""


class CutShortWarning(UserWarning):
    """A JPEG file lacks its end, little enough to be used all the same."""


def load_cut_short(data: bytes, load: Callable[[bytes], Image.Image]) -> tuple[Image.Image, float] | None:
    """Decodes as much as there is of a JPEG file that the decoder found to end too early.

    Pillow could be told to accept such files, but only for the whole process and however little is there.
    Here the file gets the end marker that it lacks. Which rows are really there shows by decoding it again
    with a filler before the marker: where the data ends, the two pictures part.

    Args:
        data: the bytes of the file.
        load: decodes the bytes of a whole file.

    Returns:
        The picture and the share of its rows, counted from the top, that are there (the others hold nothing
        of value); or None if too much is missing. A progressive file loses detail and no rows: it is
        accepted when all its scans have begun.

    Raises:
        Exception: whatever ``load`` raises on a file that is damaged otherwise.
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
