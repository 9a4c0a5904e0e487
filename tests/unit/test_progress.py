"""The rate that is shown is what was done by the time that it took."""

from __future__ import annotations

import itertools

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
        progress("pictures", 0, 160)
        clock.now += 20  # a network is loaded
        progress("pictures", 1, 160)
        clock.now += 6
        progress("pictures", 61, 160)
        clock.now += 10
        progress("pictures", 160, 160)
    assert capsys.readouterr().err.splitlines()[:3] == [
        "pictures: 0/160 images",
        "pictures: 1/160 images",
        "pictures: 61/160 images, 10.0 a second, 10 s left",
    ]


def times_left(err: str) -> list[str | None]:
    """The time left of each line, None where there is none."""
    return [line.rpartition(", ")[2] if line.endswith(" left") else None for line in err.splitlines()]


def test_no_time_left_is_shown_before_there_is_enough_to_reckon_with(
    clock: Clock, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "SECONDS_BETWEEN_LINES", 0.0)
    with Progress() as progress:
        for seconds, n_done in ((0, 0), (9, 1), (0.1, 90), (2.4, 95), (2.4, 120), (0.2, 121), (1, 131)):
            clock.now += seconds
            progress("pictures", n_done, 1000)
        shown = times_left(capsys.readouterr().err)
    assert [one is not None for one in shown] == [False] * 5 + [True] * 2


def test_the_time_left_follows_a_change_of_pace_steadily(
    clock: Clock, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "SECONDS_BETWEEN_LINES", 0.0)
    n_done, lefts = 0, []
    with Progress() as progress:
        progress("pictures", 1, 2000)
        for second in range(1, 121):
            # Every second one takes none or twice as many; after a minute a tenth of the pace.
            pace = 10 if second <= 60 else 1
            clock.now += 1
            n_done += 2 * pace if second % 2 else 0
            progress("pictures", n_done, 2000)
            left = progress._rate.seconds_left(2000) if progress._rate else None
            lefts.append(left)
    known = [one for one in lefts if one is not None]
    assert len(known) == 116
    assert known[55] == pytest.approx(140, rel=0.05), "600 of 2000 are done at 10 a second"
    steps = [abs(b - a) / a for a, b in itertools.pairwise(known)]
    assert max(steps) < 0.25, "no jump of more than a quarter from one second to the next"
    assert known[-1] > 600, "two minutes of the new pace count for more than the first one"


@pytest.mark.parametrize(
    ("seconds", "said"), [(12.4, "12 s"), (99.4, "99 s"), (120, "2 min"), (5400, "90 min")]
)
def test_a_long_time_is_told_in_minutes(seconds: float, said: str) -> None:
    assert output._list_time(seconds) == said


def test_the_bar_reckons_the_time_left_so_too(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import tqdm.std

    monkeypatch.setattr(tqdm.std, "time", lambda: clock.now)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with Progress() as progress:
        progress("pictures", 0, 160)
        clock.now += 20
        progress("pictures", 1, 160)
        clock.now += 1
        progress("pictures", 11, 160)
        early = capsys.readouterr().err.split("\r")[-1]
        assert "11/160 [00:21, 10.00 images/s]" in early
        clock.now += 5
        progress("pictures", 61, 160)
        assert "61/160 [00:26<00:09, 10.00 images/s]" in capsys.readouterr().err.split("\r")[-1]
