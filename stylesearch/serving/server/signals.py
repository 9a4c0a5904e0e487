"""Ctrl-C reaches every process of a terminal, also a worker that has only begun to start.

There is nothing yet that a worker could finish then, and Python would say where it was in a traceback: it is
for the supervisor to end it.
"""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

__all__ = [
    "BACKLOG",
    "READY",
    "interrupts_held",
    "leave_interrupts_to_the_supervisor",
]

BACKLOG = 512


READY = "ready"


CAN_HOLD = hasattr(signal, "pthread_sigmask")
"""Not on Windows: there a worker may still end with a traceback."""


@contextlib.contextmanager
def interrupts_held() -> Iterator[None]:
    """This thread is not interrupted meanwhile; processes that it starts are not until they ask for it."""
    if not CAN_HOLD:
        yield
        return
    from multiprocessing import resource_tracker

    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    try:
        # Comes with the first process that is started, and would let interrupts through again.
        resource_tracker.ensure_running()
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def leave_interrupts_to_the_supervisor() -> None:
    """Has this process, started under :func:`interrupts_held`, do nothing when it is interrupted.

    A server that runs in it does what it likes with them, for as long as it runs.
    """
    signal.signal(signal.SIGINT, _do_nothing)  # not SIG_IGN, which programs that it starts would inherit
    if CAN_HOLD:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _do_nothing(number: int, frame: FrameType | None) -> None:
    """Is called in place of raising KeyboardInterrupt."""
