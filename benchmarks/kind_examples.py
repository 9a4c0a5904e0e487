"""Features with labels that a head which names kinds is trained and tested on."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from benchmarks.kind_photos import KINDS, NOT_A_GARMENT, KindPhotos, cache_folder
from benchmarks.kind_variants import cut_out, draw_garments, draw_other_things
from benchmarks.lever_features import Boxes, Floats, Kept
from stylesearch.extractors import load_extractor
from stylesearch.extractors.base import Extractor
from stylesearch.images.regions import WHOLE, RelativeBox
from stylesearch.settings import Settings

__all__ = ["SOURCES", "Examples", "collect_examples", "kept_features", "the_extractor"]

SOURCES: Final = ("photo", "cut out", "drawn", "other things")

PHOTO_BOXES: Final[Boxes] = (
    WHOLE,
    RelativeBox(0.1, 0.1, 0.9, 0.9),
    RelativeBox(0.0, 0.1, 0.8, 0.95),
    RelativeBox(0.2, 0.05, 1.0, 0.9),
    RelativeBox(0.15, 0.2, 0.85, 0.8),
)
CUT_BOXES: Final[Boxes] = (WHOLE, RelativeBox(0.1, 0.0, 0.9, 0.8), RelativeBox(0.1, 0.15, 0.9, 1.0))

N_DRAWN: Final = {"train": 300, "validation": 80, "test": 80}
N_SCENES: Final = {"train": 24, "validation": 6, "test": 6}
SEEDS: Final = {"train": 701, "validation": 702, "test": 703}
"""Of what is drawn: no other shop of the project has these."""


@dataclass(frozen=True)
class Examples:
    """Features with labels.

    Attributes:
        features: as the extractor makes them, float32 (n, dim).
        kinds: places in ``KINDS``, (n,).
        sources: places in ``SOURCES``, (n,).
        is_whole: whether a whole image is seen, the right way round; else a region or a mirror image, (n,).
    """

    features: Floats
    kinds: npt.NDArray[np.intp]
    sources: npt.NDArray[np.intp]
    is_whole: npt.NDArray[np.bool_]

    def rows(self, source: str, *, whole: bool = False) -> npt.NDArray[np.intp]:
        """Which examples are of a source, or only its whole images."""
        chosen = self.sources == SOURCES.index(source)
        return np.flatnonzero(chosen & self.is_whole if whole else chosen)


def the_extractor() -> Extractor:
    """The extractor that searches use by default, ready for many images."""
    return load_extractor(Settings().extractor, throughput=True)


def kept_features() -> Kept:
    """Where features are kept for the next run."""
    return Kept(cache_folder() / "features")


def collect_examples(photos: KindPhotos, part: str, extractor: Extractor) -> Examples:
    """Makes the examples of one part: photos, their garments cut out, drawn garments, other things.

    Args:
        photos: of all parts.
        part: a name in ``PARTS``; of the test photos, regions and mirror images are left out.
        extractor: makes features that are not kept yet.
    """
    own, folder = photos.part(part), cache_folder()
    many = part != "test"
    kept = kept_features()
    blocks: list[tuple[Floats, npt.NDArray[np.intp], str]] = []

    def add(paths: Sequence[Path], kinds: npt.NDArray[np.intp], source: str, boxes: Boxes) -> None:
        for mirrored in (False, True) if many and source in SOURCES[:2] else (False,):
            found = kept.regions(extractor, paths, boxes, mirrored=mirrored)
            wholes.append(np.tile(np.arange(len(boxes)) == 0, len(paths)) & (not mirrored))
            blocks.append((found.reshape(-1, found.shape[2]), np.repeat(kinds, len(boxes)), source))

    wholes: list[npt.NDArray[np.bool_]] = []
    add(own.paths, own.kinds, "photo", PHOTO_BOXES if many else (WHOLE,))
    on_white, close_ups = _cut_out_all(own.paths, folder / "cut")
    rows = [row for row, path in enumerate(on_white) if path is not None]
    found = [path for path in on_white if path is not None]
    add(found, own.kinds[rows], "cut out", CUT_BOXES if many else (WHOLE,))
    drawn, drawn_kinds = draw_garments(folder / "drawn", N_DRAWN[part], SEEDS[part])
    add(drawn, np.array(drawn_kinds, np.intp), "drawn", (WHOLE,))
    others = draw_other_things(folder / "other", N_SCENES[part], SEEDS[part])
    cloth = [path for path in close_ups if path is not None][::3]
    nothing = np.full(len(others) + len(cloth), KINDS.index(NOT_A_GARMENT), np.intp)
    add([*others, *cloth], nothing, "other things", (WHOLE,))
    return Examples(
        np.concatenate([one for one, _, _ in blocks]),
        np.concatenate([kinds for _, kinds, _ in blocks]),
        np.concatenate([np.full(len(kinds), SOURCES.index(source), np.intp) for _, kinds, source in blocks]),
        np.concatenate(wholes),
    )


def _cut_out_all(paths: Sequence[Path], folder: Path) -> tuple[list[Path | None], list[Path | None]]:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        made = pool.starmap(cut_out, [(path, folder) for path in paths])
    return [white for white, _ in made], [cloth for _, cloth in made]
