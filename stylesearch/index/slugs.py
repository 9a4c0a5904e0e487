"""A folder's name for any category: shops call them what they like, file systems have rules of their own."""

from __future__ import annotations

import re
import unicodedata

from stylesearch.storage import sha256_bytes

__all__ = ["slug_of"]

_READABLE = 32
_DIGITS = 16


def slug_of(category: str) -> str:
    """A name for a folder: short, in lower case, ASCII, never special, and another for every category.

    The readable part is for people; the digest alone tells categories apart, so that names that differ in
    case, in accents or after the thirty-second character, or are empty, ``..`` or ``CON``, need no care.

    Example:
        >>> slug_of("Robes d'été / Été")
        'robes-d-ete-ete-c946447f5f13bc24'
    """
    plain = unicodedata.normalize("NFKD", category).encode("ascii", "ignore").decode()
    readable = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[:_READABLE].strip("-")
    digest = sha256_bytes(category.encode("utf-8", "surrogatepass"))[:_DIGITS]
    return f"{readable}-{digest}" if readable else f"category-{digest}"
