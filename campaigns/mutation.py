"""Damages bytes as storage and strangers do: flipped bits, lost ends, zeroed blocks, foreign parts."""

from __future__ import annotations

import random
from typing import Final

__all__ = ["damage", "mutate"]

NUMBERS: Final = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
BLOCK: Final = 512


def damage(data: bytes, rng: random.Random) -> tuple[bytes, str]:
    """Damages a file as storage does; what it becomes, and what was done to it."""
    if not data:
        return b"\0", "a byte in an empty file"
    kind = rng.choice(("bit", "bit", "bit", "cut", "zeros", "noise", "empty"))
    at = rng.randrange(len(data))
    changed = bytearray(data)
    if kind == "bit":
        changed[at] ^= 1 << rng.randrange(8)
        return bytes(changed), f"a flipped bit at {at} of {len(data)}"
    if kind == "cut":
        return bytes(changed[:at]), f"cut at {at} of {len(data)}"
    if kind == "empty":
        return b"", "emptied"
    start = at // BLOCK * BLOCK
    end = min(len(data), start + BLOCK * rng.choice((1, 8)))
    changed[start:end] = bytes(end - start) if kind == "zeros" else rng.randbytes(end - start)
    return bytes(changed), f"{kind} from {start} to {end} of {len(data)}"


def mutate(data: bytes, rng: random.Random, others: tuple[bytes, ...] = ()) -> bytes:
    """Changes a few things in bytes that a reader is to be tried with.

    Args:
        data: what is changed.
        rng: decides.
        others: from which parts may be taken.
    """
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 8))):
        at = rng.randrange(len(changed) + 1)
        length = rng.choice((1, 2, 4, 16, 200))
        match rng.randrange(6):
            case 0:
                if at < len(changed):
                    changed[at] ^= 1 << rng.randrange(8)
            case 1:
                del changed[at : at + length]
            case 2:
                changed[at:at] = changed[at : at + length] * rng.choice((1, 3, 50))
            case 3:
                size = rng.choice((1, 2, 4))
                number = rng.choice(NUMBERS) & (256**size - 1)
                changed[at : at + size] = number.to_bytes(size, rng.choice(("little", "big")))
            case 4:
                changed[at : at + length] = rng.randbytes(length)
            case _:
                other = rng.choice(others) if others else data
                start = rng.randrange(len(other) + 1)
                changed[at:at] = other[start : start + rng.choice((4, 64, 1000))]
    return bytes(changed)
