"""k-reciprocal re-ranking of the nearest pictures of one photo.

References:
    Z. Zhong, L. Zheng, D. Cao and S. Li, "Re-ranking Person Re-identification with k-reciprocal Encoding",
    CVPR 2017. Deviation: neighbours are looked for among the photo and its candidates, not in the whole
    gallery, so that one query can be answered alone.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["Neighbours", "jaccard_distances"]

Doubles = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


class Neighbours:
    """The photo (number 0) and its candidates.

    Args:
        to_photo: distance of each candidate to the photo, (k,).
        between: distances between candidates, (k, k), symmetric.
    """

    def __init__(self, to_photo: npt.NDArray[np.floating], between: npt.NDArray[np.floating]) -> None:
        n = len(to_photo) + 1
        self.distances: Doubles = np.zeros((n, n))
        self.distances[0, 1:] = self.distances[1:, 0] = to_photo
        self.distances[1:, 1:] = between
        np.fill_diagonal(self.distances, -1)  # everything is its own nearest, whatever else lies at 0
        self.places = self.distances.argsort(axis=1, kind="stable").argsort(axis=1, kind="stable")
        np.fill_diagonal(self.distances, 0)

    def reciprocal(self, k: int) -> Flags:
        """Which pairs are among each other's ``k`` nearest (and themselves), (k + 1, k + 1)."""
        near = self.places <= k
        found: Flags = near & near.T
        return found


def jaccard_distances(neighbours: Neighbours, k1: int, k2: int) -> Doubles:
    """How little the neighbourhoods of the photo and of each candidate have in common, 0 to 1, (k,).

    Args:
        neighbours: of the photo and its candidates.
        k1: how many neighbours are looked at.
        k2: over how many nearest a neighbourhood is averaged; 1 for none.
    """
    near, half = neighbours.reciprocal(k1), neighbours.reciprocal(round(k1 / 2))
    shared = near.astype(np.float32) @ half.T.astype(np.float32)
    # A neighbour whose own closer neighbourhood lies two thirds within brings that along.
    joined = near & (shared > 2 / 3 * half.sum(axis=1))
    members = near | ((joined.astype(np.float32) @ half.astype(np.float32)) > 0)
    largest = np.maximum(neighbours.distances.max(axis=1, keepdims=True), 1e-12)
    weights = np.where(members, np.exp(-neighbours.distances / largest), 0)
    weights /= weights.sum(axis=1, keepdims=True)
    if k2 > 1:
        averaged = (neighbours.places < k2).astype(float)
        weights = averaged @ weights / averaged.sum(axis=1, keepdims=True)
    common = np.minimum(weights[0], weights[1:]).sum(axis=1)
    found: Doubles = 1 - common / (2 - common)
    return found
