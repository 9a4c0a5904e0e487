"""Following a source: every change leads to one more run, whatever state the source is in."""

from __future__ import annotations

import queue
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stylesearch.errors import CatalogLocked, DatasetError, UnknownName
from stylesearch.ingest import IngestReport
from stylesearch.workspace import watching
from stylesearch.workspace.watching import WatchRun, watch

PATIENCE = 30.0
SETTLED = 0.2

Follow = Callable[..., "queue.Queue[WatchRun | Exception]"]


@pytest.fixture
def follow(tmp_path: Path) -> Iterator[Follow]:
    """Follows a source in a thread; the runs come in a queue."""
    stop, threads = threading.Event(), []

    def start(
        path: Path, ingest: Callable[[], IngestReport] = IngestReport, **options: bool
    ) -> queue.Queue[WatchRun | Exception]:
        found: queue.Queue[WatchRun | Exception] = queue.Queue()

        def put() -> None:
            try:
                for run in watch(
                    ingest,
                    path,
                    ignored=[f"{tmp_path}/home/", f"{tmp_path}/shop.db"],
                    stop=stop,
                    settled=SETTLED,
                    **options,
                ):
                    found.put(run)
            except Exception as error:
                found.put(error)

        threads.append(threading.Thread(target=put))
        threads[-1].start()
        return found

    yield start
    stop.set()
    for one in threads:
        one.join(PATIENCE)
        assert not one.is_alive()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "shop"
    made.mkdir()
    return made


def next_run(runs: queue.Queue[WatchRun | Exception]) -> WatchRun:
    run = runs.get(timeout=PATIENCE)
    assert isinstance(run, WatchRun)
    return run


def rests(runs: queue.Queue[WatchRun | Exception]) -> bool:
    try:
        runs.get(timeout=5 * SETTLED)
    except queue.Empty:
        return True
    return False


@pytest.mark.parametrize("polling", [False, True])
def test_a_folder_is_ingested_at_once_and_after_each_change(
    follow: Follow, folder: Path, polling: bool
) -> None:
    runs = follow(folder, polling=polling)
    assert next_run(runs).error is None
    (folder / "dress").mkdir()
    (folder / "dress" / "a.jpg").write_bytes(b"1")
    assert next_run(runs).error is None
    (folder / "dress" / "a.jpg").unlink()
    assert next_run(runs).error is None


def test_changes_that_come_together_are_one_run(follow: Follow, folder: Path) -> None:
    runs = follow(folder)
    next_run(runs)
    for number in range(50):
        (folder / f"{number}.jpg").write_bytes(b"1")
    next_run(runs)
    assert rests(runs)


def test_what_changes_during_an_ingest_is_ingested_after_it(follow: Follow, folder: Path) -> None:
    reports: list[IngestReport] = []

    def ingest() -> IngestReport:
        if not reports:
            (folder / "late.jpg").write_bytes(b"1")
        reports.append(IngestReport(added=len(reports)))
        return reports[-1]

    runs = follow(folder, ingest)
    assert [next_run(runs).report, next_run(runs).report] == reports
    assert rests(runs)


def test_the_workspace_and_hidden_files_are_no_changes(follow: Follow, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / ".git").mkdir()
    runs = follow(tmp_path)
    next_run(runs)
    (tmp_path / "home" / "catalog.db").write_bytes(b"1")
    (tmp_path / "shop.db-wal").write_bytes(b"1")
    (tmp_path / ".git" / "index").write_bytes(b"1")
    (tmp_path / "~$products.xlsx").write_bytes(b"1")
    assert rests(runs)


def test_a_table_is_followed_where_it_is_replaced_or_linked(follow: Follow, folder: Path) -> None:
    for name in ("monday.csv", "tuesday.csv"):
        (folder / name).write_text("id\n")
    latest = folder / "latest.csv"
    latest.symlink_to("monday.csv")
    runs = follow(latest)
    next_run(runs)
    (folder / "other.csv").write_text("id\n")
    assert rests(runs)
    (folder / "new.csv").write_text("id\n1\n")
    (folder / "new.csv").replace(folder / "monday.csv")
    next_run(runs)
    (folder / "link").symlink_to("tuesday.csv")
    (folder / "link").replace(latest)
    next_run(runs)
    assert rests(runs)


def test_a_table_that_is_half_written_is_tried_again(follow: Follow, folder: Path) -> None:
    table = folder / "products.csv"
    table.write_text("")

    def ingest() -> IngestReport:
        if not table.read_text():
            raise DatasetError("no header")
        return IngestReport(added=1)

    runs = follow(table, ingest)
    failed = next_run(runs)
    assert (failed.report, str(failed.error)) == (None, "no header")
    table.write_text("id\n1\n")
    assert next_run(runs).report == IngestReport(added=1)


def test_a_folder_that_is_removed_is_waited_for(follow: Follow, folder: Path) -> None:
    runs = follow(folder)
    next_run(runs)
    shutil.rmtree(folder)
    assert str(next_run(runs).error) == f"nothing is at {folder}"
    folder.mkdir()
    assert next_run(runs).error is None
    (folder / "a.jpg").write_bytes(b"1")
    assert next_run(runs).error is None


def test_a_catalog_that_another_process_writes_is_tried_again(
    follow: Follow, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "SECONDS_UNTIL_RETRY", 0.01)
    answers = iter([CatalogLocked("locked"), IngestReport()])

    def ingest() -> IngestReport:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    runs = follow(folder, ingest)
    assert isinstance(next_run(runs).error, CatalogLocked)
    assert next_run(runs).report == IngestReport()


def test_what_no_change_can_mend_ends_it(follow: Follow, folder: Path) -> None:
    def ingest() -> IngestReport:
        raise UnknownName("no format is called 'x'")

    assert isinstance(follow(folder, ingest).get(timeout=PATIENCE), UnknownName)


def test_it_ends_where_it_is_told_to_stop(folder: Path, tmp_path: Path) -> None:
    stop = threading.Event()
    runs = []
    for run in watch(
        IngestReport, folder, ignored=[f"{tmp_path}/home/", f"{tmp_path}/shop.db"], stop=stop, settled=SETTLED
    ):
        runs.append(run)
        stop.set()
    assert runs == [WatchRun(IngestReport())]
