"""``stylesearch train``: learn from a shop's own pictures which differences matter."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .failures import resumable
from .options import Shared, extractor_options, pass_shared, shared_options
from .output import echo_json
from .progress import Progress
from .train_output import EpochLines, echo_report

if TYPE_CHECKING:
    from stylesearch.training.result import Epoch

# Names, as static text: `--help` is not to import them. A test compares.
LOSSES = ["softmax", "triplet", "contrastive", "bce"]
PAIRS = ["auto", "consumer", "views"]


class Shares(click.ParamType[tuple[float, float, float]]):
    """Three percentages separated by commas, as shares that sum to 1."""

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
            self.fail(f"{value!r}: three percentages that sum to 100 are wanted", param, ctx)
        return train / 100, validation / 100, test / 100


@click.command()
@click.argument("name", default="default", metavar="[NAME]")
@click.option(
    "--pairs",
    type=click.Choice(PAIRS),
    default="auto",
    show_default=True,
    help="Learn from consumer photos against shop pictures, or from several shop pictures of a product.",
)
@click.option(
    "--regions",
    metavar="PLAN",
    help="Parts through which a photo is seen, `box`, or `whole`.  [default: as queries]",
)
@click.option("--split-shares", "shares", type=Shares(), help="Products to learn, choose and test with.")
@click.option(
    "--loss", type=click.Choice(LOSSES), default="softmax", show_default=True, help="What is learned."
)
@click.option("--head", metavar="NAME", help="linear, residual or axes.  [default: that of the loss]")
@click.option("--dim", type=click.IntRange(min=1), help="Width of the learned vectors.  [default: 256]")
@click.option("--temperature", type=float, help="Of the softmax.  [default: 0.1]")
@click.option("--margin", type=float, help="Of triplet and contrastive.  [default: that of the loss]")
@click.option("--within-category", is_flag=True, help="Draw each batch within one category.")
@click.option("--hard-negatives", is_flag=True, help="Draw batches around nearest wrong neighbours.")
@click.option("--epochs", type=click.IntRange(min=1), help="At most so many.  [default: 60]")
@click.option("--batch-size", type=click.IntRange(min=2), help="Products in a batch.  [default: 256]")
@click.option("--learning-rate", type=float, help="At its highest.  [default: that of the loss]")
@click.option("--weight-decay", type=float, help="Of AdamW.  [default: 0.0001]")
@click.option("--warmup", type=float, help="Epochs in which the learning rate rises.  [default: 2]")
@click.option("--patience", type=click.IntRange(min=1), help="Epochs without a better one.  [default: 10]")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0), help="Of everything drawn.")
@click.option("--resume", is_flag=True, help="Go on with a training that was interrupted.")
@click.option(
    "--finetune",
    type=click.IntRange(min=1),
    metavar="N",
    help="Train the last N blocks of the network too; for a GPU.",
)
@click.option(
    "--devices", type=click.IntRange(min=1), default=1, show_default=True, help="GPUs that share a batch."
)
@click.option(
    "--tensorboard",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write event files for TensorBoard into DIR.",
)
@click.option("--default", "default", is_flag=True, help="Make it the workspace's space, in config.toml.")
@click.option(
    "--max-memory",
    default=1024,
    show_default=True,
    type=click.IntRange(min=1),
    metavar="MIB",
    help="Memory for vectors and distances, roughly; what is more lies in files of the workspace. Not "
    "counted: the program, and 1 KB or so for each picture.",
)
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
    **choices: Any,
) -> None:
    """Learn from the shop's own pairs of pictures which differences matter.

    The result is the space siamese:NAME. It is joined with the best untrained space by a weight for each
    category, chosen on products that nothing was learned from: 0 where learning does not help. Features that
    are missing are computed and kept.

    \b
    stylesearch train
    stylesearch train views --pairs views --default
    stylesearch query photo.jpg -s siamese:default
    """
    quiet = shared.verbosity < 0
    asked = {key: value for key, value in choices.items() if value is not None}
    seen: list[int] = []

    def how() -> str:
        from stylesearch.training.unfinished import interrupted

        if name in interrupted(shop.settings.home):
            return "the same command with --resume"
        if seen:  # and the checkpoint is gone: the model is in force
            return f"`stylesearch index build -s siamese:{name}`"
        return "the same command without --resume"

    with (
        shared.open(extractor=extractor, engine=engine, precision=precision, weights=weights) as shop,
        Progress(quiet=quiet) as progress,
        EpochLines(quiet=quiet) as lines,
        resumable(how),
    ):

        def stage(name: str, n_done: int, n_total: int | None) -> None:
            lines.finish()
            progress(name, n_done, n_total)

        def epoch(done: Epoch) -> None:
            if done.number:  # before the first there is no checkpoint
                seen.append(done.number)
            progress.finish_stage()
            lines(done)

        report = shop.train(name, progress=stage, on_epoch=epoch, **asked)
    if shared.as_json:
        echo_json(report.as_dict())
        return
    echo_report(report, is_default=bool(asked["default"]), with_seconds=shared.verbosity > 0)
