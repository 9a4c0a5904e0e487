"""One picture from its file to the network's input, or the reason why not. Runs in threads."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stylesearch.catalog import ImageEntry, KnownImage
from stylesearch.errors import StyleSearchError
from stylesearch.files import sha256_bytes, stat_key
from stylesearch.images.decode import decode
from stylesearch.images.regions import crop, letterbox, reduction
from stylesearch.types import Record

__all__ = ["Prepared", "Task", "prepare"]


@dataclass(frozen=True, slots=True)
class Task:
    """A picture that a source lists, and what the catalog has of it.

    Attributes:
        record: as the source lists it.
        known: as the catalog has it, or None.
        has_features: whether the catalog has the features that are wanted.
    """

    record: Record
    known: KnownImage | None
    has_features: bool


@dataclass(slots=True)
class Prepared:
    """What became of a task.

    Attributes:
        task: the task.
        entry: the picture as it goes into the catalog.
        pixels: the network's input, uint8 (size, size, 3); None when there is nothing to compute.
        vector: its features, once there.
        of_network: the network's part of them, where the catalog has that and only colors are missing.
        seconds: that a core spent on it.
        failure: why the file could not be read, although the catalog goes on with what it has of it.
    """

    task: Task
    entry: ImageEntry
    pixels: npt.NDArray[np.uint8] | None = None
    vector: npt.NDArray[np.float32] | None = None
    of_network: npt.NDArray[np.float32] | None = None
    seconds: float = 0.0
    failure: str | None = None


def prepare(task: Task, *, size: int, max_pixels: int) -> Prepared:
    """Reads, hashes and decodes a picture, as far as that is needed.

    A file that looks untouched since it was hashed is not read; one with the hash that is known is not
    decoded. A picture that cannot be used becomes an entry with its error: nothing raises for that.

    A file that is there but cannot be read just now (no permission, a network share that fails) says nothing
    against the picture: where the catalog has it as usable, it stays as it is, and only the failure is told.
    """
    began = time.thread_time()
    prepared = _prepare(task, size, max_pixels)
    prepared.seconds = time.thread_time() - began
    return prepared


def _prepare(task: Task, size: int, max_pixels: int) -> Prepared:
    record, known = task.record, task.known
    usable = known is not None and known.error is None and known.box == record.box and task.has_features
    sha256 = None
    try:
        status = Path(record.path).stat()
        key = stat_key(status)
        if known and usable and key and key == known.stat_key:
            return Prepared(task, _entry_as_known(record, known))
        data = Path(record.path).read_bytes()
        sha256 = sha256_bytes(data)
        key = stat_key(status)
        if known and usable and sha256 == known.sha256:
            return Prepared(task, _entry_as_known(record, known, stat_key=key))
        boxes = [record.box] if record.box else "whole"
        picture = decode(data, reduce_to=reduction(size, boxes), max_pixels=max_pixels)
        pixels = crop(picture, record.box, size) if record.box else letterbox(picture.pixels, size)
    except StyleSearchError as error:
        return Prepared(task, _entry(record, sha256=sha256, error=str(error)))
    except OSError as error:
        reason = error.strerror or str(error)
        if known is None or known.error is not None or isinstance(error, FileNotFoundError):
            return Prepared(task, _entry(record, sha256=sha256, error=reason))
        # With another box its vectors would go: they stay with the box that they were computed from.
        entry = replace(_entry_as_known(record, known), box=known.box)
        return Prepared(task, entry, failure=reason)
    entry = _entry(record, sha256=sha256, width=picture.width, height=picture.height, stat_key=key)
    return Prepared(task, entry, pixels)


def _entry_as_known(record: Record, known: KnownImage, stat_key: str | None = None) -> ImageEntry:
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
