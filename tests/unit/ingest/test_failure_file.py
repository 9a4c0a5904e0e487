"""What an ingest could not use: counted, the first of it kept, and all of it written to a file."""

from __future__ import annotations

import csv
import tracemalloc
from pathlib import Path

import pytest

from stylesearch.errors import ConfigError
from stylesearch.ingest import IngestReport
from stylesearch.ingest.failure_file import FAILURE_COLUMNS, failure_file
from stylesearch.ingest.report import N_CAUSES_KEPT, N_FAILURES_KEPT, OTHER_CAUSES
from stylesearch.types import Failure


def test_a_report_keeps_the_first_thousand_whatever_comes() -> None:
    """100,000 failures of as many causes hold less than 2 MB; all of them held 106 MB."""
    report = IngestReport()
    tracemalloc.start()
    for n in range(100_000):
        reason = f"the word {'abcdefghij'[n % 10] * (n // 10)} is none" if n < 3000 else "no"
        report.add_failure(Failure(f"/shop/products.csv:{n}", reason), f"p{n}", "a.jpg")
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (report.n_failed, len(report.failed)) == (100_000, N_FAILURES_KEPT) == (100_000, 1000)
    assert len(report.causes) <= N_CAUSES_KEPT + 1
    assert report.causes[OTHER_CAUSES] >= 97_000
    assert sum(report.causes.values()) == 100_000
    assert held < 2_000_000
    assert len(report.as_dict()["failed"]) == 1000


def test_all_failures_are_written_as_they_come(tmp_path: Path) -> None:
    path = tmp_path / "failures.csv"
    path.write_text("of an earlier run")
    with failure_file(path) as write:
        report = IngestReport(on_failure=write)
        for n in range(N_FAILURES_KEPT + 5):
            report.add_failure(Failure(f"/shop/products.csv:{n + 2}", "no id given"))
        report.add_failure(Failure("/shop/a:7", "not a picture"), "=1+1", "/shop/a:7")
        url = "https://user:secret@shop.example/a.jpg"
        report.add_failure(Failure(url, f"no such picture: {url}"), "p1", url)
    with path.open(newline="", encoding="utf-8") as file:
        header, first, *_, picture, remote = csv.reader(file)
    assert header == list(FAILURE_COLUMNS)
    assert first == ["/shop/products.csv", "2", "", "", "no id given"]
    assert picture == ["/shop/a:7", "", "'=1+1", "/shop/a:7", "not a picture"]
    assert remote[2] == "p1"
    assert "secret" not in path.read_text()
    assert len(path.read_text().splitlines()) == 1 + N_FAILURES_KEPT + 5 + 2


def test_what_was_written_stays_when_it_is_interrupted(tmp_path: Path) -> None:
    path = tmp_path / "failures.csv"
    with pytest.raises(KeyboardInterrupt), failure_file(path) as write:
        write(Failure("a.csv:2", "no id given"), "", "")
        raise KeyboardInterrupt
    assert path.read_text().splitlines()[1] == "a.csv,2,,,no id given"


def test_a_file_that_cannot_be_written_is_said_before_anything_is_done(tmp_path: Path) -> None:
    with (
        pytest.raises(ConfigError, match=r"cannot write the failures to .*none"),
        failure_file(tmp_path / "none" / "a"),
    ):
        pass
