"""Reads JSON, TOML and arrays from files that may be damaged, or hold anything at all.

What is wrong with a file is a ``ValueError`` whose message says where, whatever parsers raise for it; the
caller adds the file's name and raises the error of what was to be read. Text is UTF-8, with a byte-order
mark or without, and no value may be given twice. Nothing here takes more memory than a small multiple of the
file.
"""

from __future__ import annotations

import functools
import io
import json
import math
import os
import re
import struct
import tomllib
import types
import typing
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import zipfile

__all__ = ["MOST_BYTES", "check_fields", "parse_json", "parse_toml", "read_arrays", "read_json", "read_text"]

Hook: TypeAlias = Callable[[dict[str, Any]], Any]
"""Takes an object of JSON, and returns what takes its place."""

MOST_BYTES: Final = 64 * 2**20
"""Of a text that is read whole, unless its reader says otherwise."""

_MARK: Final = "\ufeff"
_LONGEST_INTEGER: Final = 4300
"""Digits; Python converts no more."""

_DEEP: Final = 400
"""Levels at which a text that is nested too deeply is said to be so."""

_BLOCK: Final = 2**20

_STORED: Final = 0
"""Of ``zipfile``: not compressed."""

_STRING_OR_BRACKET: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]')


def read_text(path: str | os.PathLike[str], *, most: int = MOST_BYTES) -> str:
    """Reads a text file, without its byte-order mark, and with the line ends of Unix.

    Args:
        path: the file.
        most: the most bytes that it may have.

    Raises:
        OSError: it is missing, a folder, or cannot be read.
        ValueError: it is too long or not UTF-8; the message names the line.
    """
    return _decode(_read_bytes(path, most)).replace("\r\n", "\n").replace("\r", "\n")


def read_json(
    path: str | os.PathLike[str], *, most: int = MOST_BYTES, hook: Hook | None = None, nan: bool = False
) -> Any:
    """Reads a JSON file; see ``parse_json``.

    Raises:
        OSError: it is missing, a folder, or cannot be read.
        ValueError: it is too long, or no JSON.
    """
    return parse_json(_read_bytes(path, most), hook=hook, nan=nan)


def parse_json(data: bytes | str, *, hook: Hook | None = None, nan: bool = False) -> Any:
    """Parses JSON that a program wrote.

    Args:
        data: the whole text, UTF-8 if bytes.
        hook: called with each object, whose place the value that it returns takes.
        nan: whether it may have ``NaN`` and ``Infinity``, which Python writes and JSON has not.

    Raises:
        ValueError: no JSON, nested too deeply, a name that an object has twice, or what is no number
        (``NaN``);
            the message names the line.

    Example:
        >>> parse_json(b'{"a": [1, 2.5]}')
        {'a': [1, 2.5]}
    """
    text = _decode(data) if isinstance(data, bytes) else data

    def pairs(found: list[tuple[str, Any]]) -> Any:
        values = dict(found)
        if len(values) < len(found):
            counts = Counter(name for name, _ in found)
            twice = next(name for name, n in counts.items() if n > 1)
            raise ValueError(f"{twice!r} comes twice in one object")
        return hook(values) if hook else values

    def constant(name: str) -> float:
        if nan:
            return float(name)
        raise ValueError(f"line {_line(text, text.find(name))}: {name} is no number")

    try:
        return json.loads(text, object_pairs_hook=pairs, parse_constant=constant)
    except RecursionError:
        raise ValueError(f"line {_line(text, _deepest(text))}: it is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"line {error.lineno}, column {error.colno}: {error.msg}") from None
    except ValueError as error:
        long = re.search(rf"\d{{{_LONGEST_INTEGER + 1},}}", text)
        if long is None or "digits" not in str(error):
            raise
        raise ValueError(f"line {_line(text, long.start())}: a number of too many digits") from None


def parse_toml(text: str) -> dict[str, Any]:
    """Parses TOML.

    Raises:
        ValueError: no TOML, nested too deeply, or a whole number of more than 64 bits; the message names the
            line where the parser knows it.

    Example:
        >>> parse_toml("a = 1")
        {'a': 1}
    """
    try:
        values = tomllib.loads(text)
        _check_integers(values)
    except RecursionError:
        raise ValueError(f"line {_line(text, _deepest(text))}: it is nested too deeply") from None
    except ValueError as error:
        long = re.search(rf"[\d_]{{{_LONGEST_INTEGER + 1},}}", text)
        if long is None or isinstance(error, tomllib.TOMLDecodeError):
            raise
        raise ValueError(f"line {_line(text, long.start())}: a number of too many digits") from error
    return values


def read_arrays(file: Path | IO[bytes]) -> dict[str, npt.NDArray[Any]]:
    """Reads all arrays of a file that ``np.savez`` wrote, by name; no pickle is loaded.

    An array's shape is believed only if its data are there, and data only with the checksum that the file has
    of them.

    Args:
        file: a path, or a file that is open for reading.

    Raises:
        OSError: it is missing, a folder, or cannot be read.
        ValueError: it is damaged, or was not written by ``np.savez``.
    """
    import tokenize  # only here, and not by a command that is to start quickly
    import zipfile

    if isinstance(file, Path):
        with file.open("rb") as opened:
            return read_arrays(opened)
    size = file.seek(0, os.SEEK_END)
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            if sum(one.file_size for one in members) > size:
                raise ValueError("it says to hold more than it does")
            return {one.filename.removesuffix(".npy"): _read_array(archive, one) for one in members}
    except (
        ValueError,  # UnicodeDecodeError is one
        KeyError,
        TypeError,
        IndexError,
        AttributeError,
        OverflowError,
        SyntaxError,
        EOFError,
        NotImplementedError,  # of zipfile: a way to compress, or a version, that it does not know
        RuntimeError,  # of zipfile: an encrypted file; RecursionError is one
        MemoryError,  # of the parser of an array's header, which is nested without end
        struct.error,
        tokenize.TokenError,
        zipfile.BadZipFile,
    ) as error:
        raise ValueError(str(error) or type(error).__name__) from error


def check_fields(kind: type, values: Mapping[str, Any]) -> None:
    """Checks that values from a file are of the types that the fields of a dataclass have.

    A whole number is taken where a float is wanted; a float has to be finite. Fields without a value are left
    out, and so are values without a field.

    Args:
        kind: a dataclass whose fields are plain values, or mappings, lists and tuples of them.
        values: values by the name of the field.

    Raises:
        ValueError: one is of another type; the message names it.
    """
    hints = _hints_of(kind)
    for name, value in values.items():
        if name in hints and not _fits(value, hints[name]):
            wanted = getattr(hints[name], "__name__", str(hints[name]))
            raise ValueError(f"{name} is to be of the type {wanted}. Received: {_shorten(value)}")


@functools.cache
def _hints_of(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _fits(value: Any, hint: Any) -> bool:
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return True
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, one) for one in inner)
    if origin is not None and issubclass(origin, Mapping):
        return isinstance(value, dict) and all(_fits(one, inner[1]) for one in value.values())
    if origin in (tuple, list):
        return isinstance(value, list | tuple) and all(_fits(one, inner[0]) for one in value)
    if hint is float and type(value) is float:
        return math.isfinite(value)
    if hint in (int, float):
        return type(value) is int and value.bit_length() < 64
    return type(value) is hint


def _shorten(value: Any) -> str:
    try:
        text = repr(value)
    except ValueError:  # a number of too many digits
        return "a number of too many digits"
    return text if len(text) <= 80 else f"{text[:80]}..."


def _read_bytes(path: str | os.PathLike[str], most: int) -> bytes:
    with Path(path).open("rb") as file:
        # Not at once up to the limit: Python would set that much memory aside.
        data = file.read(min(most, os.fstat(file.fileno()).st_size) + 1)
        while len(data) <= most and (more := file.read(_BLOCK)):  # a pipe, or a file that grows
            data += more
    if len(data) > most:
        raise ValueError(f"it has more than {most:,} bytes")
    return data


def _decode(data: bytes) -> str:
    try:
        return data.decode("utf-8").removeprefix(_MARK)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ValueError(f"line {line}: it is not UTF-8") from None


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, max(position, 0)) + 1


def _deepest(text: str) -> int:
    """Where a text is nested so deeply that it cannot be read, roughly."""
    depth = 0
    for match in _STRING_OR_BRACKET.finditer(text):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(match[0], 0)
        if depth > _DEEP:
            return match.start()
    return 0


def _check_integers(value: Any) -> None:
    """Refuses whole numbers that TOML has no room for: their digits could not even be shown in a message."""
    if isinstance(value, dict):
        for one in value.values():
            _check_integers(one)
    elif isinstance(value, list):
        for one in value:
            _check_integers(one)
    elif type(value) is int and value.bit_length() > 64:
        raise ValueError("a whole number has more than 64 bits")


def _read_array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> npt.NDArray[Any]:
    if member.compress_type != _STORED:
        raise ValueError(f"{member.filename} is compressed")
    content = archive.read(member)  # whole, since its checksum is compared at its end
    data = io.BytesIO(content)
    version = np.lib.format.read_magic(data)
    if version != (1, 0):
        raise ValueError(f"{member.filename} is an array of another format")
    shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(data)
    if dtype.hasobject or any(length < 0 for length in shape):
        raise ValueError(f"{member.filename} is no array of numbers or texts")
    order: Literal["C", "F"] = "F" if fortran_order else "C"
    return np.frombuffer(content, dtype, offset=data.tell()).reshape(shape, order=order).copy(order="K")
