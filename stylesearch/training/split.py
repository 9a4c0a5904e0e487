"""Splits products into a training, a validation and a test part.

Within each category products are sorted by a hash of their id: the first are the test part, the next the
validation part, the rest the training part. So adding or removing a product moves at most one other product
over each of the two borders in its category, and changes no other category. Where a share of a small category
is no whole number, a hash of the category's name decides the rounding: over many small categories the shares
are right on average, and a category of 7 or more products always has some of each part (at 15 %).
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from stylesearch.errors import ConfigError

__all__ = [
    "SHARES",
    "Split",
    "given_split",
    "split_products",
]

log = logging.getLogger(__name__)

SHARES: Final = (0.7, 0.15, 0.15)
"""Of train, validation and test."""

_PARTS: Final = {
    "train": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "query": "test",
    "gallery": "test",
}
"""What datasets call their splits. In-shop datasets call the two sides of their test query and gallery."""

# Products of one part must not be seen in a part further down.
_STRICTEST_FIRST: Final = ("test", "validation", "train")


@dataclass(frozen=True, slots=True)
class Split:
    """A split of products into a training, a validation and a test part.

    Attributes:
        train, validation, test: ids of products; the parts are disjoint.
        left_out: ids of products that are in no part, since they share an image with a product of another
            part.
        origin: ``drawn``; ``given`` by the source; or ``given in part``, where validation or test products
            were drawn from the source's train part.
        seen_before: ids of products that are in no part, since the network was fine-tuned on them.
    """

    train: frozenset[str]
    validation: frozenset[str]
    test: frozenset[str]
    left_out: frozenset[str] = frozenset()
    origin: str = "drawn"
    seen_before: frozenset[str] = frozenset()


def split_products(
    categories: Mapping[str, str],
    groups: Iterable[Collection[str]] = (),
    *,
    shares: tuple[float, float, float] = SHARES,
    seed: int = 0,
) -> Split:
    """Draws a split by category; connected products stay together.

    A group counts with all its products in the category of its first product by id.

    Args:
        categories: the category of every product to be split, by id.
        groups: ids of connected products; ids that are not in ``categories`` are ignored. A product is in at
            most one group.
        shares: shares of train, validation and test among the products of each category; they sum to 1.
        seed: seed of the split.

    Raises:
        ConfigError: shares below 0, or that do not sum to 1.
        ValueError: a product is in two groups.

    Example:
        >>> split = split_products({f"d{i}": "dress" for i in range(20)}, [{"d1", "d2"}])
        >>> len(split.train), len(split.validation), len(split.test)
        (14, 3, 3)
        >>> len({"d1", "d2"} & split.train) in (0, 2)
        True
    """
    if min(shares) < 0 or abs(sum(shares) - 1) > 1e-6:
        raise ConfigError(
            "the shares of train, validation and test are 0 or more and sum to 1. "
            f"Received: {', '.join(f'{share:g}' for share in shares)}"
        )
    by_category: dict[str, list[tuple[str, ...]]] = {}
    for unit in _units(categories, groups):
        by_category.setdefault(categories[unit[0]], []).append(unit)
    parts: dict[str, set[str]] = {"train": set(), "validation": set(), "test": set()}
    for category, units in by_category.items():
        n_products = sum(map(len, units))
        # 1e-9: shares are decimal fractions, which floating point rounds.
        to_test = n_products * shares[2] + 1e-9
        to_validation = n_products * (shares[2] + shares[1]) + 1e-9
        # In (0, 1]: a border that falls into a product includes it with the probability of that part.
        offset = 1 - _fraction(f"{seed}/category/{category}")
        ranked = sorted(
            units, key=lambda unit: (min(_fraction(f"{seed}/product/{one}") for one in unit), unit)
        )
        n_before = 0
        for unit in ranked:
            reached = n_before + offset * len(unit)
            part = "test" if reached <= to_test else "validation" if reached <= to_validation else "train"
            parts[part].update(unit)
            n_before += len(unit)
    return _as_split(parts)


def given_split(
    splits: Mapping[str, str | None],
    categories: Mapping[str, str],
    groups: Iterable[Collection[str]] = (),
    *,
    shares: tuple[float, float, float] = SHARES,
    seed: int = 0,
) -> Split | None:
    """Makes the split that a source gave its products; None where it gave none.

    ``train``, ``val`` (``valid``, ``validation``) and ``test`` (``query``, ``gallery``) are known, in upper
    or lower case. Of connected products in several parts, only those in the strictest part are kept (test,
    then validation), the others are left out. Where a source has no validation or no test part, it is drawn
    from its train part, by ``shares``.

    Args:
        splits: name of each product's split in the source, by id.
        categories: the category of every product to be split, by id.
        groups: as in ``split_products``.
        shares: as in ``split_products``.
        seed: as in ``split_products``.

    Returns:
        the split; None unless all products have a split of a known name.

    Raises:
        ConfigError: no product is left to train on.
    """
    said = {name: _PARTS.get((splits.get(name) or "").lower()) for name in categories}
    part_of = {name: part for name, part in said.items() if part is not None}
    if len(part_of) < len(said) or not said:
        if part_of:
            log.info("%d of %d products have a split: another one is drawn", len(part_of), len(said))
        return None
    parts: dict[str, set[str]] = {"train": set(), "validation": set(), "test": set()}
    left_out: set[str] = set()
    units = _units(categories, groups)
    for unit in units:
        strictest = next(part for part in _STRICTEST_FIRST if part in {part_of[one] for one in unit})
        for one in unit:
            (parts[strictest] if part_of[one] == strictest else left_out).add(one)
    if not parts["train"]:
        raise ConfigError(
            f"none of {len(said)} products with pairs is of a split to learn from: "
            f"all are of {' and '.join(name for name in ('validation', 'test') if parts[name])}",
            hint="ingest the dataset's train split too",
        )
    wanted = [share if not parts[name] else 0.0 for name, share in zip(parts, shares, strict=True)]
    wanted[0] = shares[0]
    origin = "given"
    if sum(wanted) > wanted[0] > 0:
        drawn = split_products(
            {name: categories[name] for name in parts["train"]},
            units,
            shares=(wanted[0] / sum(wanted), wanted[1] / sum(wanted), wanted[2] / sum(wanted)),
            seed=seed,
        )
        parts = {
            "train": set(drawn.train),
            "validation": parts["validation"] | drawn.validation,
            "test": parts["test"] | drawn.test,
        }
        origin = "given in part"
    return _as_split(parts, left_out, origin)


def _as_split(parts: Mapping[str, set[str]], left_out: Iterable[str] = (), origin: str = "drawn") -> Split:
    train, validation, test = (frozenset(parts[name]) for name in ("train", "validation", "test"))
    return Split(train, validation, test, frozenset(left_out), origin)


def _units(categories: Mapping[str, str], groups: Iterable[Collection[str]]) -> list[tuple[str, ...]]:
    """Lists groups and single products, each sorted, which are in one part as a whole."""
    units = [tuple(sorted(name for name in group if name in categories)) for group in groups]
    grouped = [name for unit in units for name in unit]
    if len(set(grouped)) < len(grouped):
        twice = sorted(name for name in set(grouped) if grouped.count(name) > 1)
        raise ValueError(f"a product is in one group at most. Received in several: {', '.join(twice[:3])}")
    alone = categories.keys() - set(grouped)
    return [*(unit for unit in units if unit), *((name,) for name in sorted(alone))]


def _fraction(text: str) -> float:
    """Hashes a text to a number in [0, 1)."""
    # 53 bits: all that a float holds, so that it never rounds up to 1.
    return (int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 11) / 2**53
