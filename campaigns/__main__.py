"""Runs campaigns by name, or lists them.

python -m campaigns                                    lists them
python -m campaigns kill operations --trials 500       runs two of them, and prints a table
python -m campaigns kill --seed 7 --only 123           runs one trial again
python -m campaigns all --minutes 10                   runs each for ten minutes
python -m campaigns fuzz decode --minutes 10           fuzzes a reader; python -m campaigns fuzz lists them
python -m campaigns summary                            prints the table of what was run before
"""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

from benchmarks.measuring import describe_machine
from campaigns.summary import print_summary
from campaigns.trials import RESULTS, read_outcomes, run_trials

CAMPAIGNS = {
    "kill": ("campaigns.kills:kills", "kill -9 at a random moment of a command that writes, then run again"),
    "operations": ("campaigns.kills:operations", "the same, killed at one of its operations on files"),
    "errors": ("campaigns.kills:errors", "the same, with a full or failing disk at one of them"),
    "power": (
        "campaigns.power:cuts",
        "the same, with the power cut: unflushed writes lost, torn, out of order",
    ),
    "serving": (
        "campaigns.served_kills:serving_kills",
        "kill -9 of the service while clients change products",
    ),
    "disk": ("campaigns.limits:full_disks", "commands that write, on a disk with little space left"),
    "limits": ("campaigns.limits:limits", "the same, with few files, little memory, no further process"),
    "damage": ("campaigns.flips:damaged_files", "damaged files of a workspace, all commands and endpoints"),
    "pictures": ("campaigns.hostile_input:hostile_pictures", "hostile pictures, some of them mutated"),
    "tables": ("campaigns.hostile_input:hostile_tables", "hostile tables, some of them mutated"),
    "http": (
        "campaigns.attacks:hostile_http",
        "hostile HTTP: framing, slow clients, huge headers, aborts, pipelines",
    ),
    "load": ("campaigns.attacks:load", "half a minute of load in each trial, with the memory watched"),
}


def main(arguments: list[str]) -> int:
    """Runs what is named. Returns 1 if a trial failed, 2 for wrong usage."""
    if arguments[:1] == ["fuzz"]:
        from campaigns import fuzz

        return fuzz.main(arguments[1:])
    parser = argparse.ArgumentParser(prog="python -m campaigns", description=__doc__)
    parser.add_argument("names", nargs="*", help="campaigns, all, or summary")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--trials", type=int, default=100, help="in all with this seed, earlier runs included"
    )
    parser.add_argument("--minutes", type=float, default=float("inf"), help="of each campaign, at most")
    parser.add_argument("--only", type=int, help="the number of one trial to run again")
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args(arguments)
    if not options.names:
        for name, (_, line) in CAMPAIGNS.items():
            print(f"  {name:<12}{line}")
        print("\nrun some with: python -m campaigns NAME..., or all of them with: python -m campaigns all")
        return 0
    if unknown := set(options.names) - {*CAMPAIGNS, "all", "summary"}:
        print(f"no campaign is called {', '.join(sorted(unknown))}; known: {', '.join(CAMPAIGNS)}")
        return 2
    n_failed = 0
    for name in list(CAMPAIGNS) if "all" in options.names else options.names:
        if name == "summary":
            continue
        module, _, function = CAMPAIGNS[name][0].partition(":")
        n_failed += run_trials(
            name,
            getattr(importlib.import_module(module), function),
            seed=options.seed,
            n_trials=options.trials,
            minutes=options.minutes,
            only=options.only,
            results=options.results,
        )
    if options.only is None:
        print(f"{describe_machine()}\n")
        print_summary(read_outcomes(options.results))
    return int(n_failed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
