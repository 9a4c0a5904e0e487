"""What the pictures of one task may take, where many tasks share the decoders: seconds, and a turn.

A task that works takes one of a few turns. It gives its turn away while it waits for a picture that takes
long, so that slow pictures, which may be hostile, keep no one waiting but themselves.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from contextvars import ContextVar

__all__ = ["Allowance", "TaskCancelled", "allow", "current_allowance"]


class TaskCancelled(Exception):
    """Nobody waits for the result of the task any more."""


class Allowance:
    """Processor seconds that are left to a task for decoding, and its turn.

    Args:
        seconds: processor time for all pictures of the task.
        turns: how many tasks may work at once; shared by all of them.
        cancelled: set when the result is not wanted any more.

    Attributes:
        seconds: what is left.
    """

    def __init__(self, seconds: float, turns: threading.Semaphore, cancelled: threading.Event) -> None:
        self.seconds = seconds
        self._turns = turns
        self._cancelled = cancelled
        self._has_turn = False

    def take_turn(self) -> None:
        """Waits for a turn, unless the task has one."""
        if not self._has_turn:
            self._turns.acquire()
            self._has_turn = True

    def give_turn(self) -> None:
        """Lets another task work."""
        if self._has_turn:
            self._has_turn = False
            self._turns.release()

    def check(self) -> None:
        """Raises ``TaskCancelled`` if nobody waits for the result."""
        if self._cancelled.is_set():
            raise TaskCancelled


_current: ContextVar[Allowance | None] = ContextVar("stylesearch-decoding-allowance", default=None)


def current_allowance() -> Allowance | None:
    """The allowance of the task that this thread works on, or None where there is none."""
    return _current.get()


@contextlib.contextmanager
def allow(allowance: Allowance) -> Iterator[None]:
    """Runs a task in this thread, in its turn; its pictures are decoded within ``allowance``.

    Raises:
        TaskCancelled: nobody waited for the result any more when the turn came.
    """
    allowance.take_turn()
    token = _current.set(allowance)
    try:
        allowance.check()
        yield
    finally:
        _current.reset(token)
        allowance.give_turn()
