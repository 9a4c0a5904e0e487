"""``stylesearch db backup``, ``restore`` and ``vacuum``."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stylesearch.wording import count

from .options import Shared, pass_shared, shared_options
from .output import Progress, echo_json
from .process import confirm

if TYPE_CHECKING:
    from stylesearch.settings import Settings
    from stylesearch.workspace.backup import Backup

__all__ = ["backup", "restore", "vacuum"]


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--full",
    is_flag=True,
    help="Also what was put over the API, trained models and settings, in one archive. It holds secrets.",
)
@click.option("--overwrite", is_flag=True, help="Replace a file that exists.")
@shared_options
@pass_shared
def backup(shared: Shared, file: Path, full: bool, overwrite: bool) -> None:
    """Write the catalog, as of this moment, to FILE.

    Others may write meanwhile, an ingest or a service. FILE appears when it is complete. Images in folders
    and those that were fetched from URLs are in no backup.
    """
    with shared.open() as shop, Progress(quiet=shared.verbosity < 0, unit="MB") as progress:
        made = shop.database.back_up(file, full=full, overwrite=overwrite, progress=progress)
    if shared.as_json:
        echo_json(_as_dict(made))
    else:
        click.echo(f"{file}, {made.n_bytes / 1e6:,.1f} MB: {_describe(made)}")


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--yes", is_flag=True, help="Ask nothing.")
@shared_options
@pass_shared
def restore(shared: Shared, file: Path, yes: bool) -> None:
    """Put the backup in FILE in the place of the catalog.

    FILE is checked first. Nobody else may have the catalog open. Of a full backup, the images, the models and
    the settings that it holds are restored too. Searches compare all products until the indexes are built.
    """
    settings = shared.load()
    with shared.open() as shop:
        found = shop.database.read_backup(file)
        present = _describe_present(settings)
        if present and not yes:
            confirm(f"replace {present} by {_describe(found)} of {found.created}?", "nothing was changed")
        with Progress(quiet=shared.verbosity < 0, unit="MB") as progress:
            restored = shop.database.restore(file, progress=progress)
    if shared.as_json:
        echo_json(_as_dict(restored))
    else:
        click.echo(f"restored {_describe(restored)} of {restored.created}")
        click.echo(f"`stylesearch{shared.flags()} index build` makes searches quick again")


@click.command()
@shared_options
@pass_shared
def vacuum(shared: Shared) -> None:
    """Give the room back that removed products have left in the catalog's file."""
    with shared.open() as shop:
        done = shop.database.vacuum()
    if shared.as_json:
        echo_json(dataclasses.asdict(done))
    else:
        click.echo(f"{done.before / 1e6:,.1f} MB before, {done.after / 1e6:,.1f} MB now")


def _describe_present(settings: Settings) -> str:
    """What a restore would replace; empty where there is nothing."""
    from stylesearch.catalog.backup import read_contents
    from stylesearch.errors import CatalogError

    path = settings.backend().file_for("`db restore`")
    if not path.exists():
        return ""
    try:
        contents = read_contents(path)
    except CatalogError as error:
        return f"the catalog {path}, which cannot be read ({error}),"
    return f"the {count(contents.products, 'product')} of {path}" if contents and contents.products else ""


def _describe(one: Backup) -> str:
    """What is in a backup, in words."""
    held = one.contents
    parts = [count(held.products, "product"), count(held.images, "image"), count(held.features, "feature")]
    if one.is_full:
        parts.append(f"{count(one.uploads, 'image')} of the API")
        parts.append(count(len(one.models), "model"))
        parts += ["settings"] if one.has_settings else []
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


def _as_dict(one: Backup) -> dict[str, Any]:
    return {
        "file": str(one.file),
        "full": one.is_full,
        "bytes": one.n_bytes,
        "created": one.created,
        **dataclasses.asdict(one.contents),
        "uploads": one.uploads,
        "models": list(one.models),
        "settings": one.has_settings,
    }
