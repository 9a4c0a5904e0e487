"""Constants of supervisor and workers (messages, the socket's backlog), and handling of Ctrl-C.

Ctrl-C is sent to every process of a terminal, also to a worker that is still starting, in which Python would
print a traceback. Such a worker has nothing to finish, and is stopped by the supervisor.
"""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

__all__ = ["BACKLOG", "READY", "block_interrupts", "ignore_interrupts"]

BACKLOG = 512
"""Connections that may wait to be taken by a worker."""

READY = "ready"
"""What a worker sends when it answers; one that cannot start sends message and hint of the error instead."""

CAN_BLOCK = hasattr(signal, "pthread_sigmask")
"""Not on Windows: there a worker may still end with a traceback."""


@contextlib.contextmanager
def block_interrupts() -> Iterator[None]:
    """Blocks SIGINT in this thread, and in the processes that it starts until they unblock it."""
    if not CAN_BLOCK:
        yield
        return
    from multiprocessing import resource_tracker

    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    try:
        # It is started with the first process, and would unblock SIGINT here.
        resource_tracker.ensure_running()
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def ignore_interrupts() -> None:
    """Unblocks SIGINT in a process that was started under ``block_interrupts``, and ignores it.

    A server that runs in the process may still handle it while it runs.
    """
    signal.signal(signal.SIGINT, _do_nothing)  # not SIG_IGN, which its child processes would inherit
    if CAN_BLOCK:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _do_nothing(number: int, frame: FrameType | None) -> None:
    """Signal handler in place of raising KeyboardInterrupt."""
