"""The ``stylesearch`` command and the table of its subcommands."""

from __future__ import annotations

import difflib
import gc
import importlib
import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from .interruptions import EXIT_INTERRUPTED, end_at_the_second, end_interrupted
from .options import shared_options
from .process import claim_process, past_click, run, wants_json

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

__all__ = [
    "LazyGroup",
    "cli",
    "main",
]


class LazyGroup(click.Group):
    """A Click group over a table: command name -> (``"module:attribute"``, one line of help).

    Click's own lazy group imports every command to list them. Here the list is static text, and a test
    compares it with the help of the commands.
    """

    def __init__(self, *args: Any, table: Mapping[str, tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.table = table

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Parses the arguments; ``--help`` and ``--version`` print here."""
        with past_click():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command that the arguments name."""
        with past_click():
            return super().invoke(ctx)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Finds the command that the arguments begin with; fails with the nearest name if there is none."""
        name = args[0]
        if name not in self.table and not name.startswith("-") and not ctx.resilient_parsing:
            near = difflib.get_close_matches(name, self.table, n=1)
            suggestion = f" Did you mean {near[0]!r}?" if near else ""
            raise click.UsageError(f"No such command {name!r}.{suggestion}", ctx)
        return super().resolve_command(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Lists the names in the order of the table: the order in which a new user needs them."""
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Imports the command of that name; returns None if there is none."""
        if cmd_name not in self.table:
            return None
        module, _, attribute = self.table[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module, __package__), attribute)
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Completes the name of a command, from the table, or an option."""
        from click.shell_completion import CompletionItem

        commands = [
            CompletionItem(name, help=line)
            for name, (_, line) in self.table.items()
            if name.startswith(incomplete)
        ]
        return [*commands, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the list of commands from the table."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in self.table.items()])


COMMANDS = {
    "ingest": (".ingest:ingest", "Add the products in PATH, a folder or a table, to the catalog."),
    "query": (".query:query", "Find the products that each PHOTO shows."),
    "detect": (".detect:detect", "List the spots of each PHOTO, which can be searched for."),
    "serve": (".serve:serve", "Serve the workspace as a REST API and a search page."),
    "train": (".train:train", "Learn a distance from pairs of images that show the same product."),
    "eval": (".eval:evaluate", "Measure how often each method finds the right product."),
    "products": (".products:products", "List, show, export or remove products, or find their duplicates."),
    "categories": (
        ".categories:categories",
        "List, rename or merge categories, or map those of the shop to others.",
    ),
    "sources": (".sources:sources", "List, rename or remove the sources of products."),
    "cache": (".cache:cache", "Show or remove pictures that were fetched from URLs."),
    "models": (".models:models", "List, show, share or remove trained models."),
    "index": (".index:index", "Build, inspect or verify the indexes."),
    "db": (".db:db", "Back up, restore, export, check or upgrade the catalog."),
    "extractors": (".extractors:extractors", "List the extractors, which turn images into features."),
    "weights": (".weights:weights", "Fetch, list, verify or remove files of weights."),
    "demo": (
        ".demo:demo",
        "Draw a demo shop in DIR: shop images of garments, and street photos of the same garments.",
    ),
    "doctor": (".doctor:doctor", "Check this installation and workspace."),
}


@click.group(cls=LazyGroup, table=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="stylesearch")
@shared_options
def cli() -> None:
    """Find the products of a shop that match a customer's photo.

    \b
    stylesearch ingest catalog/            add a folder or a CSV file to the catalog
    stylesearch query photo.jpg -k 20      print the 20 nearest products
    """


def main() -> None:
    """Runs the command line and ends the process with its exit code."""
    try:
        end_at_the_second(as_json=wants_json(sys.argv[1:]))
        claim_process()
        code = run(cli)
        if code == EXIT_INTERRUPTED:
            gc.collect()  # of a pool that was interrupted: multiprocessing warns of semaphores that are left
        sys.stdout.flush()
        sys.stderr.flush()
    except KeyboardInterrupt:  # before the command began, or as it ended
        end_interrupted()
    # Everything is closed by now. An orderly shutdown of the interpreter and OpenVINO would add a tenth of a
    # second to every query.
    os._exit(code)
