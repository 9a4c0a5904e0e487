"""Reads weights files layer by layer, and sets the weights of a graph that they fit.

Keras's own readers check little of what they load and may run code of a whole saved model; here only arrays
are read, from the four kinds of files that hold the weights of a backbone:

- ``.h5`` of Keras 2 (the published weights, or a whole model): layers by name, in the order of the network;
- ``.weights.h5`` of Keras 3: layers by class and number;
- ``.keras``: the same inside a zip archive;
- ``.pth`` in PyTorch's legacy format, for EfficientNet-Lite.

A file may hold more layers than the graph: the classifier, behind the cut.
"""

from __future__ import annotations

import contextlib
import io
import math
import os
import pickle
import re
import zipfile
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from stylesearch.errors import WeightsMismatch
from stylesearch.extractors.weights import WeightsSource
from stylesearch.files import sha256_file

__all__ = [
    "assign_weights",
    "read_legacy_state_dict",
]


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

        assign_torch_weights(graph, read_legacy_state_dict(weights.path))
        return
    layers = [layer for layer in graph.layers if layer.weights]
    with _open_hdf5(weights.path, hint=weights.replaced_by) as file:
        try:
            stored = _keras2_layers(file) if _is_keras2(file) else _keras3_layers(file, graph)
            _check(graph, layers, stored, weights.path)
        except (KeyError, AttributeError, TypeError) as error:
            raise WeightsMismatch(
                f"{weights.path} is not laid out as a Keras weights file: {error}"
            ) from error
        for layer, found in zip(layers, stored, strict=False):
            layer.set_weights([np.asarray(array) for array in found.arrays])


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
def _open_hdf5(path: Path, hint: str) -> Iterator[Any]:
    import h5py  # type: ignore[import-untyped]

    try:
        if path.suffix == ".keras":
            with zipfile.ZipFile(path) as archive:
                content = io.BytesIO(archive.read("model.weights.h5"))
            source: Any = content
        else:
            source = path
        file = h5py.File(source, "r")
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        if isinstance(error, PermissionError):
            hint = "check the permissions of the file"
        raise WeightsMismatch(
            f"{path} cannot be read as a Keras weights file: {error}",
            hint=hint or "the file may be cut short: copy it again",
        ) from error
    with file:
        yield file


def _is_keras2(file: Any) -> bool:
    return "layer_names" in file.attrs or "model_weights" in file


def _keras2_layers(file: Any) -> list[_StoredLayer]:
    root = file if "layer_names" in file.attrs else file["model_weights"]
    layers = []
    for name in _names(root, "layer_names"):
        arrays = [root[name][weight] for weight in _names(root[name], "weight_names")]
        if arrays:
            layers.append(_StoredLayer(name, arrays))
    return layers


def _names(group: Any, attribute: str) -> list[str]:
    """Reads a list in an attribute; Keras splits long ones into ``layer_names0``, ``layer_names1``, ..."""
    if attribute in group.attrs:
        chunks = [group.attrs[attribute]]
    else:
        keys = (f"{attribute}{number}" for number in range(len(group.attrs)))
        chunks = [group.attrs[key] for key in keys if key in group.attrs]
    return [name.decode() if isinstance(name, bytes) else str(name) for chunk in chunks for name in chunk]


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


# Reading the tensors of a PyTorch ``.pth`` file in the legacy format, without PyTorch or running code.
#
# Such a file is a row of pickles (a magic number, a protocol version, a description of the machine, the
# object itself, the keys of its storages) followed, for each key, by an int64 element count and the raw
# little-endian data. A pickle may name any function to be called; here only the three kinds of names that a
# dictionary of tensors needs are answered, and none of them is looked up by import.
#
# References:
# ``torch.serialization._legacy_load`` in PyTorch 1.x. Deviations: only dictionaries of dense tensors; no
# views of one storage as another; no byte swapping (big-endian files are refused).

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
_DTYPES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ByteStorage": "|u1",
}


@dataclass(frozen=True)
class _StorageType:
    """Stands for ``torch.FloatStorage`` and the other storage classes."""

    dtype: str


@dataclass(frozen=True)
class _TensorView:
    """A tensor whose data has not been read yet: a strided window into a storage."""

    key: str
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


def _rebuild_tensor(
    key: str, offset: int, shape: tuple[int, ...], stride: tuple[int, ...], *_ignored: object
) -> _TensorView:
    return _TensorView(key, offset, tuple(shape), tuple(stride))


class _TensorUnpickler(pickle.Unpickler):
    """Unpickles ordered dictionaries and tensors, and refuses every other name."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file)
        self.dtypes: dict[str, str] = {}

    def find_class(self, module_name: str, global_name: str) -> Any:
        if (module_name, global_name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module_name, global_name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild_tensor
        if module_name == "torch" and global_name in _DTYPES:
            return _StorageType(_DTYPES[global_name])
        raise pickle.UnpicklingError(f"the name {module_name}.{global_name} is not allowed in a weights file")

    def persistent_load(self, pid: Any) -> str:
        match pid:
            case ("storage", _StorageType(dtype=dtype), str(key), str(), int(), None):
                self.dtypes[key] = dtype
                return key
        raise pickle.UnpicklingError(f"a storage that cannot be read: {pid!r}")


def read_legacy_state_dict(path: str | os.PathLike[str]) -> dict[str, npt.NDArray[Any]]:
    """Reads the tensors of a legacy ``.pth`` file by name, each a new array with the file's dtype and shape.

    Raises:
        WeightsMismatch: the file is cut short, is not in this format, or holds anything but tensors.
    """
    try:
        with Path(path).open("rb") as file:
            return _read(file)
    except (
        pickle.UnpicklingError,
        EOFError,
        ValueError,
        TypeError,
        AttributeError,
        KeyError,
        IndexError,
    ) as error:
        raise WeightsMismatch(
            f"{os.fspath(path)} cannot be read as weights in PyTorch's legacy format: {error}",
            hint="the file may be damaged, or saved in another format; fetch it again",
        ) from error


def _read(file: IO[bytes]) -> dict[str, npt.NDArray[Any]]:
    header = [_TensorUnpickler(file).load() for _ in range(3)]
    if header[0] != _MAGIC or header[1] != _PROTOCOL:
        raise ValueError("its first bytes are not those of that format")
    if header[2].get("little_endian") is not True:
        raise ValueError("it was written on a big-endian machine")
    unpickler = _TensorUnpickler(file)
    views = unpickler.load()
    storages = {}
    for key in _TensorUnpickler(file).load():
        dtype = np.dtype(unpickler.dtypes[key])
        n_elements = int(np.frombuffer(_exactly(file, 8), "<i8")[0])
        storages[key] = np.frombuffer(_exactly(file, n_elements * dtype.itemsize), dtype)
    return {name: _materialise(name, view, storages) for name, view in views.items()}


def _exactly(file: IO[bytes], n_bytes: int) -> bytes:
    if not 0 <= n_bytes <= os.fstat(file.fileno()).st_size - file.tell():
        raise EOFError("the file ends too early")
    return file.read(n_bytes)


def _materialise(name: str, view: object, storages: dict[str, npt.NDArray[Any]]) -> npt.NDArray[Any]:
    if not isinstance(view, _TensorView):
        raise TypeError(f"{name!r} is not a tensor")
    storage = storages[view.key]
    if len(view.stride) != len(view.shape) or min((view.offset, *view.shape, *view.stride)) < 0:
        raise ValueError(f"the tensor {name!r} has a layout that makes no sense")
    last = view.offset + sum((side - 1) * step for side, step in zip(view.shape, view.stride, strict=True))
    if 0 in view.shape:
        return np.empty(view.shape, storage.dtype)
    if last >= storage.size or math.prod(view.shape) > storage.size:
        raise ValueError(f"the tensor {name!r} reaches beyond its storage")
    strides = tuple(step * storage.itemsize for step in view.stride)
    return np.lib.stride_tricks.as_strided(storage[view.offset :], view.shape, strides).copy()
