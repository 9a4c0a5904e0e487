"""``stylesearch train``: trains a model on the images of a shop."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import click

from stylesearch.wording import count, one_or_many

from .options import Shared, cluster_option, extractor_options, pass_shared, shared_options
from .output import Progress, echo_changes, echo_json
from .process import resumable

if TYPE_CHECKING:
    from stylesearch.training.epoch import Epoch
    from stylesearch.training.results import TrainReport


__all__ = [
    "EpochLines",
    "echo_report",
]

# Copies of names, so that `--help` need not import their modules. A test compares them.
LOSSES = ["softmax", "triplet", "contrastive", "bce"]
PAIRS = ["auto", "consumer", "views"]


class Shares(click.ParamType[tuple[float, float, float]]):
    """Three percentages separated by commas, converted to shares that sum to 1."""

    name = "TRAIN,VALIDATION,TEST"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, float, float]:
        """Reads the text, or fails as wrong usage."""
        try:
            train, validation, test = (float(part) for part in value.split(","))
        except ValueError:
            self.fail(f"{value!r} is not of the form 70,15,15", param, ctx)
        total = train + validation + test
        if not min(train, validation, test) >= 0 or not abs(total - 100) < 1e-6:
            self.fail(f"{value!r} is not three percentages that sum to 100", param, ctx)
        return train / 100, validation / 100, test / 100


@click.command()
@click.argument("name", default="default", metavar="[NAME]")
@click.option(
    "--pairs",
    type=click.Choice(PAIRS),
    default="auto",
    show_default=True,
    help="Learn from consumer photos and shop images of a product, or from its several shop images.",
)
@click.option(
    "--regions",
    metavar="PLAN",
    help="Regions of a photo: `whole`, `few`, `large`, `street`, or its `box`.  [default: as for queries; "
    "`street` where these are `person`]",
)
@click.option(
    "--split-shares", "shares", type=Shares(), help="Percentages of the products.  [default: 70,15,15]"
)
@click.option(
    "--loss", type=click.Choice(LOSSES), default="softmax", show_default=True, help="Loss function."
)
@click.option("--head", metavar="NAME", help="linear, residual or axes.  [default: depends on the loss]")
@click.option("--dim", type=click.IntRange(min=1), help="Width of the learned vectors.  [default: 256]")
@click.option("--temperature", type=float, help="Temperature of the softmax loss.  [default: 0.1]")
@click.option(
    "--margin",
    type=float,
    help="Margin of the triplet and contrastive losses.  [default: depends on the loss]",
)
@click.option("--within-category", is_flag=True, help="Draw each batch from one category.")
@click.option("--hard-negatives", is_flag=True, help="Put products that are easily confused into one batch.")
@click.option("--epochs", type=click.IntRange(min=1), help="Largest number of epochs.  [default: 60]")
@click.option("--batch-size", type=click.IntRange(min=2), help="Products in a batch.  [default: 256]")
@click.option("--learning-rate", type=float, help="Highest learning rate.  [default: depends on the loss]")
@click.option("--weight-decay", type=float, help="Weight decay of AdamW.  [default: 0.0001]")
@click.option("--warmup", type=float, help="Epochs in which the learning rate rises.  [default: 2]")
@click.option(
    "--patience",
    type=click.IntRange(min=1),
    help="Stop after this many epochs without improvement.  [default: 10]",
)
@click.option(
    "--seed",
    default=0,
    show_default=True,
    type=click.IntRange(min=0),
    help="Seed of the split, the batches and the first weights.",
)
@click.option("--resume", is_flag=True, help="Continue an interrupted training.")
@click.option(
    "--finetune",
    type=click.IntRange(min=1),
    metavar="N",
    help="Train the last N blocks of the network too; needs a GPU to be quick.",
)
@click.option("--devices", type=click.IntRange(min=1), default=1, show_default=True, help="Number of GPUs.")
@click.option(
    "--tensorboard",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write event files for TensorBoard into DIR.",
)
@click.option("--default", "default", is_flag=True, help="Make the model the default space, in config.toml.")
@click.option(
    "--max-memory",
    default=1024,
    show_default=True,
    type=click.IntRange(min=1),
    metavar="MIB",
    help="Approximate memory for vectors and distances; larger arrays are kept in files of the workspace. "
    "Not counted: the program, and about 1 KB for each image.",
)
@click.option(
    "--submit",
    metavar="http://HOST:8265|ray://HOST:10001",
    help="Train as a job of a Ray cluster, and follow its log. The catalog has to be on a server, or the "
    "workspace in a folder that all machines share.",
)
@cluster_option
@extractor_options()
@shared_options
@pass_shared
def train(
    shared: Shared,
    name: str,
    extractor: str | None,
    engine: str | None,
    precision: str | None,
    weights: str | None,
    cluster: str | None,
    submit: str | None,
    **choices: Any,
) -> None:
    """Learn a distance from pairs of images that show the same product.

    The result is the space siamese:NAME. Its distance is a weighted sum of the learned distance and that of
    the best untrained space. One weight is chosen for all categories, on products that were not trained on,
    and another for a category with enough of these that gains by it; where learning does not help, the weight
    is 0. Missing features are computed and stored.

    \b
    stylesearch train
    stylesearch train views --pairs views --default
    stylesearch query photo.jpg -s siamese:default
    """
    if submit:
        from .train_submit import submit as submit_training

        flags = {"extractor": extractor, "engine": engine, "precision": precision, "weights": weights}
        submit_training(shared, submit, name, default=choices["default"], **flags, cluster=cluster)
        return
    quiet = shared.verbosity < 0
    asked = {key: value for key, value in choices.items() if value is not None}
    seen: list[int] = []

    def how() -> str:
        from stylesearch.training.checkpoints import interrupted_trainings

        if name in interrupted_trainings(shop.settings.home):
            return "the same command with --resume"
        if seen:  # the checkpoint was removed, so the model is in use already
            return f"`stylesearch index build -s siamese:{name}{shared.flags()}`"
        return "the same command without --resume"

    with (
        shared.open(
            extractor=extractor, engine=engine, precision=precision, weights=weights, cluster=cluster
        ) as shop,
        Progress(quiet=quiet) as progress,
        EpochLines(quiet=quiet) as lines,
        resumable(how),
    ):

        def stage(name: str, n_done: int, n_total: int | None) -> None:
            lines.finish()
            progress(name, n_done, n_total)

        def epoch(done: Epoch) -> None:
            if done.number:  # before the first epoch there is no checkpoint
                seen.append(done.number)
            progress.finish_stage()
            lines(done)

        report = shop.train(name, progress=stage, on_epoch=epoch, **asked)
    if shared.as_json:
        echo_json(report.as_dict())
        return
    echo_report(
        report,
        is_default=bool(asked["default"]),
        with_seconds=shared.verbosity > 0,
        workspace=shared.flags(),
        network=shared.flags(extractor=extractor, engine=engine, precision=precision, weights=weights),
    )


# The output of ``stylesearch train``: a line for an epoch while it runs, and the report at its end.

SECONDS_BETWEEN_LINES = 10.0

_SPLITS = {
    "drawn": "drawn, by category",
    "given": "given, by the products' attribute `split`",
    "given in part": "given, by the products' attribute `split`; the missing parts were drawn from train",
}


class EpochLines:
    """Prints epochs on stderr: one changing line on a terminal, elsewhere a line every ten seconds.

    Args:
        quiet: whether to print nothing.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._is_terminal = sys.stderr.isatty()
        self._best: tuple[float, float] = (-1.0, -1.0)
        self._best_number = 0
        self._last_line = -SECONDS_BETWEEN_LINES
        self._unsaid = ""

    def __call__(self, epoch: Epoch) -> None:
        """Prints the loss and the validation score of an epoch."""
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
        """Prints the last epoch, if it was not printed yet."""
        click.echo(self._unsaid, err=True, nl=False)
        self._unsaid = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.finish()


def echo_report(
    report: TrainReport, *, is_default: bool, with_seconds: bool, workspace: str = "", network: str = ""
) -> None:
    """Prints the result of a training, and the commands that use it.

    Args:
        report: of the training.
        is_default: whether the model was made the default space.
        with_seconds: whether to print how long each stage took.
        workspace: flags that name the workspace, for the commands.
        network: the same, with those of the extractor.
    """
    card = report.card
    counts = card.n_products
    photos = "consumer photos" if card.pairs == "consumer" else "several images of a product"
    click.echo(
        f"learned from {photos}: {count(counts['train'], 'product')} to train, "
        f"{counts['validation']} to validate, {counts['test']} to test "
        f"({card.extractor}, regions {card.options['regions']}, {card.loss})"
    )
    click.echo(f"split: {_SPLITS[card.options['split']]}")
    n_left_out, n_connected = card.options["split_left_out"], report.n_connected
    share = f"{count(n_connected, 'product')} {one_or_many(n_connected, 'shares', 'share')}"
    if n_left_out:
        were = one_or_many(n_left_out, "was", "were")
        click.echo(
            f"{share} an image with another product; {n_left_out} of them {were} left out, since the other "
            "product is in the validation or test part"
        )
    elif n_connected:
        are = one_or_many(n_connected, "is", "are")
        click.echo(f"{share} an image with another product and {are} in the same part")
    if n_seen := card.options["split_seen_before"]:
        were = one_or_many(n_seen, "was", "were")
        click.echo(
            f"{count(n_seen, 'product')} {were} left out of validation and test: the network was fine-tuned "
            "on them"
        )
    if n_failed := report.n_failed:
        were = one_or_many(n_failed, "was", "were")
        click.secho(f"{count(n_failed, 'image')} could not be used and {were} left out", fg="yellow")
    ended = "stopped early" if report.stopped_early else "all"
    seconds = report.seconds
    click.echo(
        f"{len(report.history) - 1} epochs ({ended}), the best was {report.best}; "
        f"training {seconds['training']:.1f} s, everything {seconds['total']:.1f} s"
    )
    changes = report.test or report.validation
    of = "test products (not used to train or to choose)"
    if not report.test:
        of = "validation products (used to choose the weights, so expect less on other products)"
    click.echo(f"\nshare of photos whose product is among the first k, in %, on {of}:")
    echo_changes({one.category: one.as_dict() for one in changes}, card.weights)
    if card.untrained == "mixed":
        click.echo(
            "\nBefore training, photos were searched in the space mixed as if they showed nobody. Searches\n"
            "with the regions person look for a person first, and may find more: see stylesearch eval."
        )
    if not report.helps:
        click.echo(f"\nTraining did not help: {card.space} gives the same results as {card.untrained}.")
    click.echo(f"\nin use:   {card.space}, files in {report.folder}")
    click.echo(f"search:   stylesearch query photo.jpg -s {card.space}{workspace}")
    if is_default:
        click.echo("default:  yes, by `space` in config.toml")
    else:
        name = "" if card.name == "default" else f" {card.name}"
        click.echo(
            f'default:  space = "{card.space}" in config.toml, or stylesearch train{name} --default{network}'
        )
    if with_seconds:
        stages = ", ".join(f"{stage} {taken:.1f} s" for stage, taken in seconds.items())
        click.echo(f"seconds: {stages}", err=True)
