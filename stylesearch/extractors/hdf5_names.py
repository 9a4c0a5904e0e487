"""Reads which layers and weights a Keras 2 file names; in another process where that may never end.

Names of variable length lie in a heap of the file; where that is damaged, HDF5 may look for its end for ever,
and cannot be interrupted. Keras writes such names with h5py 3, so they cannot be refused: a process reads
them that may use ``MAX_SECONDS`` of processor time. Names of a fixed length are read here.
"""

from __future__ import annotations

import contextlib
import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

__all__ = ["keras2_root", "read_names"]

MAX_NAMES: Final = 100_000
MAX_NAME_BYTES: Final = 1000
"""Names in a list of layers or weights, and bytes of each."""

MAX_SECONDS: Final = 10
"""Processor time of the process that reads names: a second, of which the most are imports, is usual."""

MAX_WAIT: Final = 120.0
"""Wall time of the same, for a machine that is busy with other things."""

MAX_ADDRESSES: Final = 4 << 30

_RUN: Final = (
    "import sys; sys.path[:] = sys.argv[2:]; "
    "from stylesearch.extractors.hdf5_names import print_names; print_names(sys.argv[1])"
)

LayerNames = list[tuple[str, list[str]]]
"""Names of layers, with those of their weights, in the order of the network."""


class _VariableLength(Exception):
    """Names are not of a fixed length."""


def keras2_root(file: Any) -> Any | None:
    """The group of an open HDF5 file with the layers of Keras 2; None if it is another kind of file."""
    if "layer_names" in file.attrs:
        return file
    return file.get("model_weights")


def read_names(file: Any, path: Path | None) -> LayerNames:
    """Reads the names of layers and weights.

    Args:
        file: the open HDF5 file.
        path: where it lies; None if it is no file of its own.

    Raises:
        ValueError: they cannot be read, or there are too many.
        KeyError: a list is missing.
    """
    try:
        return _read_names(file, allow_variable=False)
    except _VariableLength:
        if path is None:
            raise ValueError("its names of layers are of variable length") from None
    command = [sys.executable, "-c", _RUN, str(path), *sys.path]
    try:
        done = subprocess.run(command, capture_output=True, timeout=MAX_WAIT, check=False)
    except subprocess.TimeoutExpired:
        raise ValueError(f"reading its names of layers takes more than {MAX_WAIT:.0f} s") from None
    if done.returncode < 0:
        raise ValueError(
            f"HDF5 does not get through its names of layers in {MAX_SECONDS} s of processor time "
            f"(signal {-done.returncode})"
        )
    if done.returncode:
        lines = done.stderr.decode(errors="replace").split("\n")
        said = next((line for line in reversed(lines) if line.strip()), "no reason")
        raise ValueError(f"its names of layers cannot be read: {said[:300]}")
    return [(layer, list(weights)) for layer, weights in json.loads(done.stdout)]


def print_names(path: str) -> None:
    """Prints the names in a file as JSON; called in a process of its own, which it limits."""
    import h5py  # type: ignore[import-untyped]

    with contextlib.suppress(ImportError):  # Windows has no such limits: there the time alone is limited
        import resource

        for kind, limit in (
            (resource.RLIMIT_CPU, MAX_SECONDS),
            (resource.RLIMIT_AS, MAX_ADDRESSES),
            (resource.RLIMIT_CORE, 0),
        ):
            _, most = resource.getrlimit(kind)
            if most == resource.RLIM_INFINITY or most > limit:
                resource.setrlimit(kind, (limit, limit))
    with h5py.File(path, "r") as file:
        json.dump(_read_names(file, allow_variable=True), sys.stdout)


def _read_names(file: Any, *, allow_variable: bool) -> LayerNames:
    root = keras2_root(file)
    if root is None:
        raise KeyError("layer_names")
    return [
        (layer, _read_list(root[layer], "weight_names", allow_variable))
        for layer in _read_list(root, "layer_names", allow_variable)
    ]


def _read_list(group: Any, attribute: str, allow_variable: bool) -> list[str]:
    """Reads a list in an attribute; Keras splits long ones into ``layer_names0``, ``layer_names1``, ..."""
    if attribute in group.attrs:
        keys = [attribute]
    else:
        numbered = (f"{attribute}{number}" for number in range(len(group.attrs)))
        keys = [key for key in numbered if key in group.attrs]
    names: list[str] = []
    for key in keys:
        found = group.attrs.get_id(key)
        if found.dtype.hasobject and not allow_variable:
            raise _VariableLength
        if math.prod(found.shape) > MAX_NAMES or found.dtype.itemsize > MAX_NAME_BYTES:
            raise ValueError(f"the list {key} has more than {MAX_NAMES:,} names, or names that are too long")
        names += [one.decode() if isinstance(one, bytes) else str(one) for one in group.attrs[key]]
    if any(len(one) > MAX_NAME_BYTES for one in names):
        raise ValueError(f"the list {attribute} has names that are too long")
    return names
