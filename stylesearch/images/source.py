"""Opens and reads image files; the only module that does.

A *locator* says where an image is: the path of a local file, or a URL. An image behind a URL is fetched to a
local file by an ingest (``stylesearch.images.remote``), and read from there ever after.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
from pathlib import Path
from typing import BinaryIO, Final

from stylesearch.errors import CatalogError, ImageError, NotAnImage
from stylesearch.files import sha256_bytes
from stylesearch.images.formats import FORMATS, HEAD_BYTES, ImageFormat, describe_unreadable, recognise
from stylesearch.images.limits import decoding_limits, refuse_large_file

__all__ = [
    "CHANGED",
    "ImageSource",
    "Locator",
    "hash_image",
    "is_lost",
    "is_remote",
    "open_image",
    "open_listed",
    "read_image",
    "read_limited",
    "read_listed",
    "read_source",
    "stat_image",
    "without_secrets",
]

Locator = str | os.PathLike[str]
"""Where an image lies: the path of a file."""

ImageSource = bytes | bytearray | memoryview | str | os.PathLike[str] | BinaryIO
"""The bytes of an image, its locator, or a binary file that is read from where it stands to its end."""

CHANGED: Final = "the file has changed since it was ingested: ingest again"

BLOCK_BYTES: Final = 1 << 20

LISTED: Final = "the picture"
"""What a file that a source lists is called in messages: whoever reports it says which."""

_URL: Final = re.compile("[a-z][a-z0-9+.-]+://", re.IGNORECASE)

_USER: Final = re.compile(
    r"(?<![a-z0-9+.:-])(?!(?:abfss?|az):)([a-z][a-z0-9+.-]*:)?//[^\s/?#\\]*@", re.IGNORECASE
)
"""The user of a URL; of Azure's, ``abfs://container@account/``, it is the container."""

_HINTS: Final = {
    errno.ENOENT: "is the name right? It is looked for from the folder that the command was started in",
    errno.EISDIR: "that is a folder: name the pictures in it, as in FOLDER/*.jpg",
    errno.EACCES: "check the permissions of the file and of its folders",
}


def is_remote(locator: Locator) -> bool:
    """Whether a locator is a URL, rather than the path of a file.

    Example:
        >>> is_remote("https://shop.example/1.jpg"), is_remote("/shop/1.jpg")
        (True, False)
    """
    return isinstance(locator, str) and _URL.match(locator) is not None


def is_lost(path: str) -> bool:
    """Whether nothing is at the path of a file or folder; False for URLs, and where it cannot be told."""
    if is_remote(path):
        return False
    try:
        os.stat(path)  # noqa: PTH116 - Path.exists() says no also where it could not look
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):
        return False
    return False


def without_secrets(text: str) -> str:
    """Leaves user name and password out of the URLs of a text, which others may read.

    Example:
        >>> without_secrets("https://user:p@ss@pim.example/a.jpg: it is gone")
        'https://pim.example/a.jpg: it is gone'
    """
    return _USER.sub(r"\1//", text) if "@" in text else text


def open_image(locator: Locator) -> BinaryIO:
    """Opens an image for reading; the caller closes the file.

    Raises:
        OSError: it is not there, or cannot be read.
    """
    return Path(locator).open("rb")


def read_image(locator: Locator) -> bytes:
    """Reads the bytes of an image, after its first bytes have shown that it is one.

    Raises:
        NotAnImage: it is empty, or of no known format.
        ImageTooLarge: it has more than ``max_file_bytes``.
        OSError: it is not there, or cannot be read.
    """
    with open_image(locator) as file:
        return _read(LISTED, file)[1]


def hash_image(locator: Locator) -> str:
    """Hashes an image in blocks: the hexadecimal sha256 of its bytes.

    Raises:
        NotAnImage, ImageTooLarge, OSError: as ``read_image``.
    """
    with open_image(locator) as file:
        _read_head(LISTED, file)
        size = _size_of(file)
        if size is not None and size > decoding_limits().max_file_bytes:
            raise refuse_large_file(LISTED, size)
        file.seek(0)
        digest = hashlib.sha256()
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
        return digest.hexdigest()


def stat_image(locator: Locator) -> os.stat_result:
    """Returns the status of an image's file without reading it: its size and time of change.

    Raises:
        OSError: it is not there, or cannot be looked at.
    """
    return Path(locator).stat()


def read_listed(locator: Locator, sha256: str) -> bytes:
    """Reads an image that the catalog lists.

    Args:
        locator: locator of the image.
        sha256: hexadecimal digest of its bytes, as the catalog has it.

    Raises:
        CatalogError: the image has changed since it was ingested.
        ImageTooLarge: it has more than ``max_file_bytes``.
        OSError: it is not there, or cannot be read.
    """
    with open_image(locator) as file:
        data = _read_all(os.fspath(locator), file, b"")
    if sha256_bytes(data) != sha256:
        raise CatalogError(CHANGED)
    return data


def open_listed(locator: Locator, sha256: str, *, max_bytes: int) -> tuple[BinaryIO, int]:
    """Opens an image that the catalog lists, to be sent in chunks.

    Args:
        locator, sha256: see ``read_listed``.
        max_bytes: larger files are refused.

    Returns:
        the file at its beginning, which the caller closes, and its size in bytes.

    Raises:
        CatalogError: the image has changed since it was ingested.
        OSError: it cannot be read, is no regular file, or is too large.
    """
    # Opened without waiting, in case it is a pipe: reading one in an image's place would never end.
    file = open(locator, "rb", opener=_open_at_once)  # noqa: SIM115 - Path.open takes no opener
    try:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_size > max_bytes:
            raise OSError("no file, or too large to be sent")
        if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
            raise CatalogError(CHANGED)
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file, status.st_size


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def read_source(source: ImageSource) -> tuple[str, ImageFormat, bytes]:
    """Reads the bytes of an image, after its first bytes have shown that it is one.

    Returns:
        A label for messages, the format, and the bytes.

    Raises:
        NotAnImage: it is empty, or of no known format.
        ImageTooLarge: it has more than ``max_file_bytes``; no more of it is read.
        ImageError: it cannot be read, or the source is of no type that can.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        return "the picture", _recognise("the picture", bytes(source[:HEAD_BYTES])), bytes(source)
    if isinstance(source, str | os.PathLike):
        label = os.fspath(source)
        try:
            with open_image(source) as file:
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


def read_limited(label: str, file: BinaryIO) -> bytes:
    """Reads a file or a pipe to its end, of any content.

    Raises:
        ImageTooLarge: it has more than ``max_file_bytes``; no more of it is read.
    """
    limit = decoding_limits().max_file_bytes
    data = bytearray()
    # A pipe may return fewer bytes than asked for, and a file is not asked for more than it has.
    while piece := file.read(min(BLOCK_BYTES, limit + 1 - len(data))):
        data += piece
        if len(data) > limit:
            raise refuse_large_file(label, None)
    return bytes(data)


def _read(label: str, file: BinaryIO) -> tuple[ImageFormat, bytes]:
    image_format, head = _read_head(label, file)
    return image_format, _read_all(label, file, head)


def _read_all(label: str, file: BinaryIO, head: bytes) -> bytes:
    """Reads the rest of a file, and puts what was read of it before it."""
    limit = decoding_limits().max_file_bytes
    size = _size_of(file)
    if size is not None and size > limit:
        raise refuse_large_file(label, size)
    if size is None:
        head += read_limited(label, file)
    else:
        head += file.read(max(0, size + 1 - len(head)))  # at once, which is faster
        if len(head) > size:  # it has grown
            head += read_limited(label, file)
    if len(head) > limit:
        raise refuse_large_file(label, None)
    return head


def _read_head(label: str, file: BinaryIO) -> tuple[ImageFormat, bytes]:
    """Reads the first bytes of an image, and recognises it by them."""
    head = b""
    # A pipe may return fewer bytes than asked for.
    while len(head) < HEAD_BYTES and (more := file.read(HEAD_BYTES - len(head))):
        head += more
    return _recognise(label, head), head


def _size_of(file: BinaryIO) -> int | None:
    """Size of a regular file; None for what is none."""
    try:
        status = os.fstat(file.fileno())
    except (AttributeError, OSError, ValueError):
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def _recognise(label: str, head: bytes) -> ImageFormat:
    if not head:
        raise NotAnImage(f"{label} is empty")
    image_format = recognise(head)
    if image_format is None:
        raise NotAnImage(
            f"{label} is {describe_unreadable(head)}", hint=f"pictures are read from {', '.join(FORMATS)}"
        )
    return image_format
