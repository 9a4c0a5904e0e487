"""``stylesearch ingest``: adds products and their images to the catalog."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from .options import Shared, extractor_options, pass_shared, shared_options
from .output import Progress, echo_json, list_seconds
from .process import EXIT_SOME_FAILED, give_way, resumable

N_FAILURES_SHOWN = 20
OF_ALL_CORES = ("decode", "inference")
# A copy of the names of the importers, so that `--help` need not import the catalog. A test compares them.
FORMATS = ["auto", "csv", "deepfashion-c2s", "deepfashion-inshop", "deepfashion2", "folder", "street2shop"]
CATEGORIES = ["own", "study2018"]


class SourcePath(click.Path):
    """An existing folder or file."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Returns the path; the message for a missing one says what to give instead."""
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as error:
            self.fail(f"{error.message} Give a folder with images, or a CSV file.", param, ctx)


class CategoriesChoice(click.Choice[str]):
    """The categories of a dataset's products; accepts ``seed``, the older name of ``study2018``, too."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Returns the choice, with the older name replaced."""
        return super().convert("study2018" if value == "seed" else value, param, ctx)


@click.command()
@click.argument("path", type=SourcePath(exists=True, path_type=Path), required=False)
@click.option(
    "--format",
    "source_format",
    type=click.Choice(FORMATS),
    default="auto",
    show_default=True,
    help="Format of PATH: a table (CSV or TSV), a folder of products, or a public dataset.",
)
@click.option(
    "-e",
    "--extractor",
    "extractors",
    multiple=True,
    metavar="NAME[@SIZE][+colors]",
    help="Extractor of the features; may be repeated.",
)
@click.option(
    "--domain",
    type=click.Choice(["shop", "consumer"]),
    help="Who took the images, where the source does not say.",
)
@click.option(
    "--complete",
    is_flag=True,
    help="Instead of PATH: only compute the features that images of an older version lack.",
)
@click.option("--prune", is_flag=True, help="Remove products of this source that it no longer lists.")
@click.option("--allow-outside", is_flag=True, help="Accept images outside the folder of the table.")
@click.option(
    "--split",
    "splits",
    multiple=True,
    metavar="NAME",
    help="For a dataset: add only this split (train, val, test, ...); may be repeated.",
)
@click.option(
    "--gallery",
    multiple=True,
    metavar="NAME[+NAME]",
    help="For a dataset: splits whose shop images are added.  [default: those of --split]",
)
@click.option(
    "--categories",
    type=CategoriesChoice(CATEGORIES),
    help="For a dataset: keep its own categories, or use Dress, Skirt, upper, lower and other.",
)
@click.option("--batch-size", type=click.IntRange(1, 1024), help="Images in one call of the network.")
@click.option("--workers", type=click.IntRange(0, 256), help="Threads that decode; 0 for one per core.")
@click.option("--max-pixels", type=click.IntRange(min=256), help="Refuse images with more pixels.")
@extractor_options(with_extractor=False)
@shared_options
@pass_shared
def ingest(
    shared: Shared,
    path: Path | None,
    source_format: str,
    extractors: tuple[str, ...],
    domain: str | None,
    complete: bool,
    prune: bool,
    allow_outside: bool,
    splits: tuple[str, ...],
    gallery: tuple[str, ...],
    categories: str | None,
    **choices: Any,
) -> int:
    """Add the products in PATH, a folder or a table, to the catalog.

    \b
    catalog/<category>/<product>/*.jpg    a product with several images
    catalog/<category>/*.jpg              each image is a product
    products.csv                          header: id,title,category,image,price,url,domain,box

    Run it again at any time: unchanged images are skipped, and an interrupted run continues.

    DeepFashion, Street2Shop and DeepFashion2 are recognized by their folders; see docs/datasets.md.
    """
    if path is None and not complete:
        raise click.UsageError("Missing argument 'PATH'.")
    if path is not None and complete:
        raise click.UsageError(
            "--complete stands instead of PATH: an ingest completes what is missing anyway."
        )
    give_way()
    # Only the options that were given: the workspace has its own defaults.
    selection: dict[str, Any] = {}
    if splits or gallery:
        selection = {"splits": _split_names(splits), "gallery": _split_names(gallery)}
    if categories:
        selection["categories"] = categories
    with resumable(), shared.open(**choices) as shop, Progress(quiet=shared.verbosity < 0) as progress:
        if path is None:
            report = shop.complete(progress=progress)
        else:
            report = shop.ingest(
                path,
                format=source_format,
                extractors=extractors or None,
                domain=domain,
                prune=prune,
                allow_outside=allow_outside,
                progress=progress,
                **selection,
            )
    if shared.as_json:
        echo_json(report.as_dict(), indent=2)
    else:
        click.echo(
            f"{report.added} added, {report.changed} changed, {report.unchanged} unchanged, "
            f"{report.removed} removed, {len(report.failed)} failed"
            + (f", {report.missing} missing" if report.missing else "")
        )
        if report.filled and shared.verbosity >= 0:
            images, they = ("image", "it") if report.filled == 1 else ("images", "they")
            click.echo(
                f"note: {report.filled} {images} of before got the features that {they} lacked", err=True
            )
        for example in report.missing_examples:
            click.echo(f"missing: {example.item}: {example.reason}", err=True)
        if report.missing > len(report.missing_examples):
            click.echo(
                f"... and {report.missing - len(report.missing_examples)} more missing images", err=True
            )
        if report.unlisted and shared.verbosity >= 0:
            are, them = ("image is", "it") if report.unlisted == 1 else ("images are", "them")
            click.echo(
                f"note: {report.unlisted} {are} no longer in the source; --prune removes {them}",
                err=True,
            )
        for failure in report.failed[:N_FAILURES_SHOWN]:
            click.secho(f"failed: {failure.item}: {failure.reason}", fg="red", err=True)
        if len(report.failed) > N_FAILURES_SHOWN:
            click.echo(f"... and {len(report.failed) - N_FAILURES_SHOWN} more (--json lists all)", err=True)
        if shared.verbosity > 0:
            click.echo(_timings(report.seconds), err=True)
    sys.stdout.flush()
    return EXIT_SOME_FAILED if report.failed else 0


def _timings(seconds: Mapping[str, float]) -> str:
    """Formats the time of each stage: summed over all cores, or elapsed."""
    by_core = {stage: value for stage, value in seconds.items() if stage in OF_ALL_CORES}
    by_wall = {stage: value for stage, value in seconds.items() if stage not in OF_ALL_CORES}
    return f"core-seconds: {list_seconds(by_core)}; wall: {list_seconds(by_wall)}"


def _split_names(values: tuple[str, ...]) -> tuple[str, ...]:
    """Lists the names of splits, given one at a time or as in ``val+test``."""
    return tuple(name for value in values for name in value.split("+") if name)
