"""What ``stylesearch train`` says: a line for an epoch while it runs, and the report at its end."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

import click

from .changes import echo_changes

if TYPE_CHECKING:
    from stylesearch.training.report import TrainReport
    from stylesearch.training.result import Epoch

__all__ = ["EpochLines", "echo_report"]

SECONDS_BETWEEN_LINES = 10.0

_SPLITS = {
    "drawn": "drawn, by category",
    "given": "given, by the products' attribute `split`",
    "given in part": "given, by the products' attribute `split`; the parts that it lacks drawn from train",
}


class EpochLines:
    """Says on stderr how training goes: one line that changes on a terminal; elsewhere a line now and then.

    Args:
        quiet: say nothing.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._is_terminal = sys.stderr.isatty()
        self._best: tuple[float, float] = (-1.0, -1.0)
        self._best_number = 0
        self._last_line = -SECONDS_BETWEEN_LINES
        self._unsaid = ""

    def __call__(self, epoch: Epoch) -> None:
        """Says how an epoch went."""
        if epoch.score > self._best:
            self._best, self._best_number = epoch.score, epoch.number
        if self._quiet:
            return
        loss = "" if epoch.number == 0 else f"loss {epoch.loss:.4f}, "
        line = (
            f"epoch {epoch.number}: {loss}validation {100 * epoch.top_k:.1f} % "
            f"(best {100 * self._best[0]:.1f} % in epoch {self._best_number}), {epoch.seconds:.1f} s"
        )
        if self._is_terminal:
            click.echo(f"\r\x1b[K{line}", err=True, nl=False)
            self._unsaid = "\n"
        elif time.monotonic() - self._last_line >= SECONDS_BETWEEN_LINES:
            click.echo(line, err=True)
            self._last_line, self._unsaid = time.monotonic(), ""
        else:
            self._unsaid = f"{line}\n"

    def finish(self) -> None:
        """Says what was kept back: the last epoch is always said."""
        click.echo(self._unsaid, err=True, nl=False)
        self._unsaid = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.finish()


def echo_report(report: TrainReport, *, is_default: bool, with_seconds: bool) -> None:
    """Prints what came of a training, and what can be done with it.

    Args:
        report: of the training.
        is_default: whether the model was made the workspace's space.
        with_seconds: whether to say how long each stage took.
    """
    card = report.card
    counts = card.n_products
    photos = "consumer photos" if card.pairs == "consumer" else "several pictures of a product"
    click.echo(
        f"learned from {photos}: {counts['train']} products, {counts['validation']} to choose with, "
        f"{counts['test']} to test with ({card.extractor}, regions {card.options['regions']}, {card.loss})"
    )
    click.echo(f"split: {_SPLITS[card.options['split']]}")
    n_left_out = card.options["split_left_out"]
    if n_left_out:
        click.echo(
            f"{report.n_joined} products share a picture with another one; {n_left_out} of them were left "
            "out: the other one is in a part to choose or to test with"
        )
    elif report.n_joined:
        click.echo(f"{report.n_joined} products share a picture with another one and stayed together")
    if card.options["split_seen_before"]:
        click.echo(
            f"{card.options['split_seen_before']} products were left out of those to choose or to test with: "
            "the network was fine-tuned on them"
        )
    if report.n_failed:
        click.secho(f"{report.n_failed} pictures could not be used and were left out", fg="yellow")
    ended = "stopped early" if report.stopped_early else "all"
    seconds = report.seconds
    click.echo(
        f"{len(report.history) - 1} epochs ({ended}), the best was {report.best}; "
        f"training {seconds['training']:.1f} s, everything {seconds['total']:.1f} s"
    )
    changes = report.test or report.validation
    of = "test products (nothing was learned from or chosen with them)"
    if not report.test:
        of = "validation products, which the weights were chosen with: expect less of others"
    click.echo(f"\nshare of photos whose product is among the first k, in %, on {of}:")
    echo_changes({one.category: one.as_dict() for one in changes}, card.weights)
    if not report.helps:
        click.echo(f"\nLearning a head did not help: {card.space} finds what {card.untrained} alone finds.")
    click.echo(f"\nin force: {card.space}, files in {report.folder}")
    click.echo(f"search:   stylesearch query photo.jpg -s {card.space}")
    if is_default:
        click.echo("default:  yes, config.toml says so; `space` there names another")
    else:
        name = "" if card.name == "default" else f" {card.name}"
        click.echo(f'default:  space = "{card.space}" in config.toml, or stylesearch train{name} --default')
    if with_seconds:
        stages = ", ".join(f"{stage} {taken:.1f} s" for stage, taken in seconds.items())
        click.echo(f"seconds: {stages}", err=True)
