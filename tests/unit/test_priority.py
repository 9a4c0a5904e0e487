"""An ingest gives way, a query starts quickly; a process that others use stays as it is."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from stylesearch.cli import process

needs_priorities = pytest.mark.skipif(not hasattr(os, "getpriority"), reason="no priorities on this system")

PRINTED = "import os; print(os.getpriority(os.PRIO_PROCESS, 0))"
IN_THREAD = f"""import threading
def show():
    {PRINTED}
threading.Thread(target=show).start()"""


def printed(code: str) -> int:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    return int(done.stdout)


@needs_priorities
def test_a_command_of_its_own_gives_way() -> None:
    own = os.getpriority(os.PRIO_PROCESS, 0)
    way = "from stylesearch.cli import process\nprocess.claim_process()\nprocess.give_way()\n"
    assert printed(f"{way}process.give_way()\n{PRINTED}") == max(own, process.NICENESS)
    assert printed(f"{way}{IN_THREAD}") == max(own, process.NICENESS)


@needs_priorities
def test_a_process_that_others_use_keeps_its_priority() -> None:
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert printed(f"from stylesearch.cli import process\nprocess.give_way()\n{PRINTED}") == own


def started(*, claims: bool, blas: str | None) -> list[str]:
    """What a block of ``quick_start`` sees (BLAS's threads, collection, quick switches), and what is left."""
    environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    if blas is not None:
        environment["OPENBLAS_NUM_THREADS"] = blas
    claim = "process.claim_process()" if claims else ""
    code = f"""
import gc, os, sys
from stylesearch.cli import process
{claim}
with process.quick_start():
    print(os.environ.get("OPENBLAS_NUM_THREADS"), gc.isenabled(), sys.getswitchinterval() < 0.001)
    assert "numpy" not in sys.modules
print(gc.isenabled(), sys.getswitchinterval() < 0.001, gc.get_freeze_count() > 0)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, text=True, env=environment
    )
    return done.stdout.split("\n")[:2]


@pytest.mark.parametrize(("blas", "found"), [(None, "1"), ("3", "3")])
def test_a_query_of_its_own_starts_quickly(blas: str | None, found: str) -> None:
    assert started(claims=True, blas=blas) == [f"{found} False True", "True False True"]


def test_a_query_in_a_process_that_others_use_changes_nothing() -> None:
    assert started(claims=False, blas=None) == ["None True False", "True False False"]
