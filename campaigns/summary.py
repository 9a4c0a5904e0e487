"""The table of a file of results: trials, failures, seeds and minutes of each campaign."""

from __future__ import annotations

from collections.abc import Iterable

from benchmarks.measuring import print_table
from campaigns.trials import Outcome, command_of

__all__ = ["print_summary"]


def print_summary(outcomes: Iterable[Outcome]) -> int:
    """Prints a Markdown table, then each failure with the command that repeats it; how many failed."""
    by_campaign: dict[str, list[Outcome]] = {}
    for one in outcomes:
        by_campaign.setdefault(one.campaign, []).append(one)
    rows = []
    for name, ones in by_campaign.items():
        seeds = ", ".join(map(str, sorted({one.seed for one in ones})))
        minutes = sum(one.seconds for one in ones) / 60
        rows.append(
            [
                name,
                f"{sum(one.trials for one in ones):,}",
                sum(bool(one.problem) for one in ones),
                seeds,
                f"{minutes:.1f}",
            ]
        )
    print_table(["campaign", "trials", "failures", "seed", "minutes"], rows)
    failures = [one for ones in by_campaign.values() for one in ones if one.problem]
    for one in failures:
        # What was fuzzed is repeated by its input, which the problem names.
        how = "" if one.campaign.startswith("fuzz ") else command_of(one.campaign, one.seed, one.number)
        print(f"\n{how or one.campaign}\n    {one.problem[:2000]}")
    return len(failures)
