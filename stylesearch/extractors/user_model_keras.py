"""Loads a user's Keras model without ever running code from its file."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import keras

from stylesearch.data_files import parse_json
from stylesearch.errors import ExtractorError
from stylesearch.extractors.keras_models import with_preprocessing

__all__ = ["build_user_model"]

_SMALL: Final = 64 << 20
_MAX_RATIO: Final = 20
"""How many times larger than packed a part of a model's file may be; weights can hardly be packed."""

_ZIP_ERRORS: Final = (zipfile.BadZipFile, zlib.error)

# Parts of Keras that describe a network. Others (utils, saving, datasets, ...) have functions that a prepared
# file could have called: Keras's safe mode has had such holes.
_MODULES = {
    "activations",
    "applications",
    "constraints",
    "dtype_policies",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "models",
    "ops",
    "optimizers",
    "quantizers",
    "random",
    "regularizers",
}
# Layers that hold code, run another framework's files, or read files of the machine.
_REFUSED = {
    "FlaxLayer",
    "Hashing",
    "IntegerLookup",
    "JaxLayer",
    "Lambda",
    "StringLookup",
    "TFSMLayer",
    "TextVectorization",
    "TorchModuleWrapper",
    "__lambda__",
}


def build_user_model(path: Path, input_size: int, preprocessing: str, layer: str | None) -> keras.Model:
    """Builds the model of an extractor: uint8 RGB ``(n, s, s, 3)`` to float32 ``(n, dim)``.

    A feature map ``(n, h, w, dim)`` is averaged over the image.

    Args:
        path: the ``.keras`` file.
        input_size: side of the square input in pixels.
        preprocessing: a key of ``PREPROCESSING``.
        layer: name of the layer that gives the feature, or None for the model's output.

    Raises:
        ExtractorError: the file is no Keras model, needs code of its own, or does not turn images into
            vectors.
    """
    _refuse_code(path)
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # anything can be wrong in a file, and Keras has no error of its own
        raise ExtractorError(
            f"Keras cannot load {path}: {error}", hint="save it again with this version of Keras"
        ) from error
    graph = _cut(model, path, layer)
    _check_input(graph, path, input_size)
    try:
        return with_preprocessing(graph, input_size, preprocessing)
    except (ValueError, TypeError) as error:
        raise ExtractorError(
            f"{path} does not take pictures of {input_size} pixels a side: {error}"
        ) from error


def _refuse_code(path: Path) -> None:
    """Reads the file's description of the network as data and refuses what is not plain Keras."""
    try:
        with zipfile.ZipFile(path) as archive:
            for one in archive.infolist():
                if one.file_size > max(_SMALL, _MAX_RATIO * one.compress_size):
                    raise ValueError(f"{one.filename} would unpack to {one.file_size >> 20:,} MiB")
            config = parse_json(archive.read("config.json"), nan=True)
    except OSError as error:
        raise ExtractorError(
            f"{path} cannot be read: {error.strerror or error}", hint="check the permissions of the file"
        ) from error
    except (KeyError, ValueError, EOFError, RuntimeError, *_ZIP_ERRORS) as error:
        raise ExtractorError(
            f"{path} is not a model in Keras's format: {error}",
            hint="save it with model.save('name.keras')",
        ) from error
    for node in _objects(config):
        class_name, module = node.get("class_name"), node.get("module")
        registered = node.get("registered_name")
        package, _, rest = str(module or "keras.layers").replace("keras.src", "keras").partition(".")
        plain = package == "keras" and (not rest or rest.split(".")[0] in _MODULES)
        custom = isinstance(registered, str) and ">" in registered
        if class_name in _REFUSED or custom or not plain:
            where = f"{module}." if module else ""
            raise ExtractorError(
                f"{path} needs code that is not loaded from model files: {where}{class_name}",
                hint="build the model from Keras's own layers only (no Lambda, no custom classes)",
            )


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """Yields every object in a description, except the compile settings, which are not loaded."""
    if isinstance(value, dict):
        if "class_name" in value:
            yield value
        for key, part in value.items():
            if key != "compile_config":
                yield from _objects(part)
    elif isinstance(value, list):
        for part in value:
            yield from _objects(part)


def _cut(model: Any, path: Path, layer: str | None) -> keras.Model:
    if not isinstance(model, keras.Model) or not getattr(model, "inputs", None):
        raise ExtractorError(f"{path} holds no network with a known input: {type(model).__name__}")
    output = model.outputs
    if layer is not None:
        try:
            output = [model.get_layer(layer).output]
        except ValueError as error:
            names = ", ".join(one.name for one in model.layers[-5:])
            raise ExtractorError(
                f"{path} has no layer {layer!r}", hint=f"its last layers: {names}"
            ) from error
    if len(output) != 1:
        raise ExtractorError(f"{path} has {len(output)} outputs", hint="name one layer in its JSON file")
    feature = output[0]
    if len(feature.shape) == 4:
        feature = keras.layers.GlobalAveragePooling2D(name="pooled")(feature)
    if len(feature.shape) != 2 or feature.shape[-1] is None:
        raise ExtractorError(
            f"{path} gives {tuple(feature.shape)}, not (n, dim) or (n, height, width, dim)",
            hint="name an inner layer in its JSON file",
        )
    return keras.Model(model.inputs, feature, name="user_model")


def _check_input(graph: keras.Model, path: Path, size: int) -> None:
    shapes = [tuple(tensor.shape) for tensor in graph.inputs]
    fits = len(shapes) == 1 and len(shapes[0]) == 4 and shapes[0][-1] == 3
    if not fits or any(side not in (None, size) for side in shapes[0][1:3]):
        raise ExtractorError(
            f"{path} takes {', '.join(map(str, shapes))}, not pictures (n, {size}, {size}, 3)",
            hint="is input_size right?",
        )
