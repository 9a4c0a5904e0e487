"""Tells color profiles that are quickly applied from those that are not."""

from __future__ import annotations

import struct
from typing import Final

__all__ = ["is_quick_profile"]

_MAX_BYTES: Final = 4 * 2**20
"""Profiles of printing presses, the largest that pictures carry, have up to 3 MB."""

_MAX_TAGS: Final = 100
_MAX_STEPS_BYTES: Final = 16_384
"""Of a transform in any number of steps (``mpet``); each is computed for tens of thousands of colors."""


def is_quick_profile(profile: bytes) -> bool:
    """Whether a transform is made of an ICC profile within milliseconds; False for one that is damaged.

    References:
        ICC.1:2022, 7.3 (tag table), 10.16 (multiProcessElementsType).
    """
    if not 132 <= len(profile) <= _MAX_BYTES:
        return False
    (n_tags,) = struct.unpack_from(">I", profile, 128)
    if n_tags > _MAX_TAGS or 132 + 12 * n_tags > len(profile):
        return False
    return all(
        size <= _MAX_STEPS_BYTES or profile[at : at + 4] != b"mpet"
        for _, at, size in struct.iter_unpack(">4sII", profile[132 : 132 + 12 * n_tags])
    )
