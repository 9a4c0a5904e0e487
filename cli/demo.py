"""``stylesearch demo``: draws a shop to try the other commands with."""

from __future__ import annotations

import os
from pathlib import Path

import click

from stylesearch.wording import count

from .options import Shared, pass_shared, shared_options
from .output import Progress, echo_json
from .process import explain_interruption


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), metavar="DIR")
@click.option(
    "--products",
    "n_products",
    default=60,
    show_default=True,
    type=click.IntRange(min=1),
    help="Number of products.",
)
@click.option("--seed", default=0, show_default=True, type=int, help="The same seed draws the same images.")
@click.option(
    "--streets",
    "n_street_photos",
    default=1,
    show_default=True,
    type=click.IntRange(0, 20),
    help="Street photos of each product.",
)
@click.option("--hard", is_flag=True, help="Draw street photos of a poor camera in bad light.")
@click.option("--overwrite", is_flag=True, help="Draw into a folder that is not empty.")
@shared_options
@pass_shared
def demo(
    shared: Shared,
    folder: Path,
    n_products: int,
    seed: int,
    n_street_photos: int,
    hard: bool,
    overwrite: bool,
) -> None:
    """Draw a demo shop in DIR: shop images of garments, and street photos of the same garments.

    DIR/products.csv lists the shop images. DIR/street.csv lists the street photos, each with the product that
    it shows and the box of the garment.
    """
    from stylesearch.drawn_shop import write_demo

    def explain() -> str:
        return f"{folder} is drawn in part only; to draw it again, run the same command with --overwrite"

    with explain_interruption(explain), Progress(quiet=shared.verbosity < 0) as progress:
        report = write_demo(
            folder,
            n_products=n_products,
            seed=seed,
            street_photos_per_product=n_street_photos,
            hard=hard,
            overwrite=overwrite,
            processes=os.cpu_count() or 1,
            progress=lambda done, total: progress("drawing", done, total),
        )
    if shared.as_json:
        echo_json(
            {
                "products": report.products,
                "shop_photos": report.shop_photos,
                "street_photos": report.street_photos,
                "catalog": str(report.products_csv),
                "street": str(report.street_csv),
            }
        )
        return
    click.echo(
        f"{count(report.products, 'product')}, {count(report.shop_photos, 'shop image')}, "
        f"{count(report.street_photos, 'street photo')} in {folder}"
    )
    click.echo(f"next: stylesearch ingest {report.products_csv}{shared.flags()}")
