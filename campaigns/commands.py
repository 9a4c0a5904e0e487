"""Commands of ``stylesearch`` as trials run them: quickly, and with a fault, a kill or limits."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any, Final

from campaigns import faults
from campaigns.trials import TrialFailed

__all__ = ["Commands", "Done", "running_commands"]

PATIENCE: Final = 120.0
"""Seconds after which a command is killed, and its trial has failed."""

ROOT: Final = Path(__file__).parents[1]


@dataclass(frozen=True)
class Done:
    """What a command left.

    Attributes:
        code: its exit code; negative for the signal that ended it.
        out, err: what it wrote.
        seconds: how long it ran.
        n_operations: how many operations on files were counted, if it was armed and lived.
        happened: whether the fault did.
        arguments: what it was called with.
    """

    code: int
    out: str
    err: str
    seconds: float
    n_operations: int
    happened: bool
    arguments: tuple[str, ...]

    @property
    def json(self) -> Any:
        """What it printed with ``--json``."""
        return json.loads(self.out)

    def last_words(self) -> str:
        """How it ended, in a line; for messages."""
        last = self.err.strip().splitlines()[-1:] or [""]
        return f"{' '.join(self.arguments)}: exit {self.code}, {last[0][:300]}"

    def check_manners(self, *codes: int) -> Done:
        """Fails where it ended with a traceback, by a signal, or with another exit code than these."""
        if "Traceback (most recent call last)" in self.err:
            raise TrialFailed(f"a traceback: {' '.join(self.arguments)}\n{_end_of_traceback(self.err)}")
        if codes and self.code not in codes:
            raise TrialFailed(
                f"exit {self.code}, not one of {codes}: {self.last_words()}\n{self.err[-1500:]}"
            )
        if self.code < 0:
            raise TrialFailed(f"ended by signal {-self.code}: {self.last_words()}")
        return self


def _end_of_traceback(text: str) -> str:
    """The exception of a traceback, and the places in the project that it passed last."""
    lines = [line.strip() for line in text.strip().splitlines()]
    places = [line for line in lines if line.startswith("File ") and "site-packages" not in line]
    return "\n".join([*places[-4:], lines[-1]])


@dataclass
class Commands:
    """Runs commands in a folder of its own.

    Attributes:
        folder: where they run, and write what they say.
    """

    folder: Path
    _requests: IO[str]
    _answers: IO[str]
    _environment: dict[str, str] = field(default_factory=dict)

    def run(
        self,
        *arguments: str | Path,
        function: str = "",
        fault: faults.Fault | None = None,
        kill_after: float | None = None,
        limits: Mapping[str, int] | None = None,
        environment: Mapping[str, str] | None = None,
        may_hang: bool = False,
    ) -> Done:
        """Runs ``stylesearch`` with arguments, or a function with them.

        Args:
            *arguments: of the command.
            function: ``module:function``, called in place of the command.
            fault: what happens at one of its operations on files.
            kill_after: seconds after which it is killed.
            limits: resources by their name, as in ``{"NOFILE": 40}``.
            environment: variables beside those of this process.
            may_hang: whether it may take longer than ``PATIENCE``.

        Raises:
            TrialFailed: it did not end, or processes that it had started did not end with it.
        """
        out, err, report = (self.folder / name for name in ("stdout", "stderr", "report"))
        report.unlink(missing_ok=True)
        texts = tuple(map(str, arguments))
        request = {
            "arguments": texts,
            "function": function,
            "fault": None if fault is None else asdict(fault),
            "kill_after": kill_after,
            "limits": dict(limits or {}),
            "environment": dict(environment or {}),
            "timeout": PATIENCE,
            "folder": str(self.folder),
            "stdout": str(out),
            "stderr": str(err),
            "report": str(report),
        }
        print(json.dumps(request), file=self._requests, flush=True)
        line = self._answers.readline()
        if not line:
            raise RuntimeError("the process that runs commands has ended")
        answer = json.loads(line)
        n_operations, happened = json.loads(report.read_text()) if report.exists() else (0, True)
        said, told = (path.read_text(encoding="utf-8", errors="replace") for path in (out, err))
        done = Done(answer["code"], said, told, answer["seconds"], n_operations, happened, texts)
        if answer["seconds"] >= PATIENCE and not may_hang:
            raise TrialFailed(f"not done after {PATIENCE:.0f} s: {done.last_words()}")
        if answer["left"]:
            raise TrialFailed(f"{answer['left']} processes stayed after it had ended: {done.last_words()}")
        return done


@contextlib.contextmanager
def running_commands(folder: Path, *, with_faults: bool = True) -> Iterator[Commands]:
    """Starts what runs commands, and ends it.

    Args:
        folder: what they write goes there.
        with_faults: whether commands can be armed, which needs Linux and a C compiler.
    """
    folder.mkdir(exist_ok=True)
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONPATH": str(ROOT),
        "STYLESEARCH_CACHE": os.environ.get("STYLESEARCH_CACHE", str(folder / "cache")),
        **(faults.environment() if with_faults else {}),
    }
    log = (folder / "process.log").open("w")
    process = subprocess.Popen(
        [sys.executable, "-m", "campaigns.command_process"],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        if not process.stdout.readline():
            raise RuntimeError((folder / "process.log").read_text())
        yield Commands(folder, process.stdin, process.stdout)
    finally:
        process.stdin.close()
        process.wait(30)
        process.stdout.close()
        log.close()
