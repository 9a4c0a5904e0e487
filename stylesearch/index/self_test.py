"""Whether Annoy can be trusted here: installed, and right about a few vectors whose neighbours are known.

Annoy comes as source and is compiled for the very processor it is installed on. Wrong neighbours have been
reported with some compilers (spotify/annoy #682, #686), so each process asks once, in a few milliseconds,
before the first use. Where the answer is no, everything is searched exactly, and one warning says so.

An instruction that the processor does not have would end the process and cannot be caught: that is a wheel
carried from another machine; set ``ANNOY_COMPILER_ARGS`` when building one.
"""

from __future__ import annotations

import functools
import importlib
import warnings
from typing import Any

import numpy as np

__all__ = ["AnnoyUnavailable", "annoy_class", "annoy_works", "why_annoy_fails"]

_N_VECTORS, _WIDTH, _N_TREES = 400, 8, 4


class AnnoyUnavailable(UserWarning):
    """Annoy is missing or wrong: searches are exact, which is slower in large categories."""


def annoy_class() -> Any:
    """Annoy's index class.

    Raises:
        ImportError: it is not installed, or cannot be loaded.
    """
    return importlib.import_module("annoy").AnnoyIndex


@functools.cache
def why_annoy_fails() -> str:
    """What is wrong with Annoy here, or an empty string. Answered once per process."""
    try:
        index_class = annoy_class()
    except ImportError as error:
        return f"it cannot be imported ({error})"
    try:
        return _wrong_answers(index_class)
    except Exception as error:  # whatever a broken build raises, exact search remains
        return f"it failed on a known example ({type(error).__name__}: {error})"


@functools.cache
def annoy_works() -> bool:
    """Whether Annoy may be used; when not, the first call gives an :class:`AnnoyUnavailable` warning."""
    reason = why_annoy_fails()
    if reason:
        warnings.warn(
            f"Annoy is not used: {reason}. Searches are exact, which is slower in large categories; "
            "pip install --force-reinstall --no-binary annoy annoy",
            AnnoyUnavailable,
            stacklevel=2,
        )
    return not reason


def _wrong_answers(index_class: Any) -> str:
    """Compares Annoy with NumPy where, with every vector looked at, there is one right answer."""
    vectors = np.random.default_rng(1).standard_normal((_N_VECTORS, _WIDTH)).astype(np.float32)
    index = index_class(_WIDTH, "euclidean")
    index.set_seed(1)
    for slot, vector in enumerate(vectors.tolist()):
        index.add_item(slot, vector)
    index.build(_N_TREES, n_jobs=1)
    for query in vectors[:3] + np.float32(0.01):
        slots, found = index.get_nns_by_vector(query.tolist(), 5, _N_TREES * _N_VECTORS * 2, True)
        right = np.sqrt(((vectors - query) ** 2).sum(axis=1))
        order = np.argsort(right)[:5]
        if list(slots) != order.tolist() or not np.allclose(found, right[order], rtol=1e-4):
            return "its answers to a known example are wrong"
    return ""
