"""Named colors of cloth, skin, hair and shoes, and functions that change colors."""

from __future__ import annotations

from random import Random

__all__ = [
    "COLORS",
    "HAIR",
    "SHOES",
    "SKIN",
    "Color",
    "jitter_color",
    "lightness",
    "mix",
    "relight",
]

Color = tuple[int, int, int]
"""Red, green, blue, 0 to 255."""

COLORS: dict[str, Color] = {
    "white": (244, 243, 240),
    "off-white": (238, 231, 216),
    "beige": (216, 198, 170),
    "camel": (186, 143, 96),
    "brown": (105, 70, 48),
    "rust": (172, 80, 44),
    "orange": (230, 126, 52),
    "coral": (238, 122, 104),
    "red": (190, 30, 40),
    "burgundy": (105, 26, 42),
    "pink": (238, 168, 184),
    "blush": (229, 199, 192),
    "fuchsia": (205, 42, 122),
    "lilac": (190, 170, 214),
    "purple": (96, 56, 128),
    "navy": (32, 40, 74),
    "royal blue": (38, 74, 170),
    "sky blue": (150, 190, 224),
    "denim blue": (74, 104, 146),
    "light denim": (142, 170, 200),
    "dark denim": (44, 58, 88),
    "teal": (24, 108, 112),
    "mint": (176, 218, 200),
    "green": (44, 120, 72),
    "bottle green": (24, 66, 52),
    "sage": (152, 170, 142),
    "olive": (104, 104, 62),
    "khaki": (164, 152, 112),
    "mustard": (212, 160, 44),
    "yellow": (244, 212, 92),
    "light grey": (200, 202, 204),
    "grey": (140, 142, 146),
    "charcoal": (66, 68, 74),
    "black": (30, 30, 33),
}

SKIN: tuple[Color, ...] = (
    (249, 220, 200),
    (240, 204, 178),
    (228, 184, 152),
    (208, 158, 124),
    (184, 132, 98),
    (150, 102, 72),
    (116, 76, 54),
    (84, 54, 40),
)

HAIR: tuple[Color, ...] = (
    (30, 24, 22),
    (46, 32, 26),
    (72, 48, 34),
    (104, 70, 46),
    (146, 100, 60),
    (196, 158, 102),
    (222, 196, 148),
    (140, 62, 34),
    (150, 148, 148),
)

SHOES: tuple[Color, ...] = (
    (238, 238, 236),
    (36, 36, 40),
    (122, 78, 50),
    (190, 156, 120),
    (60, 64, 84),
    (170, 40, 46),
    (214, 212, 206),
)


def mix(first: Color, second: Color, share: float) -> Color:
    """Mixes two colors: ``first`` with ``share`` (0 to 1) of ``second``.

    Example:
        >>> mix((0, 0, 0), (100, 200, 50), 0.5)
        (50, 100, 25)
    """
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def relight(color: Color, factor: float) -> Color:
    """Makes a color darker (factor below 1) or lighter (above 1), clipped."""
    red, green, blue = (min(255, max(0, round(part * factor))) for part in color)
    return red, green, blue


def jitter_color(color: Color, random: Random, amount: float = 8.0) -> Color:
    """Changes a color a little, at random: in brightness, and each channel by itself."""
    together = random.gauss(0.0, amount * 0.6)
    red, green, blue = (
        min(250, max(16, round(part + together + random.gauss(0.0, amount * 0.45)))) for part in color
    )
    return red, green, blue


def lightness(color: Color) -> float:
    """Perceived brightness, 0 to 1."""
    return (0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2]) / 255.0
