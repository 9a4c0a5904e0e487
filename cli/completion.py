"""Values that a shell completes: categories and ids of products of the workspace that the command line names.

A shell runs the program at each press of the key, so nothing is loaded here but the catalog. Whatever fails
completes nothing: a message would end up in the middle of the line that is being typed.
"""

from __future__ import annotations

import contextlib
import os
import shlex
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from stylesearch.errors import StyleSearchError

if TYPE_CHECKING:
    from stylesearch.catalog import Catalog

__all__ = ["complete_category", "complete_photo", "complete_product", "complete_source"]

N_PRODUCTS = 50
"""Ids that are offered at most: of more, no one reads the list."""


def complete_category(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Lists the categories that begin with ``incomplete``, and those that they lie below."""
    with _catalog(ctx) as catalog:
        if catalog is None:
            return []
        names = {name for one in catalog.feature_sets() for name in catalog.category_names(one)}
    paths = [name.split(" > ") for name in names]
    names |= {" > ".join(path[:depth]) for path in paths for depth in range(1, len(path))}
    folded = incomplete.casefold()
    return _items((name, "") for name in sorted(names) if name.casefold().startswith(folded))


def complete_photo(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Has the shell complete the name of a file."""
    return [CompletionItem(incomplete, type="file")]


def complete_product(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Lists ids of products that begin with ``incomplete``, with their titles."""
    with _catalog(ctx) as catalog:
        if catalog is None:
            return []
        found = catalog.products(after=incomplete or None, limit=N_PRODUCTS)
    return _items((one.id, one.title) for one in found if one.id.startswith(incomplete))


def complete_source(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Lists the names of sources that begin with ``incomplete``, with their formats."""
    with _catalog(ctx) as catalog:
        found = [] if catalog is None else catalog.sources.all()
    return _items((one.name, one.format) for one in found if one.name.startswith(incomplete))


@contextlib.contextmanager
def _catalog(ctx: click.Context) -> Iterator[Catalog | None]:
    """Opens the catalog that ``--home`` and ``--db`` of the unfinished line name; None if it cannot be."""
    from stylesearch.catalog import Catalog
    from stylesearch.settings import load_settings

    flags: dict[str, Any] = {}
    context: click.Context | None = ctx
    while context is not None:  # what is given behind the command wins over what is given before it
        for name in ("home", "db"):
            flags[name] = flags.get(name) or context.params.get(name)
        context = context.parent
    try:
        settings = load_settings({name: value for name, value in flags.items() if value})
        catalog = Catalog.open(settings.backend(), readonly=True)
    except (StyleSearchError, OSError):
        yield None
        return
    with catalog:
        yield catalog


def _items(values: Iterable[tuple[str, str]]) -> list[CompletionItem]:
    """Makes items of values and descriptions; quoted for bash, which puts them on the line as they are."""
    is_bash = os.environ.get("_STYLESEARCH_COMPLETE", "").startswith("bash")
    return [CompletionItem(shlex.quote(value) if is_bash else value, help=text) for value, text in values]
