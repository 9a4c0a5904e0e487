"""The bytes of a picture, from wherever the caller has them."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import BinaryIO

from stylesearch.errors import ImageError, NotAnImage
from stylesearch.images.formats import (
    FORMATS,
    HEAD_BYTES,
    PictureFormat,
    describe_unreadable,
    recognise,
)

__all__ = ["Source", "read_source"]

Source = bytes | bytearray | memoryview | str | os.PathLike[str] | BinaryIO
"""The bytes of a file, its path, or a binary file that is read from where it stands to its end."""

_HINTS = {
    errno.ENOENT: "is the name right? It is looked for from the folder that the command was started in",
    errno.EISDIR: "that is a folder: name the pictures in it, as in FOLDER/*.jpg",
    errno.EACCES: "check the permissions of the file and of its folders",
}


def read_source(source: Source) -> tuple[str, PictureFormat, bytes]:
    """Reads a file whole, once its first bytes have said that it is a picture.

    Returns:
        What to call it in messages, its format, its bytes.

    Raises:
        NotAnImage: it is empty, or no picture of a known format (a film of gigabytes is not read to its end).
        ImageError: it cannot be read, or is nothing that could be.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        data = bytes(source)
        return "the picture", _recognised("the picture", data[:HEAD_BYTES]), data
    if isinstance(source, str | os.PathLike):
        label = os.fspath(source)
        try:
            with Path(source).open("rb") as file:
                return label, *_read(label, file)
        except (OSError, ValueError) as error:  # ValueError: a path with a zero byte in it
            if isinstance(error, ImageError):
                raise
            reason = getattr(error, "strerror", None) or str(error)
            hint = _HINTS.get(getattr(error, "errno", None) or 0, "")
            raise ImageError(f"{label} cannot be read: {reason}", hint=hint) from error
    if not hasattr(source, "read"):
        raise ImageError(
            f"a picture is the path of a file, its bytes, or a binary file. Received: {source!r}",
            hint="give 'photo.jpg', for example",
        )
    name = getattr(source, "name", None)
    label = name if isinstance(name, str) else "the picture"
    try:
        return label, *_read(label, source)
    except OSError as error:
        raise ImageError(f"{label} cannot be read: {error}") from error


def _read(label: str, file: BinaryIO) -> tuple[PictureFormat, bytes]:
    head = b""
    # A pipe may hand out fewer bytes than asked for.
    while len(head) < HEAD_BYTES and (more := file.read(HEAD_BYTES - len(head))):
        head += more
    picture_format = _recognised(label, head)
    return picture_format, head + file.read()


def _recognised(label: str, head: bytes) -> PictureFormat:
    if not head:
        raise NotAnImage(f"{label} is empty")
    picture_format = recognise(head)
    if picture_format is None:
        raise NotAnImage(
            f"{label} is {describe_unreadable(head)}", hint=f"pictures are read from {', '.join(FORMATS)}"
        )
    return picture_format
