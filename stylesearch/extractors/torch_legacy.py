"""Reads the tensors of a PyTorch ``.pth`` file in the legacy format, without PyTorch or running code.

Such a file is a row of pickles (a magic number, a protocol version, a description of the machine, the object
itself, the keys of its storages) followed, for each key, by an int64 element count and the raw little-endian
data. A pickle may name any function to be called, and have Python's reader allocate as much as it says:
nine bytes can take two gigabytes. So the instructions are listed by ``pickletools``, which reads no more than
there is, and carried out here: only those that a dictionary of tensors needs, only with texts as keys, and
only the three kinds of names that it needs, none of which is looked up by import.

References:
``torch.serialization._legacy_load`` in PyTorch 1.x; Python's ``pickletools``. Deviations: only dictionaries
of dense tensors; no views of one storage as another; no byte swapping (big-endian files are refused).
"""

from __future__ import annotations

import io
import math
import os
import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
import numpy.typing as npt

from stylesearch.errors import WeightsMismatch

__all__ = ["read_legacy_state_dict"]

MAX_PICKLED: Final = 16 << 20
MAX_INSTRUCTIONS: Final = 500_000
"""Bytes and instructions of all pickles of a file; those of EfficientNet-Lite4 have 200 kB and 40,000."""

_MAX_SIDES: Final = 32
_MAGIC: Final = 0x1950A86A20F9469CFC6C
_PROTOCOL: Final = 1001
_DTYPES: Final = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ByteStorage": "|u1",
}


@dataclass(frozen=True, slots=True)
class _Name:
    """A function or class that a pickle names: its module and its name."""

    module: str
    name: str


@dataclass(frozen=True, slots=True)
class _TensorView:
    """A tensor whose data has not been read yet: a strided window into a storage."""

    key: str
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


def read_legacy_state_dict(path: str | os.PathLike[str]) -> dict[str, npt.NDArray[Any]]:
    """Reads the tensors of a legacy ``.pth`` file by name, each a new array with the file's dtype and shape.

    Takes no more memory than a few times the size of the file.

    Raises:
        WeightsMismatch: the file is cut short, is not in this format, or holds anything but tensors.
    """
    try:
        with Path(path).open("rb") as file:
            return _read(file)
    except (OSError, EOFError, ValueError, TypeError, AttributeError, KeyError, IndexError) as error:
        raise WeightsMismatch(
            f"{os.fspath(path)} cannot be read as weights in PyTorch's legacy format: {error}",
            hint="the file may be damaged, or saved in another format; fetch it again",
        ) from error


def _read(file: IO[bytes]) -> dict[str, npt.NDArray[Any]]:
    n_bytes = os.fstat(file.fileno()).st_size
    pickles = _Pickles(file.read(MAX_PICKLED))
    if pickles.read() != _MAGIC or pickles.read() != _PROTOCOL:
        raise ValueError("its first bytes are not those of that format")
    machine = pickles.read()
    if not isinstance(machine, dict) or machine.get("little_endian") is not True:
        raise ValueError("it was written on a big-endian machine")
    views, keys = pickles.read(), pickles.read()
    if not isinstance(views, dict) or not isinstance(keys, list):
        raise TypeError("it holds no dictionary")
    file.seek(pickles.position)
    storages = {}
    for key in keys:
        dtype = np.dtype(pickles.dtypes[_as_text(key)])
        n_elements = int(np.frombuffer(_exactly(file, 8), "<i8")[0])
        storages[key] = np.frombuffer(_exactly(file, n_elements * dtype.itemsize), dtype)
    tensors = {}
    n_left = 2 * n_bytes  # of a storage there may be several views, but not any number
    for name, view in views.items():
        tensor = _window(name, view, storages)
        n_left -= tensor.nbytes
        if n_left < 0:
            raise ValueError("its tensors are larger than the file")
        tensors[name] = tensor.copy()
    return tensors


class _Pickles:
    """Reads pickles that follow each other.

    Attributes:
        dtypes: dtype of each storage that was named, by its key.
    """

    def __init__(self, data: bytes) -> None:
        self._file = io.BytesIO(data)
        self._n_left = MAX_INSTRUCTIONS
        self.dtypes: dict[str, str] = {}

    @property
    def position(self) -> int:
        """Where the next pickle begins."""
        return self._file.tell()

    def read(self) -> Any:
        """The value of the next pickle: plain values, names and views of tensors.

        Raises:
            ValueError, TypeError, IndexError, KeyError: it is no pickle, or not of these.
        """
        stack: list[Any] = []
        marks: list[int] = []
        memo: dict[int, Any] = {}
        argument: Any
        for instruction, argument, _ in pickletools.genops(self._file):
            self._n_left -= 1
            if self._n_left < 0:
                raise ValueError(f"more than {MAX_INSTRUCTIONS:,} instructions")
            name = instruction.name
            if name in _CONSTANTS:
                stack.append(_CONSTANTS[name]())
            elif name in _VALUES:
                stack.append(argument)
            elif name == "MARK":
                marks.append(len(stack))
            elif name in ("BINPUT", "LONG_BINPUT"):
                memo[argument] = stack[-1]
            elif name in ("BINGET", "LONG_BINGET"):
                stack.append(memo[argument])
            elif name in ("TUPLE1", "TUPLE2", "TUPLE3"):
                _join(stack, len(stack) - int(name[-1]))
            elif name == "TUPLE":
                _join(stack, marks.pop())
            elif name in ("APPEND", "APPENDS"):
                items = _take(stack, marks.pop() if name == "APPENDS" else len(stack) - 1)
                _of_kind(stack[-1], list).extend(items)
            elif name in ("SETITEM", "SETITEMS"):
                items = _take(stack, marks.pop() if name == "SETITEMS" else len(stack) - 2)
                pairs = zip(map(_as_text, items[::2]), items[1::2], strict=True)
                _of_kind(stack[-1], dict).update(pairs)
            elif name == "GLOBAL":
                stack.append(_name_of(*str(argument).split(" ", 1)))
            elif name == "BINPERSID":
                stack.append(self._storage(stack.pop()))
            elif name == "REDUCE":
                arguments = _of_kind(stack.pop(), tuple)
                stack.append(_call(stack.pop(), arguments))
            elif name == "BUILD":  # what PyTorch notes beside the tensors
                stack.pop()
            elif name == "STOP":
                return stack.pop()
            elif name != "PROTO":
                raise ValueError(f"the instruction {name} is not allowed in a weights file")
        raise EOFError("the file ends too early")

    def _storage(self, named: Any) -> str:
        match named:
            case ("storage", _Name(module="torch", name=kind), str(key), str(), int(), None):
                self.dtypes[key] = _DTYPES[kind]
                return key
        raise ValueError("a storage that cannot be read")


_CONSTANTS: Final[dict[str, Callable[[], Any]]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_TUPLE": tuple,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
}
_VALUES: Final = frozenset(
    ("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "BINSTRING", "SHORT_BINSTRING")
)


def _take(stack: list[Any], begin: int) -> list[Any]:
    if begin < 0:
        raise IndexError("it takes more values than there are")
    taken = stack[begin:]
    del stack[begin:]
    return taken


def _join(stack: list[Any], begin: int) -> None:
    stack.append(tuple(_take(stack, begin)))


def _of_kind(value: Any, kind: type) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"a {kind.__name__} is wanted, not a {type(value).__name__}")
    return value


def _as_text(value: Any) -> str:
    """A key. Of tuples that hold each other, the hash alone might take for ever."""
    return str(_of_kind(value, str))


def _name_of(module: str, name: str) -> _Name:
    is_storage = module == "torch" and name in _DTYPES
    if is_storage or (module, name) in (
        ("collections", "OrderedDict"),
        ("torch._utils", "_rebuild_tensor_v2"),
    ):
        return _Name(module, name)
    raise ValueError(f"the name {module[:100]}.{name[:100]} is not allowed in a weights file")


def _call(function: Any, arguments: tuple[Any, ...]) -> Any:
    if function == _Name("collections", "OrderedDict") and arguments in ((), ([],)):
        return {}
    if function == _Name("torch._utils", "_rebuild_tensor_v2"):
        key, offset, shape, stride, *_ = arguments
        return _TensorView(_as_text(key), _as_size(offset), _as_sizes(shape), _as_sizes(stride))
    raise ValueError("a call that is not allowed in a weights file")


def _as_size(value: Any) -> int:
    if not isinstance(value, int) or not -(2**62) < value < 2**62:
        raise TypeError("a size of a tensor is none")
    return value


def _as_sizes(value: Any) -> tuple[int, ...]:
    if len(_of_kind(value, tuple)) > _MAX_SIDES:
        raise ValueError(f"a tensor of more than {_MAX_SIDES} dimensions")
    return tuple(map(_as_size, value))


def _exactly(file: IO[bytes], n_bytes: int) -> bytes:
    if not 0 <= n_bytes <= os.fstat(file.fileno()).st_size - file.tell():
        raise EOFError("the file ends too early")
    return file.read(n_bytes)


def _window(name: str, view: object, storages: dict[str, npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """The elements of a tensor in its storage, not copied."""
    if not isinstance(view, _TensorView):
        raise TypeError(f"{name[:100]!r} is not a tensor")
    storage = storages[view.key]
    if len(view.stride) != len(view.shape) or min((view.offset, *view.shape, *view.stride)) < 0:
        raise ValueError(f"the tensor {name[:100]!r} has a layout that makes no sense")
    last = view.offset + sum((side - 1) * step for side, step in zip(view.shape, view.stride, strict=True))
    if 0 in view.shape:
        return np.empty(view.shape, storage.dtype)
    if last >= storage.size or math.prod(view.shape) > storage.size:
        raise ValueError(f"the tensor {name[:100]!r} reaches beyond its storage")
    strides = tuple(step * storage.itemsize for step in view.stride)
    return np.lib.stride_tricks.as_strided(storage[view.offset :], view.shape, strides)
