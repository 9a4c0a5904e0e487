"""The style of all charts, and saving them to files: the same bytes for the same study."""

from __future__ import annotations

import functools
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.ft2font import FT2Font

from stylesearch.files import atomic_file

__all__ = [
    "CATEGORY_COLORS",
    "COLORS",
    "FAINT",
    "GRID",
    "INK",
    "LINE_STYLES",
    "MARKERS",
    "WIDTH",
    "chart_style",
    "color_of",
    "drawable_text",
    "line_style_of",
    "marker_of",
    "new_figure",
    "save_figure",
    "wrap_label",
]

COLORS: Final = ("#0072b2", "#d55e00", "#009e73", "#a6477f", "#b57a00", "#3d9bd0", "#4d4d4d")
"""After Okabe and Ito's palette, which people with any color blindness can tell apart; its yellow is left
out and its light colors are darkened, since they have to be read on white.

References:
    M. Okabe and K. Ito, "Color universal design", 2008, https://jfly.uni-koeln.de/color/.
"""
CATEGORY_COLORS: Final = (
    "#332288", "#cc6677", "#117733", "#88ccee", "#aa4499", "#999933", "#44aa99", "#882255", "#b8a04a",
)  # fmt: skip
"""After Paul Tol's *muted* scheme, for categories, of which there are more than of methods; its sand is
darkened.

References:
    P. Tol, "Color schemes", SRON technical note SRON/EPS/TN/09-002, 2021.
"""
MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X")
LINE_STYLES: Final = ("solid", (0, (5, 1.5)), (0, (5, 1.5, 1, 1.5)), (0, (1, 1)))
INK: Final = "#1a1a1c"
FAINT: Final = "#6b6b70"
GRID: Final = "#e4e4e1"
WIDTH: Final = 5.6
"""Inches. Narrow, so that 9 points can still be read when a phone scales the chart down."""
DOTS_PER_INCH: Final = 200
_SALT: Final = "stylesearch"
_RC: Final[dict[Any, Any]] = {
    "figure.facecolor": "white",
    "font.family": ["DejaVu Sans"],
    "font.size": 9,
    "text.color": INK,
    "text.parse_math": False,  # a category may be named "$5 bags"
    "axes.edgecolor": GRID,
    "axes.labelcolor": FAINT,
    "axes.labelsize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": FAINT,
    "ytick.color": INK,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "legend.handletextpad": 0.3,
    "legend.columnspacing": 1.4,
    "svg.hashsalt": _SALT,
    "svg.fonttype": "path",  # looks alike where the font is missing
}


@contextmanager
def chart_style() -> Iterator[None]:
    """Sets Matplotlib's defaults with the settings of these charts, whatever the user's settings are."""
    with mpl.rc_context():
        mpl.rcdefaults()
        for name, value in _RC.items():
            mpl.rcParams[name] = value
        yield


def new_figure(height: float, width: float = WIDTH) -> Figure:
    """Makes an empty figure of that size in inches, which needs no display."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure: Figure, folder: Path, name: str) -> None:
    """Writes ``name.png`` and ``name.svg``; neither holds a date or a version."""
    with atomic_file(folder / f"{name}.png") as file:
        figure.savefig(file, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    with atomic_file(folder / f"{name}.svg") as file:
        figure.savefig(file, format="svg", dpi=DOTS_PER_INCH, metadata={"Date": None, "Creator": None})


def color_of(number: int) -> str:
    """Color of the n-th series."""
    return COLORS[number % len(COLORS)]


def marker_of(number: int) -> str:
    """Marker of the n-th series; up to 49 series, two with the same marker differ in color."""
    return MARKERS[(number + number // len(COLORS)) % len(MARKERS)]


def line_style_of(number: int) -> str | tuple[float, tuple[float, ...]]:
    """Line style of the n-th series; up to 28 series, two with the same style differ in color."""
    return LINE_STYLES[number // len(COLORS) % len(LINE_STYLES)]


def drawable_text(text: str) -> str:
    """Puts a text on one line, with a box for each letter that the charts' font lacks.

    Example:
        >>> drawable_text("robe\\n花柄")
        'robe □□'
    """
    font = _font()
    return "".join(letter if font.get_char_index(ord(letter)) else "□" for letter in " ".join(text.split()))


def wrap_label(text: str, width: int = 18) -> str:
    """Breaks a text into lines of about ``width`` letters, at spaces and after slashes.

    Example:
        >>> wrap_label("efficientnet-lite0@320/whitened, l1", 24).splitlines()
        ['efficientnet-lite0@320/', 'whitened, l1']
    """
    pieces = drawable_text(text).replace("/", "/ ")
    lines = textwrap.wrap(pieces, width, break_on_hyphens=False) or [""]
    return "\n".join(line.replace("/ ", "/") for line in lines)


@functools.cache
def _font() -> FT2Font:
    return get_font(findfont(FontProperties(family="DejaVu Sans")))
