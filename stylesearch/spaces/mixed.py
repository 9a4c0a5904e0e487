"""The mixed space: raw and whitened network features, texture, colors and kinds, under one cosine.

Raw features tell a shop's own pictures apart best, whitened ones real photos of people; their mixture is
within noise of the better one on every set (docs/adr/0014-a-mixed-space.md). An image's vector is the
concatenation of its parts at length one, each times the square root of its weight, so that the cosine of two
images is the weighted mean of the parts' cosines:

| part | numbers | from |
|---|---|---|
| raw | 128 + 2 | network features at length one, on the axes that most of the gallery's length lies on |
| whitened | up to 512 | the space *whitened* |
| texture | up to 128 | statistics of middle layers, whitened by themselves |
| colors | 108 | the histogram as it is |
| kind | 11 | square roots of the probabilities of kinds of garments |

Rows of a photo have other weights than images: a part of weight a in the gallery and b in a row is multiplied
by b / sqrt(a), so its cosine counts b times. Texture counts on squares around a person alone: on other
regions it would compare cameras and grounds. A photo without a person leans on raw features and on its kind.

What a vector has beside the axes of *raw* is kept as a length, on one of two more axes: the one for images,
the other for photos. So all have length one and the product is that of the axes alone.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, Final, Self

import numpy as np

from stylesearch.array_types import Floats
from stylesearch.errors import SpaceError
from stylesearch.files import atomic_file
from stylesearch.kinds.head import shipped_head
from stylesearch.spaces.base import validate_features
from stylesearch.spaces.parts import FeatureParts
from stylesearch.spaces.unsupervised import MIN_ROWS, PrincipalFit, WhitenedTransform, WhiteningFit
from stylesearch.vectors import multiply, normalize_rows

__all__ = ["ALONE", "IMAGE", "REGION", "SQUARE", "MixedTransform", "Weights"]

RAW_DIM: Final = 128
"""Axes of the raw part: with so many, or twice as many, photos find the same products as with all numbers."""

TEXTURE_DIM: Final = 128


@dataclass(frozen=True, slots=True)
class Weights:
    """How much each part counts.

    Attributes:
        raw, whitened, texture, colors, kinds: weights, not negative.
    """

    raw: float
    whitened: float
    texture: float
    colors: float
    kinds: float

    def of(self, parts: FeatureParts) -> Weights:
        """The weights for features that may lack parts: their weight goes to the network's two.

        Without a head the kind is left out and the rest stays as it is.
        """
        texture = self.texture if parts.n_texture else 0.0
        colors = self.colors if parts.n_colors else 0.0
        network = self.raw + self.whitened
        grown = 1 + (self.texture - texture + self.colors - colors) / network
        kinds = self.kinds if parts.head is not None else 0.0
        return Weights(self.raw * grown, self.whitened * grown, texture, colors, kinds)


IMAGE: Final = Weights(0.22, 0.33, 0.30, 0.15, 0.10)
"""Of the gallery's images, and of a product that is searched with."""

SQUARE: Final = IMAGE
"""Of squares around a person, in which the rest is white."""

REGION: Final = Weights(0.34, 0.51, 0, 0.15, 0.10)
"""Of the fixed regions of a photo with a person."""

ALONE: Final = Weights(0.595, 0.255, 0, 0.15, 0.30)
"""Of the regions of a photo without a person: mostly of a garment that lies or hangs."""


class MixedTransform:
    """Joins raw and whitened network features with texture, colors and kinds; see the module.

    Args:
        parts: the parts of features.
        raw_axes: orthonormal axes of the raw part, float32 (n, RAW_DIM or fewer); None for too small a
            gallery: the raw part is then all n numbers.
        whitened: transform of the network's numbers.
        texture: transform of the texture's numbers; None where features have none.
    """

    name = "mixed"
    scales = None
    metric = None

    def __init__(
        self,
        parts: FeatureParts,
        raw_axes: Floats | None,
        whitened: WhitenedTransform,
        texture: WhitenedTransform | None,
    ) -> None:
        if (texture.dim_in if texture else 0) != parts.n_texture:
            raise SpaceError(f"a transform of {parts.n_texture} numbers of texture is wanted")
        if raw_axes is not None and len(raw_axes) != whitened.dim_in:
            raise SpaceError(f"axes of {whitened.dim_in} numbers are wanted. Received: {raw_axes.shape}")
        self.parts = parts
        self.raw_axes = raw_axes
        self.whitened = whitened
        self.texture = texture

    @property
    def dim_in(self) -> int:
        """Width of a feature."""
        return self.whitened.dim_in + self.parts.n_texture + self.parts.n_colors

    @property
    def dim(self) -> int:
        """Width of a vector."""
        return int(self.slices["kind"].stop)

    @functools.cached_property
    def slices(self) -> Mapping[str, slice]:
        """Where each part of a vector is, by its name; a part that features lack is empty."""
        raw = self.whitened.dim_in if self.raw_axes is None else self.raw_axes.shape[1] + 2
        texture = 0 if self.texture is None else min(TEXTURE_DIM, self.texture.dim)
        head = self.parts.head
        kinds = 0 if head is None else len(head.kinds)
        widths = (raw, self.whitened.dim, texture, self.parts.n_colors, kinds)
        ends = np.cumsum(widths).tolist()
        names = ("raw", "whitened", "texture", "colors", "kind")
        return {name: slice(end - width, end) for name, end, width in zip(names, ends, widths, strict=True)}

    @functools.cached_property
    def version(self) -> str:
        """Digest of the axes, the head and the weights."""
        digest = hashlib.sha256(f"{self.name} {IMAGE} {SQUARE} {REGION} {ALONE}".encode())
        digest.update(f"{self.parts.n_texture} {self.parts.n_colors} {TEXTURE_DIM}".encode())
        for one in (self.whitened, self.texture):
            digest.update(one.version.encode() if one else b"-")
        if self.raw_axes is not None:
            digest.update(repr(self.raw_axes.shape).encode() + self.raw_axes.astype("<f4").tobytes())
        digest.update(self.parts.head.version.encode() if self.parts.head else b"-")
        return digest.hexdigest()

    def apply(self, features: Floats) -> Floats:
        """Vectors of images; see ``Transform.apply``."""
        features = validate_features(features, self.dim_in)
        vectors = self._lay_out(features, is_photo=False)
        factors = np.sqrt(np.array(astuple(IMAGE.of(self.parts)), np.float32))
        self._weigh(vectors, factors)
        return normalize_rows(vectors)

    def apply_to_photo(self, features: Floats, n_squares: int = 0) -> Floats:
        """Vectors of a photo's regions and squares; see ``Transform.apply_to_photo``."""
        features = validate_features(features, self.dim_in)
        vectors = self._lay_out(features, is_photo=True)
        n_regions = len(features) - n_squares
        if n_squares:
            self._weigh(vectors[:n_regions], self._factors(REGION))
            self._weigh(vectors[n_regions:], self._factors(SQUARE))
        else:
            self._share_kinds(vectors)
            self._weigh(vectors, self._factors(ALONE))
        return normalize_rows(vectors)

    def _factors(self, row: Weights) -> Floats:
        """What the parts of a photo's row are multiplied by, (5,)."""
        images = np.array(astuple(IMAGE.of(self.parts)))
        wanted = np.array(astuple(row.of(self.parts)))
        factors = np.divide(wanted, np.sqrt(images), out=np.zeros(len(images)), where=images > 0)
        return np.asarray(factors, np.float32)

    def _weigh(self, vectors: Floats, factors: Floats) -> None:
        """Multiplies the parts of vectors, in place."""
        for place, factor in zip(self.slices.values(), factors.tolist(), strict=True):
            vectors[:, place] *= factor

    def _lay_out(self, features: Floats, *, is_photo: bool) -> Floats:
        """The parts of vectors, each at length one."""
        network, texture, colors = self.parts.split(features)
        vectors = np.zeros((len(features), self.dim), np.float32)
        at = self.slices
        unit = normalize_rows(network)
        if self.raw_axes is None:
            vectors[:, at["raw"]] = unit
        else:
            vectors[:, at["raw"]][:, :-2] = inside = multiply(unit, self.raw_axes, self._raw_rows)
            beside = np.sqrt(np.maximum(0, np.einsum("ij,ij->i", unit, unit) - (inside**2).sum(axis=1)))
            vectors[:, at["raw"].stop - 1 - is_photo] = beside
        vectors[:, at["whitened"]] = normalize_rows(self.whitened.apply(network))
        if self.texture is not None:
            vectors[:, at["texture"]] = normalize_rows(self.texture.apply(texture)[:, :TEXTURE_DIM])
        vectors[:, at["colors"]] = normalize_rows(colors)
        if self.parts.head is not None:
            vectors[:, at["kind"]] = np.sqrt(self.parts.head.predict(features))
        return vectors

    def _share_kinds(self, vectors: Floats) -> None:
        """Gives all rows the mean of their kinds: a photo without a person shows one garment, in place."""
        kinds = vectors[:, self.slices["kind"]]
        if kinds.size:
            kinds[:] = np.sqrt((kinds**2).mean(axis=0))

    @functools.cached_property
    def _raw_rows(self) -> Floats:
        """The axes of the raw part as rows, one behind the other."""
        assert self.raw_axes is not None
        return np.ascontiguousarray(self.raw_axes.T)

    @classmethod
    def fit(cls, blocks: Iterable[Floats], *, dim_in: int, n_rows: int, parts: FeatureParts) -> Self:
        """Fits the axes of all parts; the same for the same blocks.

        Args:
            blocks, dim_in, n_rows: see ``stylesearch.spaces.fit_transform``.
            parts: the parts of features.

        Raises:
            SpaceError: features of another width.
        """
        n_network = parts.n_network(dim_in)
        raw = PrincipalFit(n_network, n_rows)
        whitened = WhiteningFit(n_network, n_rows)
        of_texture = WhiteningFit(parts.n_texture, n_rows) if parts.n_texture else None
        for block in blocks:
            network, texture, _ = parts.split(validate_features(block, dim_in))
            raw.add(normalize_rows(network))
            whitened.add(network)
            if of_texture is not None:
                of_texture.add(texture)
        axes = raw.axes(RAW_DIM) if raw.n_fitted >= MIN_ROWS else None
        return cls(
            parts,
            None if axes is None or not axes.size else axes,
            WhitenedTransform(*whitened.mean_and_axes()),
            None if of_texture is None else WhitenedTransform(*of_texture.mean_and_axes()),
        )

    def arrays(self) -> dict[str, Any]:
        """What there is to be stored, by name; the head is part of the package."""
        found: dict[str, Any] = {f"whitened.{name}": one for name, one in self.whitened.arrays().items()}
        if self.texture is not None:
            found |= {f"texture.{name}": one for name, one in self.texture.arrays().items()}
        if self.raw_axes is not None:
            found["raw.axes"] = self.raw_axes
        found["n_colors"] = np.int64(self.parts.n_colors)
        found["head"] = np.array(self.parts.head.version if self.parts.head else "")
        return found

    @classmethod
    def from_arrays(cls, stored: Mapping[str, Any]) -> Self:
        """The inverse of ``arrays``.

        Raises:
            KeyError: something is missing.
            SpaceError: the parts do not fit each other, or are of another head than this version has.
        """

        def of(part: str) -> dict[str, Any]:
            start = f"{part}."
            return {name.removeprefix(start): stored[name] for name in stored if name.startswith(start)}

        texture = WhitenedTransform.from_arrays(found) if (found := of("texture")) else None
        head = shipped_head() if str(stored["head"]) else None
        if head is not None and head.version != str(stored["head"]):
            raise SpaceError("it was fitted with another head that names kinds")
        parts = FeatureParts(texture.dim_in if texture else 0, int(stored["n_colors"]), head)
        return cls(parts, of("raw").get("axes"), WhitenedTransform.from_arrays(of("whitened")), texture)

    def save(self, path: Path) -> None:
        """Writes ``arrays``; see ``Transform.save``."""
        with atomic_file(path) as file:
            np.savez(file, **self.arrays())
