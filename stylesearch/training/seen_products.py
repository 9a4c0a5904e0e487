"""Products that a fine-tuned network has seen, and that it may not be validated or tested on any more.

A split is drawn from the products of the catalog, so a few products change parts when others come or go, or
when two turn out to share an image. Therefore a network's JSON file says what it was fine-tuned with: under
``split`` how the products were split, and in it under ``known`` which products it was trained and validated
on, as the first 8 bytes of the sha256 of their ids, sorted, joined and in base64: 11 bytes for each product.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from stylesearch.data_files import read_json
from stylesearch.errors import ConfigError
from stylesearch.extractors.spec import ExtractorSpec
from stylesearch.files import expand_user
from stylesearch.training.split import Split

__all__ = ["SeenProducts"]

_N_BYTES: Final = 8
"""Of a hash: that one of a million products goes by the hash of another happens once in 30 million shops."""

_MIN_SHARE_LEFT: Final = 0.5
"""Where fewer of a part are left than this share, the split is another one and not the same with changes."""


@dataclass(frozen=True, slots=True)
class SeenProducts:
    """Products that a network was fine-tuned on.

    Attributes:
        network: name of the network, for messages.
        split_settings: origin, shares and seed of the split, JSON values by name.
        train, validation: hashes of the ids of products that it was trained on, and that its best epoch was
            chosen with. Empty for a network that was fine-tuned before these were stored.
    """

    network: str
    split_settings: Mapping[str, Any]
    train: frozenset[bytes] = frozenset()
    validation: frozenset[bytes] = frozenset()

    @classmethod
    def read(cls, spec: str) -> Self | None:
        """Reads the JSON file beside a network; None for an extractor that was not fine-tuned here.

        Args:
            spec: spec of an extractor.

        Raises:
            ConfigError: it cannot be read.
        """
        path = expand_user(ExtractorSpec.parse(spec).name)
        card = path.with_suffix(".json")
        if path.suffix != ".keras" or not card.is_file():
            return None
        try:
            said = read_json(card).get("split")
            if said is None:
                return None
            settings = dict(said)
            hashes = settings.pop("known", {})
            train, validation = (_decode(hashes.get(part, "")) for part in ("train", "validation"))
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise ConfigError(
                f"{card} does not say which products the network knows: {error}",
                hint="train on the network as it was before it was fine-tuned",
            ) from error
        return cls(card.stem, settings, train, validation)

    @classmethod
    def after_training(
        cls, network: str, split_settings: Mapping[str, Any], split: Split, before: SeenProducts | None
    ) -> Self:
        """Makes the seen products of a network that has just been fine-tuned.

        Args:
            network: name of the network.
            split_settings: origin, shares and seed of the split.
            split: split of the products that it was fine-tuned with.
            before: products that it had seen already.
        """
        train, validation = frozenset(map(_hash, split.train)), frozenset(map(_hash, split.validation))
        if before is not None:
            train, validation = train | before.train, validation | before.validation
        return cls(network, split_settings, train, validation)

    def to_json(self) -> dict[str, Any]:
        """JSON values by name, which are stored under ``split``."""
        hashes = {"train": _encode(self.train), "validation": _encode(self.validation)}
        return {**self.split_settings, "known": hashes}

    def exclude(
        self, split: Split, groups: Sequence[Collection[str]], split_settings: Mapping[str, Any]
    ) -> Split:
        """Removes products that the network has seen from the validation and the test part.

        Validation products that it was trained on are then in no part, nor are test products that it was
        trained or validated on, nor products that share an image with one of these.

        Args:
            split: split of the current products.
            groups: ids of connected products that the split was made with.
            split_settings: origin, shares and seed of the split.

        Raises:
            ConfigError: the network was fine-tuned with another split, or so many products changed parts that
                less than half of one would be left.
        """
        if split_settings != self.split_settings:
            raise ConfigError(
                f"{self.network} was fine-tuned with another split of the products, "
                f"{dict(self.split_settings)}, than is asked for, "
                f"{dict(split_settings)}: it would be tested with products that it has learned from",
                hint="train with the same --seed and --split-shares, or on the network as it was before",
            )
        ids = split.train.union(split.validation, split.test, *groups)
        learned_from = _find(ids, self.train, groups)
        seen = learned_from | _find(ids, self.validation, groups)
        left = {"choose with": split.validation - learned_from, "test with": split.test - seen}
        for (purpose, products), before in zip(left.items(), (split.validation, split.test), strict=True):
            if len(products) < _MIN_SHARE_LEFT * len(before):
                raise ConfigError(
                    f"{self.network} was fine-tuned on {len(before) - len(products)} of the {len(before)} "
                    f"products to {purpose}: too few are left that it does not know",
                    hint="train on the network as it was before it was fine-tuned",
                )
        validation, test = left.values()
        seen_before = (split.validation | split.test) - validation - test
        return dataclasses.replace(split, validation=validation, test=test, seen_before=seen_before)


def _find(ids: Iterable[str], hashes: frozenset[bytes], groups: Iterable[Collection[str]]) -> frozenset[str]:
    """Finds ids that have one of these hashes, and ids that are connected with one."""
    found = frozenset(one for one in ids if _hash(one) in hashes)
    return found.union(*(group for group in groups if not found.isdisjoint(group)))


def _hash(product: str) -> bytes:
    return hashlib.sha256(product.encode()).digest()[:_N_BYTES]


def _encode(hashes: Iterable[bytes]) -> str:
    return base64.b64encode(b"".join(sorted(hashes))).decode()


def _decode(text: str) -> frozenset[bytes]:
    data = base64.b64decode(text, validate=True)
    if len(data) % _N_BYTES:
        raise ValueError(f"{len(data)} bytes of hashes of {_N_BYTES} bytes")
    return frozenset(data[start : start + _N_BYTES] for start in range(0, len(data), _N_BYTES))
