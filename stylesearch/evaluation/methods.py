"""What is compared: ``extractor[@size][/space]``, or ``siamese:NAME``, which implies its extractor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from stylesearch.errors import ConfigError
from stylesearch.model_cards import is_trained, name_of
from stylesearch.registry import unknown_name
from stylesearch.spaces import SPACES

__all__ = ["MethodSpec", "parse_method", "parse_methods"]

DEFAULT_SPACE = "raw"


@dataclass(frozen=True, slots=True)
class MethodSpec:
    """An extractor in a space.

    Attributes:
        extractor: what ``load_extractor`` takes; empty for that of the trained model.
        space: a name in :data:`stylesearch.spaces.SPACES`, or ``siamese:NAME``.
        is_implied: whether the extractor was not named, being that of the trained model.
    """

    extractor: str
    space: str
    is_implied: bool = False

    @property
    def label(self) -> str:
        """As in tables; the space ``raw`` goes without saying, and so does an implied extractor."""
        if self.is_implied or not self.extractor:
            return self.space
        return self.extractor if self.space == DEFAULT_SPACE else f"{self.extractor}/{self.space}"

    @property
    def is_trained(self) -> bool:
        """Whether the space is that of a trained model."""
        return is_trained(self.space)


def parse_method(text: str) -> MethodSpec:
    """Reads a method's name; what stands before the space may be the path of a model.

    Raises:
        UnknownName: no such space.
        ConfigError: no extractor is named, or no trained model can be called that.

    Example:
        >>> parse_method("efficientnet-lite0@320/whitened")
        MethodSpec(extractor='efficientnet-lite0@320', space='whitened')
    """
    text = text.strip()
    extractor, slash, tail = text.rpartition("/")
    if is_trained(tail):
        name_of(tail)
        return MethodSpec(extractor, tail)
    if slash and tail in SPACES:
        spec = MethodSpec(extractor, tail)
    else:
        spec = MethodSpec(text, DEFAULT_SPACE)
        if slash and not Path(text).suffix and not Path(text).is_absolute():
            raise unknown_name("space", tail, SPACES)
    if not spec.extractor:
        raise ConfigError(f"a method is EXTRACTOR[@SIZE][+colors][/SPACE]. Received: {text!r}")
    return spec


def parse_methods(texts: list[str], extractor_of: Callable[[str], str] | None = None) -> list[MethodSpec]:
    """Reads several names; one that is given twice counts once.

    Args:
        texts: the names.
        extractor_of: says which extractor a trained model takes, of its space; it may raise.

    Raises:
        ConfigError: none is given, or one of them is empty.
        UnknownName: no such space.
    """
    methods = list(dict.fromkeys(parse_method(text) for text in texts))
    if extractor_of is not None:
        methods = [
            spec if spec.extractor else replace(spec, extractor=extractor_of(spec.space), is_implied=True)
            for spec in methods
        ]
    if not methods:
        raise ConfigError("no method is given", hint="resnet50, or efficientnet-lite0@320/whitened")
    return methods
