"""``stylesearch db export``, ``import`` and ``copy``."""

from __future__ import annotations

from pathlib import Path

import click

from stylesearch.wording import count

from .options import Shared, pass_shared, shared_options
from .output import Progress, echo_json
from .process import confirm

__all__ = ["copy", "export", "import_"]


@click.command()
@click.argument("place", metavar="FOLDER|FILE.tar", type=click.Path(path_type=Path))
@click.option("--overwrite", is_flag=True, help="Replace an export that is there.")
@shared_options
@pass_shared
def export(shared: Shared, place: Path, overwrite: bool) -> None:
    """Write all rows and vectors of the catalog, to be imported into another database.

    Rows are lines of JSON, vectors arrays of NumPy; `manifest.json` has versions, lengths and digests. For a
    backup, `stylesearch db backup` is quicker. `stylesearch products export` writes a table for people.
    """
    with shared.open() as shop, Progress(quiet=shared.verbosity < 0, unit="rows") as progress:
        counts = shop.database.export(place, overwrite=overwrite, progress=progress)
    if shared.as_json:
        echo_json({"place": str(place), "rows": counts})
    else:
        click.echo(f"{place}: {_describe(counts)}")


@click.command("import")
@click.argument("place", metavar="FOLDER|FILE.tar", type=click.Path(path_type=Path))
@click.option("--overwrite", is_flag=True, help="Remove what the catalog has first.")
@click.option("--yes", is_flag=True, help="Ask nothing.")
@shared_options
@pass_shared
def import_(shared: Shared, place: Path, overwrite: bool, yes: bool) -> None:
    """Put what `stylesearch db export` has written into the catalog, which has to be empty.

    A catalog is made if there is none. It gets everything, or nothing if something is wrong with the export.
    """
    settings = shared.load()
    with shared.open() as shop:
        if overwrite and not yes and settings.has_catalog:
            n_products, _ = shop.catalog.totals()
            if n_products:
                confirm(
                    f"replace the {count(n_products, 'product')} of {shop.catalog.backend}?",
                    "nothing was changed",
                )
        with Progress(quiet=shared.verbosity < 0, unit="rows") as progress:
            counts = shop.database.import_from(place, overwrite=overwrite, progress=progress)
    if shared.as_json:
        echo_json({"place": str(place), "rows": counts})
    else:
        click.echo(f"imported {_describe(counts)}")
        click.echo(f"`stylesearch{shared.flags()} index build` makes searches quick")


@click.command()
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@click.option("--overwrite", is_flag=True, help="Remove what the other catalog has first.")
@click.option(
    "--new-id", is_flag=True, help="For who will write to both: the copy shares no indexes with FROM."
)
@click.option("--yes", is_flag=True, help="Ask nothing.")
@shared_options
@pass_shared
def copy(shared: Shared, source: str, target: str, overwrite: bool, new_id: bool, yes: bool) -> None:
    """Copy a catalog to another database: each is the path of a SQLite file, or postgresql://USER@HOST/NAME.

    Everything is copied as of one moment, or nothing; others may write meanwhile. TO is made if there is
    none, and has to be empty. Keys and ids stay what they are: with `--db TO` searches answer as before,
    through the same indexes. A password is better set in PGPASSWORD or ~/.pgpass than written here.
    """
    if overwrite and not yes:
        confirm("replace all products of the second catalog?", "nothing was changed")
    with shared.open() as shop, Progress(quiet=shared.verbosity < 0, unit="rows") as progress:
        counts = shop.database.copy(
            target, source=source, overwrite=overwrite, new_id=new_id, progress=progress
        )
    if shared.as_json:
        echo_json({"rows": counts})
    else:
        click.echo(f"copied {_describe(counts)}")
        click.echo("`stylesearch --db` with the second place, or `db` in config.toml, uses the copy")


def _describe(counts: dict[str, int]) -> str:
    of_products, of_images, of_vectors = (counts[name] for name in ("products", "images", "features"))
    return f"{count(of_products, 'product')}, {count(of_images, 'image')} and {count(of_vectors, 'feature')}"
