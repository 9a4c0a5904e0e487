"""Follows a folder or a table: ingests it, and again whenever it has changed."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from stylesearch.errors import CatalogLocked, DatasetError, StyleSearchError

if TYPE_CHECKING:
    from collections.abc import Generator

    from stylesearch.ingest import IngestReport

__all__ = ["SETTLED", "WatchRun", "watch"]

SETTLED: Final = 2.0
"""Seconds without a change after which a source counts as written."""

LONGEST_WAIT: Final = 60.0
"""Seconds after which a source that never rests is ingested all the same."""

SECONDS_UNTIL_RETRY: Final = 10.0
"""Between attempts while another process writes to the catalog, or nothing is at the path."""

STEP: Final = 0.25


@dataclass(frozen=True, slots=True)
class WatchRun:
    """One run over a source that is followed.

    Attributes:
        report: the report of the ingest; None where the source could not be read, or not be written.
        error: why not; the next change is tried again.
    """

    report: IngestReport | None
    error: StyleSearchError | OSError | None = None


def watch(
    ingest: Callable[[], IngestReport],
    path: Path,
    *,
    ignored: Sequence[str],
    stop: threading.Event | None = None,
    polling: bool = False,
    settled: float = SETTLED,
) -> Iterator[WatchRun]:
    """Ingests a source, and again after each of its changes has settled.

    Changes during an ingest lead to another one. A table is followed by itself, a folder with all that lies
    in it. A source that is gone is waited for.

    Args:
        ingest: ingests the source.
        path: where the source lies.
        ignored: how paths begin, without links, that an ingest itself changes: the workspace, the database.
        stop: ends the runs when it is set; the run that it meets is finished.
        polling: whether to look at the files again and again, for drives that report no changes.
        settled: seconds without a change after which the source is read.

    Yields:
        each run, the first one at once.

    Raises:
        StyleSearchError: what no change of the source can mend: an unknown format, a bad setting.
    """
    stop = stop or threading.Event()
    while not stop.is_set():
        # A program that replaces a file may remove it first.
        if not path.exists() and not stop.wait(settled) and not path.exists():
            yield WatchRun(None, DatasetError(f"nothing is at {path}", hint="it is waited for"))
            while not path.exists():
                if stop.wait(min(settled, SECONDS_UNTIL_RETRY)):
                    return
        is_due = True
        with closing(_changes(path, ignored, stop, polling=polling)) as changes:
            # The first step begins to listen: what changes from now on is not missed.
            for has_changed in changes:
                if has_changed:
                    _wait_until_settled(changes, settled)
                if (has_changed or is_due) and path.exists():
                    run = _run(ingest)
                    yield run
                    is_due = isinstance(run.error, CatalogLocked) and not stop.wait(SECONDS_UNTIL_RETRY)


def _run(ingest: Callable[[], IngestReport]) -> WatchRun:
    try:
        return WatchRun(ingest())
    except (DatasetError, CatalogLocked, OSError) as error:
        return WatchRun(None, error)


def _wait_until_settled(changes: Iterator[bool], settled: float) -> None:
    began = last = time.monotonic()
    for has_changed in changes:
        now = time.monotonic()
        if has_changed:
            last = now
        if now - last >= settled or now - began >= LONGEST_WAIT:
            return


def _changes(path: Path, ignored: Sequence[str], stop: threading.Event, *, polling: bool) -> Generator[bool]:
    """Yields a few times a second whether the source has changed; ends with it, or when told to stop."""
    from watchfiles import watch as watch_files

    is_folder = path.is_dir()
    # The folder of a table, since programs replace the file; of a link, also that of what it leads to.
    places = {path} if is_folder else {path.absolute().parent, path.resolve().parent}
    names = {str(path.absolute()), str(path.resolve())}
    counts = _Counts(path, ignored)
    watched = watch_files(
        *sorted(places),
        watch_filter=None,
        step=50,
        debounce=int(1000 * STEP),
        rust_timeout=int(1000 * STEP),
        yield_on_timeout=True,
        stop_event=stop,
        force_polling=polling or None,
        recursive=is_folder,
        ignore_permission_denied=True,
    )
    with closing(watched):
        for changes in watched:
            if is_folder:
                yield any(counts(one) for _, one in changes)
            else:
                yield any(os.path.abspath(one) in names for _, one in changes)  # noqa: PTH100 - links stay
            if not path.exists():
                return


class _Counts:
    """Tells whether a file in a folder counts: not one that an ingest writes, and not hidden.

    Args:
        folder: the folder.
        ignored: as for ``watch``.
    """

    def __init__(self, folder: Path, ignored: Sequence[str]) -> None:
        self._folder = str(folder)
        self._ignored = tuple(ignored)

    def __call__(self, path: str) -> bool:
        if f"{os.path.realpath(path)}{os.sep}".startswith(self._ignored):
            return False
        parts = Path(os.path.relpath(path, self._folder)).parts
        return not any(part.startswith((".", "~")) for part in parts)
