"""Training the last blocks of a network on a shop's own pictures: the result is an extractor, by its path."""

from __future__ import annotations

import hashlib
import json
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from stylesearch import trained
from stylesearch.errors import ConfigError
from stylesearch.evaluation.protocol import BOX
from stylesearch.evaluation.surroundings import Surroundings
from stylesearch.evaluation.vectors import Vectors
from stylesearch.extractors.cnn import CnnExtractor
from stylesearch.extractors.joined import JoinedExtractor
from stylesearch.extractors.specs import COLORS
from stylesearch.spaces.joined import n_colors_of
from stylesearch.spaces.whitened import WhitenedTransform
from stylesearch.storage import write_json
from stylesearch.training.known_products import KnownProducts
from stylesearch.training.learn import OnEpoch, learn, learned_from, training_data
from stylesearch.training.material import Material, how_split, shop_features
from stylesearch.training.pictures import picture_array
from stylesearch.training.report import TrainRequest

__all__ = ["FINETUNE_DEFAULTS", "finetuned"]

Floats = npt.NDArray[np.float32]

FINETUNE_DEFAULTS: Final = {"learning_rate": 1e-4, "batch_size": 32, "epochs": 10, "patience": 3}
"""A network that knows much already is changed a little, and its activations take memory."""


def finetuned(
    around: Surroundings,
    home: Path,
    material: Material,
    request: TrainRequest,
    folder: Path,
    on_epoch: OnEpoch | None,
) -> str | None:
    """Trains the last blocks of the material's network; colours that are joined to it stay so.

    Args:
        around: where.
        home: the workspace folder.
        material: pairs, split, and features of the network as it is.
        request: how many blocks are trained, and how.
        folder: for the checkpoint.
        on_epoch: called with each epoch.

    Returns:
        what loads the new network: its file, beside which lies the JSON that says how it is used, and
        ``+colors`` where the material has them. None where no epoch found more validation products than there
        were before.

    Raises:
        ConfigError: the extractor is no network, or has fewer blocks.
    """
    options, name = request.of_network, request.name
    extractor, colors = material.extractor, ""
    if isinstance(extractor, JoinedExtractor):
        extractor, colors = extractor.network, COLORS
    if not isinstance(extractor, CnnExtractor):
        raise ConfigError(
            f"{extractor.name} is no network: there is nothing to fine-tune",
            hint="choose one of `stylesearch extractors` that has parameters",
        )
    recipe = extractor.recipe
    with Vectors(around.cache, around.max_bytes) as room:
        features = shop_features(room, around, material)
        n_of_network = features.shape[1] - n_colors_of(material.extractor.parameters)
        kernel, bias = _first_head(features[:, :n_of_network], options.dim)
    rows = learned_from(material)
    size, work, seed = extractor.input_size, around.work, options.seed
    photos = [material.rows.photos[row] for row in rows.tolist()]
    from stylesearch.training.keras.backbone import network_of, picture_tower

    with (
        picture_array(
            material.rows.shop, BOX, size, around.cache, work, progress=around.tell("shop pictures")
        ) as shop_pixels,
        picture_array(
            photos, material.regions, size, around.cache, work, seed=seed, progress=around.tell("photos")
        ) as photo_pixels,
    ):
        data = training_data(material, shop_pixels[:, 0], photo_pixels, rows)
        tower = partial(picture_tower, recipe.build, request.finetune, kernel, bias)
        result = learn(data, options, folder, request, material.extractor.fingerprint, on_epoch, tower)
    if result.best == 0:
        return None
    network = network_of(result.model.get_layer("tower"))
    digest = hashlib.sha256()
    for array in network.get_weights():
        digest.update(np.ascontiguousarray(array).tobytes())
    path = trained.folder_of(home, name).resolve() / f"network-{digest.hexdigest()[:16]}.keras"
    how = how_split(material.split, request.material)
    known = KnownProducts.after_training(path.stem, how, material.split, material.known)
    card = {
        "input_size": size,
        "preprocessing": extractor.parameters["preprocessing"],
        "name": f"{Path(extractor.name).stem}-{name}",
    }
    if path.exists():  # it may be in use, under its name; but its products may go by other ids by now
        card = json.loads(path.with_suffix(".json").read_bytes())
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path.with_suffix(".json"), card | {"split": known.as_json()})
    if not path.exists():
        unfinished = path.with_name(f".{path.name}.unfinished.keras")
        network.save(unfinished)
        unfinished.replace(path)
    return f"{path}{colors}"


def _first_head(features: Floats, dim: int) -> tuple[Floats, Floats]:
    """A matrix and a bias that half-whiten features, as the whitened space does without its square root.

    A root is too steep at zero, where many features of such networks are, to learn through it.
    """
    squares = (np.sign(block) * block**2 for block in np.array_split(features, 1 + len(features) // 2048))
    whitened = WhitenedTransform.fit(squares, dim_in=features.shape[1], n_rows=len(features))
    if whitened.axes is None:
        return np.eye(features.shape[1], dtype=np.float32), np.zeros(features.shape[1], np.float32)
    kernel = np.ascontiguousarray(whitened.axes[:, :dim])
    return kernel, -(whitened.mean @ kernel)
