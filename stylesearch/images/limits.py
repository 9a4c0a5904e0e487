"""Limits of what decoding pictures may take, for the whole process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from stylesearch.errors import ImageError, ImageTooLarge

__all__ = ["DEFAULT_LIMITS", "DecodingLimits", "decoding_limits", "limit_decoding", "refuse_large_file"]


@dataclass(frozen=True, slots=True)
class DecodingLimits:
    """What decoding pictures may take.

    Attributes:
        memory: bytes for all pictures that are being decoded in the process at the same time.
        cpu_seconds: processor time for one picture, where pictures are decoded in processes of their own.
        max_file_bytes: larger files are refused before they are read.
        processes: whether ingest and service decode in processes of their own, where the system can.
    """

    memory: int = 1_000_000_000
    cpu_seconds: float = 10.0
    max_file_bytes: int = 200_000_000
    processes: bool = True


DEFAULT_LIMITS: Final = DecodingLimits()

_limits = DEFAULT_LIMITS


def decoding_limits() -> DecodingLimits:
    """The limits of this process."""
    return _limits


def limit_decoding(limits: DecodingLimits) -> None:
    """Sets the limits of this process, from the next picture on."""
    global _limits
    _limits = limits


def refuse_large_file(label: str, n_bytes: int | None) -> ImageError:
    """The error for a file over ``max_file_bytes``.

    Args:
        label: what the file is called in messages.
        n_bytes: its size, or None where only its beginning was read.
    """
    limit = decoding_limits().max_file_bytes
    size = f"more than {limit:,} bytes" if n_bytes is None else f"{n_bytes:,} bytes"
    return ImageTooLarge(
        f"{label} has {size}; files of up to {limit:,} are read",
        hint="make the picture smaller, or raise max_file_bytes: STYLESEARCH_MAX_FILE_BYTES, or for ingest "
        "--max-file-bytes",
    )
