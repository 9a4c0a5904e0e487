"""What the numbers of a feature are: a network's, and behind them those of texture and of colors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from stylesearch.array_types import Floats
from stylesearch.kinds.head import KindHead, shipped_head

if TYPE_CHECKING:
    from stylesearch.extractors.base import Extractor

__all__ = ["FeatureParts"]


@dataclass(frozen=True, slots=True)
class FeatureParts:
    """How features of one extractor are divided: ``[network ; texture ; colors]``.

    Attributes:
        n_texture: how many numbers tell texture.
        n_colors: how many of the last numbers are a histogram of colors.
        head: names kinds of garments from the network's numbers; None where no head was trained on them.

    Example:
        >>> FeatureParts(n_texture=240, n_colors=108).n_network(1628)
        1280
    """

    n_texture: int = 0
    n_colors: int = 0
    head: KindHead | None = None

    @classmethod
    def of(cls, extractor: str, parameters: Mapping[str, Any], weights_digest: str) -> Self:
        """The parts of an extractor's features, or of a feature set of the catalog.

        Args:
            extractor: name of the extractor, with ``+texture`` and ``+colors``.
            parameters: its parameters.
            weights_digest: digest of its weights.
        """
        n_texture, n_colors = (
            int(parameters[name]["dim"]) if name in parameters else 0 for name in ("texture", "colors")
        )
        head = shipped_head()
        is_known = head.is_for(extractor, parameters, weights_digest)
        return cls(n_texture, n_colors, head if is_known else None)

    @classmethod
    def of_extractor(cls, extractor: Extractor) -> Self:
        """The parts of an extractor's features."""
        return cls.of(extractor.name, extractor.parameters, extractor.weights_digest)

    def n_network(self, dim: int) -> int:
        """How many of ``dim`` numbers are the network's."""
        return dim - self.n_texture - self.n_colors

    def split(self, features: Floats) -> tuple[Floats, Floats, Floats]:
        """The network's numbers, those of texture and those of colors, as views of features (n, dim)."""
        start = self.n_network(features.shape[1])
        end = start + self.n_texture
        return features[:, :start], features[:, start:end], features[:, end:]
