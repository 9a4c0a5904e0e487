"""What others published, to stand beside a study's tables: on other data, so not to be compared directly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["PUBLISHED", "PublishedResult"]


@dataclass(frozen=True, slots=True)
class PublishedResult:
    """A row of somebody else's table.

    Attributes:
        source: who.
        method: what was done.
        data: which data set.
        searched: with what, in what.
        top: percent of queries whose product was among the first k, by k.
    """

    source: str
    method: str
    data: str
    searched: str
    top: dict[int, float]


_SUBSET: Final = "DeepFashion, a subset"
_SKIRTS: Final = "consumer photos of skirts, in shop pictures of the subset"
_C2S: Final = "DeepFashion consumer-to-shop"
_ALL: Final = (
    "consumer photos of all categories; the gallery is the shop pictures of test, or of val and test"
)

PUBLISHED: Final = (
    PublishedResult("the seed (2018)", "ResNet50 features", _SUBSET, _SKIRTS, {20: 17.75}),
    PublishedResult("the seed (2018)", "ResNet50 features, Siamese network", _SUBSET, _SKIRTS, {20: 26.0}),
    PublishedResult("arXiv 1908.11754", "GRNet", _C2S, _ALL, {1: 25.7, 20: 64.4, 50: 75.0}),
    PublishedResult(
        "published code", "ResNet50 with crops to the box", _C2S, _ALL, {1: 27.6, 20: 64.5, 50: 74.9}
    ),
    PublishedResult(
        "DeepFashion2",
        "the data set's baseline",
        "DeepFashion2",
        "detected boxes of consumer photos, in shop pictures",
        {1: 19.2, 5: 34.5, 10: 43.5, 20: 52.4},
    ),
)
"""Percent, as published; where a source does not say what was searched, the row says so."""
