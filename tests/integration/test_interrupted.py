"""Ctrl-C, once and again, at any moment: exit code 130, one line, and never a traceback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.integration.tiny_shop import ingest_tiny_shop

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(not hasattr(os, "killpg"), reason="needs groups of processes")

PRESS = "import os, signal, time\npress = lambda: os.kill(os.getpid(), signal.SIGINT)\n"
RUN = """
import sys, click
from stylesearch.cli.interruptions import end_at_the_second
from stylesearch.cli import main as start
import stylesearch.cli.main
module = sys.modules["stylesearch.cli.main"]
@click.command()
@click.option("--json", is_flag=True)
def command(json):
    work()
module.cli = command
start()
"""

MOMENTS = {
    "once": ("press(); time.sleep(60)", "interrupted"),
    "twice at once": ("press(); press(); time.sleep(60)", "interrupted"),
    "again while it ends": (
        """
    try:
        press(); time.sleep(60)
    finally:
        time.sleep(0.4); press(); time.sleep(60)""",
        "interrupted",
    ),
    "again and again": (
        """
    import threading
    def pressing():
        for _ in range(100):
            press(); time.sleep(0.02)
    threading.Thread(target=pressing, daemon=True).start()
    try:
        time.sleep(60)
    finally:
        time.sleep(60)""",
        "interrupted",
    ),
    "while an object is cleared": (
        """
    class Cleared:
        def __del__(self):
            press(); time.sleep(0.1)
    one = Cleared(); del one
    time.sleep(60)""",
        "interrupted",
    ),
    "in a library that makes an error of it": (
        """
    try:
        press(); time.sleep(60)
    except KeyboardInterrupt as error:
        raise ImportError("numpy._core.multiarray failed to import") from error""",
        "interrupted",
    ),
    "while a thread fails of it": (
        """
    import threading
    stop = threading.Event()
    def failing():
        stop.wait(); raise RuntimeError("closed")
    thread = threading.Thread(target=failing); thread.start()
    try:
        press(); time.sleep(60)
    finally:
        stop.set(); thread.join()""",
        "interrupted",
    ),
}


def started(code: str, *arguments: str | Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        start_new_session=True,
        # A shell's background job ignores it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("arguments", [(), ("--json",)])
def test_one_line_whatever_happens(moment: str, arguments: tuple[str, ...]) -> None:
    work, line = MOMENTS[moment]
    process = started(f"{PRESS}def work():\n    {work.strip()}\n{RUN}", *arguments)
    _, err = process.communicate(timeout=50)
    told = [one for one in err.splitlines() if one]
    if arguments:
        assert [json.loads(one)["error"]["message"] for one in told] == [line]
    else:
        assert told == [line]
    assert process.returncode == 130


@pytest.mark.parametrize("module", ["click", "stylesearch.cli.process", "stylesearch.cli.extractors"])
def test_while_libraries_are_imported(module: str) -> None:
    code = f"""{PRESS}
import sys
class Pressing:
    def find_spec(self, name, *_):
        if name == {module!r}:
            press(); time.sleep(60)
sys.meta_path.insert(0, Pressing())
from stylesearch.cli import main
sys.argv[0] = "stylesearch"
main()
"""
    process = started(code, "extractors")
    _, err = process.communicate(timeout=50)
    assert [one for one in err.splitlines() if one] == ["interrupted"]
    assert process.returncode == 130


def test_a_background_job_that_ignores_it_goes_on() -> None:
    code = (
        f"{PRESS}signal.signal(signal.SIGINT, signal.SIG_IGN)\ndef work():\n    press(); print('done')\n{RUN}"
    )
    process = started(code)
    out, err = process.communicate(timeout=50)
    assert (out, err, process.returncode) == ("done\n", "", 0)


CLI = """
import sys
from stylesearch.cli import main
print("Python has started", file=sys.stderr, flush=True)
sys.argv[0] = "stylesearch"
main()
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ingest_tiny_shop(tmp_path_factory.mktemp("tiny"))


@pytest.mark.slow
@pytest.mark.parametrize("pause", [0.05, 0.4])
@pytest.mark.parametrize("seconds", [0.1, 0.5, 3.0])
@pytest.mark.parametrize("command", ["ingest", "query", "eval", "train", "index", "watch"])
def test_real_commands(home: Path, command: str, seconds: float, pause: float) -> None:
    """Three times in a row, as a terminal does: to every process of the command."""
    table = home.parent / "source" / "products.csv"
    arguments = {
        "ingest": ["ingest", table],
        "query": ["query", "--product", "dress-red"],
        "eval": ["eval"],
        "train": ["train"],
        "index": ["index", "build"],
        "watch": ["ingest", table, "--watch"],
    }[command]
    process = started(CLI, "--home", home, *arguments)
    assert process.stderr is not None
    process.stderr.readline()  # until then a traceback is Python's own
    time.sleep(seconds)
    for _ in range(3):
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
            time.sleep(pause)
    _, err = process.communicate(timeout=60)
    assert "Traceback" not in err
    assert "Exception ignored" not in err
    if process.returncode == 130:
        assert sum("interrupted" in line for line in err.splitlines()) == 1
    else:
        assert process.returncode in (0, 1)  # it had ended, or there is too little to learn from
