"""HTTP/1.1 of which no two readers can think differently, on h11.

A server behind a proxy must see the same requests in a stream of bytes as the proxy does; else a client
hides a request in the body of another (request smuggling). h11 lets pass what RFC 9112 has a server refuse or
allows it to refuse: ``Content-Length`` beside ``Transfer-Encoding``, and more than one of it; headers folded
over several lines; lines that end with LF or have a CR within them, in headers and around chunks; chunks in
HTTP/1.0. All of these are refused here. h11 itself refuses signs and blanks in a length, blanks before a
colon, and codings other than ``chunked``.

It also lets headers pass that arrive in one piece, of whatever size.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any, Final

import h11

__all__ = ["MAX_HEAD", "StrictConnection"]

MAX_HEAD: Final = 65_536
"""Bytes of the first line of a request and its headers, and of the lines around the chunks of a body."""

_LONE_END: Final = re.compile(rb"(?<!\r)\n|\r(?!\n|\Z)")
_FOLD: Final = re.compile(rb"\r\n[ \t]")
_VERSIONS: Final = (b"HTTP/1.0", b"HTTP/1.1")


class StrictConnection(h11.Connection):
    """The server's side of a connection.

    Attributes:
        refusal: status and reason for which the client's last bytes were refused; those of h11 until then.
    """

    def __init__(self) -> None:
        super().__init__(h11.SERVER, MAX_HEAD)
        self.refusal = (HTTPStatus.BAD_REQUEST, "Invalid HTTP request received.")
        self._is_chunked = False
        self._before = b""  # CR, where the LF that belongs to it has not been read yet

    def next_event(self) -> Any:
        """Reads the next event as ``h11.Connection`` does.

        Raises:
            h11.RemoteProtocolError: what the client has sent is refused.
        """
        if self.their_state is h11.IDLE:
            self._check_head(self.trailing_data[0])
        reads_chunks = self._is_chunked and self.their_state is h11.SEND_BODY
        waiting = self.trailing_data[0] if reads_chunks else b""
        event = super().next_event()
        if isinstance(event, h11.Request):
            self._is_chunked = any(name == b"transfer-encoding" for name, _ in event.headers)
        elif reads_chunks:
            n_read = len(waiting) - len(self.trailing_data[0])
            n_data = len(event.data) if isinstance(event, h11.Data) else 0
            self._check_chunk_lines(self._before + waiting[: n_read - n_data])
        return event

    def _check_head(self, received: bytes) -> None:
        """Checks the next request, as far as it was received, before h11 reads it."""
        end = received.find(b"\r\n\r\n")
        head = received if end < 0 else received[:end]
        if len(head) > MAX_HEAD:
            self._refuse(
                f"more than {MAX_HEAD:,} bytes of headers", HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
            )
        if _LONE_END.search(head):
            self._refuse("a line of the headers does not end with CR and LF, or has one of these within it")
        if _FOLD.search(head):
            self._refuse("a header is folded over several lines")
        if end < 0:
            return
        first, *lines = head.split(b"\r\n")
        names = [line.partition(b":")[0].strip().lower() for line in lines]
        n_lengths, n_codings = names.count(b"content-length"), names.count(b"transfer-encoding")
        if n_lengths and n_codings:
            self._refuse("Content-Length and Transfer-Encoding together")
        if n_lengths > 1 or any(
            b"," in line for name, line in zip(names, lines, strict=True) if name == b"content-length"
        ):
            self._refuse("more than one Content-Length")
        version = first.rpartition(b" ")[2]
        if n_codings and version == b"HTTP/1.0":
            self._refuse("Transfer-Encoding in HTTP/1.0")
        if version.startswith(b"HTTP/") and version not in _VERSIONS:
            self._refuse("neither HTTP/1.0 nor HTTP/1.1", HTTPStatus.HTTP_VERSION_NOT_SUPPORTED)

    def _check_chunk_lines(self, read: bytes) -> None:
        """Checks what h11 has read around the chunks of a body."""
        if _LONE_END.search(read) or _FOLD.search(read):
            self._refuse("a line around a chunk does not end with CR and LF, or has one of these within it")
        self._before = b"\r" if read.endswith(b"\r") else b""

    def _refuse(self, detail: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> None:
        self.refusal = (status, detail)
        raise h11.RemoteProtocolError(detail, error_status_hint=status)
