"""Computes missing features: of the catalog's images, and of regions of photos.

Results are stored every few hundred images: vectors of whole images (or of their box) in the catalog, as an
ingest stores them; vectors of a photo's regions in the workspace's cache, by extractor, plan and content. So
a study that is stopped continues where it was, and the next study computes nothing again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np

from stylesearch.array_types import Floats
from stylesearch.catalog import Catalog, FeatureSet, KnownImage
from stylesearch.errors import CatalogError
from stylesearch.features.images import CatalogImage
from stylesearch.features.prepare import (
    PreparedImage,
    Task,
    give_up_image,
    give_up_photo,
    prepare_image,
    prepare_regions,
)
from stylesearch.features.region_cache import RegionCache
from stylesearch.features.stream import ExtractionOptions, extract_stream
from stylesearch.images.regions import PERSON_PLAN
from stylesearch.images.source import CHANGED
from stylesearch.listing import Listing, Record
from stylesearch.types import Domain, ReportCount

if TYPE_CHECKING:
    from stylesearch.catalog.writer import Writer
    from stylesearch.extractors.base import Extractor

__all__ = ["compute_missing", "compute_regions", "feature_set_of", "read_features"]

STORED_AT_ONCE = 256
COMPUTED_ELSEWHERE_AT_ONCE: Final = 4096
"""Images that a cluster computes before they are stored: at the end of each part its workers wait."""

PLANNED_AT_ONCE: Final = 500


def feature_set_of(writer: Writer, extractor: Extractor) -> FeatureSet:
    """Returns the catalog's feature set of an extractor, and creates it if it is new."""
    with writer.transaction():
        return writer.feature_set(
            extractor=extractor.name,
            parameters=extractor.parameters,
            weights_digest=extractor.weights_digest,
            fingerprint=extractor.fingerprint,
            dim=extractor.dim,
        )


def read_features(
    catalog: Catalog,
    feature_set: FeatureSet,
    images: Sequence[CatalogImage],
    out: Floats,
    rows: Sequence[int] | None = None,
) -> None:
    """Reads the vectors of images into rows of an array.

    Args:
        catalog, feature_set: hold the vectors.
        images: images of the catalog.
        out: array that is written to, float32 (n, dim).
        rows: row of each image's vector; by default the order of ``images``.

    Raises:
        CatalogError: an image has none (removed meanwhile by another process).
    """
    place_of = {one.key: row for row, one in zip(rows or range(len(images)), images, strict=True)}
    n_found = 0
    for domain in sorted({one.image.domain for one in images}):
        for ids, vectors in catalog.features(feature_set, domain=Domain(domain)):
            for feature_id, (product, image) in catalog.hits_for(ids.tolist()).items():
                place = place_of.get((product.id, image.locator))
                if place is not None:
                    out[place] = vectors[np.searchsorted(ids, feature_id)]
                    n_found += 1
    if n_found != len(images):
        raise CatalogError(
            f"{len(images) - n_found} of {len(images)} pictures have lost their features meanwhile",
            hint="is something ingesting at the same time? Run it again",
        )


def compute_missing(
    catalog: Catalog,
    extractor: Extractor,
    images: Sequence[CatalogImage],
    options: ExtractionOptions,
    progress: ReportCount | None = None,
) -> tuple[FeatureSet, dict[int, str]]:
    """Gives every image a vector in the catalog.

    Args:
        catalog: holds the images; written to if anything is missing.
        extractor: computes the vectors.
        images: images of the catalog.
        options: batch size, threads and limits.
        progress: called as ``progress(n_done, n_missing)``.

    Returns:
        the feature set, and the reason for each image without a vector, by key.

    Raises:
        CatalogLocked: another process is writing.
        CatalogError: something is missing and the catalog is open for reading only.
    """
    feature_set = catalog.find_feature_set(extractor.fingerprint)
    if feature_set is not None and not _missing(catalog, feature_set, images):
        return feature_set, {}
    with catalog.writing(timeout=options.lock_timeout) as writer:
        feature_set = feature_set_of(writer, extractor)
        missing = _missing(catalog, feature_set, images)
        failures: dict[int, str] = {}
        # Part by part, so that an image with several names is computed once.
        n_at_once = STORED_AT_ONCE if options.executor is None else COMPUTED_ELSEWHERE_AT_ONCE
        for start in range(0, len(missing), n_at_once):
            part = missing[start : start + n_at_once]

            def tell(n_done: int, start: int = start) -> None:
                if progress:
                    progress(start + n_done, len(missing))

            failures |= _compute_part(catalog, writer, feature_set, extractor, part, options, tell)
            tell(len(part))
        return feature_set, failures


def compute_regions(
    cache: RegionCache,
    extractor: Extractor,
    images: Sequence[CatalogImage],
    options: ExtractionOptions,
    progress: ReportCount | None = None,
) -> dict[int, str]:
    """Stores vectors of the cache's plan for every image in the cache; returns why some have none, by key.

    Raises:
        WeightsNotFound: the plan is ``person``, and the finder's files are not on this machine: regions of
            another plan would be stored.
    """
    missing = [one for one in images if not cache.has(one.image.sha256)]
    if missing and cache.plan == PERSON_PLAN:
        from stylesearch.persons.regions import check_finder  # OpenCV: other plans do without

        check_finder()
    samples = extract_stream(
        missing,
        partial(prepare_regions, plan=cache.plan, size=extractor.input_size, max_pixels=options.max_pixels),
        [extractor],
        options.executor,
        batch_size=options.batch_size,
        n_workers=options.n_at_once,
        n_regions=cache.n_regions,
        give_up=give_up_photo,
    )
    failures: dict[int, str] = {}
    for n_done, sample in enumerate(samples, 1):
        if sample.failure is not None:
            failures[sample.image.pk] = sample.failure
        else:
            cache.put(sample.image.image.sha256, sample.vectors[extractor.fingerprint])
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


def _compute_part(
    catalog: Catalog,
    writer: Writer,
    feature_set: FeatureSet,
    extractor: Extractor,
    part: Sequence[tuple[CatalogImage, KnownImage]],
    options: ExtractionOptions,
    progress: Callable[[int], None],
) -> dict[int, str]:
    """Computes and stores the vectors of some images; returns why some have none, by key."""
    contents = {one.pk: (one.image.sha256, one.image.box) for one, _ in part}
    known_contents = catalog.known_contents(contents.values(), [feature_set])
    vectors = {
        pk: known_contents[content].vectors[feature_set.pk]
        for pk, content in contents.items()
        if content in known_contents
    }
    to_compute = {contents[one.pk]: (one, known) for one, known in reversed(part) if one.pk not in vectors}
    fingerprint = extractor.fingerprint
    samples = extract_stream(
        [_task(one, known, fingerprint) for one, known in to_compute.values()],
        partial(prepare_image, sizes={fingerprint: extractor.input_size}, max_pixels=options.max_pixels),
        [extractor],
        options.executor,
        batch_size=options.batch_size,
        n_workers=options.n_at_once,
        give_up=give_up_image,
    )
    computed: dict[object, PreparedImage] = {}
    for n_done, (content, sample) in enumerate(zip(to_compute, samples, strict=True), 1):
        computed[content] = sample
        progress(n_done)
    failures = {}
    for pk in contents.keys() - vectors.keys():
        sha256, _ = content = contents[pk]
        sample = computed[content]
        if not sample.vectors:
            failures[pk] = sample.entry.error or sample.failure or "no pixels"
        elif sample.entry.sha256 != sha256:
            failures[pk] = CHANGED
        else:
            vectors[pk] = sample.vectors[fingerprint][0]
    if vectors:
        with writer.transaction():
            writer.add_features(feature_set, list(vectors), np.stack(list(vectors.values())))
    return failures


def _task(image: CatalogImage, known: KnownImage, fingerprint: str) -> Task:
    """Makes the task that an ingest would have for an image of the catalog."""
    record = Record(Listing(image.product.id), image.image.path, image.image.domain, image.image.box)
    return Task(record, known, frozenset([fingerprint]))
