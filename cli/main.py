"""The ``stylesearch`` command: options that every command shares, errors as messages, exit codes."""

from __future__ import annotations

import os
import sys

import click

from .lazy import LazyGroup
from .options import shared_options

__all__ = ["cli", "main"]

COMMANDS = {
    "ingest": (".ingest:ingest", "Take the products in PATH, a folder or a table, into the catalog."),
    "query": (".query:query", "Find the products that each PHOTO shows."),
    "serve": (".serve:serve", "Serve the workspace: a REST API, and a page to search with."),
    "train": (".train:train", "Learn from the shop's own pairs of pictures which differences matter."),
    "eval": (".eval:evaluate", "Measure how often each method finds the right product."),
    "products": (".products:products", "List, show or remove products."),
    "models": (".models:models", "List, show or remove trained models."),
    "index": (".index:index", "Build, inspect or verify the indexes."),
    "db": (".db:db", "Upgrade or check the catalog's schema."),
    "extractors": (".extractors:extractors", "List what can turn pictures into features."),
    "demo": (
        ".demo:demo",
        "Draw a shop in DIR: garments as shop pictures, and street photos of the same garments.",
    ),
    "doctor": (".doctor:doctor", "Check this installation and workspace."),
}


@click.group(cls=LazyGroup, table=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="stylesearch")
@shared_options
def cli() -> None:
    """A customer's photo in, the shop's matching products out.

    \b
    stylesearch ingest catalog/            take in a folder or a CSV
    stylesearch query photo.jpg -k 20      ranked products
    """


def main() -> None:
    """Runs the command line; every StyleSearchError becomes a message, a hint and exit code 1."""
    from .failures import run
    from .priority import claim_process

    claim_process()
    code = run(cli)
    sys.stdout.flush()
    sys.stderr.flush()
    # Everything is closed by now. Taking the interpreter and OpenVINO apart in good order would cost every
    # query another tenth of a second.
    os._exit(code)
