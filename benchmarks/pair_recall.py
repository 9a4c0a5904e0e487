"""Recall of the 20 products that a photo of a person finds through pair vectors, 10,000 and 100,000 images.

The region plan ``person`` joins each region with each square around a person to one vector
(``stylesearch.spaces.base.join_squares``), and the index looks for the images that are nearest to any of
these 4, 8 or 12. A pair is a mean of two vectors, unlike any that the index was calibrated with. Found are
the first 20 products, of two images each, among the images that the index returns; the truth is what the
exact search of the same distances finds. Both ways that do not compare with everything are forced in turn.
The bar is 0.99 for the way that a query chooses.

The times are of the index alone: the pairs of a photo, and the 16 vectors of the same photo in the plan
``street``, in turn.

Environment: ``BENCH_SIZES`` (numbers of images), ``BENCH_PHOTOS`` (in how many photos of each source a person
is looked for, 200), ``STYLESEARCH_TEST_DATA`` (real photos).
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from benchmarks.measuring import print_table
from benchmarks.recall import SIZES, WAYS, build_index, search_in_turn
from benchmarks.shops import Source, likely_features, sources
from stylesearch.extractors import load_extractor
from stylesearch.extractors.base import Extractor
from stylesearch.persons.regions import check_finder, make_person_inputs
from stylesearch.search.gallery import FETCH_AT_LEAST, FETCH_FACTOR
from stylesearch.settings import Settings
from stylesearch.spaces.base import join_squares

__all__ = ["first_products", "main"]

N_PHOTOS: Final = int(os.environ.get("BENCH_PHOTOS", "200"))
N_PRODUCTS: Final = 20
N_IMAGES: Final = max(FETCH_AT_LEAST, FETCH_FACTOR * N_PRODUCTS)
"""How many images a search for so many products asks the index for."""

IMAGES_A_PRODUCT: Final = 2
SPACE, METRIC = "mixed", "cosine"

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
                home = folder / f"{source.name}-{size}"
                transform, indexes = build_index(home, extractor, features, SPACE, METRIC)
                del features
                queries = {
                    "pairs": [
                        join_squares(transform.apply_to_photo(photo, n_squares), n_squares, METRIC)
                        for photo, n_squares in with_person.values()
                    ],
                    "16 regions": [transform.apply_to_photo(source.photos[number]) for number in with_person],
                }
                for what, cells in search_in_turn(indexes, queries, N_IMAGES, first_products).items():
                    rows.append([source.name, f"{size:,}", len(with_person), what, *cells])
    print_table(["features", "images", "photos", "query", *WAYS], rows)


def first_products(images: Ids) -> Ids:
    """The first 20 products of images that are sorted by distance; every two images are of one product."""
    products = dict.fromkeys((images // IMAGES_A_PRODUCT).tolist())
    return np.array(list(products)[:N_PRODUCTS], np.int64)


def _person_features(source: Source, extractor: Extractor) -> dict[int, tuple[Floats, int]]:
    """Features of photos with a person, and how many of them are of squares, by number of the photo."""
    features = {}
    for number, path in enumerate(source.photo_paths):
        inputs = make_person_inputs(path, [extractor.input_size])
        if inputs.n_squares:
            found = extractor.extract(inputs.pixels[extractor.input_size])
            features[number] = (found, inputs.n_squares)
    return features
