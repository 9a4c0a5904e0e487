"""``stylesearch categories``: lists, renames and merges categories, and maps those of the shop."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from stylesearch.wording import count

from .completion import complete_category
from .options import Shared, pass_shared, shared_options
from .output import echo_json, echo_table
from .process import resumable


@click.group()
@shared_options
def categories() -> None:
    """List, rename or merge categories, or map those of the shop to others.

    The next ingest files its products under the same categories.
    """


@categories.command("list")
@shared_options
@pass_shared
def list_categories(shared: Shared) -> None:
    """List the categories that products are searched in, with what the shop calls them."""
    with shared.open() as shop:
        rows = shop.categories.list()
    if shared.as_json:
        echo_json(
            [
                {
                    "category": row.category,
                    "products": row.products,
                    "shop_categories": list(row.shop_categories),
                }
                for row in rows
            ],
            indent=2,
        )
        return
    echo_table(
        ["category", "products", "in the shop"],
        [
            [row.category, row.products, ", ".join(one for one in row.shop_categories if one != row.category)]
            for row in rows
        ],
        right=["products"],
        shrink="in the shop",
    )


@categories.command()
@click.argument("category", shell_complete=complete_category)
@click.argument("new_name")
@shared_options
@pass_shared
def rename(shared: Shared, category: str, new_name: str) -> None:
    """Rename a category and those below it."""
    with resumable(), shared.open() as shop:
        _echo_moved(shared, shop.categories.rename(category, new_name))


@categories.command()
@click.argument(
    "categories_to_join", nargs=-1, required=True, metavar="CATEGORY...", shell_complete=complete_category
)
@click.argument("into", shell_complete=complete_category)
@shared_options
@pass_shared
def merge(shared: Shared, categories_to_join: tuple[str, ...], into: str) -> None:
    """Join categories, without those below them, to the category INTO."""
    with resumable(), shared.open() as shop:
        _echo_moved(shared, shop.categories.merge(categories_to_join, into))


@categories.command("map")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=False)
@shared_options
@pass_shared
def map_categories(shared: Shared, file: Path | None) -> None:
    """Map categories of the shop as FILE says; without one, print the present map to be edited.

    FILE is a table with the columns shop_category and category, or TOML or JSON. An empty category takes a
    mapping back, and * in a shop's category stands for any text.
    """
    from stylesearch.workspace.category_file import write_category_file

    with resumable(), shared.open() as shop:
        if file is not None:
            _echo_moved(shared, shop.categories.map_file(file))
            return
        rows = shop.categories.current_map()
    if shared.as_json:
        echo_json({row.shop_category: row.category for row in rows}, indent=2)
    else:
        write_category_file(rows, sys.stdout)


def _echo_moved(shared: Shared, n_moved: int) -> None:
    if shared.as_json:
        echo_json({"moved": n_moved})
    else:
        click.echo(f"{count(n_moved, 'product')} moved")
