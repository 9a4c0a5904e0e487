"""Converted models in the user's cache: one folder a fingerprint, whole or absent, checked when opened."""

from __future__ import annotations

import contextlib
import glob
import logging
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stylesearch.data_files import read_json
from stylesearch.errors import ConfigError, ExtractorError
from stylesearch.files import atomic_file, cache_folder, digest_of, sha256_file, write_json

__all__ = [
    "ConvertedModel",
    "compile_cached",
    "converted_folder",
    "find_converted",
    "is_unchanged",
    "open_converted",
    "record_of",
]

logger = logging.getLogger("stylesearch.extractors")

_FORMAT = 1
"""Raised by one when models that an older stylesearch converted can no longer be used."""

_MANIFEST = "manifest.json"


def record_of(path: Path) -> dict[str, Any]:
    """Size, sha256 and identity of a finished file, as JSON values; the file is flushed to the disk first."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
    stat = path.stat()
    return {"size": stat.st_size, "sha256": sha256_file(path), "stat": [stat.st_mtime_ns, stat.st_ino]}


def is_unchanged(path: Path, record: Mapping[str, Any]) -> bool:
    """Whether ``path`` still holds the bytes that ``record`` describes.

    A file that nobody has written to since is trusted: reading 500 MB again would cost more than the query
    that needs them. A copy of the file, or one that was touched, is hashed.
    """
    try:
        stat = path.stat()
    except FileNotFoundError:
        return False
    if stat.st_size != record["size"]:
        return False
    if [stat.st_mtime_ns, stat.st_ino] == list(record["stat"]):
        return True
    return sha256_file(path) == str(record["sha256"])


@dataclass(frozen=True, slots=True)
class ConvertedModel:
    """A model in OpenVINO's format.

    Attributes:
        xml: the graph; the weights are beside it.
        facts: findings of the conversion, as JSON values.
    """

    xml: Path
    facts: dict[str, Any]


def converted_folder(name: str, fingerprint: str) -> Path:
    """Folder of the converted model of a fingerprint; ``name`` is for people who look into the cache."""
    return cache_folder() / "models" / f"{re.sub(r'[^A-Za-z0-9.-]+', '_', name)[:60]}-{fingerprint[:20]}"


def open_converted(name: str, fingerprint: str, convert: Callable[[Path], dict[str, Any]]) -> ConvertedModel:
    """Opens the converted model of a fingerprint, and converts it first if the cache does not have it.

    Several processes may call this at once: one converts, the others wait and then read. A damaged folder (a
    file cut short or altered) is noticed and made anew.

    Args:
        name: name of the model.
        fingerprint: hexadecimal digest of everything that the model is made from.
        convert: writes ``model.xml`` and ``model.bin`` into the folder it is given; returns the facts.

    Raises:
        ConfigError: the cache folder cannot be written.
    """
    folder = converted_folder(name, fingerprint)
    found = _read(folder, fingerprint)
    if found is not None:
        return found
    with _writing(folder):
        found = _read(folder, fingerprint)  # another process may have converted while this one waited
        if found is None:
            _convert_into(folder, fingerprint, convert)
            found = _read(folder, fingerprint)
    if found is None:
        raise ConfigError(
            f"the model that was just written to {folder} reads back damaged",
            hint="is the disk failing? Set STYLESEARCH_CACHE to a folder elsewhere",
        )
    return found


def find_converted(name: str, fingerprint: str) -> ConvertedModel | None:
    """The converted model of a fingerprint if the cache has it whole; converts nothing."""
    return _read(converted_folder(name, fingerprint), fingerprint)


def _read(folder: Path, fingerprint: str) -> ConvertedModel | None:
    """The model in ``folder`` if it is whole, else None."""
    try:
        manifest = read_json(folder / _MANIFEST)
        if manifest["format"] != _FORMAT or manifest["fingerprint"] != fingerprint:
            return None
        damaged = [
            name for name, record in manifest["files"].items() if not is_unchanged(folder / name, record)
        ]
        facts = dict(manifest["facts"])
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        damaged, facts = [_MANIFEST], {}
    if damaged:
        logger.warning("the converted model in %s is damaged: %s", folder, ", ".join(damaged))
        return None
    return ConvertedModel(folder / "model.xml", facts)


def _convert_into(folder: Path, fingerprint: str, convert: Callable[[Path], dict[str, Any]]) -> None:
    for left in folder.parent.glob(f".{glob.escape(folder.name)}.{'[0-9a-f]' * 12}*"):
        shutil.rmtree(left, ignore_errors=True)  # by a process that was killed: this one has the lock
    partial = folder.with_name(f".{folder.name}.{secrets.token_hex(6)}")
    partial.mkdir()
    try:
        facts = convert(partial)
        files = {path.name: record_of(path) for path in sorted(partial.iterdir())}
        manifest = {"format": _FORMAT, "fingerprint": fingerprint, "facts": facts, "files": files}
        write_json(partial / _MANIFEST, manifest)
        if folder.exists():  # damaged, or of another format: only a name can be swapped, so it goes first
            replaced = partial.with_name(f"{partial.name}.replaced")
            folder.rename(replaced)
            shutil.rmtree(replaced)
        partial.rename(folder)
    finally:
        if partial.exists():
            shutil.rmtree(partial)


@contextlib.contextmanager
def _writing(folder: Path) -> Iterator[None]:
    from filelock import FileLock

    lock = FileLock(folder.with_name(f".{folder.name}.lock"))
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except OSError as error:
        raise ConfigError(
            f"the cache folder {folder.parent} cannot be written: {error}",
            hint="set STYLESEARCH_CACHE to a folder that can",
        ) from error
    try:
        yield
    finally:
        lock.release()


def compile_cached(openvino: Any, core: Any, xml: Path, options: Mapping[str, str]) -> Any:
    """Compiles the model of ``xml`` for this CPU, or reads it from the cache where it is there and fits.

    A compiled model lies beside the converted one, so that a cold query need not compile. OpenVINO has a
    cache of its own (``CACHE_DIR``), as fast, but it loads an altered file and then gives wrong vectors;
    hence this cache, with a record of size and sha256.

    Args:
        openvino, core: the module and an ``openvino.Core``.
        xml: the converted model.
        options: OpenVINO's properties to compile with.

    Raises:
        ExtractorError: OpenVINO cannot compile it.
    """
    made_for = {
        "openvino": openvino.__version__,
        "processor": core.get_property("CPU", "FULL_DEVICE_NAME"),
        **options,
    }
    blob = xml.with_name(f"compiled-{digest_of(made_for)[:16]}.blob")
    compiled = _import(openvino, core, blob, options)
    if compiled is None:
        try:
            compiled = core.compile_model(xml, "CPU", dict(options))
        except RuntimeError as error:
            raise ExtractorError(
                f"OpenVINO cannot compile {xml}: {error}",
                hint=f"delete {xml.parent}, or choose the engine 'tensorflow'",
            ) from error
        _export(compiled, blob)
    return compiled


def _import(openvino: Any, core: Any, blob: Path, options: Mapping[str, str]) -> Any | None:
    try:
        record = read_json(blob.with_suffix(".json"))
        if not is_unchanged(blob, record):
            logger.warning("the compiled model %s is damaged; compiling again", blob)
            return None
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        logger.warning("the record of %s cannot be read (%s); compiling again", blob, error)
        return None
    # A tensor of OpenVINO's own, which the compiled model keeps alive: it computes with weights inside it.
    content = openvino.Tensor(openvino.Type.u8, openvino.Shape([record["size"]]))
    with blob.open("rb") as file:
        n_read = file.readinto(content.data)
    if n_read != record["size"]:
        return None  # replaced by another process just now
    try:
        return core.import_model(content, "CPU", dict(options))
    except RuntimeError as error:
        logger.warning("OpenVINO refuses %s (%s); compiling again", blob, error)
        return None


def _export(compiled: Any, blob: Path) -> None:
    """Keeps a compiled model; where the folder cannot be written, only the next start is slower."""
    try:
        with atomic_file(blob) as file:
            file.write(compiled.export_model().getbuffer())
        write_json(blob.with_suffix(".json"), record_of(blob))
    except OSError as error:
        logger.warning("the compiled model cannot be kept in %s: %s", blob.parent, error)
