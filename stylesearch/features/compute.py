"""Features that a study needs: those of the catalog, those that are missing, and those of regions.

Whatever is computed is kept, a few hundred pictures at a time: vectors of whole pictures (or of their box) in
the catalog, as an ingest would have put them there; vectors of a query's regions in the workspace's cache, by
extractor, plan and content. So a study that is stopped goes on where it was, and the next computes nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from stylesearch.array_types import Floats, Pixels
from stylesearch.catalog import Catalog, FeatureSet, KnownImage
from stylesearch.catalog.vector_codec import decode_vectors, encode_vectors
from stylesearch.errors import CatalogError, StyleSearchError
from stylesearch.features.images import CatalogImage
from stylesearch.features.prepare import Task, prepare
from stylesearch.features.stream import map_in_order
from stylesearch.files import atomic_file, digest_of, sha256_bytes
from stylesearch.images.decode import decode
from stylesearch.images.regions import REGION_PLANS, crops, plan_boxes, reduction
from stylesearch.registry import unknown_name
from stylesearch.types import Domain, Record

if TYPE_CHECKING:
    from stylesearch.catalog.writer import Writer
    from stylesearch.extractors.base import Extractor


__all__ = [
    "RegionCache",
    "Work",
    "compute_missing",
    "compute_regions",
    "feature_set_of",
    "read_features",
]


def feature_set_of(writer: Writer, extractor: Extractor) -> FeatureSet:
    """The catalog's feature set of an extractor, made if it is new."""
    with writer.transaction():
        return writer.feature_set(
            extractor=extractor.name,
            parameters=extractor.parameters,
            weights_digest=extractor.weights_digest,
            fingerprint=extractor.fingerprint,
            dim=extractor.dim,
        )


# Vectors of photos' regions on disk, by extractor, plan and content of the photo.
#
# One file a photo, ``FOLDER/<extractor>/<plan>/<ab>/<sha256>``: its regions' vectors in the order of the
# plan, as the catalog stores vectors. A file whose length does not fit is taken for missing and written
# again.


class RegionCache:
    """The cache of one extractor and one plan.

    Args:
        folder: of all such caches of a workspace.
        fingerprint: of the extractor.
        dim: width of its vectors.
        plan: a name in :data:`stylesearch.images.regions.REGION_PLANS`.

    Raises:
        UnknownName: no plan is called so.
    """

    def __init__(self, folder: Path, fingerprint: str, dim: int, plan: str) -> None:
        if plan not in REGION_PLANS:
            raise unknown_name("region plan", plan, REGION_PLANS)
        boxes = [[box.x0, box.y0, box.x1, box.y1] for box in REGION_PLANS[plan]]
        self.plan = plan
        self.n_regions = len(boxes)
        self.dim = dim
        # A plan whose boxes change is another plan.
        self.folder = folder / fingerprint[:16] / f"{plan}-{digest_of({'boxes': boxes})[:8]}"

    def has(self, sha256: str) -> bool:
        """Whether the vectors of that content are there."""
        try:
            return self._path(sha256).stat().st_size in self._lengths
        except FileNotFoundError:
            return False

    def get(self, sha256: str) -> npt.NDArray[np.float32]:
        """Vectors of the regions, float32 (regions, dim).

        Raises:
            StyleSearchError: they are not there, or the file is damaged.
        """
        path = self._path(sha256)
        data = path.read_bytes() if path.exists() else b""
        if len(data) not in self._lengths:
            raise StyleSearchError(f"{path} is gone or damaged", hint="run it again: it is computed anew")
        width = len(data) // self.n_regions
        return decode_vectors([data[i * width : (i + 1) * width] for i in range(self.n_regions)], self.dim)

    def put(self, sha256: str, vectors: npt.NDArray[np.float32]) -> None:
        """Keeps vectors of the regions, float32 (regions, dim), finite."""
        rows = encode_vectors(vectors)
        if len({len(row) for row in rows}) > 1:  # one width a file
            rows = encode_vectors(vectors, "float32")
        with atomic_file(self._path(sha256)) as file:
            file.write(b"".join(rows))

    @property
    def _lengths(self) -> tuple[int, int]:
        n_values = self.n_regions * self.dim
        return 2 * n_values, 4 * n_values

    def _path(self, sha256: str) -> Path:
        return self.folder / sha256[:2] / sha256


STORED_AT_ONCE = 256
PLANNED_AT_ONCE = 500
CHANGED = "the file has changed since it was ingested: ingest again"

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Work:
    """How hard the machine works.

    Attributes:
        batch_size: pictures a forward pass.
        n_workers: threads that read and decode.
        max_pixels: larger pictures are refused.
        lock_timeout: seconds to wait for another process that writes to the catalog.
    """

    batch_size: int = 32
    n_workers: int = 2
    max_pixels: int = 200_000_000
    lock_timeout: float = 30.0


@dataclass(slots=True)
class _Input:
    """A picture on its way: its crops, then their vectors, or why there are none."""

    image: CatalogImage
    pixels: Pixels | None = None
    vectors: Floats | None = None
    failure: str = ""


def compute_missing(
    catalog: Catalog,
    extractor: Extractor,
    images: Sequence[CatalogImage],
    work: Work,
    progress: Progress | None = None,
) -> tuple[FeatureSet, dict[int, str]]:
    """Gives every picture a vector in the catalog.

    Args:
        catalog: is written to, if anything is missing.
        extractor: makes the vectors.
        images: of the catalog.
        work: see there.
        progress: called as ``progress(n_done, n_missing)``.

    Returns:
        the feature set, and why pictures have no vector, by key.

    Raises:
        CatalogLocked: another process is writing.
        CatalogError: something is missing and the catalog is open for reading only.
    """
    feature_set = catalog.find_feature_set(extractor.fingerprint)
    if feature_set is not None and not _missing(catalog, feature_set, images):
        return feature_set, {}
    with catalog.writing(timeout=work.lock_timeout) as writer:
        feature_set = feature_set_of(writer, extractor)
        missing = _missing(catalog, feature_set, images)
        return feature_set, _compute(catalog, writer, feature_set, extractor, missing, work, progress)


def read_features(
    catalog: Catalog,
    feature_set: FeatureSet,
    images: Sequence[CatalogImage],
    out: Floats,
    rows: Sequence[int] | None = None,
) -> None:
    """Reads the vectors of pictures into rows of an array.

    Args:
        catalog, feature_set: where they are.
        images: of the catalog.
        out: float32 (n, dim).
        rows: where each picture's vector goes; by default in the order of ``images``.

    Raises:
        CatalogError: a picture has none (removed meanwhile by another process).
    """
    place_of = {one.key: row for row, one in zip(rows or range(len(images)), images, strict=True)}
    n_found = 0
    for domain in sorted({one.image.domain for one in images}):
        for ids, vectors in catalog.features(feature_set, domain=Domain(domain)):
            for feature_id, (product, image) in catalog.hits_for(ids.tolist()).items():
                place = place_of.get((product.id, image.path))
                if place is not None:
                    out[place] = vectors[np.searchsorted(ids, feature_id)]
                    n_found += 1
    if n_found != len(images):
        raise CatalogError(
            f"{len(images) - n_found} of {len(images)} pictures have lost their features meanwhile",
            hint="is something ingesting at the same time? Run it again",
        )


def compute_regions(
    cache: RegionCache,
    extractor: Extractor,
    images: Sequence[CatalogImage],
    work: Work,
    progress: Progress | None = None,
) -> dict[int, str]:
    """Gives every picture vectors of the cache's plan in the cache; says why some have none, by key."""
    missing = [one for one in images if not cache.has(one.image.sha256)]
    make = partial(_region_input, plan=cache.plan, size=extractor.input_size, max_pixels=work.max_pixels)
    failures: dict[int, str] = {}
    n_done = 0
    for batch in _extracted(missing, make, extractor, work, cache.n_regions):
        for one in batch:
            if one.vectors is None:
                failures[one.image.pk] = one.failure
            else:
                cache.put(one.image.image.sha256, one.vectors)
        n_done += len(batch)
        if progress:
            progress(n_done, len(missing))
    return failures


def _missing(
    catalog: Catalog, feature_set: FeatureSet, images: Sequence[CatalogImage]
) -> list[tuple[CatalogImage, KnownImage]]:
    found = []
    for start in range(0, len(images), PLANNED_AT_ONCE):
        part = {one.key: one for one in images[start : start + PLANNED_AT_ONCE]}
        for key, known in catalog.known_images(part, [feature_set]).items():
            if feature_set.pk not in known.feature_sets:
                found.append((part[key], known))
    return found


def _compute(
    catalog: Catalog,
    writer: Writer,
    feature_set: FeatureSet,
    extractor: Extractor,
    missing: list[tuple[CatalogImage, KnownImage]],
    work: Work,
    progress: Progress | None,
) -> dict[int, str]:
    known_of = {one.pk: known for one, known in missing}
    make = partial(_catalog_input, known_of, size=extractor.input_size, max_pixels=work.max_pixels)
    failures: dict[int, str] = {}
    n_done = 0
    # A part at a time, so that a picture which is there under several names is computed once.
    for start in range(0, len(missing), STORED_AT_ONCE):
        part = [one for one, _ in missing[start : start + STORED_AT_ONCE]]
        contents = {one.pk: (one.image.sha256, one.image.box) for one in part}
        known = catalog.known_contents(contents.values(), [feature_set])
        vectors = {
            pk: known[content].vectors[feature_set.pk] for pk, content in contents.items() if content in known
        }
        wanted = {contents[one.pk]: one for one in reversed(part) if one.pk not in vectors}
        computed = {}
        for batch in _extracted(wanted.values(), make, extractor, work, 1):
            for one in batch:
                computed[contents[one.image.pk]] = one
            n_done += len(batch)
            if progress:
                progress(n_done, len(missing))
        for pk in contents.keys() - vectors.keys():
            one = computed[contents[pk]]
            if one.vectors is None:
                failures[pk] = one.failure
            else:
                vectors[pk] = one.vectors[0]
        if vectors:
            with writer.transaction():
                writer.add_features(feature_set, list(vectors), np.stack(list(vectors.values())))
        n_done = start + len(part)
        if progress:
            progress(n_done, len(missing))
    return failures


def _extracted(
    images: Iterable[CatalogImage],
    make: Callable[[CatalogImage], _Input],
    extractor: Extractor,
    work: Work,
    n_regions: int,
) -> Iterator[list[_Input]]:
    """Decodes and extracts in threads; batches in the order of the pictures."""
    size = max(1, work.batch_size // n_regions)
    with (
        ThreadPoolExecutor(work.n_workers, "decode") as decoders,
        ThreadPoolExecutor(extractor.concurrency, "extract") as extractors,
    ):
        window = (extractor.concurrency + 1) * size
        made = map_in_order(decoders, make, images, window=window)
        yield from map_in_order(
            extractors, partial(_extract, extractor), _batches(made, size), window=extractor.concurrency + 1
        )


def _batches(made: Iterator[_Input], size: int) -> Iterator[list[_Input]]:
    while batch := list(itertools.islice(made, size)):
        yield batch


def _extract(extractor: Extractor, batch: list[_Input]) -> list[_Input]:
    pixels = [one.pixels for one in batch if one.pixels is not None]
    if pixels:
        vectors = iter(np.split(extractor.extract(np.concatenate(pixels)), len(pixels)))
        for one in batch:
            if one.pixels is not None:
                one.vectors, one.pixels = next(vectors), None
    return batch


def _catalog_input(
    known_of: dict[int, KnownImage], image: CatalogImage, *, size: int, max_pixels: int
) -> _Input:
    """What an ingest would make of a picture."""
    record = Record(image.product, image.image.path, image.image.domain, image.image.box)
    prepared = prepare(Task(record, known_of[image.pk], False), size=size, max_pixels=max_pixels)
    if prepared.pixels is None:
        return _Input(image, failure=prepared.entry.error or prepared.failure or "no pixels")
    if prepared.entry.sha256 != image.image.sha256:
        return _Input(image, failure=CHANGED)
    return _Input(image, prepared.pixels[None])


def _region_input(image: CatalogImage, *, plan: str, size: int, max_pixels: int) -> _Input:
    """What a query would make of a photo."""
    try:
        data = Path(image.image.path).read_bytes()
        if sha256_bytes(data) != image.image.sha256:
            return _Input(image, failure=CHANGED)
        picture = decode(data, reduce_to=reduction(size, plan), max_pixels=max_pixels)
        return _Input(image, crops(picture, plan_boxes(plan, picture.width, picture.height), size))
    except StyleSearchError as error:
        return _Input(image, failure=str(error))
    except OSError as error:
        return _Input(image, failure=error.strerror or str(error))
