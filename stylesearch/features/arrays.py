"""Allocates arrays of features and vectors: in memory where they fit, else mapped from temporary files."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
import numpy.typing as npt

from stylesearch.array_types import Floats, Ints
from stylesearch.catalog import Catalog, FeatureSet
from stylesearch.errors import StyleSearchError
from stylesearch.features.compute import read_features
from stylesearch.features.images import CatalogImage
from stylesearch.features.region_cache import RegionCache
from stylesearch.files import NO_ROOM
from stylesearch.images.regions import PERSON_PLAN, count_squares
from stylesearch.spaces import fit_transform
from stylesearch.spaces.base import join_squares
from stylesearch.spaces.unsupervised import RawTransform
from stylesearch.types import Box

if TYPE_CHECKING:
    from stylesearch.search.fitted_space import SpaceLocation
    from stylesearch.spaces.base import Transform
    from stylesearch.spaces.parts import FeatureParts

__all__ = [
    "ROWS_AT_ONCE",
    "ArrayPool",
    "category_scales",
    "count_pairs",
    "gallery_features",
    "join_query_squares",
    "query_features",
    "temporary_array",
]

ROWS_AT_ONCE: Final = 2048
"""Rows of a mapped array that are read and written at a time."""

_DISK_HINT: Final = "make room on that disk, or let more lie in memory (--max-memory), and run it again"
_CANNOT_RESERVE: Final = {errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}


@contextlib.contextmanager
def temporary_array(
    folder: Path, shape: tuple[int, ...], dtype: npt.DTypeLike, *, hint: str
) -> Iterator[npt.NDArray[Any]]:
    """Maps an array of zeros from a temporary file, which is gone at the end of the block.

    The blocks of the file are reserved before anything is written: writing through a mapping into a file
    without blocks ends the process with a signal and no message when the disk is full.

    Args:
        folder: the folder of the file; it is created if missing.
        shape: shape of the array.
        dtype: element type of the array.
        hint: for the error: what to do where the disk has no room.

    Raises:
        StyleSearchError: the disk, or the user's share of it, has no room.

    Example:
        >>> with temporary_array(Path(tempfile.gettempdir()), (2, 3), np.uint8, hint="") as array:
        ...     array[1] = 7
        ...     array.tolist()
        [[0, 0, 0], [7, 7, 7]]
    """
    folder.mkdir(parents=True, exist_ok=True)
    n_bytes = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    with contextlib.ExitStack() as held:
        file = held.enter_context(tempfile.TemporaryFile(dir=folder))
        try:
            _reserve(file.fileno(), max(1, n_bytes))  # an empty file cannot be mapped
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            held.close()  # frees the blocks that it got, before free space is counted
            free = shutil.disk_usage(folder).free
            raise StyleSearchError(
                f"a temporary file of {_mebibytes(n_bytes)} does not fit: "
                f"{folder} has {_mebibytes(free)} left ({error.strerror})",
                hint=hint,
            ) from error
        yield np.memmap(file, dtype, "r+", shape=shape)


def _reserve(descriptor: int, n_bytes: int) -> None:
    """Sets the length of an empty file, with its blocks reserved where the system can do that."""
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(descriptor, 0, n_bytes)
            return
        except OSError as error:
            if error.errno not in _CANNOT_RESERVE:
                raise
    os.truncate(descriptor, n_bytes)


def _mebibytes(n_bytes: int) -> str:
    return f"{n_bytes / 2**20:,.1f} MiB"


class ArrayPool:
    """Allocates arrays that live until the end of a ``with`` block, in memory or in temporary files.

    Args:
        folder: the folder for temporary files.
        max_bytes: memory that a study may take. Features and vectors of gallery and queries are four arrays
            at once and may take half of it, so one array takes an eighth at most. Larger ones lie in files,
            of which the system keeps in memory what fits.

    Attributes:
        max_bytes: the memory limit.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._folder = folder
        self._held = contextlib.ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held.close()

    def array(self, *shape: int) -> Floats:
        """Allocates a float32 array of zeros.

        Raises:
            StyleSearchError: it does not fit into memory, and the disk has no room for it.
        """
        if 4 * int(np.prod(shape)) <= self.max_bytes // 8:
            return np.zeros(shape, np.float32)
        return self._held.enter_context(temporary_array(self._folder, shape, np.float32, hint=_DISK_HINT))

    def fit(
        self, space: str, gallery: Floats, home: SpaceLocation | None, *, parts: FeatureParts | None = None
    ) -> Transform:
        """Fits the transform of a space on the gallery alone, or loads the one that indexes were built with.

        Args:
            space: name of the space.
            gallery: features, float32 (n, dim).
            home: location of the fitted space; None to fit it here. Required for the space of a trained
                model.
            parts: the parts of a feature.
        """
        if home is not None and home.model is not None:
            from stylesearch.search import fitted_space

            return fitted_space.fit_in_memory(home)
        if home is not None:
            from stylesearch.search import Gallery

            return Gallery(home, "l2").transform
        blocks = (gallery[start:stop] for start, stop in _ranges(len(gallery)))
        return fit_transform(space, blocks, dim_in=gallery.shape[1], n_rows=len(gallery), parts=parts)

    def transform(self, transform: Transform, features: Floats) -> Floats:
        """Transforms images' features (..., dim_in) to vectors (..., dim); of the identity, the features."""
        if isinstance(transform, RawTransform):
            return features
        *outer, dim_in = features.shape
        flat = features.reshape(-1, dim_in)
        vectors = self.array(len(flat), transform.dim)
        for start, stop in _ranges(len(flat)):
            vectors[start:stop] = transform.apply(flat[start:stop])
        return vectors.reshape(*outer, transform.dim)

    def transform_photos(
        self, transform: Transform, photos: Floats, n_regions: Ints | None = None, plan: str = ""
    ) -> Floats:
        """Transforms features of photos' regions, as a search does, to vectors (q, regions, dim).

        Args:
            transform: transform of the space.
            photos: features, float32 (q, regions, dim_in).
            n_regions: how many regions each photo has, int64 (q,); behind them its first vector is repeated.
                None: all that there are.
            plan: plan of the regions; of the plan ``person``, some are squares.
        """
        if isinstance(transform, RawTransform):
            return photos
        vectors = self.array(*photos.shape[:2], transform.dim)
        numbers = [photos.shape[1]] * len(photos) if n_regions is None else n_regions.tolist()
        for place, n in enumerate(numbers):
            n_squares = count_squares(n) if plan == PERSON_PLAN else 0
            vectors[place, :n] = transform.apply_to_photo(np.ascontiguousarray(photos[place, :n]), n_squares)
            vectors[place, n:] = vectors[place, 0]
        return vectors

    @staticmethod
    def scale(vectors: Floats, scale_of: Ints | None, scales: Floats | None) -> None:
        """Multiplies rows by the scales of their categories, in place.

        Args:
            vectors: from ``transform``, float32 (n, dim).
            scale_of, scales: from ``category_scales``; None: nothing is done.
        """
        if scale_of is None or scales is None:
            return
        for start, stop in _ranges(len(vectors)):
            vectors[start:stop] *= scales[scale_of[start:stop]]

    @staticmethod
    def copy_equal(vectors: Floats, contents: Sequence[tuple[str, Box | None]]) -> None:
        """Gives images of equal content the very same vector, in place.

        A product of matrices may round differently from row to row, and that must not break a tie.
        """
        first: dict[tuple[str, Box | None], int] = {}
        for row, content in enumerate(contents):
            known = first.setdefault(content, row)
            if known != row:
                vectors[row] = vectors[known]


def category_scales(
    transform: Transform, categories: Sequence[str]
) -> tuple[Ints, Floats] | tuple[None, None]:
    """Looks up what vectors of images of these categories are multiplied by.

    Args:
        transform: the transform that made the vectors.
        categories: category of each image's product.

    Returns:
        for each image, the row of its scale, int64 (n,); and the scales, float32 (s, dim). None twice where
        the transform scales nothing.
    """
    if transform.scales is None:
        return None, None
    names = list(transform.scales)
    places = {name: place for place, name in enumerate(names)}
    scale_of = np.array([places.get(one, places[""]) for one in categories], np.int64)
    return scale_of, np.stack([transform.scales[name] for name in names])


def gallery_features(
    pool: ArrayPool, catalog: Catalog, feature_set: FeatureSet, images: Sequence[CatalogImage]
) -> Floats:
    """Reads the features of the gallery from the catalog, float32 (n, dim)."""
    features = pool.array(len(images), feature_set.dim)
    read_features(catalog, feature_set, images, features)
    return features


def query_features(
    pool: ArrayPool,
    catalog: Catalog,
    feature_set: FeatureSet,
    queries: Sequence[CatalogImage],
    through_catalog: Sequence[CatalogImage],
    through_cache: Sequence[CatalogImage],
    cache: RegionCache,
) -> tuple[Floats, Ints]:
    """Reads the features of the queries' regions.

    Args:
        pool: allocates the array.
        catalog, feature_set: hold the vectors of ``through_catalog``.
        queries: all queries, in the order of the rows.
        through_catalog: the queries whose vector is in the catalog.
        through_cache: the other queries.
        cache: holds the vectors of ``through_cache``, for its region plan.

    Returns:
        Features, float32 (q, regions, dim), and how many regions each query has, int64 (q,); behind them its
        first is repeated.
    """
    places = {one.pk: place for place, one in enumerate(queries)}
    n_regions = cache.n_regions if through_cache else 1
    features = pool.array(len(queries), n_regions, feature_set.dim)
    if through_catalog:  # then there is one region
        rows = [places[one.pk] for one in through_catalog]
        read_features(catalog, feature_set, through_catalog, features[:, 0], rows)
    n_regions_of = np.full(len(queries), n_regions, np.int64)
    for one in through_cache:
        found, place = cache.get(one.image.sha256), places[one.pk]
        n_regions_of[place] = len(found)
        features[place, : len(found)] = found
        features[place, len(found) :] = found[0]
    return features, n_regions_of


def count_pairs(n_regions: Ints) -> int:
    """The most pairs, or regions, that any query of the plan ``person`` has.

    Args:
        n_regions: how many regions each query has, int64 (q,).

    Example:
        >>> count_pairs(np.array([9, 8]))
        12
    """
    squares = [(n, count_squares(n)) for n in set(n_regions.tolist())]
    return max(((n - n_squares) * n_squares if n_squares else n for n, n_squares in squares), default=0)


def join_query_squares(vectors: Floats, n_regions: Ints, metric: str, out: Floats) -> Floats:
    """Joins the regions of each query of the plan ``person`` with its squares, as a search does.

    Args:
        vectors: of the queries' regions, float32 (q, regions, dim); not modified.
        n_regions: how many of them each query has, int64 (q,).
        metric: ``l1``, ``l2`` or ``cosine``.
        out: is overwritten, float32 (q, count_pairs(n_regions), dim): behind a query's pairs its first is
            repeated.

    Returns:
        ``out``.
    """
    for place, n in enumerate(n_regions.tolist()):
        pairs = join_squares(vectors[place, :n], count_squares(n), metric)
        out[place, : len(pairs)] = pairs
        out[place, len(pairs) :] = pairs[0]
    return out


def _ranges(n_rows: int) -> Iterator[tuple[int, int]]:
    for start in range(0, n_rows, ROWS_AT_ONCE):
        yield start, min(start + ROWS_AT_ONCE, n_rows)
