"""Finds shop images that several products have: equal files, and copies that were scaled or saved again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from stylesearch.errors import ConfigError
from stylesearch.types import Box, Domain, ReportProgress

if TYPE_CHECKING:
    from stylesearch.features.images import CatalogImage
    from stylesearch.workspace.resources import Resources

__all__ = ["DuplicateGroup", "Duplicates", "find_duplicates"]

MOST_BITS: Final = 64
"""Of 255, beyond which nearly all that is grouped are different garments."""


@dataclass(frozen=True, slots=True)
class DuplicateGroup:
    """Shop images that are equal or nearly so, of two or more products.

    Attributes:
        is_equal: whether they are the same bytes.
        images: the images with their products, by product id, then path.
    """

    is_equal: bool
    images: tuple[CatalogImage, ...]


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Groups of duplicates.

    Attributes:
        groups: the groups, those of the most products first.
        n_unreadable: number of images that could not be read and were compared by their bytes only.
    """

    groups: tuple[DuplicateGroup, ...]
    n_unreadable: int


def find_duplicates(
    resources: Resources, threshold: int | None, progress: ReportProgress | None
) -> Duplicates:
    """Finds duplicates; see ``Workspace.duplicates``.

    Images are compared as those of a training are (``stylesearch.training.perceptual_hash``), and their
    hashes kept, so the next call is quick. Different boxes in one image are different pictures.
    """
    from stylesearch.features.images import list_images
    from stylesearch.training.near_duplicates import NEAR_BITS, NearDuplicates, find_near_duplicates

    max_bits = NEAR_BITS if threshold is None else threshold
    if not 0 <= max_bits <= MOST_BITS:
        raise ConfigError(
            f"a threshold is from 0 to {MOST_BITS} bits: beyond, most images are near. Received: {max_bits}"
        )
    images = [one for one in list_images(resources.catalog()) if one.image.domain == Domain.SHOP]
    near = NearDuplicates()
    if max_bits:
        options = resources.extraction_options
        near = find_near_duplicates(
            images,
            resources.cache,
            n_workers=options.n_workers,
            max_pixels=options.max_pixels,
            max_bits=max_bits,
            progress=progress and (lambda done, total: progress("comparing images", done, total)),
        )
    groups: dict[tuple[str, Box | None], list[CatalogImage]] = {}
    for one in images:
        groups.setdefault((near.image(one.image.sha256), one.image.box), []).append(one)
    found = [
        DuplicateGroup(len({one.image.sha256 for one in group}) == 1, tuple(group))
        for group in groups.values()
        if len({one.product.id for one in group}) > 1
    ]
    found.sort(key=lambda group: (-len({one.product.id for one in group.images}), group.images[0].key))
    return Duplicates(tuple(found), len(near.failures))
