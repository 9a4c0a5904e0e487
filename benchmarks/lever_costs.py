"""What a query costs with a lever, beside one by default: from a photo's file to the nearest pictures."""

from __future__ import annotations

import functools
import os
import statistics
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.lever_cases import DEFAULT, Case
from benchmarks.lever_colors import HISTOGRAMS
from benchmarks.lever_features import MORE, STREET, Boxes, Floats, Source, squares
from benchmarks.lever_table import LITE0_224, LITE0_384, LITE2_260, LITE2_352, N_RERANKED, rerank
from benchmarks.lever_vectors import unit
from benchmarks.measuring import print_table, seconds_of
from stylesearch.extractors import load_extractor
from stylesearch.images.regions import REGION_PLANS
from stylesearch.spaces import fit_transform

__all__ = ["N_PHOTOS", "print_costs"]

# How many photos are timed; 0 for no timing.
N_PHOTOS = int(os.environ.get("BENCH_TIMED_PHOTOS", "15"))


def print_costs(cases: Sequence[Case]) -> None:
    """Prints milliseconds of a query, each way in turn with the default; photos of the largest test."""
    case = max(cases, key=lambda one: len(one.test.gallery))
    photos = case.test.photos[: N_PHOTOS + 1]
    default = _Query(case, (DEFAULT,))
    rows = []
    for name, query in _queries(case).items():
        query(photos[0]), default(photos[0])  # what is loaded or fitted at first use does not count
        times = [
            (seconds_of(partial(query, photo)), seconds_of(partial(default, photo))) for photo in photos[1:]
        ]
        ours, usual = (1000 * statistics.median(one) for one in zip(*times, strict=True))
        rows.append([name, f"{ours:.0f}", f"{usual:.0f}", f"{ours / usual:.2f}"])
    print(
        f"A query of one photo among {len(case.test.gallery)} pictures, median of {len(photos) - 1} photos, "
        "in turn with the default:\n"
    )
    print_table(["", "ms", "default, ms", "ratio"], rows)


def _queries(case: Case) -> Mapping[str, Callable[[Path], object]]:
    return {
        "default once more": _Query(case, (DEFAULT,)),
        "whole photo": _Query(case, (DEFAULT,), REGION_PLANS["whole"]),
        "regions: few": _Query(case, (DEFAULT,), REGION_PLANS["few"]),
        f"regions: all {len(MORE)}": _Query(case, (DEFAULT,), MORE),
        "raw features": _Query(case, (DEFAULT,), space="raw"),
        "input 224": _Query(case, (LITE0_224,)),
        "input 384": _Query(case, (LITE0_384,)),
        "Lite2 at 260": _Query(case, (LITE2_260,)),
        "Lite2 at 352": _Query(case, (LITE2_352,)),
        "Lite0 at 320 and Lite2 at 352": _Query(case, (DEFAULT, LITE2_352)),
        "Lite0 at 320 and Lite2 at 260": _Query(case, (DEFAULT, LITE2_260)),
        "colors": _Query(case, (DEFAULT,), colors=True),
        "photo also in a mirror": _Query(case, (DEFAULT,), mirrors=(False, True)),
        "re-ranking": _Query(case, (DEFAULT,), reranks=True),
    }


class _Query:
    """From a photo to the distances of all pictures.

    Args:
        case: whose gallery is searched.
        names: of the networks.
        boxes: regions of the photo.
        space: raw or whitened.
        mirrors: for each look at a region whether it is in a mirror.
        colors: whether a histogram joins in.
        reranks: whether the nearest are ordered anew.
    """

    def __init__(
        self,
        case: Case,
        names: Sequence[str],
        boxes: Boxes = STREET,
        *,
        space: str = "whitened",
        mirrors: Sequence[bool] = (False,),
        colors: bool = False,
        reranks: bool = False,
    ) -> None:
        self.boxes, self.mirrors, self.reranks = boxes, mirrors, reranks
        # All networks have features of one width, so one gallery does for the time that each takes.
        gallery = case.features().gallery
        dim = gallery.shape[1]
        transform = fit_transform(space, iter([gallery]), dim_in=dim, n_rows=len(gallery))
        columns = _columns(transform.apply(gallery))
        self.ways: list[tuple[Source, Callable[[Floats], Floats], Floats]] = [
            (_at_once(name), transform.apply, columns) for name in names
        ]
        if colors:
            histogram = HISTOGRAMS[1]
            self.ways.append(
                (histogram, lambda found: found, _columns(case.features(histogram.fingerprint).gallery))
            )

    def __call__(self, photo: Path) -> npt.NDArray[np.intp]:
        total: Floats | float = 0.0
        for source, move, columns in self.ways:
            size = source.input_size
            looks = [source.extract(squares(photo, self.boxes, size, mirror)) for mirror in self.mirrors]
            total = total + (1 - unit(move(np.mean(looks, axis=0))) @ columns)
        to_images: Floats = np.asarray(total).min(axis=0)
        near = np.argpartition(to_images, N_RERANKED)[:N_RERANKED]
        if self.reranks:
            rerank(to_images[near], self.ways[0][2][:, near].T, 10, 3, 0.6)
        return near[np.argsort(to_images[near])]


@functools.cache
def _at_once(name: str) -> Source:
    return load_extractor(name)


def _columns(vectors: Floats) -> Floats:
    return np.ascontiguousarray(unit(vectors).T)
