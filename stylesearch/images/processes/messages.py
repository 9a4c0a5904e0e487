"""Messages between this process and its decoders: JSON over a socket that keeps their borders.

Never pickled: a decoder that a picture has taken over must not be able to run code in this process.
"""

from __future__ import annotations

import json
import os
import socket
from typing import Any, Final

__all__ = ["Closed", "read_shared", "receive", "send", "write_shared"]

_MAX_MESSAGE: Final = 65_536
_MAX_TEXT: Final = 10_000


class Closed(Exception):
    """The other process has ended, or sends what is no message."""


def send(connection: socket.socket, message: dict[str, Any]) -> None:
    """Sends a message.

    Raises:
        Closed: the other process has ended.
    """
    shortened = {
        key: value[:_MAX_TEXT] if isinstance(value, str) else value for key, value in message.items()
    }
    try:
        connection.sendall(json.dumps(shortened).encode())
    except OSError as error:
        raise Closed from error


def receive(connection: socket.socket, timeout: float | None = None) -> dict[str, Any]:
    """Waits for the next message.

    Raises:
        TimeoutError: none came within ``timeout`` seconds.
        Closed: the other process has ended.
    """
    connection.settimeout(timeout)
    try:
        data = connection.recv(_MAX_MESSAGE)
    except TimeoutError:
        raise
    except OSError as error:
        raise Closed from error
    finally:
        connection.settimeout(None)
    try:
        message = json.loads(data)
    except ValueError as error:
        raise Closed from error
    if not isinstance(message, dict):
        raise Closed
    return message


def write_shared(file: int, data: bytes | memoryview, offset: int = 0) -> None:
    """Writes bytes to a shared file at an offset."""
    rest = memoryview(data)
    while rest:
        written = os.pwrite(file, rest, offset)
        rest, offset = rest[written:], offset + written


def read_shared(file: int, n_bytes: int, offset: int = 0) -> bytes:
    """Reads bytes of a shared file from an offset.

    Raises:
        Closed: it has fewer.
    """
    first = os.pread(file, n_bytes, offset)  # all of it, up to 2 GB
    if len(first) == n_bytes:
        return first
    pieces, n_read = [first], len(first)
    while n_read < n_bytes:
        piece = os.pread(file, n_bytes - n_read, offset + n_read)
        if not piece:
            raise Closed
        pieces.append(piece)
        n_read += len(piece)
    return b"".join(pieces)
