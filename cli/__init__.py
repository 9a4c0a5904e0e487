"""The command line: ``stylesearch``, installed from this folder as ``stylesearch.cli``.

No heavy library is imported here. A command's module is imported when that command runs, and the lines of
``stylesearch --help`` come from a table, so that it prints at once.
"""

from __future__ import annotations

import sys

from .interruptions import end_at_the_second, end_interrupted

__all__ = ["main"]


def main() -> None:
    """Runs the command line and ends the process with its exit code; Ctrl-C never shows a traceback."""
    try:
        end_at_the_second(as_json="--json" in sys.argv)
        from .main import main as run_command_line  # with Click
    except KeyboardInterrupt:
        end_interrupted()
    run_command_line()
