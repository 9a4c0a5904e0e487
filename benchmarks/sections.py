"""Runs the sections of a long measurement within a budget of time, and keeps the results in one JSON file.

A module of its own, so that it can be tested without TensorFlow.
"""

from __future__ import annotations

import math
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from stylesearch.files import write_json

__all__ = ["LEFT_OUT", "Budget", "Section", "run_sections"]

LEFT_OUT: Final = "left out: time"
"""State of a section, or value of a single measurement, for which no time was left."""

_WAITING, _RUNNING, _DONE, _FAILED = "not reached", "running", "done", "failed"


class Budget:
    """Seconds that a whole run may take, from now on.

    Args:
        seconds: how many.
        clock: tells the time in seconds.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.perf_counter) -> None:
        self.seconds = seconds
        self.clock = clock
        self._began = clock()

    @property
    def spent(self) -> float:
        """Seconds since the beginning."""
        return self.clock() - self._began

    @property
    def left(self) -> float:
        """Seconds that are left; negative when more were used."""
        return self.seconds - self.spent


@dataclass(frozen=True)
class Section:
    """A part of a run that is measured, and that may fail, by itself.

    Attributes:
        name: its name in the JSON file.
        run: measures, prints, and returns what the JSON file shall have of it. It is given the budget, so
            that it can leave out a part of its own work when little is left.
    """

    name: str
    run: Callable[[Budget], Mapping[str, Any]]


def run_sections(sections: Sequence[Section], path: Path, budget: Budget) -> int:
    """Runs sections in their order until the budget is used up; prints as Markdown, writes one JSON file.

    The file is written before and after each section, so a run that is cut off leaves what it has, and the
    name of the section in which it ended. A section that fails does not keep the next ones from running.

    Args:
        sections: all of different names.
        path: of the JSON file: ``state`` (``running``, ``done`` or ``failed``), ``began``, ``budget_s``,
            ``seconds``, and by name under ``sections`` their ``state``, ``seconds``, ``result`` and ``error``
            (``type``, ``message``). A number that is not finite becomes null.
        budget: of the whole run. A section that has begun is not stopped.

    Returns:
        how many sections failed.
    """
    entries: dict[str, dict[str, Any]] = {section.name: {"state": _WAITING} for section in sections}
    report: dict[str, Any] = {
        "began": datetime.now(UTC).isoformat(timespec="seconds"),
        "budget_s": budget.seconds,
        "sections": entries,
    }

    def write(state: str) -> None:
        write_json(path, report | {"state": state, "seconds": round(budget.spent, 2)})

    for section in sections:
        entry = entries[section.name]
        if budget.left <= 0:
            entry["state"] = LEFT_OUT
            print(f"{section.name}: {LEFT_OUT}\n", flush=True)
            continue
        entry["state"] = _RUNNING
        write(_RUNNING)
        print(f"#### {section.name}\n", flush=True)
        began = budget.clock()
        try:
            entry["result"] = _json_value(section.run(budget))
            entry["state"] = _DONE
        except Exception as error:
            entry["state"] = _FAILED
            entry["error"] = {"type": type(error).__name__, "message": str(error)}
            print("".join(traceback.format_exception(error)), flush=True)
        entry["seconds"] = round(budget.clock() - began, 2)
        write(_RUNNING)
        print(f"\n{section.name}: {entry['state']} in {entry['seconds']:.1f} s\n", flush=True)
    n_failed = len([entry for entry in entries.values() if entry["state"] == _FAILED])
    write(_FAILED if n_failed else _DONE)
    return n_failed


def _json_value(value: Any) -> Any:
    """Turns a result into what JSON can hold: NumPy's numbers become Python's, and infinite ones null."""
    if isinstance(value, Mapping):
        return {str(name): _json_value(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_json_value(one) for one in value]
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
