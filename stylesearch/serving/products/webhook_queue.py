"""Keeps what webhooks say on the disk until it is done: of each product the newest.

A sender that was answered does not send again, so what was answered must survive the end of the process. Each
product has one file, so the queue is never longer than the shop has products, and a product that changes ten
times while its pictures are fetched is done once. Events may come in any order, some hours late: one that is
older than what was queued or done for its product is dropped.

```text
webhooks/123.json        an event of product 123 that waits
webhooks/123.bad         what lay there and is no event
webhooks/done/123        the moment of the last one that was done, for some days
webhooks/room            how many more products may wait at least, so that the folder is not listed each time
```
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from stylesearch.data_files import read_json
from stylesearch.errors import StyleSearchError
from stylesearch.files import atomic_file, hold_lock

__all__ = ["Event", "Key", "QueueIsFull", "WebhookQueue", "read_moment"]

log = logging.getLogger(__name__)

FOLDER: Final = "webhooks"
DONE: Final = "done"
ROOM: Final = "room"
LOCK_SECONDS: Final = 2.0
"""To wait for another process at the queue, which holds it for some milliseconds."""
DONE_SECONDS: Final = 3 * 86_400.0
"""Shopify tries for four hours, and in the past did for two days."""


Key = tuple[str, int]
"""Number of a product, and when its event was stored: another event has another key."""


class QueueIsFull(StyleSearchError):
    """More products have waiting events than the queue may hold, or its lock cannot be had."""


@dataclass(frozen=True, slots=True)
class Event:
    """What a webhook says of a product.

    Attributes:
        id: numeric id of the product, as a text.
        topic: what happened.
        moment: when, in ISO 8601, UTC.
        payload: the body.
    """

    id: str
    topic: str
    moment: str
    payload: dict[str, Any]


class WebhookQueue:
    """Events that wait, one of each product, for any number of threads and processes.

    Args:
        home: the workspace folder; the events lie in its ``webhooks/``.
        size: the most products with an event that waits.
    """

    def __init__(self, home: Path, size: int) -> None:
        self._folder = home / FOLDER
        self._size = size

    def put(self, event: Event) -> bool:
        """Queues an event in place of an older one of its product; returns whether it is new.

        An event as old as the one before is new: moments are of a whole second.

        Raises:
            QueueIsFull: too many products wait.
            OSError: it cannot be stored.
        """
        path = self._path(event.id)
        with self._lock():
            waiting = self._read(path)
            if event.moment < max(waiting.moment if waiting else "", self._done_at(event.id)):
                return False
            if waiting is None:
                self._take_room()
            with atomic_file(path) as file:
                file.write(json.dumps([event.topic, event.moment, event.payload]).encode())
        return True

    def n_waiting(self) -> int:
        """Number of products with an event that waits."""
        return sum(1 for _ in self._paths())

    def waiting(self) -> list[Key]:
        """Lists the events that wait, the one that waits longest first."""
        found = []
        for path in self._paths():
            with suppress(FileNotFoundError):
                found.append((path.stat().st_mtime_ns, path.stem))
        return [(product_id, time_ns) for time_ns, product_id in sorted(found)]

    def read(self, key: Key) -> Event | None:
        """Reads an event that waits; None where it is done, or replaced by one that cannot be read."""
        return self._read(self._path(key[0]))

    def done(self, event: Event) -> None:
        """Removes an event that was done, unless a newer one has taken its place."""
        with self._lock():
            path = self._path(event.id)
            if self._read(path) == event:
                path.unlink(missing_ok=True)
            if event.moment > self._done_at(event.id):
                with atomic_file(self._folder / DONE / event.id) as file:
                    file.write(event.moment.encode())

    def tidy(self) -> None:
        """Forgets what was done so long ago that no older event can come any more."""
        oldest = time.time() - DONE_SECONDS
        for path in (self._folder / DONE).glob("*"):
            with suppress(OSError):
                if path.stat().st_mtime < oldest:
                    path.unlink()

    @contextmanager
    def only_reader(self) -> Iterator[None]:
        """Holds the right to do events, which one process has at a time.

        Raises:
            QueueIsFull: another process has it.
        """
        with hold_lock(self._folder / "reader.lock", 0.0, QueueIsFull("another process does the webhooks")):
            yield

    @contextmanager
    def _lock(self) -> Iterator[None]:
        with hold_lock(
            self._folder / "queue.lock", LOCK_SECONDS, QueueIsFull("the queue of webhooks is held")
        ):
            yield

    def _take_room(self) -> None:
        """Takes the room of one product more; lists the folder only where that may be the last.

        What is done makes room that is not noted, so the number is never too large.

        Raises:
            QueueIsFull: there is none.
        """
        path = self._folder / ROOM
        try:
            room = int(path.read_bytes())
        except (FileNotFoundError, ValueError):
            room = 0
        if not 0 < room <= self._size:
            room = self._size - self.n_waiting()
        if room <= 0:
            raise QueueIsFull("too many webhooks are waiting")
        path.write_text(str(room - 1))

    def _paths(self) -> Iterator[Path]:
        return (path for path in self._folder.glob("[0-9]*.json") if _is_number(path.stem))

    def _path(self, product_id: str) -> Path:
        if not _is_number(product_id):
            raise ValueError(f"not the number of a product: {product_id!r}")
        return self._folder / f"{product_id}.json"

    def _read(self, path: Path) -> Event | None:
        try:
            found = read_json(path)
        except FileNotFoundError:
            return None
        except (IsADirectoryError, ValueError):
            found = None
        match found:
            case [str(topic), str(moment), dict(payload)] if _is_moment(moment):
                return Event(path.stem, topic, moment, payload)
        aside = path.with_suffix(".bad")
        path.replace(aside)
        log.error("the file %s is no webhook that was kept here, and is put aside as %s", path, aside.name)
        return None

    def _done_at(self, product_id: str) -> str:
        try:
            text = (self._folder / DONE / product_id).read_text("ascii", "replace")
        except (FileNotFoundError, IsADirectoryError):
            return ""
        return text if _is_moment(text) else ""


def _is_moment(text: str) -> bool:
    """Whether a text from a file is a time as ``read_moment`` writes it: others do not compare with one."""
    return read_moment(text) == text


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def read_moment(*texts: Any) -> str:
    """Reads the first of some times in ISO 8601 that is one, in UTC; now if none is.

    Example:
        >>> read_moment(None, "2026-11-29T10:00:00+02:00"), read_moment("2026-11-29T08:00:00.25Z")
        ('2026-11-29T08:00:00.000000+00:00', '2026-11-29T08:00:00.250000+00:00')
    """
    for text in texts:
        with suppress(ValueError, TypeError, OverflowError):
            moment = datetime.fromisoformat(text)
            if moment.tzinfo is not None:
                return moment.astimezone(UTC).isoformat(timespec="microseconds")
    return datetime.now(UTC).isoformat(timespec="microseconds")
