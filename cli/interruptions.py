"""Ctrl-C: the first ends a command in good order, the next ends the process at once; none shows a traceback.

Python raises ``KeyboardInterrupt`` at every Ctrl-C, also in the middle of ending: in an ``except`` that
prints a message, in a lock that is waited for. It prints a traceback and goes on where the first comes while
an object is cleared, and a library may turn it into an error of its own.
"""

from __future__ import annotations

import _thread
import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import Any, Final, NoReturn

__all__ = ["EXIT_INTERRUPTED", "end_at_the_second", "end_interrupted", "has_come", "last_words"]

EXIT_INTERRUPTED: Final = 130

_SAME_PRESS: Final = 0.3
"""Seconds within which another signal is the same Ctrl-C: what starts a command may pass it on as well."""

_MOMENT: Final = 0.01

_came_at: float | None = None
_line = b"interrupted\n"
_is_ours = False


def end_at_the_second(*, as_json: bool) -> None:
    """Has the second Ctrl-C end this process, which runs one command and nothing else.

    Does nothing where Ctrl-C is ignored, as in a shell's background job.

    Args:
        as_json: whether it is said as JSON.
    """
    global _is_ours, _line
    if as_json:
        _line = b'{"error": {"type": "Interrupted", "message": "interrupted", "hint": ""}}\n'
    if _is_ours or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return
    _is_ours = True
    signal.signal(signal.SIGINT, _interrupt)
    sys.unraisablehook = _unraisable
    threading.excepthook = _failed_thread


def has_come() -> bool:
    """Whether Ctrl-C was pressed, whatever became of its exception."""
    return _came_at is not None


@contextlib.contextmanager
def last_words() -> Iterator[None]:
    """Lets nothing interrupt a block that says that the command was interrupted; it is not said again."""
    global _line
    if not _is_ours:
        yield
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        _line = b""
        signal.signal(signal.SIGINT, _interrupt)


def end_interrupted() -> NoReturn:
    """Says that the command was interrupted, unless that was said, and ends the process."""
    with contextlib.suppress(OSError):
        os.write(2, _line)
    os._exit(EXIT_INTERRUPTED)


def _interrupt(number: int, frame: FrameType | None) -> None:
    global _came_at
    now = time.monotonic()
    if _came_at is None:
        _came_at = now
        raise KeyboardInterrupt
    if now - _came_at >= _SAME_PRESS:
        end_interrupted()


def _unraisable(unraisable: Any) -> None:
    """Raises an interruption again that came where Python can only print it."""
    global _came_at
    if unraisable.exc_type is KeyboardInterrupt:
        _came_at = None
        # From another thread: raised here, it would be printed too.
        threading.Timer(_MOMENT, _interrupt_main).start()
    elif not has_come():
        sys.__unraisablehook__(unraisable)


def _interrupt_main() -> None:
    main = threading.main_thread().ident
    if hasattr(signal, "pthread_kill") and main is not None:
        signal.pthread_kill(main, signal.SIGINT)  # also out of a system call
    else:  # Windows
        _thread.interrupt_main()


def _failed_thread(failed: Any) -> None:
    """Prints why a thread failed, unless it was because the command ends."""
    if not has_come():
        threading.__excepthook__(failed)
