"""``stylesearch query``: finds the products that a photo shows."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stylesearch.conditions import Condition
from stylesearch.errors import ConfigError, ImageError
from stylesearch.types import REGION_NAMES, Box, Explanation, Hit, ProductFilter, SearchRequest

from .completion import complete_category, complete_photo, complete_product, complete_source
from .options import Shared, extractor_options, pass_shared, shared_options
from .output import echo_json, echo_table, list_seconds
from .photos import echo_failure, read_photo, seen_object
from .process import EXIT_SOME_FAILED, quick_start
from .product_filters import WHERE_HELP

if TYPE_CHECKING:
    from stylesearch.search.searcher import QueryResult
    from stylesearch.workspace.workspace import Workspace

# Copies of constants of other modules, so that `--help` need not import them. A test compares them.
SHEET_ENDINGS = (".png", ".jpg", ".jpeg", ".webp")
PLANS = ("whole", "few", "bands", "large", "street", "person")
SPACES = ("mixed", "raw", "whitened")
TRAINED = "siamese:NAME"
METRICS = ("l1", "l2", "cosine")
DEFAULTS = {"regions": "person", "space": "mixed", "metric": "cosine"}


class BoxParameter(click.ParamType[Box]):
    """A box ``X0,Y0,X1,Y1`` in pixels of the upright photo."""

    name = "X0,Y0,X1,Y1"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Box:
        """Parses the text, or fails as wrong usage."""
        try:
            return value if isinstance(value, Box) else Box.parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class RegionParameter(click.ParamType[str]):
    """The name of a region, or the number of a spot."""

    name = "|".join((*REGION_NAMES, "N"))

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Checks the text, or fails as wrong usage."""
        try:
            return str(SearchRequest(region=value).region)
        except ConfigError as error:
            self.fail(str(error), param, ctx)


def _check_ending(ctx: click.Context, param: click.Parameter, sheet: Path | None) -> Path | None:
    """Refuses a contact sheet of an unknown format before the search begins."""
    if sheet is not None and sheet.suffix.lower() not in SHEET_ENDINGS:
        raise click.BadParameter(
            f"a contact sheet ends in {', '.join(SHEET_ENDINGS)}. Received: {sheet.name}", ctx, param
        )
    return sheet


@click.command()
@click.argument("photos", nargs=-1, metavar="[PHOTO...]", shell_complete=complete_photo)
@click.option("-k", default=20, show_default=True, type=click.IntRange(min=1), help="Number of products.")
@click.option(
    "-c", "--category", shell_complete=complete_category, help="Search in this category, and those below it."
)
@click.option("--where", "conditions", multiple=True, metavar="CONDITION", help=WHERE_HELP)
@click.option(
    "--in-stock/--sold-out",
    "in_stock",
    default=None,
    help="Only products that can, or cannot, be bought now.",
)
@click.option(
    "--source",
    metavar="NAME",
    shell_complete=complete_source,
    help="Only products that this source lists: see `stylesearch sources list`.",
)
@click.option(
    "--facets",
    default="",
    metavar="NAME,...",
    help="Also count the products by these: category, price, in_stock, source, or attributes such as "
    "color,size.",
)
@click.option(
    "--box",
    type=BoxParameter(),
    help="Box of the garment in the photo, cut to it; replaces the regions. With the regions `person` it "
    "is also searched with white around a person who covers enough of it.",
)
@click.option(
    "--regions",
    metavar="|".join(PLANS),
    help="Regions of the photo to search with; `whole` is the photo itself, `person` are squares around the "
    "person's garments, or `large` where no person is found.  "
    f"[default: {DEFAULTS['regions']}]",
)
@click.option(
    "--region",
    type=RegionParameter(),
    default="auto",
    help="The one part of the photo to search for: of the person in it, or N, the number of a spot, which "
    "`stylesearch detect` lists. `auto`: as --regions says.  [default: auto]",
)
@click.option(
    "-s",
    "--space",
    metavar="|".join((*SPACES, TRAINED)),
    help="Space in which distances are taken; a trained model sets the extractor and metric too.  "
    f"[default: {DEFAULTS['space']}]",
)
@click.option(
    "-m",
    "--metric",
    type=click.Choice(METRICS),
    help=f"Distance function.  [default: {DEFAULTS['metric']}]",
)
@click.option(
    "--expect",
    metavar="ID",
    shell_complete=complete_product,
    help="The right product, if you know it; prints the rank at which it was found.",
)
@click.option(
    "--product",
    metavar="ID",
    shell_complete=complete_product,
    help="Find products that look like this one, instead of a photo.",
)
@click.option(
    "--explain",
    is_flag=True,
    help="Say for each product which part of the photo was nearest, and how much network, texture, colors "
    "and kind made of it.",
)
@click.option(
    "--sheet",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=_check_ending,
    help="Write a contact sheet (PNG, JPEG or WebP).",
)
@extractor_options()
@shared_options
@pass_shared
def query(
    shared: Shared,
    photos: tuple[str, ...],
    k: int,
    category: str | None,
    conditions: tuple[str, ...],
    in_stock: bool | None,
    source: str | None,
    facets: str,
    box: Box | None,
    region: str,
    product: str | None,
    expect: str | None,
    explain: bool,
    sheet: Path | None,
    **choices: Any,
) -> int:
    """Find the products that each PHOTO shows; `-` reads a photo from standard input.

    The distance of a product is that of its nearest image; a smaller distance is nearer. Without -c, all
    categories are searched and their results are merged.
    """
    if bool(photos) == bool(product):
        raise click.UsageError("give one or more photos, or --product ID (not both)")
    if product and box:
        raise click.UsageError("--box needs a photo and cannot be used with --product")
    if region != "auto" and (product or box):
        raise click.UsageError("--region needs a photo and cannot be used with --product or --box")
    if region != "auto" and choices["regions"]:
        raise click.UsageError("--regions and --region both say where to look; leave one of them out")
    # Passed by name and not as settings, so that a trained model refuses another extractor or metric.
    extractor, space, metric = (choices.pop(name) or "" for name in ("extractor", "space", "metric"))
    where: list[str | Condition] = list(conditions)
    if in_stock is not None:
        where.append(Condition("in_stock", (str(in_stock),)))
    if source is not None:
        where.append(Condition("source", (source,)))
    request = SearchRequest(
        k=k,
        category=category,
        box=box,
        region=region,
        explain=explain,
        where=where,
        facets=tuple(name for name in facets.split(",") if name.strip()),
    )
    began = time.perf_counter()
    with contextlib.ExitStack() as held:
        first_search = held.enter_context(contextlib.ExitStack())
        first_search.enter_context(quick_start())
        shop = held.enter_context(shared.open(**choices))
        if expect:
            shop.product(expect)  # raises if it is not in the catalog
        if product:
            result = shop.similar(product, request, extractor=extractor, space=space, metric=metric)
            _check_filter(shop, request, result)
            _show(shared, shop, result, f"product {product}", sheet, expect, time.perf_counter() - began)
            return 0
        n_failed = 0
        for number, photo in enumerate(photos):
            if number:
                first_search.close()
                began = time.perf_counter()
            try:
                result = shop.query(
                    read_photo(photo), request, extractor=extractor, space=space, metric=metric
                )
            except ImageError as error:  # any other error would be the same for every photo
                if len(photos) == 1:
                    raise
                n_failed += 1
                echo_failure(photo, error, shared)
                if shared.as_json:
                    echo_json({"photo": photo, "seen": [], "hits": [], "error": str(error)})
                continue
            _check_filter(shop, request, result)
            if number and not shared.as_json:
                click.echo()
            total = time.perf_counter() - began
            _show(shared, shop, result, photo, _sheet_name(sheet, number, len(photos)), expect, total)
    return EXIT_SOME_FAILED if n_failed else 0


def _check_filter(shop: Workspace, request: SearchRequest, result: QueryResult) -> None:
    """Refuses a filter that nothing meets since it names what the catalog does not have.

    Raises:
        UnknownName: with the nearest name.
    """
    if request.where and not result.hits:
        from stylesearch.workspace.products import check_filter

        check_filter(shop.catalog, ProductFilter(where=request.where))


def _show(
    shared: Shared,
    shop: Workspace,
    result: QueryResult,
    name: str,
    sheet: Path | None,
    expect: str | None,
    total: float,
) -> None:
    seconds = {**result.seconds, "total": total}  # more than the steps: the catalog and networks are opened
    rank = next((hit.rank for hit in result.hits if hit.product.id == expect), None)
    if shared.as_json:
        found: dict[str, Any] = {
            "photo": name,
            "seen": [seen_object(one) for one in result.seen],
            "hits": [_hit_object(hit) for hit in result.hits],
        }
        if result.facets:
            found["facets"] = {
                name: [{"label": one.label, "count": one.count, "where": one.where} for one in values]
                for name, values in result.facets.items()
            }
        if expect:
            found["expected"] = {"product": expect, "rank": rank}
        if shared.verbosity > 0:
            found["seconds"] = seconds
        echo_json(found)
    else:
        click.secho(f"{name}: {_summary(result)}", bold=True)
        if seen := _seen_line(result):
            click.echo(seen)
        has_price = any(hit.product.price for hit in result.hits)
        echo_table(
            ["rank", "product", "title", "category", *(["price"] if has_price else []), "distance", "image"],
            [
                [
                    hit.rank,
                    hit.product.id,
                    hit.product.title,
                    hit.product.category,
                    *([hit.product.price] if has_price else []),
                    f"{hit.distance:.4f}",
                    hit.image.path,
                ]
                for hit in result.hits
            ],
            right=["rank", "price", "distance"],
            shrink="image",
            empty="",
        )
        for facet, values in result.facets.items():
            shown = ", ".join(f"{one.label} ({one.count:,})" for one in values)
            click.echo(f"{facet}: {shown or 'no product has one'}")
        explained = [(hit, hit.explanation) for hit in result.hits if hit.explanation is not None]
        if explained:
            click.echo(
                "the nearest part of the photo, and what adds up to 1 - distance "
                "(with l1 to the distance, with l2 to its square):"
            )
        for hit, explanation in explained:
            names = {one.box: one.region for one in result.seen}
            click.echo(f"{hit.rank:>4}  {hit.product.id}: {_explain(explanation, names)}")
        if expect:
            click.echo(
                f"the right product, {expect}, is "
                + (f"at rank {rank}" if rank else f"not among the first {len(result.hits)}")
            )
    if sheet:
        shop.contact_sheet(result, sheet)
        click.echo(f"contact sheet: {sheet}", err=True)
    if shared.verbosity > 0:
        click.echo(f"wall: {list_seconds(seconds)}", err=True)


def _summary(result: QueryResult) -> str:
    if not result.hits:
        return "no products found"
    counts: dict[str, int] = {}
    for hit in result.hits:
        counts[hit.product.category] = counts.get(hit.product.category, 0) + 1
    shares = ", ".join(
        f"{category} {n}" for category, n in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    )
    things = "product" if len(result.hits) == 1 else "products"
    return f"{len(result.hits)} {things} ({shares})"


def _seen_line(result: QueryResult) -> str:
    """What the photo shows, in one line; empty where the features do not tell it."""
    told = [
        f"{one.kind} {one.confidence:.0%} ({one.region})"
        for one in result.seen
        if one.kind is not None and one.confidence is not None
    ]
    return f"seen: {', '.join(told)}" if told else ""


def _explain(explanation: Explanation, names: Mapping[Box, str]) -> str:
    """What made a hit, in one line: ``torso with the region 0,0,480,640; network 0.310, ...``.

    Args:
        explanation: of the hit.
        names: names of parts of the photo, by their boxes.
    """
    square, region = explanation.square, explanation.region
    places = [] if square is None else [names.get(square, f"the square {square}")]
    if region is not None:
        places.append(f"the region {region}")
    where = " with ".join(places)
    parts = {**explanation.parts}
    if "raw" in parts:
        parts = {"network": parts.pop("raw") + parts.pop("whitened"), **parts}
    shares = ", ".join(f"{name} {value:.3f}" for name, value in parts.items())
    return f"{where}; {shares}" if where else shares


def _hit_object(hit: Hit) -> dict[str, Any]:
    return {
        "rank": hit.rank,
        "product": hit.product.id,
        "title": hit.product.title,
        "category": hit.product.category,
        "price": hit.product.price,
        "in_stock": hit.product.in_stock,
        "url": hit.product.url,
        "attributes": dict(hit.product.attributes),
        "distance": hit.distance,
        "image": hit.image.path,
        "image_url": hit.image.url,
        "options": dict(hit.image.options),
        "region": _corners(hit.region),
        **({} if hit.explanation is None else {"explanation": _explanation_object(hit.explanation)}),
    }


def _explanation_object(explanation: Explanation) -> dict[str, Any]:
    boxes = {"region": explanation.region, "square": explanation.square}
    return {**{name: _corners(box) for name, box in boxes.items()}, "parts": dict(explanation.parts)}


def _corners(box: Box | None) -> list[int] | None:
    return None if box is None else [box.x0, box.y0, box.x1, box.y1]


def _sheet_name(sheet: Path | None, number: int, n_photos: int) -> Path | None:
    """Names the contact sheet of a photo: ``out.png``, or ``out-1.png``, ... if there are several photos."""
    if sheet is None or n_photos == 1:
        return sheet
    return sheet.with_name(f"{sheet.stem}-{number + 1}{sheet.suffix}")
