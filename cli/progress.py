"""Progress on stderr: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any, Self

import click

__all__ = ["Progress"]

SECONDS_BETWEEN_LINES = 10.0


class Progress:
    """Follows stages of a long job; called as ``progress(stage, n_done, n_total)``.

    What stands in a stage's name behind ``": "`` says which part of it is being done now.

    On a terminal each stage is a bar with images a second and the time left; otherwise a line every ten
    seconds and one at the end of the stage, so that a log stays readable. The rate is what was done by the
    time from the stage's beginning to the last call, not to when somebody notices that it is over.

    Args:
        quiet: say nothing.
        unit: what is counted.
    """

    def __init__(self, *, quiet: bool = False, unit: str = "images") -> None:
        self._quiet = quiet
        self._unit = unit
        self._is_terminal = sys.stderr.isatty()
        self._stage = ""
        self._part = ""
        self._bar: Any = None
        self._started = 0.0
        self._last_line = 0.0
        self._heard = time.monotonic()  # when something was last said to be done
        self._last: tuple[int, int | None] = (0, None)

    def __call__(self, stage: str, n_done: int, n_total: int | None) -> None:
        """Says that ``n_done`` of ``n_total`` (None: not known yet) are through ``stage``."""
        if self._quiet:
            return
        now = time.monotonic()
        stage, _, self._part = stage.partition(": ")
        if stage != self._stage or n_done < self._last[0]:
            self.finish_stage()
            # A stage that does not say that it begins began when the one before it ended.
            self._stage, self._started = stage, self._heard if n_done else now
            self._last_line = self._started
        self._last, self._heard = (n_done, n_total), now
        if self._is_terminal:
            self._draw_bar(n_done, n_total)
        elif time.monotonic() - self._last_line >= SECONDS_BETWEEN_LINES:
            self._write_line()

    def _draw_bar(self, n_done: int, n_total: int | None) -> None:
        if self._bar is None:
            from tqdm import tqdm

            self._bar = tqdm(
                total=n_total, desc=self._stage, unit=f" {self._unit}", file=sys.stderr, smoothing=0.1
            )
            self._bar.start_t -= time.monotonic() - self._started
        if n_total is not None:
            self._bar.total = n_total
        self._bar.update(n_done - self._bar.n)
        if self._part:
            self._bar.set_postfix_str(self._part if n_done != n_total else "")

    def _write_line(self) -> None:
        n_done, n_total = self._last
        elapsed = max(self._heard - self._started, 1e-9)
        rate = n_done / elapsed
        line = f"{self._stage}: {n_done}" + (f"/{n_total}" if n_total is not None else "")
        line += f" {self._unit}, {rate:.1f} a second"
        if n_total is not None and rate > 0 and n_done < n_total:
            line += f", {(n_total - n_done) / rate:.0f} s left"
        line += f" ({self._part})" if self._part and n_done != n_total else ""
        click.echo(line, err=True)
        self._last_line = time.monotonic()

    def finish_stage(self) -> None:
        """Says how the stage ended, if one is going on: something else is going to be said."""
        if self._bar is not None:
            # What came after the last picture (indexes, another stage) is none of this stage's time.
            self._bar.start_t += time.monotonic() - self._heard
            self._bar.close()
            self._bar = None
        elif self._stage and self._last[0] and not self._is_terminal:
            self._write_line()
        self._stage = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.finish_stage()
