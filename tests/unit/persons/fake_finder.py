"""A finder that finds whom a test wants."""

from __future__ import annotations

import numpy as np

from stylesearch.persons.finder import Person
from stylesearch.types import Box

__all__ = ["BODY", "HEIGHT", "WIDTH", "FakeFinder"]

WIDTH, HEIGHT = 300, 400
"""Size of the photo that the places are in."""

BODY = Box(100, 50, 200, 350)


class FakeFinder:
    """Finds persons at places relative to the photo's size, or nobody.

    The first is at ``BODY``, the second to the right of it, the third to the left. The trunk is 100 long, and
    shoulders, hips, knees and ankles are 40 apart.

    Args:
        somebody: whether there is anybody.
        n_persons: how many there are.
        shoulders: how far below the upper edge the shoulders are.
        knees: how far the knees are; the ankles are 80 below.
    """

    def __init__(
        self, *, somebody: bool = True, n_persons: int = 1, shoulders: float = 100, knees: float = 260
    ) -> None:
        self.somebody = somebody
        self.n_persons = n_persons
        self.shoulders = shoulders
        self.knees = knees
        self.visibility = np.ones(33, np.float32)

    def find(self, pixels: np.ndarray, max_persons: int = 4) -> list[Person]:
        n_found = min(self.n_persons, max_persons) if self.somebody else 0
        return [self._person(pixels, beside) for beside in (0, 100, -100)[:n_found]]

    def prepare(self) -> None:
        """Has nothing to load."""

    def _person(self, pixels: np.ndarray, beside: int) -> Person:
        scale = pixels.shape[1] / WIDTH
        points = np.full((33, 2), 150, np.float32)
        heights = (self.shoulders, self.shoulders + 100, self.knees, self.knees + 80)
        for pair, height in zip(([11, 12], [23, 24], [25, 26], [27, 28]), heights, strict=True):
            points[pair] = [[130, height], [170, height]]
        points[:, 0] += beside
        mask = np.zeros(pixels.shape[:2], np.uint8)
        edges = (BODY.x0 + beside, BODY.y0, BODY.x1 + beside, BODY.y1)
        x0, y0, x1, y1 = (round(edge * scale) for edge in edges)
        mask[y0:y1, x0:x1] = 255
        return Person(0.9, Box(x0, y0, x1, y1), points * np.float32(scale), self.visibility, mask)
