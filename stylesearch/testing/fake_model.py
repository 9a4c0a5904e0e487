"""A fake trained model for tests: a head of random numbers, saved like a real one, without Keras."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from stylesearch.models.card import ModelCard, space_of
from stylesearch.models.store import save_model
from stylesearch.search import fitted_space
from stylesearch.spaces.learned import Layer, LearnedTransform, Untrained
from stylesearch.spaces.unsupervised import RawTransform
from stylesearch.workspace.resources import Resources, locate_space

if TYPE_CHECKING:
    from stylesearch.settings import Settings

__all__ = ["fake_transform", "save_fake_model"]

DIM = 24
EVEN = {"": 0.5}


def fake_transform(
    untrained: Untrained,
    *,
    base: Untrained | None = None,
    name: str = "default",
    metric: str = "cosine",
    weights: Mapping[str, float] | None = None,
    seed: int = 0,
) -> LearnedTransform:
    """Makes a learned transform of an untrained one and a head of random numbers.

    Args:
        untrained: the untrained transform.
        base: transform to the head's input; by default ``untrained``.
        name: name of the model.
        metric: metric of the model; for l1 the head weighs each axis, as a trained one does, else it has two
            layers.
        weights: weights by category; by default one half for all.
        seed: seed of the random numbers.
    """
    rng = np.random.default_rng(seed)
    base = base or untrained

    def numbers(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        return rng.standard_normal(shape).astype(np.float32)

    layers = (
        (Layer(None, None, np.abs(numbers(base.dim))),)
        if metric == "l1"
        else (
            Layer(numbers(base.dim, DIM), numbers(DIM), activation="relu"),
            Layer(numbers(DIM, DIM), numbers(DIM), numbers(DIM), residual=True),
        )
    )
    scale = 1.0 if metric == "cosine" else 0.7
    return LearnedTransform(space_of(name), untrained, base, layers, metric, dict(weights or EVEN), scale)


def save_fake_model(
    settings: Settings,
    name: str = "default",
    *,
    extractor: str = "",
    untrained: str = "whitened",
    metric: str = "cosine",
    weights: Mapping[str, float] | None = None,
    seed: int = 0,
) -> ModelCard:
    """Saves ``fake_transform`` as a model of a workspace, fitted on its gallery; builds no index.

    There is no ``model.keras``, which searches do not need.

    Args:
        settings: settings of a workspace with ingested products.
        name: name of the model; one of that name is replaced.
        extractor: extractor of the features; by default the workspace's.
        untrained: ``raw`` or ``whitened``.
        metric, weights, seed: see ``fake_transform``.

    Returns:
        the card of the model.
    """
    resources = Resources(settings)
    spec = extractor or settings.extractor
    try:
        loaded = resources.extractor(spec)
        catalog = resources.catalog()
        feature_set = catalog.find_feature_set(loaded.fingerprint)
        assert feature_set is not None, f"nothing has been ingested with {spec}"
        fitted = fitted_space.fit_in_memory(
            locate_space(settings, catalog, resources.artifacts, feature_set, untrained)
        )
        assert isinstance(fitted, Untrained)
        base = RawTransform(fitted.dim_in) if metric == "l1" else None
        transform = fake_transform(fitted, base=base, name=name, metric=metric, weights=weights, seed=seed)
        card = ModelCard(
            name=name,
            created="2000-01-01T00:00:00+00:00",
            feature_set=loaded.fingerprint,
            extractor=spec,
            weights_digest=loaded.weights_digest,
            pairs="consumer",
            n_products={"train": 0, "validation": 0, "test": 0},
            split_seed=0,
            loss="bce" if metric == "l1" else "softmax",
            options={"seed": seed},
            scores={"test": {"": _no_change()}},
            weights=dict(transform.weights),
            untrained=untrained,
            metric=metric,
            transform_version=transform.version,
            libraries={"numpy": np.__version__},
        )
        save_model(settings.home, card, transform, artifacts=resources.artifacts)
    finally:
        resources.close()
    return card


def _no_change() -> dict[str, Any]:
    """Makes the scores of a card for queries for which nothing changed."""
    half, none = ({"value": value, "low": value, "high": value} for value in (0.5, 0.0))
    names = ("top-1", "top-5", "top-20")
    return {
        "category": "",
        "n_queries": 2,
        "before": dict.fromkeys(names, half),
        "after": dict.fromkeys(names, half),
        "difference": dict.fromkeys(names, none),
        "p_values": dict.fromkeys(names, 1.0),
        "verdicts": dict.fromkeys(names, "noise"),
    }
