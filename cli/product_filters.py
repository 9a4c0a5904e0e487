"""The options that choose products, for every command that reads or removes some."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import click

from .completion import complete_category, complete_source

__all__ = ["WHERE_HELP", "filter_options"]

WHERE_HELP = (
    "Only products that meet a condition: color=red, price<50, price=10..50, 'color in (red, blue)', "
    "'not color=red', 'color exists'; may be repeated, then all have to be met."
)

Command = TypeVar("Command", bound=Callable[..., Any])


class Attribute(click.ParamType[tuple[str, str]]):
    """The name and the value of an attribute: ``color=red``."""

    name = "attribute"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        """Returns name and value."""
        name, equals, wanted = value.partition("=")
        if not name.strip() or not equals:
            self.fail(f"expected NAME=VALUE, as in color=red. Received: {value}", param, ctx)
        return name.strip(), wanted.strip()


def filter_options(command: Command) -> Command:
    """Adds the options of a filter, and passes it as ``where``: see ``stylesearch.types.ProductFilter``."""

    @click.option(
        "-c",
        "--category",
        metavar="PATH",
        shell_complete=complete_category,
        help="In this category or below it: Women, Women > Dresses.",
    )
    @click.option(
        "--attribute",
        "attributes",
        type=Attribute(),
        multiple=True,
        metavar="NAME=VALUE",
        help="With this attribute; may be repeated.",
    )
    @click.option("--where", "conditions", multiple=True, metavar="CONDITION", help=WHERE_HELP)
    @click.option("--min-price", type=float, metavar="NUMBER", help="At this price or a higher one.")
    @click.option("--max-price", type=float, metavar="NUMBER", help="At this price or a lower one.")
    @click.option(
        "--in-stock/--sold-out", "in_stock", default=None, help="That can, or cannot, be bought now."
    )
    @click.option(
        "--source",
        metavar="NAME",
        shell_complete=complete_source,
        help="That this source lists: see `stylesearch sources list`.",
    )
    @click.option(
        "--without-picture", is_flag=True, help="That no search finds: without a usable shop image."
    )
    @functools.wraps(command)
    def with_filter(
        *args: Any,
        category: str | None,
        attributes: tuple[tuple[str, str], ...],
        conditions: tuple[str, ...],
        min_price: float | None,
        max_price: float | None,
        in_stock: bool | None,
        source: str | None,
        without_picture: bool,
        **kwargs: Any,
    ) -> Any:
        from stylesearch.types import ProductFilter

        where = ProductFilter(
            category,
            dict(attributes),
            min_price,
            max_price,
            in_stock,
            source,
            without_picture,
            conditions,
        )
        return command(*args, where=where, **kwargs)

    return with_filter  # type: ignore[return-value]
