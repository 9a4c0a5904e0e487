"""Options that every command takes, before or after its name, and the settings they set."""

from __future__ import annotations

import functools
import logging
import re
import shlex
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from stylesearch.errors import StyleSearchError

if TYPE_CHECKING:
    from stylesearch.settings import Settings
    from stylesearch.workspace.workspace import Workspace

__all__ = ["Shared", "cluster_option", "extractor_options", "pass_shared", "shared_options"]

Command = TypeVar("Command", bound=Callable[..., Any])


class Shared:
    """The shared options of one call of the command line.

    Attributes:
        settings: values of the flags, by the name of the setting they set.
        as_json: whether to print JSON on stdout.
        verbosity: -1 for quiet, 0 for normal, 1 or more for verbose.

    Args:
        commands: names of all commands.
    """

    def __init__(self, commands: Iterable[str] = ()) -> None:
        self._commands = "|".join(map(re.escape, commands))
        self.settings: dict[str, Any] = {}
        self.as_json = False
        self.verbosity = 0

    def flags(self, **others: str | None) -> str:
        """The flags that name this workspace, and others that were given, for a command to be copied.

        The URL of a server comes with its password hidden.

        Args:
            others: values by the name of their flag; None where a flag was not given.
        """
        given = {
            "home": self.settings.get("home"),
            "db": _without_password(self.settings.get("db")),
            **others,
        }
        return "".join(f" --{name} {shlex.quote(str(value))}" for name, value in given.items() if value)

    def name_workspace(self, advice: str) -> str:
        """Adds the flags that name this workspace to the commands of an advice, which people copy."""
        if "stylesearch " not in advice or not self._commands:
            return advice
        flags = self.flags()
        if flags in advice:  # also where there are none
            return advice
        command = rf"\bstylesearch(?= (?:{self._commands})\b)"
        return re.sub(command, lambda _: f"stylesearch{flags}", advice)

    def open(self, **flags: Any) -> Workspace:
        """Opens the workspace that the flags, the environment and the configuration file name."""
        from stylesearch.workspace.workspace import Workspace

        return Workspace(self.load(**flags))

    def load(self, **flags: Any) -> Settings:
        """Loads the settings from the flags, the environment and the configuration file."""
        from stylesearch.settings import load_settings

        return load_settings(
            {**self.settings, **{name: value for name, value in flags.items() if value is not None}}
        )


def _without_password(db: str | None) -> str | None:
    """A catalog's path or URL as it may be shown; None for what is neither, which an error tells."""
    if db is None or "://" not in db:
        return db
    from stylesearch.catalog.backends import backend_of

    try:
        return backend_of(db).shown
    except StyleSearchError:
        return None


def pass_shared(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a command the ``Shared`` of this call as its first argument."""
    passed: Callable[..., Any] = click.pass_obj(command)
    return passed


def shared_options(command: Command) -> Command:
    """Adds ``--home --db --json -v -q``; where one is given twice, the last value wins, and -q over -v."""

    @click.option(
        "--home",
        type=click.Path(file_okay=False, path_type=Path),
        help="Workspace folder.  [default: .stylesearch]",
    )
    @click.option("--db", metavar="URL", help="SQLAlchemy URL of a catalog elsewhere.")
    @click.option("--json", "as_json", is_flag=True, help="Print JSON: results on stdout, errors on stderr.")
    @click.option("-v", "--verbose", count=True, help="Print timings of ingest and query, and tracebacks.")
    @click.option("-q", "--quiet", is_flag=True, help="Print no progress and no warnings; wins over -v.")
    @functools.wraps(command)
    def with_shared(
        *args: Any, home: Path | None, db: str | None, as_json: bool, verbose: int, quiet: bool, **kwargs: Any
    ) -> Any:
        shared = click.get_current_context().ensure_object(Shared)
        shared.settings.update({name: value for name, value in {"home": home, "db": db}.items() if value})
        shared.as_json |= as_json
        if verbose or quiet:
            shared.verbosity = -1 if quiet or shared.verbosity < 0 else verbose
            _set_log_level(shared.verbosity)
        return command(*args, **kwargs)

    return with_shared  # type: ignore[return-value]


def extractor_options(with_extractor: bool = True) -> Callable[[Command], Command]:
    """Adds the options that say how an extractor runs.

    Args:
        with_extractor: whether to add ``--extractor`` too.
    """
    options = [
        click.option(
            "--precision",
            type=click.Choice(["auto", "f32", "bf16", "mixed_float16"]),
            help="Floating-point precision of the network.",
        ),
        click.option(
            "--engine",
            type=click.Choice(["auto", "openvino", "tensorflow"]),
            help="Library that runs the network.",
        ),
        click.option("--weights", metavar="imagenet|FILE", help="Weights of the network."),
    ]
    if with_extractor:
        options.append(
            click.option(
                "-e",
                "--extractor",
                metavar="NAME[@SIZE][+texture][+colors]",
                help="Extractor of the features; `stylesearch extractors` lists them.",
            )
        )

    def add(command: Command) -> Command:
        for option in options:
            command = option(command)
        return command

    return add


def cluster_option(command: Command) -> Command:
    """Adds ``--cluster``."""
    return click.option(
        "--cluster",
        metavar="dask://HOST:8786|ray://HOST:10001|local:N",
        help="Compute features on a cluster, or in N processes of this machine.",
    )(command)


def _set_log_level(verbosity: int) -> None:
    level = {-1: logging.ERROR, 0: logging.WARNING, 1: logging.INFO}.get(verbosity, logging.DEBUG)
    logging.getLogger("stylesearch").setLevel(level)
    if verbosity < 0:
        import warnings

        warnings.simplefilter("ignore")
