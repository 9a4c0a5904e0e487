"""Reads weights files layer by layer, and sets the weights of a graph that they fit.

Keras's own readers check little of what they load and may run code of a whole saved model; here only arrays
are read, from the four kinds of files that hold the weights of a backbone:

- ``.h5`` of Keras 2 (the published weights, or a whole model): layers by name, in the order of the network;
- ``.weights.h5`` of Keras 3: layers by class and number;
- ``.keras``: the same inside a zip archive;
- ``.pth`` in PyTorch's legacy format, for EfficientNet-Lite: see ``torch_legacy``.

A file may hold more layers than the graph: the classifier, behind the cut.
"""

from __future__ import annotations

import contextlib
import io
import math
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from stylesearch.errors import WeightsMismatch
from stylesearch.extractors.hdf5_names import keras2_root, read_names
from stylesearch.extractors.weights import WeightsSource
from stylesearch.files import sha256_file

__all__ = ["assign_weights"]

MAX_CHUNK: Final = 256 << 20
"""Bytes of a piece in which an array may be stored; a piece is unpacked as a whole."""

_SMALL: Final = 256 << 20
_MAX_RATIO: Final = 4
"""How many times larger than the network its file of weights may be: that of a training has three times."""


@dataclass(frozen=True)
class _StoredLayer:
    """A layer in a file: its arrays, of which only the shapes have been read."""

    name: str
    arrays: Sequence[Any]

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        return [tuple(array.shape) for array in self.arrays]


def assign_weights(graph: Any, weights: WeightsSource) -> None:
    """Sets every weight of ``graph``, a ``keras.Model``, from ``weights``; nothing is set if they do not fit.

    Raises:
        WeightsMismatch: the file has changed since it was found, cannot be read, or is of another network;
            then the message says where they differ.
    """
    if weights.path is None:
        _assign_random(graph, weights.seed or 0)
        return
    if sha256_file(weights.path) != weights.digest:
        raise WeightsMismatch(
            f"{weights.path} is not the file that was expected: its sha256 is not {weights.digest}",
            hint=weights.replaced_by
            or "the file is damaged or was replaced: give its path as the weights again",
        )
    if weights.path.suffix == ".pth":
        from stylesearch.extractors.efficientnet_lite import assign_torch_weights
        from stylesearch.extractors.torch_legacy import read_legacy_state_dict

        assign_torch_weights(graph, read_legacy_state_dict(weights.path))
        return
    layers = [layer for layer in graph.layers if layer.weights]
    n_bytes = sum(4 * math.prod(weight.shape) for weight in graph.weights)
    with _open_hdf5(weights.path, weights.replaced_by, max(_SMALL, _MAX_RATIO * n_bytes)) as file:
        try:
            root = keras2_root(file)
            stored = _keras3_layers(file, graph) if root is None else _keras2_layers(file, root, weights.path)
            _check(graph, layers, stored, weights.path)
            for _, found in zip(layers, stored, strict=False):
                for array in found.arrays:
                    _check_storage(array, file)
        except WeightsMismatch:
            raise
        except (KeyError, AttributeError, TypeError, ValueError, OSError, RuntimeError) as error:
            raise WeightsMismatch(
                f"{weights.path} is not laid out as a Keras weights file: {error}"
            ) from error
        try:
            for layer, found in zip(layers, stored, strict=False):
                layer.set_weights([np.asarray(array) for array in found.arrays])
        except (OSError, ValueError, RuntimeError) as error:
            raise WeightsMismatch(
                f"an array in {weights.path} cannot be read: {error}",
                hint=weights.replaced_by or "the file may be damaged: copy it again",
            ) from error


def _assign_random(graph: Any, seed: int) -> None:
    """He-normal kernels, zero biases, neutral batch statistics: vectors stay finite through any depth."""
    rng = np.random.default_rng(seed)
    for variable in graph.weights:
        if len(variable.shape) >= 2:
            deviation = np.sqrt(2.0 / np.prod(variable.shape[:-1]))
            values = rng.standard_normal(tuple(variable.shape), np.float32)
            values *= np.float32(deviation)
            variable.assign(values)


@contextlib.contextmanager
def _open_hdf5(path: Path, hint: str, max_bytes: int) -> Iterator[Any]:
    import h5py  # type: ignore[import-untyped]

    try:
        if path.suffix == ".keras":
            with zipfile.ZipFile(path) as archive:
                if (size := archive.getinfo("model.weights.h5").file_size) > max_bytes:
                    raise ValueError(f"its weights would unpack to {size >> 20:,} MiB")
                content = io.BytesIO(archive.read("model.weights.h5"))
            source: Any = content
        else:
            source = path
        file = h5py.File(source, "r")
    except (OSError, EOFError, KeyError, ValueError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        if isinstance(error, PermissionError):
            hint = "check the permissions of the file"
        raise WeightsMismatch(
            f"{path} cannot be read as a Keras weights file: {error}",
            hint=hint or "the file may be cut short: copy it again",
        ) from error
    with file:
        yield file


def _keras2_layers(file: Any, root: Any, path: Path) -> list[_StoredLayer]:
    names = read_names(file, None if path.suffix == ".keras" else path)
    return [_StoredLayer(layer, [root[layer][one] for one in weights]) for layer, weights in names if weights]


def _check_storage(array: Any, file: Any) -> None:
    """Refuses an array of which reading takes more than its elements, or reads another file.

    Raises:
        ValueError: it is such a one.
    """
    is_elsewhere = array.external or array.is_virtual or array.file.filename != file.filename
    if is_elsewhere or array.dtype.kind not in "fiu":
        raise ValueError(f"{array.name} is no array of numbers in this file")
    if array.chunks is not None and math.prod(array.chunks) * array.dtype.itemsize > MAX_CHUNK:
        raise ValueError(f"{array.name} is stored in pieces of more than {MAX_CHUNK >> 20} MiB")


def _keras3_layers(file: Any, graph: Any) -> list[_StoredLayer]:
    """Finds the stored layers that belong to the graph's, in its order: Keras numbers them by class."""
    counts: dict[str, int] = {}
    stored = []
    for layer in graph.layers:
        key = _snake_case(type(layer).__name__)
        number = counts.get(key, 0)
        counts[key] = number + 1
        name = f"{key}_{number}" if number else key
        if layer.weights:
            group = file.get(f"layers/{name}/vars")
            arrays = [] if group is None else [group[str(index)] for index in range(len(group))]
            stored.append(_StoredLayer(name, arrays))
    return stored


def _snake_case(class_name: str) -> str:
    """Converts a class name as Keras 3 does in its files: ``Conv2D`` is ``conv2d``."""
    name = re.sub(r"\W+", "", class_name)
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def _check(graph: Any, layers: Sequence[Any], stored: Sequence[_StoredLayer], path: Path) -> None:
    differences = []
    for position, layer in enumerate(layers):
        wanted = [tuple(weight.shape) for weight in layer.weights]
        if position >= len(stored):
            missing = len(layers) - position
            differences.append(f"it ends before {layer.name} ({missing} of {len(layers)} layers are missing)")
            break
        if stored[position].shapes != wanted:
            found = stored[position].shapes or "nothing"
            differences.append(
                f"{layer.name} wants {wanted}, {stored[position].name} in the file has {found}"
            )
    if not differences:
        return
    more = f"; and {len(differences) - 3} more" if len(differences) > 3 else ""
    hint = "give the weights of the same network"
    if "notop" in path.name and any(layer.name.startswith("fc") for layer in layers):
        hint = f"this layer needs the file with the top: {path.name.replace('_notop', '')}"
    raise WeightsMismatch(f"{path} does not fit {graph.name}: {'; '.join(differences[:3])}{more}", hint=hint)
