"""Cards and names of trained models; importing it reads and computes nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

from stylesearch.data_files import check_fields
from stylesearch.errors import ConfigError, SpaceError

__all__ = [
    "PREFIX",
    "ModelCard",
    "check_features",
    "check_name",
    "index_folder",
    "is_trained",
    "name_of",
    "space_of",
]

PREFIX: Final = "siamese:"
"""Of the space of a trained model."""

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_RESERVED: Final = re.compile(r"con|prn|aux|nul|com\d|lpt\d")
"""Names of devices, which no folder may have on Windows."""


@dataclass(frozen=True, slots=True)
class ModelCard:
    """Describes a trained model: its training, weights and scores.

    Attributes:
        name: the model's name, as in ``siamese:NAME``.
        created: time of the training, ISO 8601 in UTC.
        feature_set: fingerprint of the features it takes.
        extractor: extractor of these features, as ``stylesearch.extractors.load_extractor`` takes it.
        weights_digest: digest of that extractor's weights.
        pairs: kind of the pairs, ``consumer`` or ``views``.
        n_products: products by part: ``train``, ``validation``, ``test``.
        split_seed: seed of the split into these parts; unused where the options' ``split`` is ``given``.
        loss: ``softmax``, ``triplet``, ``contrastive`` or ``bce``.
        options: options of the training, JSON values by name.
        scores: before and after, on validation and on test products, overall and by category, JSON values.
        weights: weight of the learned distance by category, from 0 to 1; ``""`` for all other categories.
        untrained: the untrained space that it is combined with, ``raw`` or ``whitened``.
        metric: metric of searches.
        transform_version: version of the ``LearnedTransform``.
        libraries: versions of the libraries that trained it, by name.
    """

    name: str
    created: str
    feature_set: str
    extractor: str
    weights_digest: str
    pairs: str
    n_products: Mapping[str, int]
    split_seed: int
    loss: str
    options: Mapping[str, Any]
    scores: Mapping[str, Any]
    weights: Mapping[str, float]
    untrained: str
    metric: str
    transform_version: str
    libraries: Mapping[str, str]

    @property
    def space(self) -> str:
        """``siamese:NAME``."""
        return space_of(self.name)

    def to_json(self) -> dict[str, Any]:
        """The card as JSON values, by the names of the attributes."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> ModelCard:
        """Reads what ``to_json`` returned; unknown names are ignored.

        Raises:
            SpaceError: an attribute is missing, or of another type.
        """
        if not isinstance(values, Mapping):
            raise SpaceError("the card of a model is an object with names and values")
        missing = [field.name for field in fields(cls) if field.name not in values]
        if missing:
            raise SpaceError(f"the card of a model lacks {', '.join(missing)}")
        try:
            check_fields(cls, values)
        except ValueError as error:
            raise SpaceError(f"the card of a model cannot be used: {error}") from error
        return cls(**{field.name: values[field.name] for field in fields(cls)})


def check_features(card: ModelCard, fingerprint: str) -> None:
    """Checks that features were made by the extractor that a model was trained on.

    Args:
        card: the model's card.
        fingerprint: fingerprint of the features.

    Raises:
        ConfigError: they are of another extractor.
    """
    if card.feature_set != fingerprint:
        raise ConfigError(
            f"{card.space} was trained on features of {card.extractor} with the weights "
            f"{card.weights_digest[:8]}, and these are others",
            hint=f"leave the extractor and its weights out, or train again: stylesearch train {card.name}",
        )


def is_trained(space: str) -> bool:
    """Whether a space is that of a trained model.

    Example:
        >>> is_trained("siamese:default"), is_trained("whitened")
        (True, False)
    """
    return space.startswith(PREFIX)


def name_of(space: str) -> str:
    """Returns the model's name in ``siamese:NAME``.

    Raises:
        ConfigError: it is no such space, or no model can have that name.
    """
    if not is_trained(space):
        raise ConfigError(f"the space of a trained model is {PREFIX}NAME. Received: {space!r}")
    return check_name(space.removeprefix(PREFIX))


def space_of(name: str) -> str:
    """``siamese:NAME``."""
    return PREFIX + name


def check_name(name: str) -> str:
    """Returns ``name`` if a model can have it, that is, if it can name a folder on every system.

    Raises:
        ConfigError: no model can have it.
    """
    if not _NAME.fullmatch(name) or _RESERVED.fullmatch(name):
        raise ConfigError(
            "a model's name is of small letters, digits, - and _, at most 64, the first a letter or digit. "
            f"Received: {name!r}"
        )
    return name


def index_folder(space: str) -> str:
    """Name of a space's folder of indexes: some systems allow no colon in it.

    Example:
        >>> index_folder("siamese:default")
        'siamese-default'
    """
    return space.replace(":", "-")
