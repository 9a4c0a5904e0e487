"""Doing once what every search does, so that the first client does not wait for it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

from stylesearch.errors import CatalogError, ConfigError, SpaceError, UnknownName
from stylesearch.images.regions import plan_boxes

if TYPE_CHECKING:
    import numpy.typing as npt

    from stylesearch.workspace import Workspace

__all__ = ["load_network", "warm_up"]

log = logging.getLogger(__name__)


def load_network(workspace: Workspace, n_images: int = 1) -> npt.NDArray[np.float32] | None:
    """Loads the network and has it see noise; blocks.

    Returns:
        features of the noise, shape (n_images, dim); None where the workspace's model has been removed,
        which is no reason to answer nothing any more.

    Raises:
        ExtractorError: the network cannot be loaded.
    """
    try:
        extractor = workspace.extractor(throughput=True)
    except (SpaceError, UnknownName) as error:
        log.warning("%s; searches in other spaces go on", error)
        return None
    size = extractor.input_size
    return extractor.extract(np.random.default_rng(0).integers(0, 256, (n_images, size, size, 3), np.uint8))


def warm_up(workspace: Workspace) -> None:
    """Loads the network, opens the gallery and searches with noise; blocks.

    Nothing to search in is no error, nor is a model that has been removed: there may be others.

    Raises:
        ExtractorError: the network cannot be loaded.
    """
    features = load_network(workspace, len(plan_boxes(workspace.settings.regions, 1, 1)))
    if features is None:
        return
    try:
        workspace.searcher(throughput=True).gallery.search(features, 1)
    except (CatalogError, ConfigError, SpaceError) as error:
        log.info("nothing can be searched yet: %s", error)
