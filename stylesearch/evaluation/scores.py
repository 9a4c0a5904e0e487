"""Scores of ranks: top-k accuracy, reciprocal rank and average precision, fair to ties.

A tie has no order: whatever broke it (the order of a file, of a sort) would favour somebody. So each
function here returns the mean over all orders of the equals, as a closed form.

References:
    F. McSherry and M. Najork, "Computing information retrieval performance measures efficiently in the
    presence of tied scores", ECIR 2008.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from stylesearch.evaluation.results import Columns, Doubles, Ints

__all__ = [
    "expected_average_precision",
    "expected_reciprocal_rank",
    "score_columns",
    "top_k_share",
]


def top_k_share(n_nearer: Ints, n_tied: Ints, k: int) -> Doubles:
    """For each query how likely its product is among the first ``k``, float64 (n,).

    Args:
        n_nearer: products nearer than the right one, int64 (n,).
        n_tied: products as far as the right one, itself included, int64 (n,).
        k: how many products are looked at, 1 or more.

    Returns:
        1 or 0 without ties; of ``t`` tied products of which ``m`` still fit into the first ``k``, m / t.

    Example:
        >>> top_k_share(np.array([0, 0, 5]), np.array([1, 4, 1]), 1).tolist()
        [1.0, 0.25, 0.0]
    """
    if k < 1:
        raise ValueError(f"k has to be 1 or more. Received: {k}")
    share: Doubles = np.clip((k - n_nearer) / n_tied, 0.0, 1.0)
    return share


def expected_reciprocal_rank(n_nearer: Ints, n_tied: Ints) -> Doubles:
    """1 / rank, mean over the orders of the tied, float64 (n,).

    Example:
        >>> expected_reciprocal_rank(np.array([1, 0]), np.array([1, 2])).tolist()
        [0.5, 0.75]
    """
    result: Doubles = 1.0 / (n_nearer + 1)
    for query in np.flatnonzero(n_tied > 1):
        first, n = int(n_nearer[query]), int(n_tied[query])
        result[query] = (1.0 / np.arange(first + 1, first + n + 1)).mean()
    return result


def expected_average_precision(n_below: Ints, n_equal: Ints, n_right: Ints) -> float:
    """Average precision of one ranking with ties, mean over the orders of the tied.

    The right pictures lie in groups of equally far ones. In a group that begins behind ``t`` pictures, ``R``
    of them right, and has n pictures, r of them right, place i is right with probability r / n, and then has
    on average (i - 1) (r - 1) / (n - 1) right ones before it in the group.

    Args:
        n_below: pictures nearer than each group, int64 (groups,), rising.
        n_equal: pictures in each group, int64 (groups,).
        n_right: right ones in each group, int64 (groups,), at least 1.

    Returns:
        The mean of the precision at each right picture, from 0 to 1.

    Example:
        >>> expected_average_precision(np.array([0, 3]), np.array([1, 1]), np.array([1, 1]))
        0.75
    """
    total, n_before = 0.0, 0
    for below, equal, right in zip(n_below.tolist(), n_equal.tolist(), n_right.tolist(), strict=True):
        places = np.arange(equal)
        others = places * ((right - 1) / (equal - 1)) if equal > 1 else np.zeros(1)
        precisions = (n_before + 1 + others) / (below + 1 + places)
        total += right * float(precisions.mean())
        n_before += right
    return total / n_before


def score_columns(columns: Columns, names: Sequence[str]) -> npt.NDArray[np.float64]:
    """Each query's part in each score, float64 (queries, scores): a score is the mean of its column.

    Args:
        columns: of a run.
        names: ``top-K``, ``mAP``, ``MRR``.
    """
    parts = []
    for name in names:
        if name == "mAP":
            parts.append(columns.average_precision)
        elif name == "MRR":
            parts.append(expected_reciprocal_rank(columns.n_nearer, columns.n_tied))
        else:
            parts.append(top_k_share(columns.n_nearer, columns.n_tied, int(name.removeprefix("top-"))))
    return np.stack(parts, axis=1)
