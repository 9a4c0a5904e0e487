"""``stylesearch index``: build, status, verify."""

from __future__ import annotations

import itertools
from typing import Any, Final

import click

from stylesearch.wording import count

from .options import Shared, extractor_options, pass_shared, shared_options
from .output import Progress, echo_json, echo_table
from .process import EXIT_SOME_FAILED

SHOWN: Final = 10
"""Reasons that `verify` prints, and items of each; `--json` has all."""


@click.group()
@shared_options
def index() -> None:
    """Build, inspect or verify the indexes.

    Indexes are derived from the catalog. They can be deleted at any time and are rebuilt when needed.
    """


def _space_options(command: Any) -> Any:
    command = click.option(
        "-m",
        "--metric",
        type=click.Choice(["l1", "l2", "cosine"]),
        help="Distance function.  [default: cosine]",
    )(command)
    command = click.option(
        "-s",
        "--space",
        metavar="mixed|raw|whitened|siamese:NAME",
        help="Space in which distances are taken.  [default: mixed]",
    )(command)
    return extractor_options()(shared_options(pass_shared(command)))


def _take_names(choices: dict[str, Any]) -> dict[str, str]:
    """Removes and returns the options that choose the gallery.

    They are passed by name and not as settings, so that a trained model refuses another extractor or
    metric.
    """
    return {name: choices.pop(name) or "" for name in ("extractor", "space", "metric")}


@index.command()
@_space_options
def build(shared: Shared, **choices: Any) -> None:
    """Rebuild the index of every category, and fit the space again."""
    named = _take_names(choices)
    with shared.open(**choices) as shop, Progress(quiet=shared.verbosity < 0) as progress:
        built = shop.indexes.build(**named, progress=progress)
    if shared.as_json:
        echo_json(built)
    else:
        echo_table(["category", "images"], list(built.items()), right=["images"])


@index.command()
@_space_options
def status(shared: Shared, **choices: Any) -> None:
    """Print for each category how many images are indexed, pending and gone.

    Pending images were added after the index was built; they are searched too. Gone images were removed
    since; they are not found.
    """
    named = _take_names(choices)
    with shared.open(**choices) as shop:
        rows = shop.indexes.status(**named)
    if shared.as_json:
        echo_json([row.as_dict() for row in rows], indent=2)
        return
    echo_table(
        ["category", "state", "kind", "indexed", "pending", "gone", "bytes"],
        [
            [row.category, row.state, row.kind, row.n_indexed, row.n_pending, row.n_gone, f"{row.n_bytes:,}"]
            for row in rows
        ],
        right=["indexed", "pending", "gone", "bytes"],
    )


@index.command()
@_space_options
def verify(shared: Shared, **choices: Any) -> int:
    """Read every index and fit whole and compare it with its checksum; count images whose file is gone.

    With a space, extractor or metric, only those indexes are read. Exit code 3 if something is damaged,
    missing or left over, or files are gone.
    """
    named = _take_names(choices)
    build = f"stylesearch index build{shared.flags(**named, **choices)}"
    with shared.open(**choices) as shop:
        problems = shop.indexes.verify(**named)
        n_lost, examples = shop.catalog.selection.lost_files()
    lost = f"{n_lost:,} are gone, the first: {examples[0]}" if n_lost else ""
    if shared.as_json:
        listed = [{"item": problem.item, "reason": problem.reason} for problem in problems]
        echo_json(listed + ([{"item": "files of images", "reason": lost}] if lost else []), indent=2)
    else:
        by_reason: dict[str, list[str]] = {}
        for problem in problems:
            by_reason.setdefault(problem.reason, []).append(problem.item)
        for reason, items in itertools.islice(by_reason.items(), SHOWN):
            more = f" and {len(items) - SHOWN:,} more" if len(items) > SHOWN else ""
            click.secho(f"{', '.join(items[:SHOWN])}{more}: {reason}", fg="red", err=True)
        if len(by_reason) > SHOWN:
            click.echo(f"and {len(by_reason) - SHOWN:,} more; --json lists all", err=True)
        click.echo(
            "no damage found"
            if not problems
            else f"{count(len(problems), 'problem')}; `{build}` rebuilds them"
        )
        if lost:
            click.secho(f"files of images: {lost}; ingest their source again", fg="red", err=True)
    return EXIT_SOME_FAILED if problems or lost else 0
