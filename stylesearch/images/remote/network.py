"""Connections to checked addresses, for the connection pool of HTTPX (``httpcore``).

It resolves hosts itself and connects to the addresses that it has checked, so a DNS server that answers
differently the next time changes nothing. TLS verifies the host's name as always. Each thread has a deadline
beside the time-outs of single reads, and all connections can be cut from another thread.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
import time
import weakref
from collections.abc import Iterable, Iterator
from typing import Any, Final

import httpcore

from stylesearch.images.remote.addresses import Address, resolve

__all__ = ["CheckedNetwork", "CheckedStream"]

TOO_LONG: Final = "it took too long"
_LONGEST_HEADERS: Final = 2**17


class CheckedNetwork(httpcore.NetworkBackend):
    """Connects to hosts whose addresses are all allowed.

    Args:
        allow_private: whether private, loopback and link-local addresses are allowed.
    """

    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private
        self._deadline = threading.local()
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._lock = threading.Lock()
        self._is_cut = False

    @contextlib.contextmanager
    def deadline(self, seconds: float) -> Iterator[None]:
        """Limits the time of everything that this thread reads, writes and connects to in a block."""
        self._deadline.at = time.monotonic() + seconds
        try:
            yield
        finally:
            self._deadline.at = None

    def cut(self) -> None:
        """Ends all connections; threads that wait for one get an error at once."""
        with self._lock:
            self._is_cut = True
            sockets = list(self._sockets)
        for one in sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def remaining(self, timeout: float | None) -> float | None:
        """Returns the seconds that a step may take: the time-out, or what is left until the deadline.

        Raises:
            httpcore.ReadTimeout: nothing is left.
        """
        at = getattr(self._deadline, "at", None)
        if at is None:
            return timeout
        left = at - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout(TOO_LONG)
        return float(left if timeout is None else min(left, timeout))

    def explain_timeout(self, reason: str) -> str:
        """Says why a step timed out: for ``reason``, unless it ended at the deadline."""
        at = getattr(self._deadline, "at", None)
        return reason if at is None or time.monotonic() < at else TOO_LONG

    def keep(self, one: socket.socket) -> None:
        """Remembers a socket, to be cut."""
        with self._lock:
            self._sockets.add(one)
            if self._is_cut:
                raise httpcore.ConnectError("the fetching was stopped")

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        try:
            addresses = resolve(host, port, allow_private=self._allow_private)
        except OSError as error:
            raise httpcore.ConnectError(f"no address of {host} was found: {_text_of(error)}") from error
        ends = time.monotonic() + (self.remaining(timeout) or 60.0)
        last: Exception = httpcore.ConnectError(f"{host} has no address")
        for n_left, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
            share = max(0.01, (ends - time.monotonic()) / n_left)
            try:
                return CheckedStream(self._connect(address, share), self)
            except TimeoutError:
                last = httpcore.ConnectTimeout(f"{host} did not answer")
            except OSError as error:
                last = httpcore.ConnectError(f"no connection to {host}: {_text_of(error)}")
        raise last

    def _connect(self, address: Address, timeout: float) -> socket.socket:
        one = socket.socket(address.family, socket.SOCK_STREAM)
        try:
            self.keep(one)
            one.settimeout(timeout)
            one.connect(address.sockaddr)
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except BaseException:
            one.close()
            raise
        return one


class CheckedStream(httpcore.NetworkStream):
    """A connection that counts what comes after the headers of an answer (HTTP/1.1)."""

    def __init__(self, connected: socket.socket, network: CheckedNetwork) -> None:
        self._socket = connected
        self._network = network
        self._timeout: float | None = -1.0
        self._headers: bytes | None = b""
        self._n_after_headers = 0

    @property
    def n_after_headers(self) -> int:
        """Bytes that have come after the headers of the last answer, with those that wait to be read."""
        n = self._n_after_headers
        with contextlib.suppress(OSError, ValueError):  # closed
            if isinstance(self._socket, ssl.SSLSocket):
                return n + self._socket.pending()
            if self._is_readable():
                n += len(self._socket.recv(1, socket.MSG_PEEK))
        return n

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        try:
            self._limit(timeout)
            data = self._socket.recv(max_bytes)
        except TimeoutError as error:
            raise httpcore.ReadTimeout(self._network.explain_timeout("the answer stopped")) from error
        except (OSError, ValueError) as error:
            raise httpcore.ReadError(f"the connection broke: {_text_of(error)}") from error
        self._count(data)
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._headers, self._n_after_headers = b"", 0
        try:
            self._limit(timeout)
            self._socket.sendall(buffer)
        except TimeoutError as error:
            raise httpcore.WriteTimeout(self._network.explain_timeout("the request was not taken")) from error
        except (OSError, ValueError) as error:
            raise httpcore.WriteError(f"the connection broke: {_text_of(error)}") from error

    def close(self) -> None:
        self._socket.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        try:
            self._socket.settimeout(self._network.remaining(timeout))
            wrapped = ssl_context.wrap_socket(self._socket, server_hostname=server_hostname)
            self._network.keep(wrapped)
        except ssl.SSLCertVerificationError as error:
            self.close()
            raise httpcore.ConnectError(f"no trusted certificate: {error.verify_message}") from error
        except TimeoutError as error:
            self.close()
            raise httpcore.ConnectTimeout(f"{server_hostname} did not answer") from error
        except (OSError, ValueError) as error:
            self.close()
            raise httpcore.ConnectError(f"no connection over TLS: {_text_of(error)}") from error
        except BaseException:
            self.close()
            raise
        return CheckedStream(wrapped, self._network)

    def get_extra_info(self, info: str) -> Any:
        if info == "ssl_object":
            return self._socket if isinstance(self._socket, ssl.SSLSocket) else None
        if info == "socket":
            return self._socket
        if info == "client_addr":
            return self._socket.getsockname()
        if info == "server_addr":
            return self._socket.getpeername()
        if info == "is_readable":
            return self._is_readable()
        return None

    def _is_readable(self) -> bool:
        """Whether something waits to be read, or the connection has ended."""
        try:
            if not hasattr(select, "poll"):
                return bool(select.select([self._socket], [], [], 0)[0])
            poller = select.poll()
            poller.register(self._socket, select.POLLIN)
            return bool(poller.poll(0))
        except (OSError, ValueError):  # closed
            return True

    def _limit(self, timeout: float | None) -> None:
        """Sets how long the next step may take; only where that changes, since it is a call of the system."""
        timeout = self._network.remaining(timeout)
        if timeout != self._timeout:
            self._socket.settimeout(timeout)
            self._timeout = timeout

    def _count(self, data: bytes) -> None:
        """Finds the end of the headers, past answers that are only provisional (1xx)."""
        if self._headers is None:
            self._n_after_headers += len(data)
            return
        self._headers += data
        while (end := self._headers.find(b"\r\n\r\n")) >= 0:
            first, self._headers = self._headers[:end], self._headers[end + 4 :]
            if first.split(b" ", 2)[1:2] and not first.split(b" ", 2)[1].startswith(b"1"):
                self._n_after_headers = len(self._headers)
                self._headers = None
                return
        if len(self._headers) > _LONGEST_HEADERS:
            self._headers = None


def _text_of(error: Exception) -> str:
    """What the system says of an error, without its number."""
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).lower()
