"""Runs commands in forks of one process that has imported everything: a command takes what it does, no start.

``python -m campaigns.command_process`` reads a request a line, as JSON, and answers with a line:
``campaigns/commands.py`` is its other side. The process itself never opens a workspace, and has no threads.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import resource
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any, Final

from campaigns import faults

BUG: Final = 70
"""Exit code of a command that ended with an exception nobody expected."""

IMPORTED: Final = (
    "stylesearch",
    "stylesearch.catalog.migrate",
    "stylesearch.cli.categories",
    "stylesearch.cli.db",
    "stylesearch.cli.doctor",
    "stylesearch.cli.index",
    "stylesearch.cli.ingest",
    "stylesearch.cli.main",
    "stylesearch.cli.models",
    "stylesearch.cli.process",
    "stylesearch.cli.products",
    "stylesearch.cli.query",
    "stylesearch.cli.sources",
    "stylesearch.extractors.hsv_histogram",
    "stylesearch.importers.tables.importer",
    "stylesearch.index.category_indexes",
    "stylesearch.ingest.pipeline",
    "stylesearch.search.gallery",
    "stylesearch.search.maintenance",
    "stylesearch.search.searcher",
    "stylesearch.workspace.doctor",
    "stylesearch.workspace.workspace",
    "stylesearch.serving.app",
    "alembic.command",
    "annoy",
    "faiss",
    "filelock",
    "PIL.Image",
    "uvicorn",
)
"""Modules that commands import when they need them, so that a fork has them already."""


def main() -> None:
    """Serves requests until the input ends."""
    for name in IMPORTED:
        with contextlib.suppress(ModuleNotFoundError):
            importlib.import_module(name)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    print("{}", file=answers, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        began = time.monotonic()
        code, left = _run(request)
        print(
            json.dumps({"code": code, "seconds": time.monotonic() - began, "left": left}),
            file=answers,
            flush=True,
        )


def _run(request: dict[str, Any]) -> tuple[int, int]:
    """Runs a request in a fork: exit code, negative for a signal, and how many of its processes stayed."""
    pid = os.fork()
    if pid == 0:
        _become(request)
    now = time.monotonic()
    kill_at = now + request["kill_after"] if request["kill_after"] is not None else float("inf")
    give_up_at = now + request["timeout"]
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            break
        if time.monotonic() >= min(kill_at, give_up_at):
            os.kill(pid, signal.SIGKILL)
            _, status = os.waitpid(pid, 0)
            break
        time.sleep(0.001)
    code = os.waitstatus_to_exitcode(status)
    left = _wait_for_session(pid, 5.0)
    if left:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
    return code, left


def _wait_for_session(leader: int, seconds: float) -> int:
    """How many processes that a command has started still run after that time."""
    end = time.monotonic() + seconds
    while left := sum(_session(entry) == leader for entry in Path("/proc").iterdir()):
        if time.monotonic() > end:
            return left
        time.sleep(0.02)
    return 0


def _session(entry: Path) -> int | None:
    """Session of a process that runs; None for what is none."""
    if not entry.name.isdigit():
        return None
    with contextlib.suppress(OSError):
        state, _, _, session = (entry / "stat").read_text().rpartition(")")[2].split()[:4]
        if state not in "ZX":
            return int(session)
    return None


def _become(request: dict[str, Any]) -> None:
    """Makes this fork the command, and ends with it."""
    code = BUG
    try:
        os.setsid()
        for number, path in ((1, request["stdout"]), (2, request["stderr"])):
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
            os.dup2(descriptor, number)
            os.close(descriptor)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.chdir(request["folder"])
        os.environ.update(request["environment"])
        for name, value in request["limits"].items():
            resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (value, value))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # as Python does: a write fails with EFBIG instead
        if request["fault"] is not None:
            faults.arm(faults.Fault(**request["fault"]))
        code = _call(request)
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
        with contextlib.suppress(OSError):
            if request["fault"] is not None and request["report"]:
                Path(request["report"]).write_text(json.dumps(faults.count_operations()))
        os._exit(code)


def _call(request: dict[str, Any]) -> int:
    if request["function"]:
        module, _, name = request["function"].partition(":")
        getattr(importlib.import_module(module), name)(*request["arguments"])
        return 0
    from stylesearch.cli.main import cli
    from stylesearch.cli.process import run

    code: int = run(cli, request["arguments"])
    if not code and request["fault"] is not None:
        faults.mark("done")
    return code


if __name__ == "__main__":
    main()
