"""The description of a user's own Keras model as an extractor, read without loading the model.

Beside ``model.keras`` lies ``model.json``:

```json
{"input_size": 224, "preprocessing": "tf", "layer": "avg_pool", "name": "my-network"}
```

``layer`` (default: the model's output) and ``name`` (default: the file's name) may be left out, and all of it
may be given to ``load_extractor`` instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

from stylesearch.data_files import read_json
from stylesearch.errors import ConfigError, WeightsNotFound
from stylesearch.extractors.backbones import PREPROCESSING
from stylesearch.extractors.base import fingerprint_of
from stylesearch.extractors.weights import sha256_remembered
from stylesearch.files import expand_user

__all__ = ["UserModelRecipe", "user_model_recipe"]

_KEYS = {"input_size": int, "preprocessing": str, "layer": str, "name": str, "split": dict}
"""What the JSON file may say; ``split`` is of networks that were fine-tuned here: what products they know."""


@dataclass(frozen=True)
class UserModelRecipe:
    """A ``.keras`` file and its description: a ``GraphRecipe``.

    Attributes:
        path: the file.
        weights_digest: hexadecimal sha256 of the file.
        name: the extractor's name.
        input_size: side of its square input in pixels.
        preprocessing: a key of ``PREPROCESSING``.
        layer: name of the layer that gives the feature, or None for the model's output.
    """

    path: Path
    weights_digest: str
    name: str
    input_size: int
    preprocessing: str
    layer: str | None = None

    @property
    def dim(self) -> None:
        """None: the width is known only once the model is loaded."""
        return

    @cached_property
    def parameters(self) -> Mapping[str, Any]:
        """Everything besides the weights that decides the vectors."""
        return MappingProxyType(
            {
                "input_size": self.input_size,
                "layer": self.layer or "output",
                "preprocessing": self.preprocessing,
            }
        )

    @cached_property
    def fingerprint(self) -> str:
        """Hexadecimal sha256 of all that decides the vectors."""
        return fingerprint_of(self.name, self.parameters, self.weights_digest)

    def build(self, policy: str = "float32") -> Any:
        """See ``GraphRecipe.build``; a user's model keeps the dtype policy that it was saved with.

        Raises:
            ConfigError: ``policy`` is another than float32.
            ExtractorError: the file cannot be loaded safely, or does not turn pictures into vectors.
        """
        from stylesearch.extractors.engines.tensorflow import import_keras

        if policy != "float32":
            raise ConfigError(
                f"a model of your own computes in the precision it was saved with, not in {policy}",
                hint="choose the precision auto, or save the model with that dtype policy",
            )
        import_keras()
        from stylesearch.extractors.user_model_keras import build_user_model

        return build_user_model(self.path, self.input_size, self.preprocessing, self.layer)


def user_model_recipe(
    path: str,
    *,
    input_size: int | None = None,
    preprocessing: str | None = None,
    layer: str | None = None,
) -> UserModelRecipe:
    """Reads the description of a model; arguments win over the JSON file.

    Raises:
        WeightsNotFound: there is no such file.
        ConfigError: it is no ``.keras`` file, or input size or preprocessing are missing or make no sense.
    """
    file = expand_user(path)
    if file.suffix != ".keras":
        raise ConfigError(
            f"a model of your own is a .keras file, the one format that Keras loads without running code. "
            f"Received: {path!r}",
            hint="save it with model.save('name.keras')",
        )
    if not file.is_file():
        raise WeightsNotFound(f"there is no model file {path!r}", hint="give the path of a .keras file")
    card = file.with_suffix(".json")
    said = _read_card(card)
    chosen = {"input_size": input_size, "preprocessing": preprocessing, "layer": layer}
    said |= {key: value for key, value in chosen.items() if value is not None}
    for key in ("input_size", "preprocessing"):
        if key not in said:
            raise ConfigError(
                f"what is the {key.replace('_', ' ')} of {file.name}? It is neither given nor in {card}",
                hint=f'write {card.name} beside it: {{"input_size": 224, "preprocessing": "tf"}}',
            )
    if not 1 <= said["input_size"] <= 4096:
        raise ConfigError(f"input_size of {file.name} is a number of pixels. Received: {said['input_size']}")
    if said["preprocessing"] not in PREPROCESSING:
        raise ConfigError(
            f"there is no preprocessing {said['preprocessing']!r}",
            hint=f"known: {', '.join(sorted(PREPROCESSING))}",
        )
    return UserModelRecipe(
        file.resolve(),
        sha256_remembered(file),
        said.get("name") or file.stem,
        said["input_size"],
        said["preprocessing"],
        said.get("layer"),
    )


def _read_card(card: Path) -> dict[str, Any]:
    try:
        said = read_json(card)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ConfigError(f"{card} cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise ConfigError(f"{card} is not JSON: {error}") from error
    if not isinstance(said, dict):
        raise ConfigError(f"{card} holds no object with names and values")
    for key, value in said.items():
        if key not in _KEYS:
            raise ConfigError(f"{card} has an unknown key {key!r}", hint=f"known: {', '.join(_KEYS)}")
        if type(value) is not _KEYS[key]:
            raise ConfigError(f"{key} in {card} is a {_KEYS[key].__name__}. Received: {value!r}")
    return said
