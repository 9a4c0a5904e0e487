"""What works on this machine and in this workspace, and what to do about the rest."""

from __future__ import annotations

import platform
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from stylesearch.config import Settings
from stylesearch.errors import StyleSearchError

if TYPE_CHECKING:
    from stylesearch.catalog import Catalog
    from stylesearch.gallery.fit import SpaceHome

__all__ = ["Finding", "examine"]

LIBRARIES = ("numpy", "pillow", "pillow-heif", "sqlalchemy", "alembic", "openvino", "tensorflow", "keras")
BUILD = "stylesearch index build"


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check.

    Attributes:
        check: what was looked at.
        state: ``ok``, ``note`` (works, but could be better) or ``problem``.
        detail: what was found.
        hint: what to do about it.
    """

    check: str
    state: str
    detail: str
    hint: str = ""


def examine(settings: Settings) -> Iterator[Finding]:
    """Looks at libraries, Annoy, the extractor, its weights, the workspace, its indexes; changes nothing."""
    yield Finding("Python", "ok", f"{platform.python_version()} at {sys.executable}")
    yield from _libraries()
    yield _annoy()
    yield from _extractor(settings)
    yield from _workspace(settings)


def _libraries() -> Iterator[Finding]:
    for name in LIBRARIES:
        try:
            yield Finding(name, "ok", version(name))
        except PackageNotFoundError:
            yield Finding(name, "problem", "not installed", f"pip install {name}")


def _annoy() -> Finding:
    from stylesearch.index.self_test import why_annoy_fails

    reason = why_annoy_fails()
    if not reason:
        return Finding("annoy", "ok", "gives right answers")
    return Finding(
        "annoy", "note", f"not used, searches are exact: {reason}", "pip install annoy (needs a C++ compiler)"
    )


def _extractor(settings: Settings) -> Iterator[Finding]:
    from stylesearch.extractors import describe_extractors, load_extractor

    for info in describe_extractors():
        state = "ok" if info.at_hand else "note"
        yield Finding(
            f"extractor {info.name}", state, f"{info.engine} on {info.device}, weights: {info.weights}"
        )
    try:
        extractor = load_extractor(
            settings.extractor,
            weights=settings.weights or None,
            engine=settings.engine,
            precision=settings.precision,
        )
        yield Finding("default extractor", "ok", f"{extractor.name}@{extractor.input_size}")
    except StyleSearchError as error:
        yield Finding("default extractor", "problem", str(error), error.hint)


def _workspace(settings: Settings) -> Iterator[Finding]:
    from stylesearch.catalog import Catalog

    if not settings.db and not Path(settings.database).exists():
        yield Finding("catalog", "note", f"none yet at {settings.database}", "stylesearch ingest FOLDER")
        return
    try:
        with Catalog.open(settings.database, readonly=True) as catalog:
            status = catalog.status()
            indexes = list(_indexes(settings, catalog))
    except StyleSearchError as error:
        yield Finding("catalog", "problem", str(error), error.hint)
        return
    yield Finding(
        "catalog",
        "ok",
        f"{status.products} products, {status.images} images ({status.failed_images} failed), "
        f"{settings.database}",
    )
    for feature_set, n_features in status.features:
        yield Finding(
            f"features {feature_set.extractor}",
            "ok",
            f"{n_features} vectors of {feature_set.dim} numbers, fingerprint {feature_set.fingerprint[:12]}",
        )
    yield from indexes


def _indexes(settings: Settings, catalog: Catalog) -> Iterator[Finding]:
    """One finding for each space and metric that has indexes, or should; files are not read whole."""
    from stylesearch.gallery import upkeep
    from stylesearch.parts import home_of
    from stylesearch.spaces import SPACES

    for feature_set in catalog.feature_sets():
        for space in SPACES:
            home = home_of(settings, catalog, feature_set, space)
            wanted = {settings.metric} if space == settings.space else set()
            for metric in sorted(upkeep.metrics_in_use(home) | wanted):
                if home.counts():
                    yield _index_finding(home, metric)


def _index_finding(home: SpaceHome, metric: str) -> Finding:
    from stylesearch.gallery import Gallery, fit, upkeep

    states = Counter(row.state for row in upkeep.status(Gallery(home, metric)))
    name = f"indexes {home.feature_set.extractor}/{home.space}/{metric}"
    detail = f"{sum(states.values())} categories: " + ", ".join(
        f"{states[state]} {state}" for state in ("ready", "damaged", "missing") if states[state]
    )
    if fit.stamp(home.folder) != (0, 0) and fit.load(home) is None:
        return Finding(name, "problem", f"the fit of the space is damaged; {detail}", BUILD)
    if states["damaged"]:
        return Finding(name, "problem", f"{detail}; answers are right, and slower", BUILD)
    if states["missing"]:
        return Finding(name, "note", f"{detail}; answers are right, and slower", BUILD)
    return Finding(name, "ok", detail)
