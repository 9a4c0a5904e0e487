"""The ``stylesearch`` command: options that every command shares, errors as messages, exit codes."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping
from typing import Any

import click

from .options import shared_options
from .process import past_click

__all__ = [
    "LazyGroup",
    "cli",
    "main",
]


class LazyGroup(click.Group):
    """A Click group over a table: command name -> (``"module:attribute"``, one line of help).

    A plain lazy group still imports every command to list it; here the lines of the list are static, and
    a test holds them against the commands' own first lines.
    """

    def __init__(self, *args: Any, table: Mapping[str, tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.table = table

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Parses the arguments; ``--help`` and ``--version`` print already here."""
        with past_click():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command that the arguments name."""
        with past_click():
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of the table: the order in which a newcomer meets them."""
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Imports the command of that name, or returns None."""
        if cmd_name not in self.table:
            return None
        module, _, attribute = self.table[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module, __package__), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the list from the table alone."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in self.table.items()])


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
    from .process import claim_process, run

    claim_process()
    code = run(cli)
    sys.stdout.flush()
    sys.stderr.flush()
    # Everything is closed by now. Taking the interpreter and OpenVINO apart in good order would cost every
    # query another tenth of a second.
    os._exit(code)


# A group whose commands are imported only when one of them is run.
