"""Ctrl-C is held back from workers that start, and from nobody else."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from typing import Any

import pytest

from stylesearch.serving.server import signals

pytestmark = pytest.mark.skipif(not signals.CAN_BLOCK, reason="there is no pthread_sigmask")

SPAWN = multiprocessing.get_context("spawn")


def held() -> set[Any]:
    """Signals that wait, in this thread."""
    return signal.pthread_sigmask(signal.SIG_BLOCK, [])


def tells(news: Any) -> None:
    """What a worker does, and whether an interrupt is anything to it before and after."""
    before = signal.SIGINT in held()
    os.kill(os.getpid(), signal.SIGINT)
    signals.ignore_interrupts()
    os.kill(os.getpid(), signal.SIGINT)
    news.send((before, signal.SIGINT in held()))


def test_a_process_that_starts_is_interrupted_by_nothing() -> None:
    ours, theirs = SPAWN.Pipe(duplex=False)
    process = SPAWN.Process(target=tells, args=(theirs,))
    with signals.block_interrupts():
        process.start()
    theirs.close()
    assert ours.recv() == (True, False)
    process.join()
    assert process.exitcode == 0
    assert signal.SIGINT not in held()


def test_what_comes_meanwhile_comes_afterwards_also_after_an_error() -> None:
    came: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: came.append(number))
    try:
        with pytest.raises(OSError, match="no memory"), signals.block_interrupts():
            signal.pthread_kill(threading.get_ident(), signal.SIGINT)
            assert came == []
            raise OSError("no memory for another process")
        assert came == [signal.SIGINT]
        assert signal.SIGINT not in held()
    finally:
        signal.signal(signal.SIGINT, before)


def test_who_held_them_before_does_so_afterwards() -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        with signals.block_interrupts():
            pass
        assert signal.SIGINT in held()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
