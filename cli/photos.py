"""Photos as arguments of commands: reading them, and failures of one among several."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from stylesearch.errors import ImageError

from .options import Shared
from .output import echo_error

if TYPE_CHECKING:
    from stylesearch.types import Seen

__all__ = ["echo_failure", "read_photo", "seen_object"]


def read_photo(photo: str) -> bytes | str:
    """Reads standard input for ``-``; a path is returned as it is.

    Raises:
        ImageError: standard input is empty, too large, or cannot be read.
    """
    if photo != "-":
        return photo
    from stylesearch.images.source import read_limited

    try:
        data = read_limited("standard input", sys.stdin.buffer)
    except OSError as error:
        raise ImageError(f"standard input cannot be read: {error.strerror or error}") from error
    if not data:
        command = click.get_current_context().info_name
        raise ImageError("standard input is empty", hint=f"stylesearch {command} - < photo.jpg")
    return data


def echo_failure(photo: str, error: ImageError, shared: Shared) -> None:
    """Prints on stderr that one of several photos could not be used.

    Args:
        photo: the argument.
        error: why; its message may begin with the file's name already.
        shared: the options of the call.
    """
    name = "standard input" if photo == "-" else photo
    message = str(error) if str(error).startswith(name) else f"{name}: {error}"
    hint = shared.name_workspace(error.hint)
    echo_error(message, hint, kind=type(error).__name__, as_json=shared.as_json)


def seen_object(one: Seen) -> dict[str, Any]:
    """Makes the JSON of a part of a photo and its kind."""
    return {
        "region": one.region,
        "box": [one.box.x0, one.box.y0, one.box.x1, one.box.y1],
        "kind": one.kind,
        "confidence": one.confidence,
    }
