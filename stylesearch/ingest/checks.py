"""Looks at what an ingest has taken in, and says what a person would find strange."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Final

__all__ = ["cause_of", "find_oddities", "find_shared_cause"]

MANY_IMAGES: Final = 200
"""Images of one product; shops have up to some dozens."""

FEWEST_TO_JUDGE: Final = 5
"""Products, categories or failures below which nothing is strange."""

SHARE_OF_ONE_CAUSE: Final = 0.3

_LIKE_AN_ID: Final = re.compile(r"(?=.*\d)[\w.#-]+")

_HINTS: Final = {
    "no such picture": "--media-root says where relative paths start",
    "the picture is outside": "--allow-outside lets images outside the table's folder in",
    "no picture given": "--map image=COLUMN says which column has the images",
    "such hosts are refused": "--allow-private-hosts lets addresses of private networks in",
}
"""What helps, by words of the cause."""


def find_oddities(
    categories: Mapping[str, tuple[int, int]],
    largest: tuple[str, int] | None,
    single_ids: Sequence[str],
) -> list[str]:
    """Lists what looks wrong, one sentence each.

    Args:
        categories: number of products and of images by category.
        largest: id of the product with the most images, and their number.
        single_ids: ids of some products, where every product has a single image; else empty.
    """
    found = []
    if largest is not None and largest[1] >= MANY_IMAGES:
        found.append(
            f"the product {largest[0]} has {largest[1]:,} images: is a folder of many products taken for "
            "one? --layout says what the levels of a folder are"
        )
    stems = {PurePath(one).stem.casefold() for one in single_ids}
    if len(single_ids) >= FEWEST_TO_JUDGE and len(stems) == 1:
        found.append(
            f"every product has a single image, and each is called {PurePath(single_ids[0]).name}: are their "
            "folders products, and not categories? --layout product/image says so"
        )
    like_ids = [name for name in categories if _LIKE_AN_ID.fullmatch(name)]
    if len(like_ids) >= FEWEST_TO_JUDGE and len(like_ids) > 0.7 * len(categories):
        found.append(
            f"{len(like_ids):,} of {len(categories):,} categories are called like ids ({like_ids[0]}): are "
            "they products? --layout, or --map category=COLUMN for a table, says what is what"
        )
    return found


def find_shared_cause(causes: Counter[str], n_processed: int) -> str | None:
    """Says what one cause refused a large share of the rows, with a hint; None if none did.

    Args:
        causes: number of failures by ``cause_of`` their reasons.
        n_processed: number of rows and images.
    """
    if not causes:
        return None
    cause, n = causes.most_common(1)[0]
    if n < FEWEST_TO_JUDGE or n < SHARE_OF_ONE_CAUSE * n_processed:
        return None
    hint = next((f"; {hint}" for words, hint in _HINTS.items() if words in cause), "")
    return f"{n:,} of {n_processed:,} rows and images were refused for one cause, {cause!r}{hint}"


def cause_of(reason: str) -> str:
    """The part of a reason that does not name the single case.

    Example:
        >>> cause_of("no such picture: /shop/a.jpg")
        'no such picture'
        >>> cause_of("the product 'a1' is in line 7 too")
        'the product ... is in line ... too'
    """
    general = re.split(r": | \(|\. Received", reason)[0]
    return re.sub(r"\S*[/\d]\S*|'[^']*'", "...", general)
