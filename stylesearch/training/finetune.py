"""Fine-tunes an extractor: trains the last blocks of its network on the pairs of a data set."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from stylesearch.array_types import Floats
from stylesearch.data_files import read_json
from stylesearch.errors import ConfigError
from stylesearch.extractors.cnn import CnnExtractor
from stylesearch.extractors.load import BackboneRecipe
from stylesearch.extractors.spec import COLORS
from stylesearch.extractors.with_colors import ExtractorWithColors
from stylesearch.features.arrays import ArrayPool
from stylesearch.features.context import StudyContext
from stylesearch.features.images import BOX
from stylesearch.files import write_json
from stylesearch.models.store import folder_of
from stylesearch.spaces.parts import FeatureParts
from stylesearch.spaces.unsupervised import WhitenedTransform
from stylesearch.training.candidate import build_training_data, train_tower
from stylesearch.training.data import temporary_crops
from stylesearch.training.epoch import OnEpoch
from stylesearch.training.pair_dataset import PairDataset, shop_features, split_settings
from stylesearch.training.results import TrainRequest
from stylesearch.training.seen_products import SeenProducts

__all__ = ["FINETUNE_DEFAULTS", "finetune_network"]

log = logging.getLogger(__name__)

FINETUNE_DEFAULTS: Final = {"learning_rate": 1e-4, "batch_size": 32, "epochs": 10, "patience": 3}
"""A network that knows much already is changed a little, and its activations take memory."""


def finetune_network(
    context: StudyContext,
    home: Path,
    dataset: PairDataset,
    request: TrainRequest,
    folder: Path,
    on_epoch: OnEpoch | None,
) -> str | None:
    """Trains the last blocks of a data set's network; an extractor with colors stays one.

    Args:
        context: catalog, cache and memory limit.
        home: the workspace folder.
        dataset: pairs, split, and features of the network as it is.
        request: number of blocks, and options of the training.
        folder: folder of the checkpoint.
        on_epoch: called with each epoch.

    Returns:
        the spec of the new network: its file, beside which a JSON file describes it, and ``+colors`` where
        the data set has them. None where no epoch found more validation products than before.

    Raises:
        ConfigError: the extractor is no network, or has fewer blocks.
    """
    options, name = request.network_options, request.name
    extractor, colors = dataset.extractor, ""
    if isinstance(extractor, ExtractorWithColors):
        extractor, colors = extractor.network, COLORS
    if not isinstance(extractor, CnnExtractor):
        raise ConfigError(
            f"{extractor.name} is no network: there is nothing to fine-tune",
            hint="choose one of `stylesearch extractors` that has parameters",
        )
    recipe = extractor.recipe
    if isinstance(recipe, BackboneRecipe):  # the file that is trained has no texture
        recipe = replace(recipe, with_texture=False)
    with ArrayPool(context.cache, context.max_bytes) as pool:
        features = shop_features(pool, context, dataset)
        parts = FeatureParts.of_extractor(dataset.extractor)
        kernel, bias = _first_head(parts.split(features)[0], options.dim)
    rows = dataset.learning_rows()
    size, limits, seed = extractor.input_size, context.extraction, options.seed
    photos = [dataset.rows.photos[row] for row in rows.tolist()]
    from stylesearch.training.keras.backbone import image_tower, network_of

    with (
        temporary_crops(
            dataset.rows.shop, BOX, size, context.cache, limits, progress=context.tell("shop pictures")
        ) as shop_pixels,
        temporary_crops(
            photos, dataset.regions, size, context.cache, limits, seed=seed, progress=context.tell("photos")
        ) as photo_pixels,
    ):
        data = build_training_data(dataset, shop_pixels[:, 0], photo_pixels, rows)
        tower = partial(image_tower, recipe.build, request.finetune, kernel, bias)
        result = train_tower(data, options, folder, request, dataset.extractor.fingerprint, on_epoch, tower)
    if result.best == 0:
        return None
    network = network_of(result.model.get_layer("tower"))
    digest = hashlib.sha256()
    for array in network.get_weights():
        digest.update(np.ascontiguousarray(array).tobytes())
    path = folder_of(home, name).resolve() / f"network-{digest.hexdigest()[:16]}.keras"
    settings = split_settings(dataset.split, request.pair_options)
    seen = SeenProducts.after_training(path.stem, settings, dataset.split, dataset.seen)
    card = {
        "input_size": size,
        "preprocessing": extractor.parameters["preprocessing"],
        "name": f"{Path(extractor.name).stem}-{name}",
    }
    if path.exists():  # it may be in use, under its name; but its products may have other ids by now
        card = _read_card(path.with_suffix(".json")) or card
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path.with_suffix(".json"), card | {"split": seen.to_json()})
    for left in path.parent.glob(".network-*.unfinished.keras"):  # of a training that was killed
        left.unlink(missing_ok=True)
    if not path.exists():
        unfinished = path.with_name(f".{path.name}.unfinished.keras")
        network.save(unfinished)
        unfinished.replace(path)
    return f"{path}{colors}"


def _read_card(path: Path) -> dict[str, Any]:
    """Reads the JSON file beside a network; empty where it is damaged, and then written anew."""
    try:
        card = read_json(path)
    except (OSError, ValueError) as error:
        log.warning("%s cannot be read, and is written anew: %s", path, error)
        return {}
    return card if isinstance(card, dict) else {}


def _first_head(features: Floats, dim: int) -> tuple[Floats, Floats]:
    """Computes matrix and bias that half-whiten features, as the whitened space does without its square root.

    A square root is too steep at zero, where many features of such networks are, for gradients.
    """
    squares = (np.sign(block) * block**2 for block in np.array_split(features, 1 + len(features) // 2048))
    whitened = WhitenedTransform.fit(squares, dim_in=features.shape[1], n_rows=len(features))
    if whitened.axes is None:
        return np.eye(features.shape[1], dtype=np.float32), np.zeros(features.shape[1], np.float32)
    kernel = np.ascontiguousarray(whitened.axes[:, :dim])
    return kernel, -(whitened.mean @ kernel)
