"""Reading the tensors of a PyTorch ``.pth`` file in the legacy format, without PyTorch or running code.

Such a file is a row of pickles (a magic number, a protocol version, a description of the machine, the
object itself, the keys of its storages) followed, for each key, by an int64 element count and the raw
little-endian data. A pickle may name any function to be called; here only the three kinds of names that a
dictionary of tensors needs are answered, and none of them is looked up by import.

References:
    ``torch.serialization._legacy_load`` in PyTorch 1.x. Deviations: only dictionaries of dense tensors; no
    views of one storage as another; no byte swapping (big-endian files are refused).
"""

from __future__ import annotations

import math
import os
import pickle
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from stylesearch.errors import WeightsMismatch

__all__ = ["read_legacy_state_dict"]

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
    """Stands for ``torch.FloatStorage`` and its like."""

    dtype: str


@dataclass(frozen=True)
class _TensorView:
    """A tensor before the data has been read: a strided window into a storage."""

    key: str
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


def _rebuild_tensor(
    key: str, offset: int, shape: tuple[int, ...], stride: tuple[int, ...], *_ignored: object
) -> _TensorView:
    return _TensorView(key, offset, tuple(shape), tuple(stride))


class _TensorUnpickler(pickle.Unpickler):
    """Knows ordered dictionaries and tensors, and refuses every other name."""

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
    """The tensors of a legacy ``.pth`` file by name, each a new array with the file's dtype and shape.

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
