"""Writes the history of a training run as a table and as a chart."""

from __future__ import annotations

import csv
import importlib.util
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from stylesearch.errors import MissingDependency
from stylesearch.files import atomic_file
from stylesearch.training.epoch import Epoch

__all__ = [
    "can_draw",
    "write_curve",
    "write_history",
]

_COLUMNS: Final = ("epoch", "loss", "learning_rate", "top_k", "reciprocal_rank", "seconds")


def write_history(history: Sequence[Epoch], path: Path) -> None:
    """Writes a CSV file with a row for each epoch, numbers in full precision; epoch 0 has an empty loss."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for epoch in history:
        loss = "" if epoch.number == 0 else epoch.loss
        numbers = (epoch.learning_rate, epoch.top_k, epoch.reciprocal_rank, round(epoch.seconds, 3))
        writer.writerow((epoch.number, loss, *numbers))
    with atomic_file(path) as file:
        file.write(text.getvalue().encode())


def can_draw() -> bool:
    """Whether matplotlib is installed."""
    return importlib.util.find_spec("matplotlib") is not None


def write_curve(history: Sequence[Epoch], best: int, k: int, path: Path) -> None:
    """Draws loss and validation top-k over the epochs as a PNG file.

    Args:
        history: all epochs, number 0 first.
        best: number of the epoch whose weights were kept.
        k: k of the validation score.
        path: path of the file.

    Raises:
        MissingDependency: matplotlib is not installed.
    """
    if not can_draw():
        raise MissingDependency(
            "a learning curve needs the library 'matplotlib', which is not installed",
            hint="pip install 'stylesearch[report]'",
        )
    from stylesearch.evaluation.report.charts.style import (
        DOTS_PER_INCH,
        FAINT,
        INK,
        chart_style,
        color_of,
        new_figure,
    )

    numbers = [epoch.number for epoch in history]
    shares = [100 * epoch.top_k for epoch in history]
    with chart_style():
        figure = new_figure(4.4)
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
        upper.plot(numbers, shares, color=color_of(0), linewidth=1.8)
        upper.axhline(shares[0], color=FAINT, linewidth=1, linestyle=(0, (2, 2)))
        upper.plot([best], [shares[numbers.index(best)]], "o", color=color_of(0), markersize=6)
        upper.set_title(
            f"best: epoch {best}, {shares[numbers.index(best)]:.1f} %   (before training {shares[0]:.1f} %)",
            loc="left",
            fontsize=9,
            color=INK,
        )
        upper.set_ylabel(f"validation photos whose product\nis among the first {k}, %")
        upper.set_ylim(0, 100)
        upper.grid(axis="y")
        lower.plot(numbers[1:], [epoch.loss for epoch in history[1:]], color=color_of(1), linewidth=1.8)
        lower.set_ylabel("loss")
        lower.set_xlabel("epoch")
        lower.grid(axis="y")
        with atomic_file(path) as file:
            figure.savefig(file, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
