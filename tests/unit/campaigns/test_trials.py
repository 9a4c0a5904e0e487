"""What runs trials: results that are kept, gone on with and repeated."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from campaigns.__main__ import CAMPAIGNS, main
from campaigns.summary import print_summary
from campaigns.trials import Trial, TrialFailed, read_outcomes, run_trials

ran: list[tuple[int, float]] = []


@contextlib.contextmanager
def toy(folder: Path) -> Iterator[Trial]:
    """Trials that draw a number, of which that with number 2 fails."""
    assert not list(folder.iterdir())
    ran.clear()

    def trial(number: int, rng: random.Random) -> str:
        ran.append((number, rng.random()))
        if number == 2:
            raise TrialFailed("something was lost")
        return "nothing was lost"

    yield trial


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path / "new" / "results.jsonl"


def test_a_failure_is_told_with_the_command_that_repeats_it(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_trials("toy", toy, seed=7, n_trials=4, results=results) == 1
    assert capsys.readouterr().out == (
        "FAILED: something was lost\n  python -m campaigns toy --seed 7 --only 2\n"
    )
    drawn = dict(ran)[2]
    assert run_trials("toy", toy, seed=7, n_trials=4, only=2, results=results) == 1
    assert ran == [(2, drawn)]
    assert len(list(read_outcomes(results))) == 4  # the repetition is not kept


def test_a_campaign_goes_on_where_it_ended(results: Path) -> None:
    run_trials("toy", toy, seed=1, n_trials=3, results=results)
    assert run_trials("toy", toy, seed=1, n_trials=5, results=results) == 1
    assert [number for number, _ in ran] == [3, 4]
    run_trials("toy", toy, seed=2, n_trials=2, results=results)
    assert [number for number, _ in ran] == [0, 1]


def test_half_a_line_of_a_killed_campaign_is_replaced(results: Path) -> None:
    run_trials("toy", toy, seed=1, n_trials=2, results=results)
    results.write_bytes(results.read_bytes()[:-9])
    assert [one.number for one in read_outcomes(results)] == [0]
    run_trials("toy", toy, seed=1, n_trials=2, results=results)
    assert [one.number for one in read_outcomes(results)] == [0, 1]


def test_no_trial_begins_after_the_minutes(results: Path) -> None:
    run_trials("toy", toy, seed=1, n_trials=2, minutes=-1, results=results)
    assert ran == []


def test_the_table_counts_trials_and_failures(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_trials("toy", toy, seed=1, n_trials=4, results=results)
    capsys.readouterr()
    assert print_summary(read_outcomes(results)) == 1
    out = capsys.readouterr().out
    assert "| toy | 4 | 1 | 1 | 0.0 |" in out
    assert "python -m campaigns toy --seed 1 --only 2\n    something was lost" in out


def test_campaigns_are_listed_and_unknown_ones_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert all(f"  {name} " in capsys.readouterr().out for name in list(CAMPAIGNS)[:1])
    assert main(["kil"]) == 2
    assert "no campaign is called kil; known: kill, operations" in capsys.readouterr().out
