"""Ctrl-C while a demo shop is drawn: the terminal sends it to all processes, and one line is the answer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CLI = "import sys; from stylesearch.cli import main; sys.argv[0] = 'stylesearch'; main()"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "killpg"), reason="needs groups of processes"),
]


def wait_for(pattern: str, folder: Path, process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + 120
    while not any(folder.rglob(pattern)):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.parametrize("sign", ["demo.json", "*.jpg"], ids=["while processes start", "while they draw"])
def test_it_ends_with_a_hint(sign: str, tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    process = subprocess.Popen(
        [sys.executable, "-c", CLI, "demo", folder, "--products", "400"],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        start_new_session=True,
    )
    try:
        wait_for(sign, folder, process)
        time.sleep(0.2)
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    told = [line for line in err.splitlines() if line and not line.startswith("drawing: ")]
    again = "to draw it again, run the same command with --overwrite"
    assert told == [f"interrupted: {folder} is drawn in part only; {again}"]
