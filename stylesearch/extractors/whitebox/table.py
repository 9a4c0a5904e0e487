"""The white-box features that have a name. Another one is another row."""

from __future__ import annotations

from stylesearch.registry import Entry, Registry

__all__ = ["WHITE_BOXES"]

_HERE = "stylesearch.extractors.whitebox"

WHITE_BOXES = Registry(
    "white-box feature",
    {
        "color-coherence": Entry(
            f"{_HERE}.color_coherence:COLOR_COHERENCE", "25 colours, in large regions or scattered"
        ),
        "color-histogram": Entry(f"{_HERE}.color_histogram:COLOR_HISTOGRAM", "shares of 25 colours"),
        "harris": Entry(f"{_HERE}.harris:HARRIS", "corner strength over an 8 x 8 grid"),
        "hog": Entry(f"{_HERE}.hog:HOG", "histograms of oriented gradients: edges and their direction"),
        "whitebox": Entry(f"{_HERE}.whitebox:WHITE_BOX", "the four white-box features in one vector"),
    },
)
