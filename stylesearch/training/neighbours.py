"""The nearest wrong products of each product: what a batch is made hard with."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from stylesearch.evaluation.measured import RankedGallery
from stylesearch.evaluation.ranking import rank

__all__ = ["NO_NEIGHBOUR", "N_NEIGHBOURS", "nearest_wrong"]

Ids = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

N_NEIGHBOURS: Final = 20
"""How many are kept of each product: several times those that lie beside it in a batch, since many will be in
a batch already."""

NO_NEIGHBOUR: Final = -1

_MAX_BYTES: Final = 256 * 2**20


def nearest_wrong(
    photos: Floats,
    own: Ids,
    shop: Floats,
    shop_product: Ids,
    groups: Ids,
    metric: str,
) -> Ids:
    """Finds them among the products given.

    Args:
        photos: one photo of each of some products, float32 (p, regions, d).
        own: row of ``shop`` that is the very picture of each photo, or -1; int64 (p,).
        shop: pictures of the same products, float32 (m, d), product by product; at least one of each besides
            the photo's own.
        shop_product: place of the product of each picture among those products, int64 (m,), rising, no gap.
        groups: near-equal group of each product, int64 (p,): one of the same group is not wrong.
        metric: ``l1``, ``l2`` or ``cosine``.

    Returns:
        places among the products, nearest first, int64 (p, at most 20); :data:`NO_NEIGHBOUR` behind the last.
    """
    # The product itself and its copies come along; of more than a few copies some neighbours are lost.
    n_hits = N_NEIGHBOURS + min(int(np.bincount(np.unique(groups, return_inverse=True)[1]).max()), 10)
    columns = rank(
        photos,
        np.arange(len(photos)),
        RankedGallery(shop, shop_product),
        metric,
        own=own,
        n_hits=n_hits,
        max_bytes=_MAX_BYTES,
    )
    places = np.where(columns.hit_images >= 0, shop_product[columns.hit_images], NO_NEIGHBOUR)
    wrong = (places >= 0) & (groups[places] != groups[:, None])
    # A stable sort brings the wrong ones to the front, nearest first as they were.
    order = np.argsort(~wrong, axis=1, kind="stable")
    places = np.where(np.take_along_axis(wrong, order, 1), np.take_along_axis(places, order, 1), NO_NEIGHBOUR)
    n_kept = min(N_NEIGHBOURS, int(wrong.sum(axis=1).max(initial=0)))
    return places[:, :n_kept].astype(np.int64)
