"""The command list is static text; it must say what the commands say of themselves."""

from __future__ import annotations

import click
import pytest

from stylesearch.cli.main import COMMANDS, cli


@pytest.mark.parametrize("name", COMMANDS)
def test_the_line_in_the_list_is_the_commands_own_first_sentence(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    help_text = " ".join((command.help or "").split())
    assert help_text.startswith(COMMANDS[name][1].removesuffix("."))


def walk(command: click.Command, path: str) -> list[tuple[str, click.Command]]:
    found = [(path, command)]
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            sub = command.get_command(click.Context(command), name)
            assert sub is not None
            found += walk(sub, f"{path} {name}")
    return found


@pytest.mark.parametrize(("path", "command"), walk(cli, "stylesearch"))
def test_every_command_and_option_says_what_it_is_for(path: str, command: click.Command) -> None:
    assert command.help, path
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{path} {parameter.name}"
