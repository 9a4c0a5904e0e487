"""``stylesearch sources``: lists, renames and removes the sources of products."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from stylesearch.wording import count, for_people

from .completion import complete_source
from .options import Shared, pass_shared, shared_options
from .output import echo_json, echo_table
from .process import confirm


@click.group()
@shared_options
def sources() -> None:
    """List, rename or remove the sources of products: folders, tables, feeds, the API."""


@sources.command("list")
@shared_options
@pass_shared
def list_sources(shared: Shared) -> None:
    """List the sources, with how much each lists and where it lay last."""
    with shared.open() as shop:
        found = shop.sources.list()
    if shared.as_json:
        echo_json(
            [
                {
                    "name": one.source.name,
                    "path": one.source.path,
                    "format": one.source.format,
                    "products": one.products,
                    "images": one.images,
                    "ingested_at": one.source.ingested_at,
                    "gone": one.is_gone,
                    # Without the roles of up to thousands of folders.
                    "options": {name: value for name, value in one.source.options.items() if name != "roles"},
                }
                for one in found
            ],
            indent=2,
        )
        return
    echo_table(
        ["source", "format", "products", "images", "ingested", "options", "path"],
        [
            [
                one.source.name,
                one.source.format,
                one.products,
                one.images,
                (one.source.ingested_at or "")[:16].replace("T", " "),
                _options(one.source.options),
                f"{one.source.path} (gone)" if one.is_gone else one.source.path,
            ]
            for one in found
        ],
        right=["products", "images"],
        shrink="options",
    )


@sources.command()
@click.argument("name", shell_complete=complete_source)
@click.argument("new_name")
@shared_options
@pass_shared
def rename(shared: Shared, name: str, new_name: str) -> None:
    """Give a source another name. A source that is named by its path may be given by a relative one."""
    with shared.open() as shop:
        old_name = shop.sources.find(name).name
        shop.sources.rename(old_name, new_name)
    if shared.as_json:
        echo_json({"name": new_name, "renamed": old_name})
    else:
        click.echo(f"{old_name} is called {new_name} now")


@sources.command()
@click.argument("name", shell_complete=complete_source)
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@click.option("--yes", is_flag=True, help="Ask nothing.")
@shared_options
@pass_shared
def remove(shared: Shared, name: str, dry_run: bool, yes: bool) -> None:
    """Remove a source, with the products and images that no other source lists."""
    with shared.open() as shop:
        name = shop.sources.find(name).name
        removed, kept = shop.sources.preview_removal(name)
        said = f"{count(removed.products, 'product')} and {count(removed.images, 'image')}"
        stay = f"; {count(kept.products, 'product')} and {count(kept.images, 'image')} stay, since other "
        stay = f"{stay}sources list them" if kept.products or kept.images else ""
        if not dry_run:
            if not yes:
                confirm(f"remove {name} with {said}{stay}?", "nothing was removed")
            removed = shop.sources.remove(name)
    if shared.as_json:
        echo_json({"products": removed.products, "images": removed.images, "dry_run": dry_run})
    elif dry_run:
        click.echo(f"{said} would be removed{stay}")
    else:
        click.echo(f"{name} removed, with {said}")


def _options(options: Mapping[str, Any]) -> str:
    """The options that are kept with a source: ``currency EUR; columns title Bezeichnung``."""
    return "; ".join(f"{name} {for_people(value)}" for name, value in options.items() if value is not None)
