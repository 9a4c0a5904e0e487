"""Prepares one image, the stream's first step: from its file to the extractors' inputs, or a failure."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from stylesearch.catalog import ImageEntry, KnownImage
from stylesearch.errors import StyleSearchError
from stylesearch.features.images import CatalogImage
from stylesearch.features.stream import Sample
from stylesearch.files import sha256_bytes, stat_key
from stylesearch.images.inputs import make_inputs
from stylesearch.images.regions import PERSON_PLAN
from stylesearch.images.source import read_image, read_listed, stat_image
from stylesearch.listing import Record

__all__ = ["PhotoSample", "PreparedImage", "Task", "prepare_image", "prepare_regions"]


@dataclass(frozen=True, slots=True)
class Task:
    """An image that a source lists, with the catalog's entry for it.

    Attributes:
        record: the image as the source lists it.
        known: the image as the catalog has it, or None.
        lacking: fingerprints of the extractors whose features the catalog lacks.
    """

    record: Record
    known: KnownImage | None
    lacking: frozenset[str]


@dataclass(eq=False, slots=True)
class PreparedImage(Sample):
    """The result of a task. Its ``failure`` is set only where the catalog keeps the image as it has it.

    Attributes:
        task: the task.
        entry: the image as it will be stored in the catalog.
    """

    task: Task
    entry: ImageEntry


@dataclass(eq=False, slots=True)
class PhotoSample(Sample):
    """A photo of the catalog, with the regions that a query with it would have.

    Attributes:
        image: the photo.
    """

    image: CatalogImage


def prepare_image(task: Task, *, sizes: Mapping[str, int], max_pixels: int) -> PreparedImage:
    """Reads, hashes and decodes an image, as far as that is needed.

    A file that looks untouched since it was hashed is not read, and one with the known hash is not decoded,
    unless features are lacking. An image that cannot be used becomes an entry with its error, and no
    exception.

    A file that exists but cannot be read just now (no permission, a network share that fails) does not make
    the image unusable: where the catalog has it as usable it stays so, and the failure is reported.

    Args:
        task: the image, and the features that it lacks.
        sizes: side of the input of each extractor, by its fingerprint.
        max_pixels: larger images are refused before they are decoded.
    """
    began = time.thread_time()
    prepared = _prepare(task, sizes, max_pixels)
    prepared.prepare_seconds = time.thread_time() - began
    return prepared


def prepare_regions(image: CatalogImage, *, plan: str, size: int, max_pixels: int) -> PhotoSample:
    """Reads and decodes a photo of the catalog and cuts its regions, as a query would.

    Args:
        image: the photo.
        plan: a name in ``stylesearch.images.regions.REGION_PLANS``, or ``person``.
        size: side of the extractor's input.
        max_pixels: larger images are refused before they are decoded.
    """
    try:
        data = read_listed(image.image.path, image.image.sha256)
        if plan == PERSON_PLAN:
            from stylesearch.persons.regions import make_person_inputs  # OpenCV: other plans do without

            inputs = make_person_inputs(data, [size], max_pixels=max_pixels).pixels
        else:
            inputs = make_inputs(data, [size], plan, max_pixels=max_pixels).pixels
    except StyleSearchError as error:
        return PhotoSample(image, failure=str(error))
    except OSError as error:
        return PhotoSample(image, failure=error.strerror or str(error))
    return PhotoSample(image, inputs=inputs)


def _prepare(task: Task, sizes: Mapping[str, int], max_pixels: int) -> PreparedImage:
    record, known = task.record, task.known
    is_same = known is not None and known.error is None and known.box == record.box
    sha256 = None
    try:
        status = stat_image(record.path)
        key = stat_key(status)
        if known and is_same and not task.lacking and key and key == known.stat_key:
            return PreparedImage(task, _known_entry(record, known))
        data = read_image(record.path)
        sha256 = sha256_bytes(data)
        is_same = known is not None and is_same and sha256 == known.sha256
        if known and is_same and not task.lacking:
            return PreparedImage(task, _known_entry(record, known, stat_key=stat_key(status)))
        wanted = task.lacking if is_same else frozenset(sizes)
        inputs = make_inputs(
            data,
            [sizes[one] for one in wanted],
            [record.box] if record.box else None,
            max_pixels=max_pixels,
        )
    except StyleSearchError as error:
        return PreparedImage(task, _entry(record, sha256=sha256, error=str(error)))
    except OSError as error:
        reason = error.strerror or str(error)
        if known is None or known.error is not None or isinstance(error, FileNotFoundError):
            return PreparedImage(task, _entry(record, sha256=sha256, error=reason))
        # A new box would drop its vectors: it keeps the box that they were computed from.
        entry = replace(_known_entry(record, known), box=known.box)
        return PreparedImage(task, entry, failure=reason)
    entry = _entry(record, sha256=sha256, width=inputs.width, height=inputs.height, stat_key=key)
    return PreparedImage(task, entry, inputs=inputs.pixels, wanted=wanted)


def _known_entry(record: Record, known: KnownImage, stat_key: str | None = None) -> ImageEntry:
    return _entry(
        record,
        sha256=known.sha256,
        width=known.width,
        height=known.height,
        stat_key=stat_key or known.stat_key,
    )


def _entry(
    record: Record,
    *,
    sha256: str | None,
    width: int = 0,
    height: int = 0,
    stat_key: str | None = None,
    error: str | None = None,
) -> ImageEntry:
    return ImageEntry(
        record.product.id,
        record.path,
        record.domain,
        record.box,
        sha256=sha256,
        width=width,
        height=height,
        stat_key=stat_key,
        error=error,
    )
