"""Where a weighted l1 distance starts: at a size that a sigmoid tells apart."""

from __future__ import annotations

import numpy as np

from stylesearch.training.data import TrainingData

__all__ = ["l1_start"]

_N_PHOTOS = 256


def l1_start(data: TrainingData) -> tuple[float, float]:
    """First weight of every axis, and first bias, of a sigmoid of ``bias - weight * l1``.

    Wrong pairs then deviate by 1 from each other, and the bias is half-way between right and wrong pairs: a
    fixed start would be far out, since l1 distances grow with width and size of the vectors.

    Args:
        data: an even sample of its training photos is looked at.

    Returns:
        weight, bias.
    """
    photos = np.flatnonzero(data.train[data.photo_product])
    photos = photos[np.unique(np.arange(_N_PHOTOS) * len(photos) // _N_PHOTOS)]
    right: list[float] = []
    wrong: list[float] = []
    pictures = np.flatnonzero(data.train[data.shop_product])
    for number, photo in enumerate(photos):
        product = data.photo_product[photo]
        own = pictures[data.shop_product[pictures] == product]
        if data.own is not None:
            own = own[own != data.own[photo]]
        others = pictures[data.shop_product[pictures] != product]
        for chosen, found in ((own, right), (others, wrong)):
            if len(chosen):
                picture = data.shop[chosen[number % len(chosen)]]
                found.append(float(np.abs(data.photos[photo] - picture).sum(axis=1).min()))
    deviation = float(np.std(wrong)) if wrong else 0.0
    if not right or not deviation > 0:
        return 1.0, 0.0
    return 1 / deviation, (float(np.mean(right)) + float(np.mean(wrong))) / 2 / deviation
