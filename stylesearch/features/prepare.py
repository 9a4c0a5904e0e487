"""Prepares one image, the stream's first step: from its file to the extractors' inputs, or a failure."""

from __future__ import annotations

import errno
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from stylesearch.catalog import ImageEntry, KnownImage
from stylesearch.catalog.records import Content
from stylesearch.errors import StyleSearchError
from stylesearch.features.images import CatalogImage
from stylesearch.features.stream import Sample
from stylesearch.files import sha256_bytes, stat_key
from stylesearch.images.inputs import make_inputs
from stylesearch.images.regions import PERSON_PLAN
from stylesearch.images.remote.values import Fetched, NotFetched
from stylesearch.images.source import hash_image, read_image, read_listed, stat_image
from stylesearch.listing import Record

__all__ = [
    "PhotoSample",
    "PreparedImage",
    "Task",
    "give_up_image",
    "give_up_photo",
    "known_entry",
    "look_at_image",
    "prepare_image",
    "prepare_regions",
]


NOT_DECODED: Final = "it was not decoded"
"""The error of an image that was only looked at, until it is decoded or found by its content."""

_UNSEEN: Final = {errno.ENOENT, errno.ENOTDIR, errno.EACCES}
"""Errors of a file that is not there, or may not be read: on another machine it may be otherwise."""


@dataclass(frozen=True, slots=True)
class Task:
    """An image that a source lists, with the catalog's entry for it.

    Attributes:
        record: the image as the source lists it.
        known: the image as the catalog has it, or None.
        lacking: fingerprints of the extractors whose features the catalog lacks.
        position: place of the image among those of its product, from 0.
        content: what an image behind a URL was fetched to, or why not; None for a file of this machine.
    """

    record: Record
    known: KnownImage | None
    lacking: frozenset[str]
    position: int = 0
    content: Fetched | NotFetched | None = None


@dataclass(eq=False, slots=True)
class PreparedImage(Sample):
    """The result of a task. Its ``failure`` is set only where the catalog keeps the image as it has it.

    Attributes:
        task: the task.
        entry: the image as it will be stored in the catalog.
    """

    task: Task
    entry: ImageEntry

    @property
    def content(self) -> Content:
        """Digest of the file, and the box: images that agree in both have the same vectors."""
        return self.entry.sha256 or "", self.entry.box


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
    the image unusable: where the catalog has it as usable it stays so, and the failure is reported. Where
    this runs on another machine than the catalog's, ``unseen`` tells that the file is not there, which that
    other machine may know better.

    Args:
        task: the image, and the features that it lacks.
        sizes: side of the input of each extractor, by its fingerprint.
        max_pixels: larger images are refused before they are decoded.
    """
    began = time.thread_time()
    prepared = _prepare(task, sizes, max_pixels)
    prepared.prepare_seconds = time.thread_time() - began
    return prepared


def look_at_image(task: Task, *, sizes: Mapping[str, int]) -> PreparedImage:
    """Reads and hashes an image as ``prepare_image`` does, without decoding it.

    Returns:
        the finished result where nothing is to be decoded; else one that ``is_looked_at``.
    """
    return _prepare(task, sizes, None)


def give_up_image(task: Task, reason: str) -> PreparedImage:
    """The result for an image that could not be prepared, for a reason that says nothing of the image.

    An image that the catalog has as usable stays so; the next ingest tries it again.
    """
    return _unreadable(task, reason, is_gone=False)


def give_up_photo(image: CatalogImage, reason: str) -> PhotoSample:
    """The result for a photo of the catalog that could not be prepared."""
    return PhotoSample(image, failure=reason)


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
        unseen = image.image.path if error.errno in _UNSEEN else None
        return PhotoSample(image, failure=error.strerror or str(error), unseen=unseen)
    return PhotoSample(image, inputs=inputs)


def known_entry(record: Record, known: KnownImage) -> ImageEntry:
    """The image as the catalog has it, with the source's domain, box and options."""
    return ImageEntry(
        record.product.id,
        record.path,
        record.domain,
        record.box,
        sha256=known.sha256,
        width=known.width,
        height=known.height,
        stat_key=known.stat_key,
        file=known.file,
        options=record.options,
    )


def _prepare(task: Task, sizes: Mapping[str, int], max_pixels: int | None) -> PreparedImage:
    """Prepares an image; without ``max_pixels`` it is not decoded."""
    record, known, content = task.record, task.known, task.content
    if isinstance(content, NotFetched):
        # Not even where its server says that it is gone: it lies here, and the source still lists it.
        return _unreadable(task, content.reason, is_gone=False)
    is_same = known is not None and known.error is None and known.box == record.box
    file = None if content is None else str(content.path)
    sha256 = None if content is None else content.sha256
    where = file or record.path
    try:
        key = None
        if content is None:
            status = stat_image(record.path)
            key = stat_key(status)
            if known and is_same and not task.lacking and key and key == known.stat_key:
                return PreparedImage(task, known_entry(record, known))
        elif known and is_same and not task.lacking and content.sha256 == known.sha256:
            return PreparedImage(task, replace(known_entry(record, known), file=file))
        data = b""
        # A file that is probably the one that is known is not held as a whole only to be hashed.
        if known and is_same and not task.lacking:
            sha256 = hash_image(where)
        if not (known and is_same and not task.lacking and sha256 == known.sha256):
            data = read_image(where)
            sha256 = sha256_bytes(data)
        is_same = known is not None and is_same and sha256 == known.sha256
        if known and is_same and not task.lacking:
            key = stat_key(status) if content is None else None
            return PreparedImage(task, replace(known_entry(record, known), stat_key=key, file=file))
        wanted = task.lacking if is_same else frozenset(sizes)
        if max_pixels is None:
            seen = replace(_entry(record, error=NOT_DECODED), sha256=sha256, stat_key=key, file=file)
            return PreparedImage(task, seen, wanted=wanted, is_looked_at=True)
        inputs = make_inputs(
            data,
            [sizes[one] for one in wanted],
            [record.box] if record.box else None,
            max_pixels=max_pixels,
        )
    except StyleSearchError as error:
        return PreparedImage(task, replace(_entry(record, error=str(error)), sha256=sha256, file=file))
    except OSError as error:
        is_gone = isinstance(error, FileNotFoundError)
        prepared = _unreadable(task, error.strerror or str(error), is_gone=is_gone)
        prepared.unseen = where if error.errno in _UNSEEN else None
        return prepared
    entry = ImageEntry(
        record.product.id,
        record.path,
        record.domain,
        record.box,
        sha256=sha256,
        width=inputs.width,
        height=inputs.height,
        stat_key=key,
        file=file,
        options=record.options,
    )
    return PreparedImage(task, entry, inputs=inputs.pixels, wanted=wanted)


def _unreadable(task: Task, reason: str, *, is_gone: bool) -> PreparedImage:
    """The result for an image that cannot be read: one that is usable stays so, unless it is gone."""
    record, known = task.record, task.known
    if known is None or known.error is not None or is_gone:
        return PreparedImage(task, _entry(record, error=reason))
    # A new box would drop its vectors: it keeps the box that they were computed from.
    return PreparedImage(task, replace(known_entry(record, known), box=known.box), failure=reason)


def _entry(record: Record, *, error: str) -> ImageEntry:
    """The entry of an image that cannot be used."""
    return ImageEntry(
        record.product.id, record.path, record.domain, record.box, error=error, options=record.options
    )
