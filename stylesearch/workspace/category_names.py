"""The categories of a workspace: lists, renames and merges them, and maps those of the sources."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stylesearch.errors import ConfigError
from stylesearch.registry import unknown_name

if TYPE_CHECKING:
    import os

    from stylesearch.catalog.categories import Categories
    from stylesearch.workspace.resources import Resources

__all__ = ["CategoryNames", "CategoryRow", "MappedCategory"]


@dataclass(frozen=True, slots=True)
class CategoryRow:
    """A category that products are searched in.

    Attributes:
        category: its name.
        products: number of its products, with or without images.
        shop_categories: what their sources call it.
    """

    category: str
    products: int
    shop_categories: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MappedCategory:
    """A category of a shop, or a pattern of some, and what it is mapped to.

    Attributes:
        shop_category: as the sources say it, or a pattern with ``*``.
        category: what it is mapped to; "" where it is not.
        searched_in: the category that its products are searched in.
        products: number of its products; of a pattern 0.
    """

    shop_category: str
    category: str
    searched_in: str
    products: int


class CategoryNames:
    """The categories that the products of a workspace are searched in.

    What is changed here stays: the next ingest files products under the same categories. Where one is cut
    short, the same call again, or an ingest, does the rest.

    Args:
        resources: resources of the workspace.
        refresh: builds the indexes that lack many images.
    """

    def __init__(self, resources: Resources, refresh: Callable[[], None]) -> None:
        self._resources = resources
        self._refresh = refresh

    def list(self) -> list[CategoryRow]:
        """Lists the categories that products are searched in, in the order of their names."""
        found: dict[str, list[tuple[str, int]]] = {}
        for (shop_category, category), n in self._counts().items():
            found.setdefault(category, []).append((shop_category, n))
        return [
            CategoryRow(name, sum(n for _, n in rows), tuple(one for one, _ in rows))
            for name, rows in sorted(found.items())
        ]

    def current_map(self) -> Sequence[MappedCategory]:
        """Lists the categories of the sources, mapped or not, and patterns, in the order of their names."""
        categories = self._resources.catalog().selection.category_map()
        n_products: dict[str, int] = dict.fromkeys(categories.entries, 0)
        for (shop_category, _), n in self._counts().items():
            n_products[shop_category] = n_products.get(shop_category, 0) + n
        return [
            MappedCategory(name, categories.entries.get(name, ""), categories.find(name), n)
            for name, n in sorted(n_products.items())
        ]

    def rename(self, category: str, new_name: str) -> int:
        """Renames a category and those below it; returns how many products moved.

        Args:
            category: the present name; ``Women`` takes ``Women > Dresses`` along.
            new_name: the new name.

        Raises:
            UnknownName: no product is in this category or below it.
            ConfigError: the new name is empty, or there is such a category already.
        """
        from stylesearch.catalog.categories import is_in, plain_category

        category, new_name = plain_category(category), _check_name(new_name)
        finished = self._finish()
        present = {row.category for row in self.list()}
        names = {name: new_name + name.removeprefix(category) for name in present if is_in(name, category)}
        if not names and finished:
            return finished
        if not names:
            raise self._unknown(category, present)
        if taken := sorted(set(names.values()) & (present - names.keys())):
            raise ConfigError(
                f"there is a category {taken[0]!r} already",
                hint=f"`stylesearch categories merge {category!r} {new_name!r}` joins two",
            )
        return self._change(lambda now, shop: now.rename(names, shop))

    def merge(self, categories: Sequence[str], into: str) -> int:
        """Joins categories, without those below them, to one; returns how many products moved.

        Args:
            categories: the present names.
            into: the category that they are joined to, which may be new.

        Raises:
            UnknownName: no product is in one of the categories.
            ConfigError: the name of the new category is empty.
        """
        from stylesearch.catalog.categories import plain_category

        into = _check_name(into)
        finished = self._finish()
        present = {row.category for row in self.list()}
        names = {plain_category(one): into for one in categories}
        if finished and not names.keys() & (present - {into}):
            return finished
        for name in names:
            if name not in present:
                raise self._unknown(name, present)
        return self._change(lambda now, shop: now.rename(names, shop))

    def map(self, entries: Mapping[str, str]) -> int:
        """Maps categories of the sources to those that are searched in; returns how many products moved.

        Args:
            entries: category by the shop's own, or by a pattern with ``*`` for any text; an empty one takes
                a mapping back. What is not named stays as it is.

        Raises:
            ConfigError: a shop's category without a name, or a category with ``*``.
        """
        if not all(name.strip() for name in entries):
            raise ConfigError("a category of a shop has a name. Received: an empty one")
        plain = {name: _check_name(one) if one.strip() else "" for name, one in entries.items()}
        return self._change(lambda now, _: now.change(plain))

    def map_file(self, path: str | os.PathLike[str]) -> int:
        """Maps categories as a file says: see ``map`` and ``stylesearch.workspace.category_file``.

        Raises:
            DatasetError: it cannot be read.
            ConfigError: as ``map``.
        """
        from stylesearch.workspace.category_file import read_category_file

        return self.map(read_category_file(Path(path)))

    def _counts(self) -> dict[tuple[str, str], int]:
        return self._resources.catalog().selection.shop_categories()

    def _unknown(self, category: str, present: set[str]) -> Exception:
        return unknown_name("category", category, dict.fromkeys(sorted(present)))

    def _finish(self) -> int:
        """Does the rest of a change that was cut short; returns how many products moved."""
        return self._change(lambda now, _: now)

    def _change(self, change: Callable[[Categories, set[str]], Categories]) -> int:
        from stylesearch.catalog.refiling import refile_products, set_categories

        catalog = self._resources.catalog()
        with catalog.writing(timeout=self._resources.settings.lock_timeout) as writer:
            with writer.transaction():
                shop_categories = {shop_category for shop_category, _ in self._counts()}
                set_categories(writer, change(writer.categories(), shop_categories))
            moved = refile_products(writer)
        if moved:
            self._refresh()
        return moved


def _check_name(name: str) -> str:
    """The plain name of a category to search in.

    Raises:
        ConfigError: it is empty, or has a ``*``.
    """
    from stylesearch.catalog.categories import plain_category

    name = plain_category(name)
    if not name or "*" in name:
        raise ConfigError(f"a category has a name, without *. Received: {name!r}")
    return name
