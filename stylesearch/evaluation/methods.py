"""What is compared: ``extractor[@size][/space]``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stylesearch.errors import ConfigError
from stylesearch.registry import unknown_name
from stylesearch.spaces import SPACES

__all__ = ["MethodSpec", "parse_method", "parse_methods"]

DEFAULT_SPACE = "raw"


@dataclass(frozen=True, slots=True)
class MethodSpec:
    """An extractor in a space.

    Attributes:
        extractor: what ``load_extractor`` takes.
        space: a name in :data:`stylesearch.spaces.SPACES`.
    """

    extractor: str
    space: str

    @property
    def label(self) -> str:
        """As in tables; the space ``raw`` goes without saying."""
        return self.extractor if self.space == DEFAULT_SPACE else f"{self.extractor}/{self.space}"


def parse_method(text: str) -> MethodSpec:
    """Reads a method's name; what stands before the space may be the path of a model.

    Raises:
        UnknownName: no such space.
        ConfigError: no extractor is named.

    Example:
        >>> parse_method("efficientnet-lite0@320/whitened")
        MethodSpec(extractor='efficientnet-lite0@320', space='whitened')
    """
    text = text.strip()
    extractor, slash, tail = text.rpartition("/")
    if slash and tail in SPACES:
        spec = MethodSpec(extractor, tail)
    else:
        spec = MethodSpec(text, DEFAULT_SPACE)
        if slash and not Path(text).suffix and not Path(text).is_absolute():
            raise unknown_name("space", tail, SPACES)
    if not spec.extractor:
        raise ConfigError(f"a method is EXTRACTOR[@SIZE][/SPACE]. Received: {text!r}")
    return spec


def parse_methods(texts: list[str]) -> list[MethodSpec]:
    """Reads several names; one that is given twice counts once.

    Raises:
        ConfigError: none is given, or one of them is empty.
        UnknownName: no such space.
    """
    methods = list(dict.fromkeys(parse_method(text) for text in texts))
    if not methods:
        raise ConfigError("no method is given", hint="resnet50, or efficientnet-lite0@320/whitened")
    return methods
