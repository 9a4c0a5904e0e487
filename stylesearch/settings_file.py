"""Changing ``config.toml`` of a workspace, and nothing in it but what is to change."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

from stylesearch.config import CONFIG_FILE
from stylesearch.errors import ConfigError
from stylesearch.storage import atomic_file

__all__ = ["change_settings", "read_settings"]

_ASSIGNMENT = re.compile(r"\s*[\"']?(\w+)[\"']?\s*=")


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
        ConfigError: the file cannot be read, or is written in a way that cannot be changed line by line.
    """
    path = home / CONFIG_FILE
    text = _text(path)
    wanted = {**_parsed(path, text), **changes}
    wanted = {name: value for name, value in wanted.items() if value is not None}
    lines, missing = [], {name: value for name, value in changes.items() if value is not None}
    for line in text.splitlines():
        match = _ASSIGNMENT.match(line)
        if match is None or match[1] not in changes:
            lines.append(line)
        elif match[1] in missing:
            lines.append(_line(match[1], missing.pop(match[1])))
    lines += [_line(name, value) for name, value in missing.items()]
    changed = "".join(f"{line}\n" for line in lines)
    try:
        understood = tomllib.loads(changed) == wanted
    except tomllib.TOMLDecodeError:
        understood = False
    if not understood:
        raise ConfigError(
            f"{path} cannot be changed line by line", hint=f"write into it yourself: {dict(changes)}"
        )
    with atomic_file(path) as file:
        file.write(changed.encode())


def _line(name: str, value: str | int | float) -> str:
    return f"{name} = {json.dumps(value, ensure_ascii=False)}"


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
