"""Long work gives way to what somebody waits for: searches of the service on the same machine."""

from __future__ import annotations

import os
from typing import Final

__all__ = ["claim_process", "give_way"]

NICENESS: Final = 10
"""Of 0 to 19. Alone on the machine the work is as quick as ever; beside a service it gets about a tenth."""

_is_ours = False


def claim_process() -> None:
    """Says that this process does nothing else than one command, so that its priority may be changed."""
    global _is_ours
    _is_ours = True


def give_way() -> None:
    """Lowers the priority of this process, if it is ours and the system knows such a thing.

    Of threads that run already nothing changes; those that are started from now on have the new priority.
    """
    if _is_ours and hasattr(os, "setpriority"):
        os.setpriority(os.PRIO_PROCESS, 0, max(NICENESS, os.getpriority(os.PRIO_PROCESS, 0)))
