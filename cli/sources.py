"""``stylesearch sources``: lists, renames and removes the sources of products."""

from __future__ import annotations

import click

from .options import Shared, pass_shared, shared_options
from .output import echo_json, echo_table


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
        ["source", "format", "products", "images", "ingested", "path"],
        [
            [
                one.source.name,
                one.source.format,
                one.products,
                one.images,
                (one.source.ingested_at or "")[:16].replace("T", " "),
                f"{one.source.path} (gone)" if one.is_gone else one.source.path,
            ]
            for one in found
        ],
        right=["products", "images"],
    )


@sources.command()
@click.argument("name")
@click.argument("new_name")
@shared_options
@pass_shared
def rename(shared: Shared, name: str, new_name: str) -> None:
    """Give a source another name."""
    with shared.open() as shop:
        shop.sources.rename(name, new_name)
    if shared.as_json:
        echo_json({"name": new_name, "renamed": name})
    else:
        click.echo(f"{name} is called {new_name} now")


@sources.command()
@click.argument("name")
@click.option("--dry-run", is_flag=True, help="Only say how much the source lists.")
@shared_options
@pass_shared
def remove(shared: Shared, name: str, dry_run: bool) -> None:
    """Remove a source, with the products and images that no other source lists."""
    with shared.open() as shop:
        removed = shop.sources.remove(name, dry_run=dry_run)
    if shared.as_json:
        echo_json({"products": removed.products, "images": removed.images, "dry_run": dry_run})
    elif dry_run:
        click.echo(f"{name} lists {removed.products} products and {removed.images} images")
    else:
        click.echo(f"{name} removed, with {removed.products} products and {removed.images} images")
