"""``stylesearch cache``: shows and removes pictures that were fetched from URLs."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import click

from stylesearch.wording import count

from .options import Shared, pass_shared, shared_options
from .output import echo_json

if TYPE_CHECKING:
    from stylesearch.images.remote.cache import CacheStatus


@click.group()
@shared_options
def cache() -> None:
    """Show or remove pictures that were fetched from URLs."""


@cache.command()
@shared_options
@pass_shared
def status(shared: Shared) -> None:
    """Show how many pictures were fetched, and where they lie."""
    with shared.open() as shop:
        found, folder = shop.pictures.status(), shop.settings.pictures
    if shared.as_json:
        echo_json({"folder": str(folder), **dataclasses.asdict(found)})
    else:
        click.echo(f"{_describe(found)} in {folder}")


@cache.command()
@click.option("--all", "everything", is_flag=True, help="Remove all, also those that the catalog still uses.")
@shared_options
@pass_shared
def clear(shared: Shared, everything: bool) -> None:
    """Remove fetched pictures that the catalog no longer uses."""
    with shared.open() as shop:
        removed = shop.pictures.clear(everything=everything)
    if shared.as_json:
        echo_json(dataclasses.asdict(removed))
    else:
        click.echo(f"{_describe(removed)} removed")


def _describe(status: CacheStatus) -> str:
    pictures, urls = count(status.n_files, "picture"), count(status.n_urls, "URL")
    return f"{pictures}, {status.n_bytes / 1e6:,.1f} MB, of {urls}"
