"""The categories that products are searched in, by those that their sources say."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

__all__ = ["LEVELS", "Categories", "find_below", "is_in", "plain_category"]

LEVELS: Final = " > "
"""What stands between the levels of a category."""

ANY: Final = "*"
"""Stands for any text in a shop's category that is mapped."""


def plain_category(name: str) -> str:
    """Writes the path of a category as the catalog does.

    Example:
        >>> plain_category(" Women>Dresses ")
        'Women > Dresses'
    """
    return re.sub(r"\s*>\s*", LEVELS, name.strip())


def is_in(category: str, parent: str) -> bool:
    """Whether a category is another one, or below it."""
    return category == parent or category.startswith(parent + LEVELS)


def find_below(categories: Iterable[str], parent: str) -> list[str]:
    """Selects the categories that are another one or below it, however its path is written.

    Example:
        >>> find_below(["Women", "Women > Dresses", "Womenswear"], "Women")
        ['Women', 'Women > Dresses']
    """
    path = plain_category(parent)
    return [name for name in categories if name == parent or is_in(name, path)]


class Categories:
    """Maps categories of shops to those that are searched in.

    A category that is mapped itself comes first, then patterns, the longest first; a category that neither
    says anything of is searched in as it is.

    Args:
        entries: category by the shop's own, or by a pattern with ``*`` for any text.

    Example:
        >>> categories = Categories({"Kleider": "Dresses", "Damen > *": "Women"})
        >>> [categories.find(name) for name in ("Kleider", "Damen > Röcke", "Hats")]
        ['Dresses', 'Women', 'Hats']
    """

    def __init__(self, entries: Mapping[str, str]) -> None:
        self.entries = dict(entries)
        patterns = sorted((name for name in entries if ANY in name), key=lambda name: (-len(name), name))
        self._patterns = [
            (re.compile(".*".join(map(re.escape, name.split(ANY))), re.DOTALL), entries[name])
            for name in patterns
        ]

    def find(self, shop_category: str) -> str:
        """Finds the category to search in."""
        if (found := self.entries.get(shop_category)) is not None:
            return found
        for pattern, category in self._patterns:
            if pattern.fullmatch(shop_category):
                return category
        return shop_category

    def rename(self, names: Mapping[str, str], shop_categories: Iterable[str]) -> Categories:
        """Renames categories, whatever they are mapped from.

        Args:
            names: new names by the present ones.
            shop_categories: the categories that the sources say.
        """
        renamed = {key: names.get(category, category) for key, category in self.entries.items()}
        by_pattern = Categories(renamed)
        for name in shop_categories:
            wanted = names.get(self.find(name), self.find(name))
            if by_pattern.find(name) != wanted:
                renamed[name] = wanted
        return Categories(renamed)._without_the_obvious()

    def change(self, entries: Mapping[str, str]) -> Categories:
        """Adds and replaces entries; one with an empty category is removed."""
        changed = {**self.entries, **entries}
        return Categories({key: category for key, category in changed.items() if category})

    def _without_the_obvious(self) -> Categories:
        """Without entries of a category as itself, where no pattern says otherwise."""
        kept = {key: category for key, category in self.entries.items() if key != category}
        others = Categories(kept)
        return Categories(
            {**kept, **{key: key for key in self.entries if others.find(key) != self.find(key)}}
        )
