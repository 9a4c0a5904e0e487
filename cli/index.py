"""``stylesearch index``: build, status, verify."""

from __future__ import annotations

from typing import Any

import click

from .options import Shared, extractor_options, pass_shared, shared_options
from .output import Progress, echo_json, echo_table
from .process import EXIT_SOME_FAILED


@click.group()
@shared_options
def index() -> None:
    """Build, inspect or verify the indexes.

    Indexes are derived from the catalog: they can be deleted at any time and are built again when needed.
    """


def _space_options(command: Any) -> Any:
    command = click.option(
        "-m", "--metric", type=click.Choice(["l1", "l2", "cosine"]), help="The distance.  [default: cosine]"
    )(command)
    command = click.option(
        "-s",
        "--space",
        metavar="raw|whitened|siamese:NAME",
        help="Where distances are taken.  [default: whitened]",
    )(command)
    return extractor_options()(shared_options(pass_shared(command)))


def _take_names(choices: dict[str, Any]) -> dict[str, str]:
    """Takes out what chooses the gallery: a trained model refuses an extractor or metric not its own."""
    return {name: choices.pop(name) or "" for name in ("extractor", "space", "metric")}


@index.command()
@_space_options
def build(shared: Shared, **choices: Any) -> None:
    """Build the index of every category anew, and refit the space."""
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
    """Say what is built, how much is pending since, and what is gone."""
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
    """Read every index whole and compare it with its checksums; exit code 3 if one is damaged."""
    named = _take_names(choices)
    with shared.open(**choices) as shop:
        problems = shop.indexes.verify(**named)
    if shared.as_json:
        echo_json([{"item": problem.item, "reason": problem.reason} for problem in problems], indent=2)
    else:
        for problem in problems:
            click.secho(f"damaged: {problem.item}: {problem.reason}", fg="red", err=True)
        click.echo(
            "no damage found"
            if not problems
            else f"{len(problems)} damaged; `stylesearch index build` builds them anew"
        )
    return EXIT_SOME_FAILED if problems else 0
