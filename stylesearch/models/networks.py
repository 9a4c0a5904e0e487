"""Fine-tuned networks of a workspace, and removal of the features computed with them."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from stylesearch.errors import ConfigError, StyleSearchError
from stylesearch.extractors.spec import ExtractorSpec
from stylesearch.files import expand_user
from stylesearch.models.card import check_name
from stylesearch.models.store import examine_models, folder_of

if TYPE_CHECKING:
    from stylesearch.catalog.writer import Writer

__all__ = ["fingerprints_of", "forget_features", "networks_of", "owner_of", "unused_networks"]

log = logging.getLogger(__name__)


def networks_of(home: Path, name: str) -> list[Path]:
    """Paths of the networks in the folder of a model, sorted.

    Args:
        home: the workspace folder.
        name: name of the model.
    """
    return sorted(folder_of(home, name).glob("network-*.keras"))


def owner_of(home: Path, extractor: str) -> str | None:
    """Name of the model that a network is removed with; None where it is no network of a model.

    Args:
        home: the workspace folder.
        extractor: as ``stylesearch.extractors.load_extractor`` takes it.
    """
    path = expand_user(ExtractorSpec.parse(extractor).name).resolve()
    if path.suffix != ".keras" or path.parent.parent != (home / "models").resolve():
        return None
    try:
        return check_name(path.parent.name)
    except ConfigError:  # no model has that name
        return None


def unused_networks(home: Path, name: str) -> list[Path]:
    """Networks of a model that no active model uses: those of earlier trainings, and rejected ones.

    None where another model is damaged: it does not say which network it uses.
    """
    cards, damaged = examine_models(home)
    if damaged.keys() - {name}:
        return []
    in_use = {ExtractorSpec.parse(card.extractor).name for card in cards}
    return [path for path in networks_of(home, name) if str(path.resolve()) not in in_use]


def fingerprints_of(networks: Iterable[Path]) -> list[str]:
    """Fingerprints of the features of networks, with and without colors; a damaged network is skipped."""
    from stylesearch.extractors import load_extractor
    from stylesearch.extractors.with_colors import ExtractorWithColors

    found = []
    for path in networks:
        try:
            network = load_extractor(str(path))
        except StyleSearchError as error:
            log.warning("features that were computed with %s stay in the catalog: %s", path, error)
            continue
        found += [network.fingerprint, ExtractorWithColors(network).fingerprint]
    return found


def forget_features(writer: Writer, home: Path, fingerprints: Iterable[str]) -> None:
    """Removes feature sets from a catalog, and the caches and indexes that were derived from them.

    Args:
        writer: writes to the catalog.
        home: the workspace folder.
        fingerprints: fingerprints of the feature sets; unknown ones are ignored.
    """
    prints = list(fingerprints)
    with writer.transaction():
        writer.remove_feature_sets(prints)
    for one in prints:
        for folder in ((home / "cache") / one[:16], *(home / "indexes").glob(f"*-{one[:16]}")):
            shutil.rmtree(folder, ignore_errors=True)  # in use by a search: it does no harm
