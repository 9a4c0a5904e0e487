"""Converted models in the user's cache: one folder a fingerprint, whole or absent, checked when opened."""

from __future__ import annotations

import contextlib
import json
import logging
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stylesearch.errors import ConfigError
from stylesearch.extractors.cache import cache_folder
from stylesearch.extractors.engines.file_record import is_unchanged, record_of
from stylesearch.storage import write_json

__all__ = ["ConvertedModel", "converted_folder", "open_converted"]

logger = logging.getLogger("stylesearch.extractors")

# Raised by one when models that an older stylesearch converted can no longer be used.
_FORMAT = 1
_MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class ConvertedModel:
    """A model in OpenVINO's format.

    Attributes:
        xml: the graph; the weights are beside it.
        facts: what the conversion found out, as JSON values.
    """

    xml: Path
    facts: dict[str, Any]


def converted_folder(name: str, fingerprint: str) -> Path:
    """Where the converted model of a fingerprint is kept; ``name`` is for people who look into the cache."""
    return cache_folder() / "models" / f"{re.sub(r'[^A-Za-z0-9.-]+', '_', name)[:60]}-{fingerprint[:20]}"


def open_converted(name: str, fingerprint: str, convert: Callable[[Path], dict[str, Any]]) -> ConvertedModel:
    """The converted model of a fingerprint, from the cache or converted now.

    Several processes may ask at once: one converts, the others wait and then read. A folder that is damaged
    (a file cut short or altered) is noticed and made anew.

    Args:
        name: what the model is called.
        fingerprint: hexadecimal digest of what the model is made from.
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


def _read(folder: Path, fingerprint: str) -> ConvertedModel | None:
    """The model in ``folder`` if it is whole, else None."""
    try:
        manifest = json.loads((folder / _MANIFEST).read_bytes())
        if manifest["format"] != _FORMAT or manifest["fingerprint"] != fingerprint:
            return None
        damaged = [
            name for name, record in manifest["files"].items() if not is_unchanged(folder / name, record)
        ]
        facts = dict(manifest["facts"])
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValueError, TypeError, KeyError, AttributeError):
        damaged, facts = [_MANIFEST], {}
    if damaged:
        logger.warning("the converted model in %s is damaged: %s", folder, ", ".join(damaged))
        return None
    return ConvertedModel(folder / "model.xml", facts)


def _convert_into(folder: Path, fingerprint: str, convert: Callable[[Path], dict[str, Any]]) -> None:
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
