"""What the rows have said of each item so far: a product says the same of itself everywhere."""

from __future__ import annotations

from stylesearch.datasets.listing import BadEntry

__all__ = ["Items"]


class Items:
    """Split and category of each item, by the row that named it first.

    Example:
        >>> items = Items()
        >>> items.first("list.txt:3", "id_00000001", "test", "DRESSES/Dress")
        ('test', 'DRESSES/Dress')
    """

    def __init__(self) -> None:
        self._first: dict[str, tuple[str, str, str]] = {}

    def first(self, place: str, item: str, split: str, category: str) -> tuple[str, str]:
        """Split and category of an item; of two categories the first counts.

        Raises:
            BadEntry: an earlier row has put it into another split.
        """
        first_place, first_split, first_category = self._first.setdefault(item, (place, split, category))
        if first_split != split:
            raise BadEntry(f"{item} is in the split {split} here, and in {first_split} in {first_place}")
        return first_split, first_category
