"""Text on a contact sheet: Pillow's built-in font, titles that fit, and letters that the font lacks."""

from __future__ import annotations

import bisect
import functools
import unicodedata
from collections.abc import Sequence

from PIL import ImageFont

__all__ = ["Font", "ellipsised", "font", "printable", "wrapped"]

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

_ELLIPSIS = "…"
_SPELT_OUT = str.maketrans(
    {
        "ß": "ss", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L",
        "đ": "d", "Đ": "D", "ı": "i", "þ": "th", "Þ": "Th", "–": "-", "—": "-", "‘": "'", "’": "'",
        "“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "€": "EUR ", "£": "GBP ", "×": "x",
    }
)  # fmt: skip
_LEAST_LEGIBLE = 0.5


@functools.cache
def font(size: int) -> Font:
    """Pillow's own font, the only one that is there on every machine."""
    return ImageFont.load_default(size)


def printable(text: str, otherwise: str = "") -> str:
    """A text in letters that the font has.

    Accents are dropped and a few letters spelt out; others are left out. A text of which less than half
    remains (one in Chinese or Greek, say) is replaced.

    Args:
        text: any text, on any number of lines.
        otherwise: what to show for a text in a script that the font lacks.

    Example:
        >>> printable("Jupe à fleurs,\\n taille élastiquée")
        'Jupe a fleurs, taille elastiquee'
        >>> printable("花柄ワンピース", otherwise="dress-17")
        'dress-17'
    """
    text = " ".join(text.split())
    latin = unicodedata.normalize("NFKD", text.translate(_SPELT_OUT))
    plain = "".join(letter for letter in latin if not unicodedata.combining(letter))
    legible = "".join(letter for letter in plain if letter.isspace() or _has_glyph(letter))
    if len(legible.replace(" ", "")) < _LEAST_LEGIBLE * len(plain.replace(" ", "")):
        return printable(otherwise) if otherwise != text else ""
    return " ".join(legible.split())


@functools.cache
def _has_glyph(letter: str) -> bool:
    """Whether the font draws something else than the box that it has for everything unknown."""
    if letter.isascii():
        return letter.isprintable()
    ours, unknown = (font(20).getmask(shown) for shown in (letter, "\uffff"))
    return ours.size != unknown.size or bytes(ours) != bytes(unknown)


def ellipsised(text: str, width: float, face: Font) -> str:
    """The text, shortened at its end if it is wider than ``width`` pixels.

    Example:
        >>> ellipsised("Pleated midi skirt", 90, font(15))
        'Pleated mid…'
    """
    if face.getlength(text) <= width:
        return text
    # More letters are never narrower, so the last number that fits can be bisected.
    keep = bisect.bisect_right(
        range(1, len(text)), width, key=lambda n: face.getlength(text[:n].rstrip() + _ELLIPSIS)
    )
    return text[:keep].rstrip() + _ELLIPSIS


def wrapped(text: str, width: float, face: Font, n_lines: int) -> Sequence[str]:
    """At most ``n_lines`` lines, broken between words; the last one takes what is left, ellipsised."""
    lines: list[str] = []
    words = text.split()
    while words and len(lines) < n_lines - 1:
        taken = 1
        while taken < len(words) and face.getlength(" ".join(words[: taken + 1])) <= width:
            taken += 1
        lines.append(ellipsised(" ".join(words[:taken]), width, face))
        words = words[taken:]
    if words:
        lines.append(ellipsised(" ".join(words), width, face))
    return lines
