"""``stylesearch products``: lists, shows and removes products."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from stylesearch.types import ImageRecord, Product

from .completion import complete_category, complete_product
from .options import Shared, pass_shared, shared_options
from .output import echo_json, echo_table

if TYPE_CHECKING:
    from stylesearch.workspace.workspace import Workspace


@click.group()
@shared_options
def products() -> None:
    """List, show or remove products."""


@products.command("list")
@click.option("-c", "--category", shell_complete=complete_category, help="List this category only.")
@click.option(
    "--limit", default=100, show_default=True, type=click.IntRange(min=1), help="Number of products."
)
@click.option("--after", metavar="ID", help="Start after this product, the last one of the previous page.")
@shared_options
@pass_shared
def list_products(shared: Shared, category: str | None, limit: int, after: str | None) -> None:
    """List products, sorted by id."""
    with shared.open() as shop:
        found = list(shop.products(category=category, after=after, limit=limit))
        if category and not found:
            _check_category(shop, category)
    if shared.as_json:
        echo_json([_product_object(product) for product in found], indent=2)
    else:
        echo_table(
            ["product", "title", "category", "price"],
            [[product.id, product.title, product.category, product.price] for product in found],
            shrink="title",
        )


@products.command()
@click.argument("product_id", metavar="ID", shell_complete=complete_product)
@shared_options
@pass_shared
def show(shared: Shared, product_id: str) -> None:
    """Show one product and its images."""
    with shared.open() as shop:
        product, images = shop.product(product_id), shop.images(product_id)
    if shared.as_json:
        echo_json(
            {**_product_object(product), "images": [_image_object(image) for image in images]}, indent=2
        )
        return
    for name, value in _product_object(product).items():
        if value:
            click.echo(f"{name:<10}  {value}")
    click.echo()
    echo_table(
        ["domain", "size", "box", "image"],
        [[image.domain, f"{image.width}x{image.height}", image.box, image.path] for image in images],
    )


@products.command()
@click.argument("product_ids", nargs=-1, required=True, metavar="ID...", shell_complete=complete_product)
@shared_options
@pass_shared
def remove(shared: Shared, product_ids: tuple[str, ...]) -> None:
    """Remove products; the next query no longer finds them."""
    with shared.open() as shop:
        n_removed = shop.remove(product_ids)
    if shared.as_json:
        echo_json({"removed": n_removed})
    else:
        click.echo(f"{n_removed} removed")


def _check_category(shop: Workspace, category: str) -> None:
    """Refuses a category that no product has.

    Raises:
        UnknownName: no product has it; the message suggests a similar category.
    """
    from stylesearch.registry import unknown_name

    if any(shop.products(category=category, limit=1)):
        return  # the category exists, and only this page of it is empty
    catalog = shop.catalog
    known = {name for one in catalog.feature_sets() for name in catalog.category_names(one)}
    raise unknown_name("category", category, dict.fromkeys(sorted(known)))


def _product_object(product: Product) -> dict[str, object]:
    return {
        "id": product.id,
        "title": product.title,
        "category": product.category,
        "url": product.url,
        "price": product.price,
        "attributes": dict(product.attributes),
    }


def _image_object(image: ImageRecord) -> dict[str, object]:
    return {
        "path": image.path,
        "sha256": image.sha256,
        "domain": str(image.domain),
        "width": image.width,
        "height": image.height,
        "box": str(image.box) if image.box else None,
    }
