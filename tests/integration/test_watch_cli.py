"""``stylesearch ingest --watch``: a line for each run, until Ctrl-C."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stylesearch.errors import DatasetError
from stylesearch.ingest import IngestReport
from stylesearch.types import Failure
from stylesearch.workspace.watching import WatchRun
from stylesearch.workspace.workspace import Workspace
from tests.integration.conftest import Command
from tests.integration.tiny_shop import ingest_tiny_shop

CLI = "from stylesearch.cli.main import main; main()"


def runs(*_: object, **options: object) -> Iterator[WatchRun]:
    """Three runs, and Ctrl-C."""
    assert (options["polling"], options["prune"]) == (True, True)
    yield WatchRun(IngestReport(added=3, failed=[Failure("a.jpg", "no picture")]))
    yield WatchRun(None, DatasetError("no header"))
    yield WatchRun(IngestReport(unchanged=3))
    raise KeyboardInterrupt


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(Workspace, "watch", runs)
    return tmp_path


def test_each_run_is_a_line(stylesearch: Command, watched: Path) -> None:
    done = stylesearch("--home", watched / "home", "ingest", watched, "--watch", "--poll", "--prune")
    assert done.code == 130
    assert [line[21:] for line in done.out.splitlines()] == [
        "products: 0 added, 0 changed, 0 unchanged, 0 removed; "
        "images: 3 added, 0 changed, 0 unchanged, 0 removed, 1 failed",
        "products: 0 added, 0 changed, 0 unchanged, 0 removed; "
        "images: 0 added, 0 changed, 3 unchanged, 0 removed, 0 failed",
    ]
    failed, not_read, ended = done.err.splitlines()
    assert failed == "failed: a.jpg: no picture"
    assert not_read[21:] == "not read: no header; the next change is tried again"
    assert ended == "interrupted: finished work is kept; to continue, run the same command again"


def test_each_run_is_an_object_in_json(stylesearch: Command, watched: Path) -> None:
    done = stylesearch(
        "--home", watched / "home", "ingest", watched, "--watch", "--poll", "--prune", "--json"
    )
    first, second, third = (json.loads(line) for line in done.out.splitlines())
    assert (first["added"], second["error"], third["unchanged"]) == (3, "no header", 3)


@pytest.mark.parametrize("other", [["--watch", "--dry-run"], ["--watch", "--complete"], ["--poll"]])
def test_what_does_not_go_together_is_wrong_usage(
    stylesearch: Command, tmp_path: Path, other: list[str]
) -> None:
    path = [] if "--complete" in other else [tmp_path]
    assert stylesearch("--home", tmp_path / "home", "ingest", *path, *other).code == 2


@pytest.mark.slow
def test_a_table_is_followed_until_it_is_interrupted(tmp_path: Path) -> None:
    home = ingest_tiny_shop(tmp_path)
    table = tmp_path / "source" / "products.csv"
    arguments = ["--home", str(home), "ingest", str(table), "--watch", "--prune", "-q"]
    with subprocess.Popen(
        [sys.executable, "-c", CLI, *arguments], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert "0 added, 0 changed, 6 unchanged, 0 removed;" in process.stdout.readline()
        rows = table.read_text().splitlines()
        table.write_text("\n".join(row for row in rows if "skirt-black" not in row) + "\n")
        assert "0 added, 0 changed, 5 unchanged, 1 removed;" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130
