"""Products for learning, for choosing and for testing.

Within each category products are ranked by a hash of their id, and the first of that order are tested on, the
next chosen with, the rest learned from. So a product that is added or removed moves at most one other over
each of the two borders of its own category, and no other category changes. What is left over when a share of
a small category is no whole number is given by a hash of the category's name: over many small categories
the shares are kept on average, and a category of 7 or more products always has some of each part (at 15 %).
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from stylesearch.errors import ConfigError
from stylesearch.extractors.spec import ExtractorSpec

__all__ = [
    "SHARES",
    "KnownProducts",
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

# What is measured on one part must not be seen in a part further down.
_STRICTEST_FIRST: Final = ("test", "validation", "train")


@dataclass(frozen=True, slots=True)
class Split:
    """Which products are learned from (``train``), chosen with (``validation``) and tested on (``test``).

    Attributes:
        train, validation, test: ids of products; none is in two of them.
        left_out: ids of products that are in none, since a picture of theirs is in a part where they are not.
        origin: ``drawn``; ``given`` by the source; or ``given in part``, where validation or test products
            were drawn from the source's train part.
        seen_before: ids of products that are in none, since the network was fine-tuned on them.
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
    """Draws a split by category; joined products stay together.

    A group counts in the category of its first product by id, and with all its products.

    Args:
        categories: the category of every product to be split, by id.
        groups: ids of joined products; ids that are not in ``categories`` are ignored. A product is in one
            group at most; one that is in none is on its own.
        shares: of train, validation and test, of the products of each category; they sum to 1.
        seed: another one draws another split.

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
        # 1e-9: shares are decimal fractions, of which floating point has none.
        to_test = n_products * shares[2] + 1e-9
        to_validation = n_products * (shares[2] + shares[1]) + 1e-9
        # In (0, 1]: a border that falls into a product takes it in with the probability of its part.
        offset = 1 - _place(f"{seed}/category/{category}")
        ranked = sorted(units, key=lambda unit: (min(_place(f"{seed}/product/{one}") for one in unit), unit))
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
    """The split that a source gave its products, or None where there is no such thing.

    ``train``, ``val`` (``valid``, ``validation``) and ``test`` (``query``, ``gallery``) are known, in either
    case. Of joined products in several parts, only those in the strictest are kept (test, then validation),
    the others are left out. Where a source has no validation part, or no test part, it is drawn from its
    train part, by ``shares``.

    Args:
        splits: what the source says of each product, by id.
        categories: the category of every product to be split, by id.
        groups: as in :func:`split_products`.
        shares: likewise.
        seed: likewise.

    Returns:
        None unless all products have a split of a known name.

    Raises:
        ConfigError: no product is left to learn from.
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
    """What is moved as one: groups and single products, each sorted."""
    units = [tuple(sorted(name for name in group if name in categories)) for group in groups]
    grouped = [name for unit in units for name in unit]
    if len(set(grouped)) < len(grouped):
        twice = sorted(name for name in set(grouped) if grouped.count(name) > 1)
        raise ValueError(f"a product is in one group at most. Received in several: {', '.join(twice[:3])}")
    alone = categories.keys() - set(grouped)
    return [*(unit for unit in units if unit), *((name,) for name in sorted(alone))]


def _place(text: str) -> float:
    """A number in [0, 1) that is always the same for a text and looks drawn."""
    # 53 bits: all that a float holds, so that it never rounds up to 1.
    return (int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 11) / 2**53


# Products that a network knows: it was fine-tuned with them, so it is not to be tested on them any more.
#
# A split is drawn from the products that are there, so it moves a few when others come or go, or when two
# turn out to share a picture. What a network has learned from is therefore written down with it: its JSON
# file says under ``split`` how the products were split, and under ``known`` of that which ones it was
# trained and validated on, as the first 8 bytes of the sha256 of their ids, sorted, joined and in base64:
# 11 bytes a product.

_N_BYTES: Final = 8
"""Of a hash: that one of a million products goes by the hash of another happens once in 30 million shops."""

_LEAST_LEFT: Final = 0.5
"""Where fewer of a part are left than this share, the split is another one and not the same with changes."""


@dataclass(frozen=True, slots=True)
class KnownProducts:
    """What a network that was fine-tuned here knows of a shop.

    Attributes:
        network: its name, for messages.
        how: the products were split: origin, shares and seed, JSON values.
        train, validation: hashes of the ids of products that it learned from, and that its best epoch was
            chosen with. None of a network that was fine-tuned before these were written down.
    """

    network: str
    how: Mapping[str, Any]
    train: frozenset[bytes] = frozenset()
    validation: frozenset[bytes] = frozenset()

    @classmethod
    def of_network(cls, spec: str) -> Self | None:
        """What the JSON file beside a network says; None for what was not fine-tuned here.

        Args:
            spec: of an extractor.

        Raises:
            ConfigError: it cannot be read.
        """
        path = Path(ExtractorSpec.parse(spec).name).expanduser()
        card = path.with_suffix(".json")
        if path.suffix != ".keras" or not card.is_file():
            return None
        try:
            said = json.loads(card.read_bytes()).get("split")
            if said is None:
                return None
            how = dict(said)
            known = how.pop("known", {})
            train, validation = (_unpacked(known.get(part, "")) for part in ("train", "validation"))
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise ConfigError(
                f"{card} does not say which products the network knows: {error}",
                hint="train on the network as it was before it was fine-tuned",
            ) from error
        return cls(card.stem, how, train, validation)

    @classmethod
    def after_training(
        cls, network: str, how: Mapping[str, Any], split: Split, before: KnownProducts | None
    ) -> Self:
        """What a network knows that has just been fine-tuned.

        Args:
            network: its name.
            how: the products were split.
            split: of the products that it was fine-tuned with.
            before: what it knew already.
        """
        train, validation = frozenset(map(_hash, split.train)), frozenset(map(_hash, split.validation))
        if before is not None:
            train, validation = train | before.train, validation | before.validation
        return cls(network, how, train, validation)

    def as_json(self) -> dict[str, Any]:
        """What is written under ``split``."""
        known = {"train": _packed(self.train), "validation": _packed(self.validation)}
        return {**self.how, "known": known}

    def without(self, split: Split, groups: Sequence[Collection[str]], how: Mapping[str, Any]) -> Split:
        """A split in which nothing is chosen with or tested on that the network knows.

        Products to choose with that it has learned from are in no part, and products to test on that it has
        learned from or was chosen with; so are those that share a picture with one.

        Args:
            split: of the products of now.
            groups: ids of joined products, as the split was made with.
            how: the split was made.

        Raises:
            ConfigError: the network was fine-tuned with another split, or so many products moved from part to
                part that fewer than half of one would be left.
        """
        if how != self.how:
            raise ConfigError(
                f"{self.network} was fine-tuned with another split of the products, {dict(self.how)}, than "
                f"is asked for, {dict(how)}: it would be tested with products that it has learned from",
                hint="train with the same --seed and --split-shares, or on the network as it was before",
            )
        ids = split.train.union(split.validation, split.test, *groups)
        learned_from = _of_hashes(ids, self.train, groups)
        seen = learned_from | _of_hashes(ids, self.validation, groups)
        left = {"choose with": split.validation - learned_from, "test with": split.test - seen}
        for (purpose, products), before in zip(left.items(), (split.validation, split.test), strict=True):
            if len(products) < _LEAST_LEFT * len(before):
                raise ConfigError(
                    f"{self.network} was fine-tuned on {len(before) - len(products)} of the {len(before)} "
                    f"products to {purpose}: too few are left that it does not know",
                    hint="train on the network as it was before it was fine-tuned",
                )
        validation, test = left.values()
        seen_before = (split.validation | split.test) - validation - test
        return dataclasses.replace(split, validation=validation, test=test, seen_before=seen_before)


def _of_hashes(
    ids: Iterable[str], hashes: frozenset[bytes], groups: Iterable[Collection[str]]
) -> frozenset[str]:
    """Ids that have one of these hashes, and those that are joined with one."""
    found = frozenset(one for one in ids if _hash(one) in hashes)
    return found.union(*(group for group in groups if not found.isdisjoint(group)))


def _hash(product: str) -> bytes:
    return hashlib.sha256(product.encode()).digest()[:_N_BYTES]


def _packed(hashes: Iterable[bytes]) -> str:
    return base64.b64encode(b"".join(sorted(hashes))).decode()


def _unpacked(text: str) -> frozenset[bytes]:
    data = base64.b64decode(text, validate=True)
    if len(data) % _N_BYTES:
        raise ValueError(f"{len(data)} bytes of hashes of {_N_BYTES} bytes")
    return frozenset(data[start : start + _N_BYTES] for start in range(0, len(data), _N_BYTES))
