"""``stylesearch ingest``: adds products and their images to the catalog."""

from __future__ import annotations

import contextlib
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .completion import complete_source
from .ingest_report import echo_report
from .options import Shared, cluster_option, extractor_options, pass_shared, shared_options
from .output import Progress, echo_json
from .process import EXIT_SOME_FAILED, explain_interruption, give_way, resumable
from .watch import follow, interrupts_to

if TYPE_CHECKING:
    from stylesearch.ingest.failure_file import OnFailure

# A copy of the names of the importers, so that `--help` need not import the catalog. A test compares them.
FORMATS = [
    "auto",
    "bigcommerce",
    "csv",
    "deepfashion-c2s",
    "deepfashion-inshop",
    "deepfashion2",
    "folder",
    "google",
]
FORMATS += ["magento", "prestashop", "shopify", "street2shop", "woocommerce"]
CATEGORIES = ["own", "study2018"]


class SourcePath(click.Path):
    """An existing folder or file."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Returns the path; the message for a missing one says what to give instead."""
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as error:
            if "://" in str(value):
                self.fail(
                    f"a source is a file or a folder, and no URL. Received: {value} "
                    f"Download it, and give the file: curl --location --output products.csv '{value}'",
                    param,
                    ctx,
                )
            self.fail(f"{error.message} Give a folder with images, or a CSV file.", param, ctx)


class ColumnMap(click.ParamType[dict[str, str]]):
    """Columns by field: ``title=Bezeichnung,image=Bild``; ``title=`` for none."""

    name = "map"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, str]:
        """Returns the columns by field."""
        pairs = [pair.partition("=") for pair in value.split(",")]
        if not all(field.strip() and equals for field, equals, _ in pairs):
            self.fail(f"expected FIELD=COLUMN,FIELD=COLUMN. Received: {value}", param, ctx)
        return {field.strip(): column.strip() for field, _, column in pairs}


class CategoriesChoice(click.Choice[str]):
    """The categories of a dataset's products; accepts ``seed``, the older name of ``study2018``, too."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Returns the choice, with the older name replaced."""
        return super().convert("study2018" if value == "seed" else value, param, ctx)


@click.command()
@click.argument("path", type=SourcePath(exists=True, path_type=Path), required=False)
@click.option(
    "--format",
    "source_format",
    type=click.Choice(FORMATS),
    default="auto",
    show_default=True,
    help="Format of PATH: a table, the export of a shop system, a folder of products, or a public dataset.",
)
@click.option(
    "--source",
    default="",
    metavar="NAME",
    shell_complete=complete_source,
    help="Name of the source; a new one renames the source at PATH.  [default: PATH]",
)
@click.option(
    "-e",
    "--extractor",
    "extractors",
    multiple=True,
    metavar="NAME[@SIZE][+texture][+colors]",
    help="Extractor of the features; may be repeated.",
)
@click.option(
    "--domain",
    type=click.Choice(["shop", "consumer"]),
    help="Who took the images, where the source does not say.",
)
@click.option(
    "--complete",
    is_flag=True,
    help="Instead of PATH: only compute the features that images of an older version lack.",
)
@click.option("--prune", is_flag=True, help="Remove products of this source that it no longer lists.")
@click.option(
    "--force",
    is_flag=True,
    help="Remove and take out products even if they are more than a third of the source.",
)
@click.option(
    "--failures",
    "failures",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    metavar="FILE",
    help="Write all that could not be used to a CSV file; --json lists the first thousand.",
)
@click.option("--dry-run", is_flag=True, help="Only show what would be taken in, and removed.")
@click.option(
    "--watch", is_flag=True, help="Stay, and ingest again whenever PATH has changed; Ctrl-C ends it."
)
@click.option(
    "--poll", is_flag=True, help="With --watch: look at the files again and again, as on network drives."
)
@click.option(
    "--layout",
    metavar="LEVELS",
    help="For a folder: what its levels are, as in category/product/image.  [default: found by looking]",
)
@click.option(
    "--sheet", metavar="NAME", help="For a workbook: the sheet to read.  [default: found by looking]"
)
@click.option(
    "--map",
    "columns",
    type=ColumnMap(),
    multiple=True,
    metavar="FIELD=COLUMN,...",
    help="For a table: the columns of fields, as in title=Bezeichnung,id=style+colour; may be repeated. "
    "They are kept; title= removes one.",
)
@click.option(
    "--variants",
    type=click.Choice(["together", "separate"]),
    help="Sizes and colors of a product: one product with variants (default), or a product each.",
)
@click.option("--currency", metavar="CODE", help="Currency of prices that are written without one: EUR.")
@click.option(
    "--with-unpublished/--without-unpublished",
    "unpublished",
    default=None,
    help="Take in products that the shop does not show.  [default: without]",
)
@click.option(
    "--with-sold-out/--without-sold-out",
    "sold_out",
    default=None,
    help="Take in products that are sold out.  [default: with]",
)
@click.option("--media-root", metavar="DIR|URL", help="Where relative paths of images start.")
@click.option(
    "--allow-outside", is_flag=True, default=None, help="Accept images outside the folder of the table."
)
@click.option("--offline", is_flag=True, help="Fetch nothing: images behind URLs come from earlier runs.")
@click.option("--refresh", is_flag=True, help="Ask for each image behind a URL whether it has changed.")
@click.option(
    "--allow-private-hosts", is_flag=True, help="Fetch images from addresses of private networks too."
)
@click.option(
    "--allow-bucket",
    "buckets",
    multiple=True,
    metavar="s3://NAME",
    help="Read images of this bucket of an object store, with the credentials of this machine.",
)
@click.option("--fetches", type=click.IntRange(1, 256), help="Images that are fetched at the same time.")
@click.option(
    "--split",
    "splits",
    multiple=True,
    metavar="NAME",
    help="For a dataset: add only this split (train, val, test, ...); may be repeated.",
)
@click.option(
    "--gallery",
    multiple=True,
    metavar="NAME[+NAME]",
    help="For a dataset: splits whose shop images are added.  [default: those of --split]",
)
@click.option(
    "--categories",
    type=CategoriesChoice(CATEGORIES),
    help="For a dataset: keep its own categories, or use Dress, Skirt, upper, lower and other.",
)
@click.option("--batch-size", type=click.IntRange(1, 1024), help="Images in one call of the network.")
@click.option("--workers", type=click.IntRange(0, 256), help="Threads that decode; 0 for one per core.")
@click.option("--max-pixels", type=click.IntRange(min=256), help="Refuse images with more pixels.")
@click.option("--max-file-bytes", type=click.IntRange(min=1024), help="Refuse files with more bytes.")
@click.option(
    "--decode-memory",
    type=click.IntRange(min=50_000_000),
    metavar="BYTES",
    help="Memory for all images that are being decoded at the same time.  [default: 1000000000]",
)
@click.option(
    "--decode-seconds",
    type=click.FloatRange(min=0.1),
    help="Processor time that decoding an image may take.  [default: 10]",
)
@cluster_option
@extractor_options(with_extractor=False)
@shared_options
@pass_shared
def ingest(
    shared: Shared,
    path: Path | None,
    source_format: str,
    extractors: tuple[str, ...],
    domain: str | None,
    complete: bool,
    prune: bool,
    force: bool,
    failures: Path | None,
    dry_run: bool,
    watch: bool,
    poll: bool,
    source: str,
    layout: str | None,
    sheet: str | None,
    columns: tuple[dict[str, str], ...],
    variants: str | None,
    currency: str | None,
    unpublished: bool | None,
    sold_out: bool | None,
    media_root: str | None,
    allow_outside: bool | None,
    offline: bool,
    refresh: bool,
    allow_private_hosts: bool,
    buckets: tuple[str, ...],
    fetches: int | None,
    splits: tuple[str, ...],
    gallery: tuple[str, ...],
    categories: str | None,
    **choices: Any,
) -> int:
    """Add the products in PATH, a folder or a table, to the catalog.

    \b
    products.csv, stock.xlsx     a table: id, title, category, image, price, url, ...
    products_export.csv          an export of Shopify, WooCommerce, Magento, ...
    feed.xml, feed.tsv           a Google Merchant feed
    catalog/                     a folder: Women/Dresses/item/1.jpg, category/product/1.jpg, ...
    DeepFashion/                 a public dataset: see docs/datasets.md

    Images may lie behind URLs. --dry-run shows what would be taken in, and stores nothing.

    A source changes only what it says. Run it again at any time: unchanged images are skipped, and an
    interrupted run continues.
    """
    if path is None and not complete and not source:
        raise click.UsageError("Missing argument 'PATH'.")
    if path is not None and complete:
        raise click.UsageError(
            "--complete stands instead of PATH: an ingest completes what is missing anyway."
        )
    if watch and (complete or dry_run):
        raise click.UsageError("--watch goes with neither --complete nor --dry-run.")
    if failures and (complete or watch):
        raise click.UsageError("--failures goes with neither --complete nor --watch.")
    if poll and not watch:
        raise click.UsageError("--poll is for --watch.")
    if layout and path is not None and path.is_file():
        raise click.UsageError(f"--layout is for a folder; {path} is a file.")
    if media_root and "://" not in media_root and not Path(media_root).expanduser().is_dir():
        raise click.UsageError(f"--media-root: there is no folder {media_root}.")
    give_way()
    # Only what was given: the settings have the rest.
    fetching: dict[str, Any] = {"offline": offline}
    if allow_private_hosts:
        fetching["allow_private"] = True
    if buckets:
        fetching["buckets"] = buckets
    if refresh:
        fetching["max_age"] = 0.0
    if fetches:
        fetching["n_at_once"] = fetches
    # Only the options that were given: the workspace has its own defaults.
    selection: dict[str, Any] = {}
    if splits or gallery:
        selection = {"splits": _split_names(splits), "gallery": _split_names(gallery)}
    if categories:
        selection["categories"] = categories
    how = explain_interruption(lambda: "what was taken in stays") if watch else resumable()
    with how, shared.open(**choices) as shop, Progress(quiet=shared.verbosity < 0) as progress:
        if complete:
            report = shop.complete(progress=progress)
        else:
            options: dict[str, Any] = {
                "format": source_format,
                "extractors": extractors or None,
                "source": source,
                "prune": prune,
                "force": force,
                "fetching": fetching,
                "progress": progress,
                "domain": domain,
                "layout": layout,
                "sheet": sheet,
                "columns": {field: name for one in columns for field, name in one.items()} or None,
                "variants": variants,
                "currency": currency,
                "unpublished": unpublished,
                "sold_out": sold_out,
                "media_root": media_root,
                "allow_outside": allow_outside,
                **selection,
            }
            if watch:
                stop = threading.Event()
                with interrupts_to(stop):
                    follow(shared, shop.watch(path, polling=poll, stop=stop, **options), progress)
                return 0
            with _written_to(failures) as on_failure:
                report = shop.ingest(path, dry_run=dry_run, on_failure=on_failure, **options)
    if shared.as_json:
        echo_json(report.as_dict(), indent=2)
    else:
        echo_report(report, shared, dry_run=dry_run)
    sys.stdout.flush()
    is_refused = report.refused_removals or report.refused_withdrawals
    return EXIT_SOME_FAILED if report.failed or is_refused else 0


def _written_to(path: Path | None) -> contextlib.AbstractContextManager[OnFailure | None]:
    """Writes the failures to a file, if there is one."""
    if path is None:
        return contextlib.nullcontext()
    from stylesearch.ingest.failure_file import failure_file

    return failure_file(path)


def _split_names(values: tuple[str, ...]) -> tuple[str, ...]:
    """Lists the names of splits, given one at a time or as in ``val+test``."""
    return tuple(name for value in values for name in value.split("+") if name)
