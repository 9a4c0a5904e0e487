"""Power cuts: what a disk may hold when the power goes at any operation of a command that writes.

Each command runs once, with every operation on files written down. A trial takes an operation, makes a state
that the disk may be in then (``campaigns/crash_states.py``), and checks what a killed command is checked for;
where the command had ended with success, also that the catalog is what it had made.
"""

from __future__ import annotations

import contextlib
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

from campaigns.crash_states import Recording, read_journal
from campaigns.faults import Fault, FaultKind
from campaigns.kills import Disturbed, Prepared, prepare
from campaigns.shop import check_database, content, differences
from campaigns.trials import Trial, TrialFailed

__all__ = ["cuts"]


@contextlib.contextmanager
def cuts(folder: Path) -> Iterator[Trial]:
    """Records a step when it is first needed, then cuts the power in each trial."""
    with prepare(folder) as disturbed:
        recordings: dict[str, Recording] = {}

        def trial(number: int, rng: random.Random) -> str:
            prepared = disturbed.prepare(number)
            if prepared.step.name not in recordings:
                recordings[prepared.step.name] = _record(disturbed, prepared, folder / "journal")
            recording = recordings[prepared.step.name]
            until = rng.randint(0, len(recording.operations))
            if rng.random() < 0.2:
                until = len(recording.operations)
            shutil.rmtree(disturbed.home)
            said = f"{prepared.step.name}: {recording.crash(until, rng, disturbed.home)}"
            try:
                if recording.marks(until):
                    check_database(disturbed.database)
                    if lost := differences(prepared.wanted, content(disturbed.home)):
                        raise TrialFailed(f"the command had ended, but: {lost}")
                disturbed.check(prepared)
            except TrialFailed as error:
                raise TrialFailed(f"{said}: {error}") from error
            return said

        yield trial


def _record(disturbed: Disturbed, prepared: Prepared, journal: Path) -> Recording:
    disturbed.reset(prepared)
    recording = Recording(disturbed.home, [])
    journal.unlink(missing_ok=True)
    fault = Fault(str(disturbed.home), FaultKind.COUNT, 0, str(journal))
    disturbed.run(*prepared.arguments, fault=fault).check_manners(0)
    recording.operations.extend(read_journal(journal))
    return recording
