"""How the learning rate goes: up, then down."""

from __future__ import annotations

import math

__all__ = ["learning_rate_at"]


def learning_rate_at(step: int, n_steps: int, n_warmup: int, highest: float) -> float:
    """Rises linearly in the first steps, then falls to nearly 0 along half a cosine.

    Args:
        step: from 0 to n_steps - 1.
        n_steps: of the whole training.
        n_warmup: steps of the rise, at most half of all; the last of them has the highest rate.
        highest: the highest rate.

    References:
        P. Goyal et al., "Accurate, large minibatch SGD", 2017 (warm-up); I. Loshchilov and F. Hutter, "SGDR:
        stochastic gradient descent with warm restarts", ICLR 2017 (the cosine; without restarts).

    Example:
        >>> [round(learning_rate_at(step, 6, 2, 1.0), 2) for step in range(6)]
        [0.5, 1.0, 0.9, 0.65, 0.35, 0.1]
    """
    n_warmup = min(n_warmup, n_steps // 2)
    if step < n_warmup:
        return highest * (step + 1) / n_warmup
    share = (step - n_warmup + 1) / (n_steps - n_warmup + 1)
    return highest * (1 + math.cos(math.pi * share)) / 2
