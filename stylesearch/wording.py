"""Words that depend on a number, and values as people write them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["count", "for_people", "one_or_many"]


def count(n: int, noun: str, plural: str = "") -> str:
    """A number with its noun.

    Example:
        >>> count(1, "product"), count(1200, "category", "categories")
        ('1 product', '1,200 categories')
    """
    return f"{n:,} {one_or_many(n, noun, plural or noun + 's')}"


def one_or_many(n: int, one: str, many: str) -> str:
    """The word for one thing, or the one for any other number."""
    return one if n == 1 else many


def for_people(value: Any) -> str:
    """A value as people write it: yes and no, lists with commas, nothing for None.

    Example:
        >>> for_people([True, "red", {"size": "M"}])
        'yes, red, size M'
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {for_people(one)}" for name, one in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return ", ".join(map(for_people, value))
    return str(value)
