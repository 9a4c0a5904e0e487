"""Prints the runs of ``stylesearch ingest --watch``, a line for each."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterable, Iterator
from datetime import datetime
from types import FrameType
from typing import TYPE_CHECKING

import click

from .ingest_report import echo_failures, echo_notes, list_counts
from .output import Progress, echo_json

if TYPE_CHECKING:
    from stylesearch.workspace.watching import WatchRun

    from .options import Shared

__all__ = ["follow", "interrupts_to"]


@contextlib.contextmanager
def interrupts_to(stop: threading.Event) -> Iterator[None]:
    """Sets an event at Ctrl-C too: Python drops a KeyboardInterrupt that comes while an object is cleared."""
    before = signal.getsignal(signal.SIGINT)

    def interrupt(number: int, frame: FrameType | None) -> None:
        stop.set()
        if callable(before):
            before(number, frame)

    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
        if stop.is_set():
            raise KeyboardInterrupt
    finally:
        signal.signal(signal.SIGINT, before)


def follow(shared: Shared, runs: Iterable[WatchRun], progress: Progress) -> None:
    """Prints each run: its counts on stdout; notes, failures and why it could not be on stderr."""
    for run in runs:
        progress.finish_stage()
        now = datetime.now().isoformat(sep=" ", timespec="seconds")
        if run.report is not None and shared.as_json:
            echo_json({"time": now, **run.report.as_dict()})
        elif run.report is not None:
            click.echo(f"{now}  {list_counts(run.report)}")
            if shared.verbosity >= 0:
                echo_notes(run.report, shared)
                echo_failures(run.report)
        else:
            if shared.as_json:
                echo_json({"time": now, "error": str(run.error)})
            click.secho(f"{now}  not read: {run.error}; the next change is tried again", fg="red", err=True)
        sys.stdout.flush()
