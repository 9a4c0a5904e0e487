"""``stylesearch products``: lists, shows, exports and removes products, and finds those of one picture."""

from __future__ import annotations

import dataclasses
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stylesearch.errors import ConfigError
from stylesearch.listing import ATTRIBUTE
from stylesearch.types import Product, ProductFilter
from stylesearch.wording import count, for_people, one_or_many

from .completion import complete_product
from .options import Shared, pass_shared, shared_options
from .output import Progress, echo_json, echo_json_list, echo_table
from .process import confirm, resumable
from .product_filters import filter_options

if TYPE_CHECKING:
    from stylesearch.catalog.categories import Categories
    from stylesearch.catalog.records import SourceListing

FORMATS = ["csv", "jsonl"]
ENDINGS = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
"""Formats of an export by the ending of its file."""
N_SHOWN = 10


@click.group()
@shared_options
def products() -> None:
    """List, show, export or remove products, or find their duplicates."""


@products.command("list")
@filter_options
@click.option("--limit", default=0, type=click.IntRange(min=0), help="Number of products.  [default: all]")
@click.option("--after", metavar="ID", help="Start after this product, the last one of the previous page.")
@shared_options
@pass_shared
def list_products(shared: Shared, where: ProductFilter, limit: int, after: str | None) -> None:
    """List products, sorted by id."""
    from stylesearch.workspace.export import product_values

    with shared.open() as shop:
        found = shop.products(where, after=after, limit=limit or None)
        if shared.as_json:
            echo_json_list(product_values(product) for product in found)
        else:
            last: list[Product] = []
            echo_table(
                ["product", "title", "category", "price", "stock"],
                (_row(product, last) for product in found),
                shrink="title",
            )
            if limit and last and shared.verbosity >= 0:
                left = next(shop.products(where, after=last[0].id, limit=1), None)
                if left is not None:
                    n = shop.catalog.selection.count(where)
                    click.echo(
                        f"{limit:,} of {count(n, 'product')}; for the next ones add --after "
                        f"{shlex.quote(last[0].id)}, for all leave --limit out",
                        err=True,
                    )


@products.command()
@click.argument("product_id", metavar="ID", shell_complete=complete_product)
@shared_options
@pass_shared
def show(shared: Shared, product_id: str) -> None:
    """Show one product, its variants and images, and which source says what of it."""
    from stylesearch.images.source import without_secrets
    from stylesearch.workspace.export import image_values, product_values

    with shared.open() as shop:
        product, images = shop.product(product_id), shop.images(product_id)
        said = shop.catalog.sources.said_of(product_id)
        categories = shop.catalog.selection.category_map()
    if shared.as_json:
        echo_json(
            {
                **product_values(product),
                "images": [image_values(image) for image in images],
                "sources": [
                    {
                        "source": one.source,
                        "place": one.place,
                        "said": dict(one.said),
                        "guesses": dict(one.guesses),
                    }
                    for one in said
                ],
            },
            indent=2,
        )
        return
    for name, value in _describe(product).items():
        if value:
            click.echo(f"{name:<10}  {value}")
    if product.variants:
        click.echo()
        echo_table(
            ["variant", "options", "price", "stock"],
            [[one.id, _options(one.options), one.price, _stock(one.in_stock)] for one in product.variants],
        )
    click.echo()
    echo_table(
        ["domain", "size", "box", "shows", "image"],
        [
            [
                image.domain,
                f"{image.width}x{image.height}",
                image.box,
                _options(image.options),
                without_secrets(image.locator),
            ]
            for image in images
        ],
        empty="no images",
    )
    if said:
        click.echo()
        rows = _rows_of_sources(said, product, categories)
        echo_table(["source", "field", "says", "counts"], rows, shrink="says")


@products.command()
@filter_options
@click.option(
    "--format",
    "export_format",
    type=click.Choice(FORMATS),
    help="A table with a row for each image, or a line of JSON for each product.  [default: by the ending of "
    "FILE, else csv]",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="[default: stdout]",
)
@click.option("--overwrite", is_flag=True, help="Replace a file that exists.")
@shared_options
@pass_shared
def export(
    shared: Shared, where: ProductFilter, export_format: str | None, output: Path | None, overwrite: bool
) -> None:
    """Write products to a table that `ingest` reads, or as lines of JSON."""
    chosen = export_format or _format_of(output)
    if output is not None and output.is_file() and not overwrite:
        raise ConfigError(
            f"{output} exists already", hint="name another file, or replace it with --overwrite"
        )
    with shared.open() as shop:
        if output is None:
            shop.export(sys.stdout.buffer, where, format=chosen)
            sys.stdout.buffer.flush()
            return
        from stylesearch.files import atomic_file

        with atomic_file(output) as file:
            n = shop.export(file, where, format=chosen)
    if shared.as_json:
        echo_json({"products": n, "file": str(output), "format": chosen})
    else:
        click.echo(f"{count(n, 'product')} in {output}")


@products.command()
@click.argument("product_ids", nargs=-1, metavar="[ID]...", shell_complete=complete_product)
@filter_options
@click.option("--dry-run", is_flag=True, help="Only say which products would be removed.")
@click.option("--yes", is_flag=True, help="Ask nothing.")
@shared_options
@pass_shared
def remove(
    shared: Shared, product_ids: tuple[str, ...], where: ProductFilter, dry_run: bool, yes: bool
) -> None:
    """Remove products by id, or those that options choose; the next query no longer finds them.

    A source that still lists them brings them back at its next ingest.
    """
    is_everything = where == ProductFilter()
    if bool(product_ids) == (not is_everything):
        raise click.UsageError("give the ids of products, or options that choose them, such as --category.")
    with shared.open() as shop:
        if product_ids:
            found = [shop.product(one).id for one in product_ids]
            n = len(set(found))
        else:
            found = [one.id for one in shop.products(where, limit=N_SHOWN)]
            n = shop.catalog.selection.count(where)
        if not dry_run and not product_ids and not yes and n:
            confirm(f"remove {count(n, 'product')} ({_examples(found, n)})?", "nothing was removed")
        n_removed = 0
        if not dry_run:
            n_removed = shop.remove(product_ids) if product_ids else shop.remove_where(where)
    if shared.as_json:
        echo_json({"removed": n_removed, **({"would_remove": n, "dry_run": True} if dry_run else {})})
    elif dry_run:
        click.echo(f"{count(n, 'product')} would be removed" + (f": {_examples(found, n)}" if n else ""))
    else:
        click.echo(f"{count(n_removed, 'product')} removed")


@products.command()
@click.option(
    "--threshold",
    type=click.IntRange(0, 64),
    metavar="BITS",
    help="How many of 255 bits of their shape may differ; 0 for equal files only.  [default: 32]",
)
@shared_options
@pass_shared
def duplicates(shared: Shared, threshold: int | None) -> None:
    """List equal and nearly equal shop images that several products have."""
    from stylesearch.images.source import without_secrets
    from stylesearch.workspace.export import image_values

    with resumable(), shared.open() as shop, Progress(quiet=shared.verbosity < 0) as progress:
        found = shop.duplicates(threshold=threshold, progress=progress)
    if shared.as_json:
        echo_json(
            [
                {
                    "equal": group.is_equal,
                    "images": [
                        {"product": one.product.id, "title": one.product.title, **image_values(one.image)}
                        for one in group.images
                    ],
                }
                for group in found.groups
            ],
            indent=2,
        )
        return
    rows: list[list[object]] = []
    for number, group in enumerate(found.groups, start=1):
        kind = "equal" if group.is_equal else "near"
        for one in group.images[:N_SHOWN]:
            rows.append([number, kind, one.product.id, one.product.title, without_secrets(one.image.locator)])
        if len(group.images) > N_SHOWN:
            rows.append([number, kind, f"... and {len(group.images) - N_SHOWN:,} more", "", ""])
    echo_table(["group", "images", "product", "title", "image"], rows, right=["group"], shrink="title")
    if found.n_unreadable and shared.verbosity >= 0:
        n = found.n_unreadable
        were = one_or_many(n, "was", "were")
        click.echo(
            f"note: {count(n, 'image')} could not be read, and {were} compared by the bytes only", err=True
        )


def _format_of(output: Path | None) -> str:
    if output is None:
        return "csv"
    chosen = ENDINGS.get(output.suffix.lower())
    if chosen is None:
        raise ConfigError(
            f"the format of {output.name} cannot be told: a file of products ends in {', '.join(ENDINGS)}",
            hint="name it so, or say --format",
        )
    return chosen


def _row(product: Product, last: list[Product]) -> list[object]:
    last[:] = [product]
    return [product.id, product.title, product.category, _price(product), _stock(product.in_stock)]


def _price(product: Product) -> str | None:
    """The price as the shop writes it, or the range of the variants' prices."""
    low, high = product.amount, product.amount_max
    if low is None or high is None or low == high:
        return product.price
    return f"{low:,.2f} - {high:,.2f} {product.currency or ''}".rstrip()


def _stock(in_stock: bool | None) -> str:
    return {True: "in stock", False: "sold out", None: ""}[in_stock]


def _options(options: Mapping[str, str]) -> str:
    return for_people(options)


def _describe(product: Product) -> dict[str, str | None]:
    return {
        "id": product.id,
        "title": product.title,
        "category": product.category,
        "url": product.url,
        "price": _price(product),
        "stock": _stock(product.in_stock),
        "attributes": "; ".join(f"{name}: {for_people(value)}" for name, value in product.attributes.items()),
    }


def _rows_of_sources(
    said: Sequence[SourceListing], product: Product, categories: Categories
) -> list[list[Any]]:
    """What each source says, and whether it is what the product has."""
    values: dict[str, Any] = {
        **{name: getattr(product, name) for name in ("title", "category", "url", "price", "in_stock")},
        **{ATTRIBUTE + name: value for name, value in product.attributes.items()},
        "variants": [dataclasses.asdict(one) for one in product.variants],
    }
    rows: list[list[Any]] = []
    stated = {name for one in said for name in one.said}
    for one in said:
        guessed = {name: value for name, value in one.guesses.items() if name not in one.said}
        for name, value in (*one.said.items(), *guessed.items()):
            is_same = (categories.find(value) if name == "category" else value) == values.get(name)
            counts = is_same and not (name in guessed and name in stated)
            shown = count(len(value), "variant") if name == "variants" else for_people(value)
            note = " (from names of files)" if name in guessed else ""
            rows.append([one.source, name, shown + note, "yes" if counts else ""])
        if not one.said and not one.guesses:
            rows.append([one.source, "", "", ""])
    return rows


def _examples(ids: Sequence[str], n: int) -> str:
    return ", ".join(ids[:N_SHOWN]) + (", ..." if n > N_SHOWN else "")
