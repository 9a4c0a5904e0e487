"""Changing ``config.toml`` of a workspace, and nothing in it but what is to change."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

import tomlkit

from stylesearch.config import CONFIG_FILE
from stylesearch.errors import ConfigError
from stylesearch.storage import atomic_file

__all__ = ["change_settings", "read_settings"]


def read_settings(home: Path) -> dict[str, object]:
    """What the file says, by name; nothing where there is none.

    Raises:
        ConfigError: it cannot be read.
    """
    return _parsed(home / CONFIG_FILE, _text(home / CONFIG_FILE))


def change_settings(home: Path, changes: Mapping[str, str | int | float | None]) -> None:
    """Writes settings into the file, atomically; lines of others, and comments, stay as they are.

    Args:
        home: the workspace folder.
        changes: values by name; None takes a setting out.

    Raises:
        ConfigError: the file cannot be read.
    """
    path = home / CONFIG_FILE
    text = _text(path)
    _parsed(path, text)
    document = tomlkit.parse(text)
    for name, value in changes.items():
        if value is None:
            document.pop(name, None)
        else:
            document[name] = value
    with atomic_file(path) as file:
        file.write(tomlkit.dumps(document).encode())


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error


def _parsed(path: Path, text: str) -> dict[str, object]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
