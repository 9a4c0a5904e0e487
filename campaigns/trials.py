"""Runs the trials of a campaign, keeps what came of each in a file of JSON lines, and goes on where it ended.

A trial has a number, and draws everything it decides from that number and the campaign's seed, so that one
trial can be run again by itself.
"""

from __future__ import annotations

import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

__all__ = [
    "RESULTS",
    "Campaign",
    "Outcome",
    "Trial",
    "TrialFailed",
    "append_outcome",
    "campaign_random",
    "command_of",
    "read_outcomes",
    "run_trials",
]

RESULTS: Final = Path("build") / "campaigns" / "results.jsonl"
"""Where outcomes are kept by default: no part of the repository."""

Trial = Callable[[int, random.Random], str]
"""Runs the trial of a number with its random numbers; returns in a few words what came of it."""

Campaign = Callable[[Path], AbstractContextManager[Trial]]
"""Prepares what the trials of a campaign share in an empty folder, and gives what runs one of them."""


class TrialFailed(Exception):
    """What was promised did not hold; the message says what, and all that is needed to see why."""


@dataclass(frozen=True)
class Outcome:
    """What came of a trial.

    Attributes:
        campaign, seed, number: which trial it was.
        tried: what was tried, and what came of it; "" where it failed.
        problem: what did not hold; "" where all held.
        seconds: how long it took.
        trials: how many trials the line stands for: the inputs of a run that makes up thousands.
    """

    campaign: str
    seed: int
    number: int
    tried: str
    problem: str
    seconds: float
    trials: int = 1


def campaign_random(name: str, seed: int, number: int) -> random.Random:
    """The random numbers of a trial."""
    return random.Random(f"{name} {seed} {number}")


def command_of(name: str, seed: int, number: int) -> str:
    """The command that runs one trial again."""
    return f"python -m campaigns {name} --seed {seed} --only {number}"


def read_outcomes(path: Path) -> Iterator[Outcome]:
    """What a file of results has; the last line may be half of one, where the campaign was killed."""
    if not path.exists():
        return
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            if line.endswith("\n"):
                yield Outcome(**json.loads(line))


def run_trials(
    name: str,
    campaign: Campaign,
    *,
    seed: int,
    n_trials: int,
    minutes: float = float("inf"),
    only: int | None = None,
    results: Path = RESULTS,
) -> int:
    """Runs the trials that the file of results does not have yet, and says what fails with its command.

    Args:
        name: of the campaign.
        campaign: what prepares it.
        seed: of all its trials.
        n_trials: how many there are to be with this seed, those of earlier runs included.
        minutes: after which no further trial begins.
        only: the number of the one trial that is run, whether or not it was run before; it is not kept.
        results: the file.

    Returns:
        How many failed, earlier ones included.
    """
    earlier = [one for one in read_outcomes(results) if (one.campaign, one.seed) == (name, seed)]
    done = {one.number for one in earlier}
    numbers = [only] if only is not None else [number for number in range(n_trials) if number not in done]
    n_failed = 0 if only is not None else sum(bool(one.problem) for one in earlier)
    if not numbers:
        return n_failed
    end = time.monotonic() + 60 * minutes
    scratch = tempfile.TemporaryDirectory(prefix=f"campaign-{name}-", dir=_scratch())
    with scratch as folder, campaign(Path(folder).resolve()) as trial:
        for number in numbers:
            if time.monotonic() > end:
                break
            outcome = _run(name, seed, number, trial)
            n_failed += bool(outcome.problem)
            if outcome.problem:
                print(f"FAILED: {outcome.problem}\n  {command_of(name, seed, number)}", flush=True)
            elif only is not None:
                print(outcome.tried)
            if only is None:
                append_outcome(results, outcome)
    return n_failed


def _run(name: str, seed: int, number: int, trial: Trial) -> Outcome:
    began = time.monotonic()
    tried = problem = ""
    try:
        tried = trial(number, campaign_random(name, seed, number))
    except TrialFailed as error:
        problem = str(error) or "no reason given"
    return Outcome(name, seed, number, tried, problem, round(time.monotonic() - began, 3))


def append_outcome(path: Path, outcome: Outcome) -> None:
    """Appends an outcome to a file of results."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab+") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read() != b"\n":  # the line of a campaign that was killed while it wrote it
                _drop_half_line(file.name)
        file.write(json.dumps(asdict(outcome), ensure_ascii=False).encode() + b"\n")


def _drop_half_line(name: str) -> None:
    data = Path(name).read_bytes()
    os.truncate(name, data.rfind(b"\n") + 1)


def _scratch() -> str | None:
    """Where trials write: memory, where there is some, so that a campaign wears no disk out."""
    memory = Path("/dev/shm")
    is_there = sys.platform == "linux" and os.access(memory, os.W_OK)
    return str(memory) if is_there and "TMPDIR" not in os.environ else None
