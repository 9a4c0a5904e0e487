"""``stylesearch ingest --watch``: a line for each run, until Ctrl-C."""

from __future__ import annotations

import json
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import stylesearch as ss
from stylesearch.errors import DatasetError
from stylesearch.ingest import IngestReport
from stylesearch.types import Failure
from stylesearch.workspace.watching import WatchRun
from stylesearch.workspace.workspace import Workspace
from tests.integration.conftest import Command
from tests.integration.tiny_shop import draw, ingest_tiny_shop, jpeg

CLI = "from stylesearch.cli.main import main; main()"


def runs(*_: object, **options: object) -> Iterator[WatchRun]:
    """Three runs, and Ctrl-C."""
    assert (options["polling"], options["prune"]) == (True, True)
    yield WatchRun(IngestReport(added=3, failed=[Failure("a.jpg", "no picture")], n_failed=1))
    yield WatchRun(None, DatasetError("no header"))
    yield WatchRun(IngestReport(unchanged=3, refused_removals=1, notes=["read as category/image"]))
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
    failed, not_read, *notes, ended = done.err.splitlines()
    assert failed == "failed: a.jpg: no picture"
    assert not_read[21:] == "not read: no header; the next change is tried again"
    assert notes == [
        "note: read as category/image",
        "note: 1 product was not removed, since that is more than a third of this source; to remove it, "
        "add --force",
    ]
    assert ended == "interrupted: what was taken in stays"


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
        try:
            assert "0 added, 0 changed, 6 unchanged, 0 removed;" in process.stdout.readline()
            rows = table.read_text().splitlines()
            table.write_text("\n".join(row for row in rows if "skirt-black" not in row) + "\n")
            assert "0 added, 0 changed, 5 unchanged, 1 removed;" in process.stdout.readline()
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=60) == 130
        finally:
            process.kill()


def test_what_an_ingest_writes_into_the_folder_leads_to_no_further_run(tmp_path: Path) -> None:
    (tmp_path / "dress").mkdir()
    (tmp_path / "dress" / "a.jpg").write_bytes(jpeg(draw((200, 30, 40))))
    stop = threading.Event()
    runs: queue.Queue[WatchRun] = queue.Queue()
    with ss.open(tmp_path / "home", extractor="color-histogram", db=str(tmp_path / "shop.db")) as shop:
        followed = shop.watch(tmp_path, stop=stop, settled=0.1)
        thread = threading.Thread(target=lambda: [runs.put(run) for run in followed])
        thread.start()
        try:
            first = runs.get(timeout=60)
            assert first.report is not None
            assert first.report.added == 1
            with pytest.raises(queue.Empty):
                runs.get(timeout=3)
            (tmp_path / "dress" / "b.jpg").write_bytes(jpeg(draw((20, 30, 240))))
            second = runs.get(timeout=60)
            assert second.report is not None
            assert (second.report.added, second.report.unchanged) == (1, 1)
        finally:
            stop.set()
            thread.join(60)
