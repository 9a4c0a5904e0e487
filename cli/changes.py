"""The table of what a training changed: for ``stylesearch train`` and ``stylesearch models show``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from .output import echo_table

__all__ = ["echo_changes"]


def echo_changes(changes: Mapping[str, Mapping[str, Any]], weights: Mapping[str, float]) -> None:
    """Prints shares before and after in %, a row for each category, and what the marks mean.

    Args:
        changes: by category, ``""`` being all: what ``Change.as_dict`` gives.
        weights: of the learned distance by category, ``""`` for all others.
    """
    names = sorted(changes[""]["difference"], key=lambda name: int(name.rpartition("-")[2]))
    rows = []
    for category in sorted(changes):
        one = changes[category]
        weight = f"{weights.get(category, weights['']):.1f}" if category else ""
        rows.append([category or "all", one["n_queries"], weight, *(_cell(one, name) for name in names)])
    echo_table(["category", "photos", "weight", *names], rows, right=["photos", "weight"])
    if any(one["verdicts"][name] == "noise" for one in changes.values() for name in names):
        click.echo("~ no more than noise (in brackets: the 95 % interval of the difference)")


def _cell(change: Mapping[str, Any], name: str) -> str:
    """``46.9 -> 82.0 (+30.2 to +40.1)``: before, after, and the interval of the difference."""
    before, after = (change[when][name]["value"] for when in ("before", "after"))
    low, high = (change["difference"][name][end] for end in ("low", "high"))
    mark = " ~" if change["verdicts"][name] == "noise" else ""
    return f"{100 * before:.1f} -> {100 * after:.1f} ({100 * low:+.1f} to {100 * high:+.1f}){mark}"
