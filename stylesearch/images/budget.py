"""The memory that decoding may take in a process: over all its threads, a picture waits until it fits."""

from __future__ import annotations

import collections
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from stylesearch.errors import ImageTooLarge
from stylesearch.images.limits import decoding_limits

__all__ = ["BUDGET", "SMALL_SHARE", "MemoryBudget", "Reservation"]

SMALL_SHARE: Final = 4
"""One in so many parts of the budget is kept for small pictures, which do not wait for large ones."""

SMALL: Final = 16
"""A picture is small if it takes at most one in so many parts of the budget."""

CHECK_SECONDS: Final = 0.1
"""How often a picture that waits asks whether it is still wanted."""


@dataclass(eq=False, slots=True)
class _Part:
    """A part of the budget, with those who wait for it, the longest first."""

    used: int = 0
    n_decoding: int = 0
    waiting: collections.deque[object] = field(default_factory=collections.deque)


class MemoryBudget:
    """Memory for decoding, which pictures take and give back.

    Pictures get it in the order in which they ask, so that a large one is never passed by. Only small
    pictures do not wait for large ones: a quarter of the budget is theirs alone. Where nothing else is being
    decoded, a picture begins even if results that are still in use take up the rest, or two threads that hold
    some could wait for each other for ever.

    Args:
        size: says how many bytes the budget has; asked for each picture.
    """

    def __init__(self, size: Callable[[], int]) -> None:
        self._size = size
        self._changed = threading.Condition()  # reentrant: results may be collected while it is held
        self._small = _Part()
        self._large = _Part()

    def begin_fork(self) -> None:
        """Waits until no other thread changes it: a fork copies it as it is."""
        self._changed.acquire()

    def end_fork(self, *, in_child: bool) -> None:
        """Ends what ``begin_fork`` has begun; in the child, no picture is being decoded."""
        if in_child:
            # What was decoded before is given back to the parts of before.
            self._small, self._large = _Part(), _Part()
        self._changed.release()

    @property
    def used(self) -> int:
        """Bytes that are taken now."""
        return self._small.used + self._large.used

    @property
    def largest(self) -> int:
        """Bytes that one picture may take."""
        return self._size() - self._size() // SMALL_SHARE

    def reserve(
        self, n_bytes: int, label: str, size: tuple[int, int], check: Callable[[], None] = lambda: None
    ) -> Reservation:
        """Takes memory for a picture, as soon as there is enough.

        Args:
            n_bytes: how much the picture takes while it is decoded.
            label, size: its name, and width and height in pixels, for messages.
            check: called now and then while it waits; what it raises ends the waiting.

        Raises:
            ImageTooLarge: it takes more than one picture may.
        """
        total = self._size()
        if n_bytes > self.largest:
            width, height = size
            raise ImageTooLarge(
                f"{label} is {width} x {height} pixels and takes {_megabytes(n_bytes)} to decode; one "
                f"picture may take {_megabytes(self.largest)} of the {_megabytes(total)} for decoding",
                hint=f"make the picture smaller, or raise decode_memory: STYLESEARCH_DECODE_MEMORY="
                f"{_enough_for(n_bytes)}, or for ingest --decode-memory",
            )
        is_small = n_bytes <= total // SMALL
        part = self._small if is_small else self._large
        room = total // SMALL_SHARE if is_small else self.largest
        ticket = object()
        with self._changed:
            part.waiting.append(ticket)
            try:
                while part.waiting[0] is not ticket or (part.n_decoding and part.used + n_bytes > room):
                    self._changed.wait(CHECK_SECONDS)
                    check()
                part.used += n_bytes
                part.n_decoding += 1
            finally:
                part.waiting.remove(ticket)
                self._changed.notify_all()
        return Reservation(self._changed, part, n_bytes)


class Reservation:
    """Memory that one picture has taken.

    Args:
        changed: held and notified when memory is given back.
        part: the part of the budget that it was taken from.
        n_bytes: how much.
    """

    def __init__(self, changed: threading.Condition, part: _Part, n_bytes: int) -> None:
        self._changed = changed
        self._part = part
        self._n_bytes = n_bytes

    def finish(self, n_kept: int) -> None:
        """Gives back all but what the results take, when the picture is decoded."""
        with self._changed:
            self._part.n_decoding -= 1
        self.give_back(self._n_bytes - n_kept)

    def give_back(self, n_bytes: int) -> None:
        """Gives back memory; a negative number takes more, without waiting."""
        with self._changed:
            self._part.used -= n_bytes
            self._changed.notify_all()


def _megabytes(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:,.0f} MB"


def _enough_for(n_bytes: int) -> int:
    """The smallest budget, in whole 100 MB, that lets a picture of so many bytes be decoded."""
    step = 100_000_000
    return -(-n_bytes * SMALL_SHARE // (SMALL_SHARE - 1) // step) * step


BUDGET: Final = MemoryBudget(lambda: decoding_limits().memory)
"""The budget of this process."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=BUDGET.begin_fork,
        after_in_parent=lambda: BUDGET.end_fork(in_child=False),
        after_in_child=lambda: BUDGET.end_fork(in_child=True),
    )
