"""What the library logs is printed as the command line prints warnings and errors."""

from __future__ import annotations

import subprocess
import sys

PROBE = """
import logging, warnings
import click
from stylesearch.cli.process import run

@click.command()
def command():
    logging.getLogger("stylesearch.shop").warning("said by the %s", "log")
    warnings.warn("said as a warning")
    logging.getLogger("stylesearch.shop").error("a fault")

run(command, [])
"""


def test_the_log_and_warnings_look_alike() -> None:
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines() == [
        "warning: said by the log",
        "warning: said as a warning",
        "error: a fault",
    ]
