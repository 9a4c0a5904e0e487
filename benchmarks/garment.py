"""What finds the garment on a person: squares cut around it, texture, and a space between raw and whitened.

On the three tests of ``benchmarks.photo_tests``, and on *cut out* in other light. BlazePose finds the person;
a square around the torso and one around the body are cut out, and what is not the person is white there. A
distance is a weighted sum of cosine distances of four parts: the network's features whitened (``w``), the
same in 512 axes divided by their deviation to the power 0.25 (``p``), texture (``t``, statistics of middle
layers, compared on these squares only), and colors (``c``).

A photo without a person is searched through the fixed regions *street*, as by default. ``pairs`` is what an
index can search: each fixed region is joined with each square to one vector of length one.

Environment: ``BENCH_PRODUCTS`` (drawn products, 300), ``BENCH_FOLDER`` (where pictures and features are kept
for the next run; else a temporary folder), ``STYLESEARCH_TEST_DATA`` (real photos).
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from benchmarks.lever_features import STREET, Floats, Kept
from benchmarks.lever_vectors import Principal, product_ranks, resampled_gain, unit
from benchmarks.measuring import print_table
from benchmarks.photo_tests import PhotoTest, in_other_light, photo_tests
from stylesearch.extractors import load_extractor
from stylesearch.images.decode import decode
from stylesearch.persons.finder import PersonFinder
from stylesearch.persons.squares import masked_square, torso_box
from stylesearch.spaces import fit_transform

__all__ = ["main"]

EXTRACTOR: Final = "efficientnet-lite0@320+texture+colors"
NETWORK, TEXTURE, COLORS = slice(0, 1280), slice(1280, 1520), slice(1520, 1628)
FEW: Final = (0, 9, 10, 11)
"""Of *street*: the whole photo, and three crops of 0.8 x 0.5, which are the regions of *few*."""

TOP: Final = (1, 5, 20)
Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Weights:
    """How much each part counts: in all 1. Without texture, the network's parts share its weight."""

    w: float
    p: float
    t: float
    c: float

    def of_fixed(self) -> Weights:
        """The weights of a region on which texture is not compared."""
        share = (1 - self.c) / (self.w + self.p)
        return Weights(self.w * share, self.p * share, 0, self.c)


@dataclass(frozen=True)
class Method:
    """A way of searching.

    Attributes:
        name: what the table calls it.
        weights: of the parts.
        fixed: which of the regions *street* are looked at, where a person is found.
        squares: which squares: 0 the torso, 1 the body; none: no person is looked for.
        pairs: whether fixed regions and squares are joined to vectors; else the smallest distances of both
            are added.
    """

    name: str
    weights: Weights
    fixed: Sequence[int] = range(len(STREET))
    squares: Sequence[int] = ()
    pairs: bool = False


WHITENED, MIXED, POWER = (
    Weights(0.85, 0, 0, 0.15),
    Weights(0.29, 0.26, 0.3, 0.15),
    Weights(0, 0.55, 0.3, 0.15),
)
WITH_TEXTURE: Final = Weights(0.55, 0, 0.3, 0.15)
METHODS: Final = (
    Method("default", WHITENED),
    Method("default, p instead of w", Weights(0, 0.85, 0, 0.15)),
    Method("default, both", Weights(0.45, 0.4, 0, 0.15)),
    Method("squares alone, no texture", WHITENED, fixed=(), squares=(0, 1)),
    Method("squares alone", WITH_TEXTURE, fixed=(), squares=(0, 1)),
    Method("street + squares, no texture", WHITENED, squares=(0, 1)),
    Method("few + squares, no texture, pairs", WHITENED, FEW, (0, 1), pairs=True),
    Method("street + torso", WITH_TEXTURE, squares=(0,)),
    Method("street + body", WITH_TEXTURE, squares=(1,)),
    Method("street + squares", WITH_TEXTURE, squares=(0, 1)),
    Method("few + squares", WITH_TEXTURE, FEW, (0, 1)),
    Method("few + squares, pairs", WITH_TEXTURE, FEW, (0, 1), pairs=True),
    Method("street + squares, both", MIXED, squares=(0, 1)),
    Method("few + squares, both, pairs", MIXED, FEW, (0, 1), pairs=True),
    Method("street + squares, p instead of w", POWER, squares=(0, 1)),
    Method("few + squares, p instead of w, pairs", POWER, FEW, (0, 1), pairs=True),
)


def main() -> None:
    """Prints how many photos find their product in the top 1, 5 and 20 by each method."""
    n_drawn = int(os.environ.get("BENCH_PRODUCTS", "300"))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(os.environ.get("BENCH_FOLDER", temporary))
        drawn = folder / "drawn" if (folder / "drawn" / "products.csv").is_file() else None
        tests = photo_tests(folder, n_drawn, drawn)
        if "cut out" in tests:
            tests["other light"] = in_other_light(tests["cut out"], folder / "other-light")
        cases = {name: _Case(test, Kept(folder / "features")) for name, test in tests.items()}
        for name, case in cases.items():
            n_found = sum(len(one) > 0 for one in case.squares)
            print(f"- {name}: {len(case.squares)} photos, on {n_found} of them a person")
        print()
        before = {name: case.ranks(METHODS[0]) for name, case in cases.items()}
        headings = ["method", *(f"{name}: top 1 / 5 / 20, %" for name in cases)]
        rows = []
        for method in METHODS:
            cells = [_cell(case, case.ranks(method), before[name]) for name, case in cases.items()]
            rows.append([method.name, *cells])
        print_table(headings, rows)


def _cell(case: _Case, ranks: Doubles, before: Doubles) -> str:
    """Percent found, with what was gained over the default in the top 5, its interval, and better : worse."""
    found = " / ".join(f"{100 * (ranks < k).mean():.0f}" for k in TOP)
    if ranks is before or np.array_equal(ranks, before):
        return found
    gain, low, high = resampled_gain(1.0 * (ranks < 5) - (before < 5), case.test.right)
    better, worse = int((ranks < before).sum()), int((ranks > before).sum())
    return f"{found} ({100 * gain:+.0f} [{100 * low:.0f}, {100 * high:.0f}], {better}:{worse})"


class _Case:
    """One test with its features."""

    def __init__(self, test: PhotoTest, kept: Kept) -> None:
        self.test = test
        extractor = load_extractor(EXTRACTOR, throughput=True)
        finder, size = PersonFinder(), extractor.input_size

        def cut(path: Path) -> npt.NDArray[np.uint8]:
            """The squares of the most prominent person: of the torso, and of the body."""
            pixels = decode(path).pixels
            height, width = pixels.shape[:2]
            for person in finder.find(pixels, max_persons=1):
                torso = torso_box(person.landmarks, width, height) or person.box
                return np.stack(
                    [
                        masked_square(pixels, person.mask, box, extractor.input_size)
                        for box in (torso, person.box)
                    ]
                )
            return np.empty((0, size, size, 3), np.uint8)

        self.squares = kept.of_squares(extractor, test.photos, "torso and body of the first person", cut)
        self._fixed = kept.regions(extractor, test.photos, STREET)
        gallery = kept.whole(extractor, test.gallery)
        self._parts = _parts(gallery)
        self._gallery = {name: unit(part(gallery)) for name, part in self._parts.items()}

    def ranks(self, method: Method) -> Doubles:
        """Ranks of the right products, (n,), 0 for the first."""
        to_images = np.stack([self._distances(method, row) for row in range(len(self.squares))])
        return product_ranks(to_images, self.test.products, self.test.right)

    def _distances(self, method: Method, row: int) -> Floats:
        """Distances of one photo to every image of the gallery, (m,)."""
        weights, fixed_weights = method.weights, method.weights.of_fixed()
        if not method.squares or not len(self.squares[row]):
            return self._to_gallery(self._fixed[row], fixed_weights)
        squares = self.squares[row][list(method.squares)]
        if not len(method.fixed):
            return self._to_gallery(squares, weights)
        fixed = self._fixed[row][list(method.fixed)]
        if not method.pairs:
            return self._to_gallery(fixed, fixed_weights) + self._to_gallery(squares, weights)
        one, other = self._linear(fixed, weights, fixed_weights), self._linear(squares, weights, weights)
        pairs = unit((one[:, None] + other[None]).reshape(-1, one.shape[1]))
        gallery = np.concatenate(
            [np.float32(getattr(weights, name) ** 0.5) * part for name, part in self._gallery.items()], axis=1
        )
        found: Floats = (1 - pairs @ gallery.T).min(axis=0)
        return found

    def _to_gallery(self, features: Floats, weights: Weights) -> Floats:
        """The smallest weighted sum of the parts' cosine distances to each image, (m,)."""
        total = np.ones((len(features), len(self.test.gallery)), np.float32)
        for name, part in self._parts.items():
            if weight := getattr(weights, name):
                total -= np.float32(weight) * (unit(part(features)) @ self._gallery[name].T)
        smallest: Floats = total.min(axis=0)
        return smallest

    def _linear(self, features: Floats, gallery: Weights, weights: Weights) -> Floats:
        """Vectors whose products with the gallery's, in which each part has the root of its weight, are sums.

        Args:
            features: of regions or squares.
            gallery: weights of the parts in the gallery's vectors.
            weights: weights that the products are to have.
        """
        parts = []
        for name, part in self._parts.items():
            root, weight = getattr(gallery, name) ** 0.5, getattr(weights, name)
            parts.append(unit(part(features)) * np.float32(weight / root if root else 0))
        return np.concatenate(parts, axis=1)


def _parts(gallery: Floats) -> Mapping[str, Callable[[Floats], Floats]]:
    """From features to the vectors of each part, fitted to a gallery."""
    network, texture = gallery[:, NETWORK], gallery[:, TEXTURE]
    whitened, of_texture = (
        fit_transform("whitened", iter([part]), dim_in=part.shape[1], n_rows=len(part))
        for part in (network, texture)
    )
    axes = Principal.of(network)
    return {
        "w": lambda features: whitened.apply(features[:, NETWORK]),
        "p": lambda features: axes.apply(features[:, NETWORK], 512, 0.25),
        "t": lambda features: of_texture.apply(features[:, TEXTURE]),
        "c": lambda features: features[:, COLORS],
    }
