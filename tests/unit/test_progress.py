"""The rate that is shown is what was done by the time that it took."""

from __future__ import annotations

import pytest

from stylesearch.cli import output
from stylesearch.cli.output import Progress


class Clock:
    """Stands in for ``time``."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(output, "time", clock)
    monkeypatch.setattr(output, "SECONDS_BETWEEN_LINES", 1e9)
    return clock


def test_a_stage_lasts_from_its_beginning_to_its_last_call(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with Progress() as progress:
        clock.now += 100  # reading the source is not counted
        progress("pictures", 0, 60)
        clock.now += 2
        progress("pictures", 40, 60)
        clock.now += 1
        progress("pictures", 60, 60)
        clock.now += 5  # the fit and the first index: part of the next stage
        progress("indexes", 30, 60)
        clock.now += 5
        progress("indexes", 60, 60)
        clock.now += 50
    assert capsys.readouterr().err.splitlines() == [
        "pictures: 60/60 images, 20.0 a second",
        "indexes: 60/60 images, 6.0 a second",
    ]


def test_a_stage_that_begins_again_is_another_one(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with Progress() as progress:
        for seconds in (1, 4):
            progress("pictures", 0, 8)
            clock.now += seconds
            progress("pictures", 8, 8)
    assert capsys.readouterr().err.splitlines() == [
        "pictures: 8/8 images, 8.0 a second",
        "pictures: 8/8 images, 2.0 a second",
    ]


def test_the_bar_of_a_terminal_ends_with_the_same_rate(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import tqdm.std

    monkeypatch.setattr(tqdm.std, "time", lambda: clock.now)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with Progress() as progress:
        progress("pictures", 0, 60)
        clock.now += 3
        progress("pictures", 60, 60)
        clock.now += 30
    assert "20.00 images/s" in capsys.readouterr().err.splitlines()[-1]


def test_a_stage_in_which_nothing_was_done_is_not_told_of(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with Progress() as progress:
        progress("pictures", 0, 8)
    assert capsys.readouterr().err == ""


def test_the_part_that_is_being_done_is_named(
    clock: Clock, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "SECONDS_BETWEEN_LINES", 0.0)
    with Progress(unit="parts") as progress:
        progress("report: results", 0, 2)
        clock.now += 4
        progress("report: maps", 1, 2)
        clock.now += 4
        progress("report: maps", 2, 2)
    assert capsys.readouterr().err.splitlines() == [
        "report: 0/2 parts (results)",
        "report: 1/2 parts (maps)",
        "report: 2/2 parts, 0.2 a second",
        "report: 2/2 parts, 0.2 a second",
    ]


def test_what_comes_before_the_first_count_is_not_in_the_time_left(
    clock: Clock, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "SECONDS_BETWEEN_LINES", 0.0)
    with Progress() as progress:
        progress("pictures", 0, 60)
        clock.now += 20  # a network is loaded
        progress("pictures", 1, 60)
        clock.now += 2
        progress("pictures", 21, 60)
        clock.now += 4
        progress("pictures", 60, 60)
    assert capsys.readouterr().err.splitlines()[:3] == [
        "pictures: 0/60 images",
        "pictures: 1/60 images",
        "pictures: 21/60 images, 10.0 a second, 4 s left",
    ]


def test_the_bar_reckons_the_time_left_so_too(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import tqdm.std

    monkeypatch.setattr(tqdm.std, "time", lambda: clock.now)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with Progress() as progress:
        progress("pictures", 0, 60)
        clock.now += 20
        progress("pictures", 1, 60)
        clock.now += 2
        progress("pictures", 21, 60)
        assert "<00:03, 10.00 images/s" in capsys.readouterr().err
