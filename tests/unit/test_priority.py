"""An ingest gives way to searches; a process that does other things keeps its priority."""

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
