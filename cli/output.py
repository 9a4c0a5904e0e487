"""Output of the commands: tables that fit the terminal, JSON, and progress."""

from __future__ import annotations

import functools
import itertools
import json
import math
import shutil
import sys
import time
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import click

from stylesearch.wording import for_people

__all__ = [
    "Progress",
    "echo_changes",
    "echo_error",
    "echo_json",
    "echo_json_list",
    "echo_table",
    "list_seconds",
]

GAP = "  "
ROWS_ALIGNED = 1000


def echo_json(value: Any, *, indent: int | None = None) -> None:
    """Prints ``value`` as JSON on stdout: one line, unless ``indent`` is given."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=indent, default=str))


def echo_error(message: str, hint: str = "", *, kind: str, as_json: bool) -> None:
    """Prints an error on stderr.

    Args:
        message: what happened.
        hint: what to do about it; may be empty.
        kind: name of the error's class, for programs.
        as_json: whether to print a line of JSON, ``{"error": {"type", "message", "hint"}}``, instead of text.
            It goes to stderr too: what reads stdout takes every line for a result.
    """
    if as_json:
        error = {"type": kind, "message": message, "hint": hint}
        click.echo(json.dumps({"error": error}, ensure_ascii=False), err=True)
        return
    click.secho(f"error: {message}", fg="red", err=True)
    if hint:
        click.echo(f"hint: {hint}", err=True)


def list_seconds(seconds: Mapping[str, float]) -> str:
    """Formats the time of each step: ``decode 0.24 s, extract 0.31 s``."""
    return ", ".join(f"{step} {value:.2f} s" for step, value in seconds.items())


def echo_json_list(values: Iterable[Any]) -> None:
    """Prints values as a list in JSON, one a line, without having all of them in memory."""
    separator = "[\n"
    for value in values:
        click.echo(separator + json.dumps(value, ensure_ascii=False, default=str), nl=False)
        separator = ",\n"
    click.echo("\n]" if separator != "[\n" else "[]")


def echo_table(
    headings: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    right: Sequence[str] = (),
    shrink: str = "",
    empty: str = "none",
) -> None:
    """Prints rows under headings, columns aligned: of many rows, those of each thousand.

    Cells are written as people do: see ``stylesearch.wording.for_people``.

    Args:
        headings: one for each column.
        rows: cells in the order of the headings; None prints as an empty cell.
        right: headings of the columns that are aligned to the right.
        shrink: heading of the column that is cut when a line would be wider than the terminal. Nothing is cut
            where the output is not a terminal.
        empty: what is printed where there is no row; nothing for "".
    """
    iterator = iter(rows)
    widths = [_width(heading) for heading in headings]
    lines = [list(headings)]
    while block := list(itertools.islice(iterator, ROWS_ALIGNED)) or lines:
        if block is lines:
            if empty:
                click.echo(empty)
            return
        cells = [[_printable(for_people(cell)) for cell in row] for row in block]
        widths = [max([width, *(_width(row[i]) for row in cells)]) for i, width in enumerate(widths)]
        cut = list(widths)
        if shrink and sys.stdout.isatty():
            spare = shutil.get_terminal_size().columns - sum(widths) - len(GAP) * (len(widths) - 1)
            column = list(headings).index(shrink)
            cut[column] = max(12, widths[column] + min(0, spare))
        for line in (*lines, *cells):
            aligned = [
                _pad(_cut(cell, width), width, heading in right)
                for cell, width, heading in zip(line, cut, headings, strict=True)
            ]
            click.echo(GAP.join(aligned).rstrip())
        lines = []


def _printable(text: str) -> str:
    """Replaces control characters by blanks: a title may hold any, and they would move the cursor."""
    return "".join(" " if unicodedata.category(letter) == "Cc" else letter for letter in text)


def _width(text: str) -> int:
    """Counts the columns that ``text`` takes on a terminal; wide East Asian letters take two."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def _cut(text: str, width: int) -> str:
    if _width(text) <= width:
        return text
    kept = ""
    for letter in text:
        if _width(kept + letter) > width - 1:
            break
        kept += letter
    return kept + "…"


def _pad(text: str, width: int, to_the_right: bool) -> str:
    blanks = " " * (width - _width(text))
    return blanks + text if to_the_right else text + blanks


# The table of accuracies before and after a training, for the commands `train` and `models show`.


def echo_changes(changes: Mapping[str, Mapping[str, Any]], weights: Mapping[str, float]) -> None:
    """Prints accuracies before and after in %, a row for each category, and what the mark ``~`` means.

    Args:
        changes: values of ``Change.as_dict`` by category; ``""`` is all categories.
        weights: of the learned distance by category; ``""`` is any other category.
    """
    names = sorted(changes[""]["difference"], key=lambda name: int(name.rpartition("-")[2]))
    rows = []
    for category in sorted(changes):
        one = changes[category]
        weight = f"{weights.get(category, weights['']):.1f}" if category else ""
        rows.append([category or "all", one["n_queries"], weight, *(_cell(one, name) for name in names)])
    echo_table(["category", "photos", "weight", *names], rows, right=["photos", "weight"])
    if any(one["verdicts"][name] == "noise" for one in changes.values() for name in names):
        click.echo("~ within noise (in brackets: the 95 % interval of the difference)")


def _cell(change: Mapping[str, Any], name: str) -> str:
    """Formats a change as ``46.9 -> 82.0 (+30.2 to +40.1)``: before, after, interval of the difference."""
    before, after = (change[when][name]["value"] for when in ("before", "after"))
    low, high = (change["difference"][name][end] for end in ("low", "high"))
    mark = " ~" if change["verdicts"][name] == "noise" else ""
    return f"{100 * before:.1f} -> {100 * after:.1f} ({100 * low:+.1f} to {100 * high:+.1f}){mark}"


# Progress on stderr: a bar on a terminal, plain lines elsewhere.

SECONDS_BETWEEN_LINES = 10.0
SECONDS_TO_RECKON = 5.0
"""The time left is shown from then on after the first count: before, it would jump with every count."""
SECONDS_REMEMBERED = 30.0
"""In the rate for the time left, a count of so many seconds ago weighs 1/e of the last one."""


class _Rate:
    """Things a second, from the first count on; older counts weigh less, so a change of pace is followed.

    Args:
        n_done: the first count.
        now: its time in seconds.
    """

    def __init__(self, n_done: int, now: float) -> None:
        self._began = now
        self._last = (n_done, now)
        self._n_weighted = self._seconds_weighted = 0.0

    def add(self, n_done: int, now: float) -> None:
        """Takes another count."""
        n_last, then = self._last
        seconds = now - then
        if seconds <= 0:
            return  # it is part of the next count
        kept = math.exp(-seconds / SECONDS_REMEMBERED)
        self._n_weighted = self._n_weighted * kept + n_done - n_last
        self._seconds_weighted = self._seconds_weighted * kept + seconds
        self._last = (n_done, now)

    @property
    def value(self) -> float | None:
        """The rate; None until there is one."""
        return self._n_weighted / self._seconds_weighted if self._n_weighted else None

    def seconds_left(self, n_total: int | None) -> float | None:
        """Reckons the time left; None where there is not enough to reckon with."""
        rate, (n_done, now) = self.value, self._last
        if n_total is None or rate is None or now - self._began < SECONDS_TO_RECKON:
            return None
        return max(0, n_total - n_done) / rate


def _list_time(seconds: float) -> str:
    """Formats a time as ``45 s`` or ``12 min``."""
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


BAR = "{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}, {rate_fmt}{postfix}]"
BAR_WITH_TIME = BAR.replace("{elapsed}", "{elapsed}<{remaining}")


@functools.cache
def _bar_class() -> Any:
    from tqdm import tqdm

    class Bar(tqdm):  # type: ignore[type-arg]
        """A bar whose rate is set from outside; of the whole time where it is None."""

        reckoned: float | None = None

        @property
        def format_dict(self) -> Any:
            """What the format of the bar is filled with."""
            return {**super().format_dict, "rate": self.reckoned}

    return Bar


class Progress:
    """Prints the progress of a job in stages; called as ``progress(stage, n_done, n_total)``.

    A stage's name may end in ``": PART"``, which names the part that is being done now.

    On a terminal each stage is a bar with the rate and the time left. Elsewhere it is a line every ten
    seconds and one at the end of the stage, so that a log stays readable. The rate at the end is the number
    done, divided by the time from the start of the stage to the last call. Before, rate and time left are
    reckoned from the first count on: what comes before it, such as loading a network, comes only once. The
    time left is shown when there are some seconds to reckon it with.

    Args:
        quiet: whether to print nothing.
        unit: plural name of the things that are counted.
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
        self._heard = time.monotonic()  # time of the last call
        self._last: tuple[int, int | None] = (0, None)
        self._rate: _Rate | None = None  # from the first count of the stage on

    def __call__(self, stage: str, n_done: int, n_total: int | None) -> None:
        """Reports that ``n_done`` of ``n_total`` (None: not known yet) are through ``stage``."""
        if self._quiet:
            return
        now = time.monotonic()
        stage, _, self._part = stage.partition(": ")
        if stage != self._stage or n_done < self._last[0]:
            self.finish_stage()
            # A stage whose first call is not for 0 began when the stage before it ended.
            self._stage, self._started = stage, self._heard if n_done else now
            self._last_line = self._started
            self._rate = None
        self._last, self._heard = (n_done, n_total), now
        if self._rate is not None:
            self._rate.add(n_done, now)
        elif n_done > 0:
            self._rate = _Rate(n_done, now)
        if self._is_terminal:
            self._draw_bar(n_done, n_total)
        elif time.monotonic() - self._last_line >= SECONDS_BETWEEN_LINES:
            self._write_line()

    def _draw_bar(self, n_done: int, n_total: int | None) -> None:
        if self._bar is None:
            self._bar = _bar_class()(
                total=n_total, desc=self._stage, unit=f" {self._unit}", file=sys.stderr, bar_format=BAR
            )
            self._bar.start_t -= time.monotonic() - self._started
        if n_total is not None:
            self._bar.total = n_total
        if self._rate is not None:
            self._bar.reckoned = self._rate.value
            is_known = self._rate.seconds_left(n_total) is not None
            self._bar.bar_format = BAR_WITH_TIME if is_known else BAR
        self._bar.update(n_done - self._bar.n)
        if self._part:
            self._bar.set_postfix_str(self._part if n_done != n_total else "")

    def _write_line(self, *, is_last: bool = False) -> None:
        n_done, n_total = self._last
        line = f"{self._stage}: {n_done}" + (f"/{n_total}" if n_total is not None else "") + f" {self._unit}"
        if is_last:
            line += f", {n_done / max(self._heard - self._started, 1e-9):.1f} a second"
        elif self._rate is not None and self._rate.value is not None:
            line += f", {self._rate.value:.1f} a second"
            left = self._rate.seconds_left(n_total)
            if left and n_done != n_total:
                line += f", {_list_time(left)} left"
        line += f" ({self._part})" if self._part and n_done != n_total else ""
        click.echo(line, err=True)
        self._last_line = time.monotonic()

    def finish_stage(self) -> None:
        """Prints the end of the current stage, if there is one; call it before printing something else."""
        if self._bar is not None:
            # The time after the last call (indexes, another stage) does not belong to this stage.
            self._bar.start_t += time.monotonic() - self._heard
            self._bar.reckoned = None
            self._bar.close()
            self._bar = None
        elif self._stage and self._last[0] and not self._is_terminal:
            self._write_line(is_last=True)
        self._stage = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.finish_stage()
