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


@pytest.mark.parametrize(
    ("claims", "chosen", "found"), [(True, None, "1"), (True, "3", "3"), (False, None, "None")]
)
def test_a_query_of_its_own_starts_no_threads_of_blas(claims: bool, chosen: str | None, found: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    if chosen is not None:
        environment["OPENBLAS_NUM_THREADS"] = chosen
    claim = "process.claim_process()" if claims else ""
    code = f"""
import os, sys
from stylesearch.cli import process
{claim}
assert "numpy" not in sys.modules
process.limit_blas_threads()
print(os.environ.get("OPENBLAS_NUM_THREADS"))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, text=True, env=environment
    )
    assert done.stdout.strip() == found


@pytest.mark.parametrize("claims", [True, False])
def test_cycles_are_collected_later_in_a_process_of_its_own(claims: bool) -> None:
    claim = "process.claim_process()" if claims else ""
    code = f"""
import gc
from stylesearch.cli import process
{claim}
with process.collecting_later():
    inside = gc.isenabled()
print(inside, gc.isenabled(), gc.get_freeze_count() > 0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout.split() == [str(not claims), "True", str(claims)]
