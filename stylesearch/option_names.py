"""Names of options and attributes that mean one thing in several languages."""

from __future__ import annotations

import unicodedata
from typing import Final

__all__ = ["OPTION_NAMES", "plain_name", "spellings"]

OPTION_NAMES: Final = {
    name: plain
    for plain, names in {
        "color": "colour farbe couleur colore kleur 颜色 顏色",
        "size": "größe grösse groesse taille talla tamaño taglia misura maat 尺码 尺碼 尺寸",
        "material": "matière materiale materiaal 材质 材質",
        "pattern": "muster motif estampado fantasia patroon 图案 圖案",
    }.items()
    for name in names.split()
}
"""The name in English by the name in another language, both in small letters."""


def plain_name(name: str) -> str:
    """Writes the name of an attribute so that names that mean one thing are equal texts.

    Without case, in English where ``OPTION_NAMES`` knows it, with a low line for each blank.

    Example:
        >>> plain_name(" Farbe "), plain_name("Main  Color")
        ('color', 'main_color')
    """
    folded = unicodedata.normalize("NFKC", name).casefold()
    small = "_".join(folded.encode("utf-8", "replace").decode().replace("\0", " ").split())
    return OPTION_NAMES.get(small, small)


def spellings(name: str) -> list[str]:
    """Ways in which the name of an attribute may be written: in small and capital letters, and in English.

    Example:
        >>> spellings("Farbe")
        ['Farbe', 'farbe', 'FARBE', 'color', 'COLOR', 'Color']
    """
    small = name.lower()
    names = [name]
    for one in (small, OPTION_NAMES.get(small, small)):
        names += [one, one.upper(), one.capitalize(), one.title(), one.replace(" ", "_")]
    return list(dict.fromkeys(names))
