"""A group whose commands are imported only when one of them is run."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import click

from .failures import past_click

__all__ = ["LazyGroup"]


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
