"""What runs in a worker of a cluster: one call, which arrives and goes back as bytes."""

from __future__ import annotations

import functools
import importlib.metadata
import os
import pickle
import platform
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stylesearch.errors import WorkerRefused
from stylesearch.parallel import limit_cores

__all__ = ["Outcome", "WorkerInfo", "here", "library_version", "processor_kind", "run_pickled"]


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """A process that computes.

    Attributes:
        host: name of its machine.
        pid: its process id there.
        processor: kind of its processor, as the system names it.
    """

    host: str
    pid: int
    processor: str

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a call came to: ``value``, or ``error`` where the function raised one.

    Attributes:
        is_able: whether the worker may run anything; one of another version may not.
    """

    worker: WorkerInfo
    value: Any = None
    error: BaseException | None = None
    is_able: bool = True


def run_pickled(call: bytes, version: str, n_cores: int) -> bytes:
    """Runs a call in this process; an exception of the function is part of the outcome.

    Args:
        call: the pickled function and its arguments.
        version: the driver's version of stylesearch; a worker of another one refuses.
        n_cores: cores that this process may use.

    Returns:
        the pickled ``Outcome``.
    """
    worker = here()
    if version != library_version():
        return pickle.dumps(
            Outcome(
                worker,
                error=WorkerRefused(
                    f"{worker} has stylesearch {library_version()}; {version} is asked for",
                    hint="install the same version on all machines",
                ),
                is_able=False,
            )
        )
    _limit_once(n_cores)
    try:
        function, arguments = pickle.loads(call)
        return pickle.dumps(Outcome(worker, function(*arguments)))
    except Exception as error:
        try:
            sent = pickle.dumps(Outcome(worker, error=error))
            pickle.loads(sent)  # else the driver took this worker for one that can run nothing
            return sent
        except Exception:  # an error that cannot be sent
            return pickle.dumps(Outcome(worker, error=RuntimeError(f"{type(error).__name__}: {error}")))


def library_version() -> str:
    """The version of stylesearch."""
    return importlib.metadata.version("stylesearch")


@functools.cache
def here() -> WorkerInfo:
    """This process."""
    return WorkerInfo(socket.gethostname(), os.getpid(), processor_kind())


@functools.cache
def processor_kind() -> str:
    """The kind of this machine's processor: machines of one kind compute the same vectors, bit for bit."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # not Linux
        return platform.processor() or platform.machine()
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip() == "model name" and value.strip():
            return value.strip()
    return platform.machine()


@functools.cache
def _limit_once(n_cores: int) -> None:
    limit_cores(n_cores)
