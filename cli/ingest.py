"""``stylesearch ingest``: products and pictures into the catalog."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from .failures import EXIT_SOME_FAILED
from .options import Shared, extractor_options, pass_shared, shared_options
from .output import echo_json
from .progress import Progress

N_FAILURES_SHOWN = 20
# The names of the importers, as static text: `--help` is not to import the catalog. A test compares.
FORMATS = ["auto", "csv", "deepfashion-c2s", "deepfashion-inshop", "deepfashion2", "folder", "street2shop"]
CATEGORIES = ["own", "seed"]


@click.command()
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--format",
    "source_format",
    type=click.Choice(FORMATS),
    default="auto",
    show_default=True,
    help="What PATH is: a table (CSV or TSV), a folder of products, or one of the public datasets.",
)
@click.option(
    "-e",
    "--extractor",
    "extractors",
    multiple=True,
    metavar="NAME[@SIZE]",
    help="What makes features; may be repeated.",
)
@click.option(
    "--domain",
    type=click.Choice(["shop", "consumer"]),
    help="Who took the pictures, where the source does not say.",
)
@click.option("--prune", is_flag=True, help="Remove products of this source that it no longer lists.")
@click.option("--allow-outside", is_flag=True, help="Let a table name pictures outside its folder.")
@click.option(
    "--split",
    "splits",
    multiple=True,
    metavar="NAME",
    help="Of a dataset: take only this split (train, val, test, ...); may be repeated.",
)
@click.option(
    "--gallery",
    multiple=True,
    metavar="NAME[+NAME]",
    help="Of a dataset: take the shop's pictures of these splits, by default those of --split.",
)
@click.option(
    "--categories",
    type=click.Choice(CATEGORIES),
    help="Of a dataset: file products under its own categories, or as Dress, Skirt, upper, lower, other.",
)
@click.option("--batch-size", type=click.IntRange(1, 1024), help="Pictures a forward pass.")
@click.option("--workers", type=click.IntRange(0, 256), help="Threads that decode; 0 for one a core.")
@click.option("--max-pixels", type=click.IntRange(min=256), help="Refuse pictures with more pixels.")
@extractor_options(with_extractor=False)
@shared_options
@pass_shared
def ingest(
    shared: Shared,
    path: Path,
    source_format: str,
    extractors: tuple[str, ...],
    domain: str | None,
    prune: bool,
    allow_outside: bool,
    splits: tuple[str, ...],
    gallery: tuple[str, ...],
    categories: str | None,
    **choices: Any,
) -> int:
    """Take the products in PATH, a folder or a table, into the catalog.

    \b
    catalog/<category>/<product>/*.jpg    a product with several pictures
    catalog/<category>/*.jpg              each picture a product
    products.csv                          header: id,title,category,image,price,url,domain,box

    Run it again at any time: what has not changed is skipped, and an interrupted run goes on where it was.

    DeepFashion, Street2Shop and DeepFashion2 are recognised by their folders; docs/datasets.md says more.
    """
    # Only what was said: the workspace has its own defaults.
    selection: dict[str, Any] = {}
    if splits or gallery:
        selection = {"splits": _split_names(splits), "gallery": _split_names(gallery)}
    if categories:
        selection["categories"] = categories
    with shared.open(**choices) as shop, Progress(quiet=shared.verbosity < 0) as progress:
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
        for example in report.missing_examples:
            click.echo(f"missing: {example.item}: {example.reason}", err=True)
        if report.missing > len(report.missing_examples):
            click.echo(
                f"... and {report.missing - len(report.missing_examples)} more missing pictures", err=True
            )
        for failure in report.failed[:N_FAILURES_SHOWN]:
            click.secho(f"failed: {failure.item}: {failure.reason}", fg="red", err=True)
        if len(report.failed) > N_FAILURES_SHOWN:
            click.echo(f"... and {len(report.failed) - N_FAILURES_SHOWN} more (--json lists all)", err=True)
        if shared.verbosity > 0:
            stages = ", ".join(f"{stage} {seconds:.2f} s" for stage, seconds in report.seconds.items())
            click.echo(f"core-seconds: {stages}", err=True)
    sys.stdout.flush()
    return EXIT_SOME_FAILED if report.failed else 0


def _split_names(values: tuple[str, ...]) -> tuple[str, ...]:
    """Splits as they were given: one at a time, or joined as in ``val+test``."""
    return tuple(name for value in values for name in value.split("+") if name)
