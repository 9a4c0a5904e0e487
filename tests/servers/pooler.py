"""A small pooler before a server of PostgreSQL, which stands for PgBouncer in its two modes."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from types import TracebackType
from typing import Self

__all__ = ["Pooler"]

PROCESS = 7
"""Number that clients are told as that of their server's process, as PgBouncer makes one up."""

Message = tuple[bytes, bytes]


class Pooler:
    """Passes on what clients send, on a port of its own.

    Args:
        host, port: the server.
        keeps_sessions: whether a client keeps its session to the end (``pool_mode = session``); if not, it
            has one for a transaction (``transaction``): the next may run in a session that others had.
    """

    def __init__(self, host: str, port: int, *, keeps_sessions: bool) -> None:
        self._server = (host, port)
        self._keeps_sessions = keeps_sessions
        self._idle: list[socket.socket] = []
        self._greeting: list[Message] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._open: list[socket.socket] = []

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for one in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._open.append(client)
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError, EOFError):
            startup = _read_startup(client)
            server: socket.socket | None = None
            status = b"I"
            if self._idle:
                for message in self._greeting:
                    _send(client, message)
            else:
                server = self._log_in(client, startup)
            while True:
                server = self._release(server, status)
                message = _read(client)
                if message[0] == b"X":
                    return
                server = server or self._idle.pop()
                _send(server, message)
                while message[0] not in (b"Q", b"S"):
                    message = _read(client)
                    _send(server, message)
                status = _pass_answers(server, client)

    def _release(self, server: socket.socket | None, status: bytes) -> socket.socket | None:
        """Gives a session back that is outside a transaction; the last one that was given back is next."""
        if server is None or self._keeps_sessions or status != b"I":
            return server
        self._idle.append(server)
        return None

    def _log_in(self, client: socket.socket, startup: bytes) -> socket.socket:
        """Has a client log in at the server, and keeps what that answers for the clients after it."""
        server = socket.create_connection(self._server)
        self._open.append(server)
        server.sendall(startup)
        self._greeting = []
        while True:
            message = _read(server)
            if message[0] == b"K":
                message = (b"K", struct.pack("!ii", PROCESS, 1))
            is_done = message[0] != b"R" or message[1] == bytes(4)
            asks = not is_done and message[1][:4] != struct.pack("!i", 12)  # the last of SCRAM asks nothing
            if is_done:
                self._greeting.append(message)
            _send(client, message)
            if message[0] == b"Z":
                return server
            if message[0] == b"E":
                raise EOFError
            if asks:
                _send(server, _read(client))


def _pass_answers(server: socket.socket, client: socket.socket) -> bytes:
    """Passes on answers to the last one, and returns whether a transaction is open after it."""
    while True:
        message = _read(server)
        _send(client, message)
        if message[0] == b"Z":
            return message[1]


def _read_startup(client: socket.socket) -> bytes:
    head = _exactly(client, 4)
    return head + _exactly(client, struct.unpack("!i", head)[0] - 4)


def _read(one: socket.socket) -> Message:
    kind = _exactly(one, 1)
    (length,) = struct.unpack("!i", _exactly(one, 4))
    return kind, _exactly(one, length - 4)


def _send(one: socket.socket, message: Message) -> None:
    kind, body = message
    one.sendall(kind + struct.pack("!i", len(body) + 4) + body)


def _exactly(one: socket.socket, n_bytes: int) -> bytes:
    found = b""
    while len(found) < n_bytes:
        some = one.recv(n_bytes - len(found))
        if not some:
            raise EOFError
        found += some
    return found
