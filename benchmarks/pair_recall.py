"""Recall of the 20 products that a photo of a person finds through pair vectors, 10,000 and 100,000 images.

The region plan ``person`` joins each of four regions with each of two squares to one vector
(``stylesearch.spaces.base.join_squares``), and the index looks for the images that are nearest to any of
these eight. A pair is a mean of two vectors, unlike any that the index was calibrated with. Found are the
first 20 products, of two images each, among the images that the index returns; the truth is what the exact
search of the same distances finds. Both ways that do not compare with everything are forced in turn. The bar
is 0.99 for the way that a query chooses.

The times are of the index alone: the 8 pairs of a photo, and the 16 vectors of the same photo in the plan
``street``, in turn.

Environment: ``BENCH_SIZES`` (numbers of images), ``BENCH_PHOTOS`` (in how many photos of each source a person
is looked for, 200), ``STYLESEARCH_TEST_DATA`` (real photos).
"""

from __future__ import annotations

import os
import statistics
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from benchmarks.measuring import print_table, seconds_of
from benchmarks.shops import Source, likely_features, sources
from stylesearch.extractors import load_extractor
from stylesearch.extractors.base import Extractor
from stylesearch.index.category_indexes import CategoryIndexes
from stylesearch.index.reranked import Strategy
from stylesearch.persons.regions import check_finder, make_person_inputs
from stylesearch.search.gallery import FETCH_AT_LEAST, FETCH_FACTOR
from stylesearch.settings import Settings
from stylesearch.spaces import fit_transform
from stylesearch.spaces.base import join_squares
from stylesearch.spaces.joined import n_colors_of

__all__ = ["first_products", "main", "recall", "search_in_turn"]

SIZES: Final = [int(size) for size in os.environ.get("BENCH_SIZES", "10000,100000").split(",")]
N_PHOTOS: Final = int(os.environ.get("BENCH_PHOTOS", "200"))
N_PRODUCTS: Final = 20
N_IMAGES: Final = max(FETCH_AT_LEAST, FETCH_FACTOR * N_PRODUCTS)
"""How many images a search for so many products asks the index for."""

IMAGES_A_PRODUCT: Final = 2
N_SQUARES: Final = 2
SPACE, METRIC = "whitened", "cosine"

Floats = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int64]


def main() -> None:
    """Prints recall and median milliseconds of every way to search.

    Raises:
        WeightsNotFound: the files that persons are found with are not on this machine.
    """
    check_finder()
    extractor = load_extractor(Settings().extractor, throughput=True)
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for source in sources(folder / "drawn", extractor, n_photos=N_PHOTOS):
            with_person = _person_features(source, extractor)
            for size in SIZES:
                features = np.concatenate(list(likely_features(size, extractor.dim, source.originals)))
                transform = fit_transform(
                    SPACE,
                    iter([features]),
                    dim_in=extractor.dim,
                    n_rows=size,
                    n_colors=n_colors_of(extractor.parameters),
                )
                indexes = CategoryIndexes(folder / f"{source.name}-{size}", "bench", METRIC, transform.dim)
                indexes.build(
                    "all",
                    iter([(np.arange(size), transform.apply(features))]),
                    transform_version=transform.version,
                    last_feature_id=size,
                )
                del features
                queries = {
                    "8 pairs": [
                        join_squares(transform.apply(photo), N_SQUARES, METRIC)
                        for photo in with_person.values()
                    ],
                    "16 regions": [transform.apply(source.photos[number]) for number in with_person],
                }
                for what, cells in search_in_turn(indexes, queries).items():
                    rows.append([source.name, f"{size:,}", len(with_person), what, *cells])
    print_table(
        ["features", "images", "photos", "query", "exact", "scan", "annoy", "chosen by default"], rows
    )


def first_products(images: Ids) -> list[int]:
    """The first 20 products of images that are sorted by distance; every two images are of one product."""
    return list(dict.fromkeys((images // IMAGES_A_PRODUCT).tolist()))[:N_PRODUCTS]


def recall(true: Sequence[Sequence[int]], found: Sequence[Sequence[int]]) -> float:
    """Share of the true products that were found, the mean over photos."""
    return float(np.mean([np.isin(t, f).mean() for t, f in zip(true, found, strict=True)]))


def _person_features(source: Source, extractor: Extractor) -> dict[int, Floats]:
    """Features in the plan *person*, (6, dim), of photos with a torso and a body, by number of the photo."""
    features = {}
    for number, path in enumerate(source.photo_paths):
        inputs = make_person_inputs(path, [extractor.input_size])
        if inputs.n_squares == N_SQUARES:
            features[number] = extractor.extract(inputs.pixels[extractor.input_size])
    return features


def search_in_turn(indexes: CategoryIndexes, queries: dict[str, list[Floats]]) -> dict[str, list[str]]:
    """Recall and time of each way, by kind of query; the kinds are searched in turn."""
    cells: dict[str, list[str]] = {what: [] for what in queries}
    true: dict[str, list[list[int]]] = {}
    for strategy in (Strategy.EXACT, Strategy.SCAN, Strategy.ANNOY, None):
        indexes.strategy = strategy
        opened = indexes.open("all")
        found: dict[str, list[list[int]]] = {what: [] for what in queries}
        times: dict[str, list[float]] = {what: [] for what in queries}
        for photo in zip(*queries.values(), strict=True):
            for what, vectors in zip(queries, photo, strict=True):
                found[what].append(first_products(opened.search_any(vectors, N_IMAGES).ids))
                times[what].append(seconds_of(partial(opened.search_any, vectors, N_IMAGES)))
        opened.close()
        for what, products in found.items():
            text = f"{1000 * statistics.median(times[what]):.1f} ms"
            if strategy is Strategy.EXACT:
                true[what] = products
            else:
                text = f"{recall(true[what], products):.4f}, {text}"
            cells[what].append(text)
    return cells
