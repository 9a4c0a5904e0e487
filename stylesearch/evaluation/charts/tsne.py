"""A map of features: alike pictures lie side by side.

References:
    L. van der Maaten and G. Hinton, "Visualizing data using t-SNE", JMLR 9, 2008. Reduced by PCA first, as
    they do (to 50 axes; they: 30).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

__all__ = ["LEAST", "tsne_map"]

LEAST = 8
"""Of fewer pictures a map says nothing."""
_AXES = 50
_PERPLEXITY = 30.0


def tsne_map(features: npt.NDArray[np.float32], seed: int) -> npt.NDArray[np.float64]:
    """Places in the plane, float64 (n, 2), within -1 to 1; the same for the same features and seed.

    Args:
        features: float32 (n, dim), n at least :data:`LEAST`.
        seed: of scikit-learn's t-SNE.

    Raises:
        ValueError: too few features.
    """
    n = len(features)
    if n < LEAST:
        raise ValueError(f"a map needs at least {LEAST} pictures. Received: {n}")
    # One thread: with several, sums are taken in another order each time, and the map is another.
    with threadpool_limits(limits=1):
        values = features.astype(np.float64) - features.mean(axis=0, dtype=np.float64)
        if not values.any():
            return np.zeros((n, 2))  # all alike: there is nothing to spread
        reduced = PCA(min(_AXES, n, values.shape[1]), svd_solver="full").fit_transform(values)
        spread = float(reduced[:, 0].std())
        start = np.asarray(reduced[:, :2] / spread * 1e-4 if spread else reduced[:, :2])
        if start.shape[1] < 2:
            start = np.pad(start, ((0, 0), (0, 1)))
        places = TSNE(
            perplexity=min(_PERPLEXITY, (n - 1) / 3), init=start, random_state=seed, n_jobs=1
        ).fit_transform(reduced)
    places = places.astype(np.float64) - (places.max(axis=0) + places.min(axis=0)) / 2
    largest = float(np.abs(places).max())
    scaled: npt.NDArray[np.float64] = places / (largest or 1.0)
    return scaled
