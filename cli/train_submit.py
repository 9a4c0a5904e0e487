"""``stylesearch train --submit``: the same training, as a job of a Ray cluster."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from .options import Shared
from .output import echo_json
from .process import explain_interruption

if TYPE_CHECKING:
    from stylesearch.settings import Settings
    from stylesearch.workspace.train_jobs import TrainJob

__all__ = ["submit"]

OF_THIS_MACHINE = {"submit", "home", "db", "as_json", "verbose", "quiet", "name"}
"""Parameters that say where the workspace is and how to print, or that are passed otherwise."""

OF_FILES = {"extractor", "weights"}
"""Settings that may be the path of a file."""


def submit(shared: Shared, address: str, name: str, *, default: bool, **flags: Any) -> None:
    """Submits a training with the options of this call, and follows its log.

    Args:
        shared: the shared options.
        address: where jobs are taken.
        name: name of the model.
        default: whether to make it the default space. Where only the catalog is shared, the job's own folder
            has no lasting settings: they are changed here.
        flags: settings by name, as the training would have them.
    """
    from stylesearch.workspace.train_jobs import submit_training, with_absolute_paths
    from stylesearch.workspace.training import make_default

    settings = with_absolute_paths(shared.load(**flags))
    job = submit_training(settings, address, [name, *_given_options(settings)])
    click.echo(f"submitted: job {job.id} at {job.address}", err=True)
    with _goes_on(job):
        job.follow(lambda lines: click.echo(lines, nl=False, err=shared.as_json))
    with shared.open(**flags) as shop:
        card = shop.models.get(name)  # it is not here where neither folder nor catalog is shared
    if default and settings.shares_artifacts:
        make_default(settings.home, card, settings.weights)
    if shared.as_json:
        echo_json({"job": job.id, "address": job.address, "space": card.space})
    else:
        click.echo(f"{card.space} is in use here too")
        if default:
            click.echo("default:  yes, by `space` in config.toml")


def _goes_on(job: TrainJob) -> contextlib.AbstractContextManager[None]:
    return explain_interruption(lambda: job.how_to_follow)


def _given_options(settings: Settings) -> Iterator[str]:
    """The options that this command was called with, to be passed on with absolute paths."""
    context = click.get_current_context()
    for parameter in context.command.params:
        key = parameter.name or ""
        is_given = context.get_parameter_source(key) is ParameterSource.COMMANDLINE
        if key in OF_THIS_MACHINE or not is_given or not isinstance(parameter, click.Option):
            continue
        if key == "default" and settings.shares_artifacts:
            continue
        value = getattr(settings, key) if key in OF_FILES else context.params[key]
        flag = max(parameter.opts, key=len)
        if parameter.is_flag:
            yield flag
        elif isinstance(value, tuple):  # shares of the split
            yield from (flag, ",".join(f"{100 * one:.15g}" for one in value))
        elif isinstance(value, Path):
            yield from (flag, str(value.absolute()))
        else:
            yield from (flag, str(value))
