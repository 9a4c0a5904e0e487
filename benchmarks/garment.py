"""What finds the garment: plan ``person`` and space ``mixed``, against earlier ways and without parts.

On the three tests of ``benchmarks.photo_tests``, and on *cut out* in other light. Vectors are made by the
library's own transforms and compared by brute force, so the rows are what searches find.

``BENCH_CROSS=1`` adds how much of the gain remains where the weights are chosen on other products: the
products of all tests are halved, the best weights of a grid on one half are those of the other.

Environment: ``BENCH_PRODUCTS`` (drawn products, 300), ``BENCH_FOLDER`` (where pictures and features are kept
for the next run; else a temporary folder), ``STYLESEARCH_TEST_DATA`` (real photos).
"""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from benchmarks.kinds_test import share_of_most_shown
from benchmarks.lever_features import STREET, Floats, Kept, places_of
from benchmarks.lever_vectors import fit_space, product_ranks, resampled_gain
from benchmarks.measuring import print_table
from benchmarks.photo_tests import PhotoTest, in_other_light, photo_tests
from stylesearch.extractors import load_extractor
from stylesearch.files import sha256_bytes
from stylesearch.images.decode import decode
from stylesearch.images.regions import REGION_PLANS, WITH_PERSON, WITHOUT_PERSON, crop
from stylesearch.persons.finder import PersonFinder
from stylesearch.persons.parts import cut_part, list_parts
from stylesearch.settings import Settings
from stylesearch.spaces.base import Transform, join_squares
from stylesearch.spaces.mixed import IMAGE, MixedTransform
from stylesearch.spaces.parts import FeatureParts

__all__ = ["main"]

TOP: Final = (1, 5, 20)
BOXES: Final = ("torso, else body", "body")
BOX_WAYS: Final = ("as it is", "masked square", "both in a pair")
PARTS: Final = ("network", "texture", "colors", "kinds")
Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Method:
    """A way of searching.

    Attributes:
        name: what the table calls it.
        space: name of the space.
        plan: plan of a photo without a person; of every photo where none is looked for.
        persons: whether squares around a person are searched with.
        parts: the parts of features that are used.
    """

    name: str
    space: str
    plan: str = WITHOUT_PERSON
    persons: bool = True
    parts: Sequence[str] = PARTS


METHODS: Final = (
    Method("0.2: street, whitened", "whitened", "street", persons=False),
    Method("street, raw", "raw", "street", persons=False),
    Method("street, mixed", "mixed", "street", persons=False),
    Method("large, mixed: nobody is found", "mixed", persons=False),
    Method("person, whitened", "whitened", "street"),
    Method("person, raw", "raw"),
    Method("person, mixed", "mixed"),
    Method("- without texture", "mixed", parts=("network", "colors", "kinds")),
    Method("- without kinds", "mixed", parts=("network", "texture", "colors")),
    Method("- without colors", "mixed", parts=("network", "texture", "kinds")),
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
    print("\nIn brackets: percent of the photos that have the most shown product in their first 10.\n")
    before = {name: case.ranks(METHODS[0])[0] for name, case in cases.items()}
    rows = []
    for method in METHODS:
        cells = [_cell(case, *case.ranks(method), before[name]) for name, case in cases.items()]
        rows.append([method.name, *cells])
    print_table(["method", *(f"{name}: top 1 / 5 / 20, %" for name in cases)], rows)
    print("\nPhotos with a person, of which one box is given, in the space mixed:\n")
    rows = [[f"{part}, {way}"] for part in BOXES for way in BOX_WAYS]
    for case in cases.values():
        for row, cell in zip(rows, case.cells_of_boxes(), strict=True):
            row.append(cell)
    print_table(["box", *(f"{name}: top 1 / 5 / 20, %" for name in cases)], rows)
    if os.environ.get("BENCH_CROSS"):
        _print_cross(cases, before)


def _cell(case: _Case, ranks: Doubles, most: float, before: Doubles) -> str:
    """Percent found, with the gain in the top 1 and 5 and its interval, and better : worse."""
    found = " / ".join(f"{100 * (ranks < k).mean():.0f}" for k in TOP) + f" [{100 * most:.0f}]"
    if np.array_equal(ranks, before):
        return found
    gains = []
    for k in TOP[:2]:
        gain, low, high = resampled_gain(1.0 * (ranks < k) - (before < k), case.test.right)
        gains.append(f"{100 * gain:+.0f} ({100 * low:.0f}, {100 * high:.0f})")
    return f"{found}; {', '.join(gains)}; {(ranks < before).sum()}:{(ranks > before).sum()}"


class _Case:
    """One test with its features."""

    def __init__(self, test: PhotoTest, kept: Kept) -> None:
        self.test = test
        extractor = load_extractor(Settings().extractor, throughput=True)
        finder, size = PersonFinder(), extractor.input_size

        def cut(path: Path, *, masked: bool) -> npt.NDArray[np.uint8]:
            """The most prominent person's torso, legs and body, with or without white around the person."""
            image = decode(path)
            parts = list_parts(finder.find(image.pixels, max_persons=1), image)
            cut_one = cut_part if masked else (lambda image, part, size: crop(image, part.box, size))
            squares = [cut_one(image, part, size) for part in parts]
            return np.stack(squares) if squares else np.empty((0, size, size, 3), np.uint8)

        self.squares, self.crops = (
            kept.of_squares(extractor, test.photos, what, partial(cut, masked=masked))
            for what, masked in (("squares of the first person", True), ("parts of the first person", False))
        )
        self.fixed = kept.regions(extractor, test.photos, STREET)
        self.gallery = kept.whole(extractor, test.gallery)
        self._parts = FeatureParts.of_extractor(extractor)

    def ranks(self, method: Method) -> tuple[Doubles, float]:
        """Ranks of the right products, (n,), 0 for the first; and the share of the most shown product."""
        head = self._parts.head if "kinds" in method.parts else None
        texture, colors = ("texture" in method.parts, "colors" in method.parts)
        parts = FeatureParts(self._parts.n_texture * texture, self._parts.n_colors * colors, head)

        def of(features: Floats) -> Floats:
            network, of_texture, of_colors = self._parts.split(features)
            kept = [network, *([of_texture] * texture), *([of_colors] * colors)]
            return np.concatenate(kept, axis=1)

        gallery = of(self.gallery)
        transform = fit_space(method.space, gallery, parts)
        to_images = self._distances(transform, method, transform.apply(gallery), of)
        ranks = product_ranks(to_images, self.test.products, self.test.right)
        return ranks, share_of_most_shown(to_images, self.test.products)

    def _distances(
        self, transform: Transform, method: Method, images: Floats, of: Callable[[Floats], Floats]
    ) -> Floats:
        """Cosine distances of each photo to every image of the gallery, (n, m)."""
        units = images / np.maximum(np.linalg.norm(images, axis=1, keepdims=True), 1e-12)
        alone, beside = (places_of(REGION_PLANS[name], STREET) for name in (method.plan, WITH_PERSON))
        rows = []
        for fixed, parts, squares in zip(self.fixed, self.crops, self.squares, strict=True):
            n_squares = len(squares) if method.persons else 0
            looked_at = [fixed[beside], parts[-1:], squares] if n_squares else [fixed[alone]]
            vectors = transform.apply_to_photo(of(np.concatenate(looked_at)), n_squares)
            pairs = join_squares(vectors, n_squares, "cosine")
            pairs = pairs / np.maximum(np.linalg.norm(pairs, axis=1, keepdims=True), 1e-12)
            rows.append(1 - (pairs @ units.T).max(axis=0))
        found: Floats = np.stack(rows)
        return found

    def cells_of_boxes(self) -> list[str]:
        """Percent found in the top 1, 5 and 20 for each box, and each way in which it is searched for."""
        transform = fit_space("mixed", self.gallery, self._parts)
        images = transform.apply(self.gallery)
        rows = [row for row, squares in enumerate(self.squares) if len(squares)]
        cells = []
        for place, way in itertools.product((0, -1), BOX_WAYS):
            to_images = []
            for row in rows:
                box, square = self.crops[row][[place]], self.squares[row][[place]]  # the body is the last
                n_squares = int(way != BOX_WAYS[0])
                looked_at = [box, square] if way == BOX_WAYS[2] else [square if n_squares else box]
                vectors = transform.apply_to_photo(np.concatenate(looked_at), n_squares)
                to_images.append(1 - (join_squares(vectors, n_squares, "cosine") @ images.T).max(axis=0))
            right = [self.test.right[row] for row in rows]
            ranks = product_ranks(np.stack(to_images), self.test.products, right)
            cells.append(" / ".join(f"{100 * (ranks < k).mean():.0f}" for k in TOP))
        return cells

    def similarities(self) -> tuple[list[Doubles], list[Doubles], list[Doubles]]:
        """Cosines by part of photos with a person: of regions and squares to images, (rows, m, parts).

        Returns:
            those of regions and of squares; and of photos without a person the distances to images, (m,).
        """
        whole = fit_space("mixed", self.gallery, self._parts)
        assert isinstance(whole, MixedTransform)
        images = whole.apply(self.gallery)
        beside, alone = (places_of(REGION_PLANS[name], STREET) for name in (WITH_PERSON, WITHOUT_PERSON))

        def by_part(vectors: Floats) -> Doubles:
            found = [_cosines(vectors[:, place], images[:, place]) for place in whole.slices.values()]
            return np.stack(found, axis=2)

        regions, squares, others = [], [], []
        for fixed, parts, around in zip(self.fixed, self.crops, self.squares, strict=True):
            if len(around):
                # As images are laid out, so that all parts are there; the raw part's axes for what lies
                # beside the others are one then, which moves its cosine by a few hundredths.
                regions.append(by_part(whole.apply(np.concatenate([fixed[beside], parts[-1:]]))))
                squares.append(by_part(whole.apply(around)))
            else:
                others.append(1.0 - (whole.apply_to_photo(fixed[alone]) @ images.T).max(axis=0))
        return regions, squares, others


def _cosines(one: Floats, other: Floats) -> Floats:
    units = [rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12) for rows in (one, other)]
    found: Floats = units[0] @ units[1].T
    return found


# Whether the weights were chosen for these photos only: they are chosen again on half of the products.

SHARES: Final = (0.0, 0.25, 0.4, 0.6, 0.8, 1.0)
"""Of the raw part in the network's."""

TEXTURES: Final = (0.0, 0.15, 0.3, 0.45)
KINDS: Final = (0.0, 0.05, 0.1, 0.2)


def _print_cross(cases: Mapping[str, _Case], before: Mapping[str, Doubles]) -> None:
    """Prints what photos with a person gain by weights that were chosen on the other half of the products."""
    grid = list(itertools.product(SHARES, TEXTURES, KINDS))
    ranks = {name: _ranks_of_grid(case, grid) for name, case in cases.items()}
    halves = {
        name: np.array([sha256_bytes(one.encode())[0] in "01234567" for one in case.test.right])
        for name, case in cases.items()
    }
    chosen = []
    for is_other in (True, False):
        gains = [
            sum(
                (1.0 * (ranks[name][at] < k) - (before[name] < k))[halves[name] == is_other].mean()
                for name in cases
                for k in TOP
            )
            for at in range(len(grid))
        ]
        chosen.append(int(np.argmax(gains)))
    print("\nWeights chosen on the other half of the products (regions and squares added, not in pairs):")
    for at in chosen:
        print("- chosen: raw {}, texture {}, kinds {}".format(*grid[at]))
    print()
    shipped = (0.4, IMAGE.texture, IMAGE.kinds)
    rows = []
    for name in cases:
        crossed = np.where(halves[name], ranks[name][chosen[1]], ranks[name][chosen[0]])
        own = ranks[name][grid.index(shipped)]
        cells = [" / ".join(f"{100 * (one < k).mean():.0f}" for k in TOP) for one in (crossed, own)]
        rows.append([name, *cells])
    print_table(["test", "crosswise: top 1 / 5 / 20, %", "shipped weights"], rows)


def _ranks_of_grid(case: _Case, grid: Sequence[tuple[float, float, float]]) -> list[Doubles]:
    """Ranks of the right products by each choice of weights, (n,) each."""
    regions, squares, others = case.similarities()
    found = []
    for share, texture, kinds in grid:
        network, colors = 1 - IMAGE.colors, IMAGE.colors
        of_region = np.array([network * share, network * (1 - share), 0, colors, kinds])
        network -= texture
        of_square = np.array([network * share, network * (1 - share), texture, colors, kinds])
        one, other, alone = iter(regions), iter(squares), iter(others)
        to_images = []
        for around in case.squares:
            if len(around):
                likeness = (next(one) @ of_region).max(axis=0) + (next(other) @ of_square).max(axis=0)
                to_images.append(-likeness)
            else:
                to_images.append(next(alone))
        found.append(product_ranks(np.stack(to_images), case.test.products, case.test.right))
    return found
