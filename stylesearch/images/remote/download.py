"""Fetches one picture over HTTP: conditions, redirects, limits and checks of the answer."""

from __future__ import annotations

import base64
import collections
import contextlib
import datetime
import email.utils
import itertools
import re
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Final

import httpcore
import httpx

from stylesearch.errors import NotAnImage
from stylesearch.images.remote.addresses import AddressRefused
from stylesearch.images.remote.hosts import Job, Retry, RetryKind
from stylesearch.images.remote.network import CheckedNetwork, CheckedStream
from stylesearch.images.remote.values import Fetched, FetchOptions, NotFetched
from stylesearch.images.source import without_secrets

if TYPE_CHECKING:
    from stylesearch.images.remote.cache import PictureCache

__all__ = ["Downloader"]

ACCEPT: Final = b"image/jpeg,image/png;q=0.9,image/webp;q=0.9,image/*;q=0.8,*/*;q=0.5"
REDIRECTS: Final = {301, 302, 303, 307, 308}
TRANSIENT: Final = {408, 425}
GONE: Final = {404, 410}
_HOST: Final = re.compile(rb"[A-Za-z0-9._-]+")
_BLOCK: Final = 2**16
_ZLIB_BITS: Final = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}


class _Refused(Exception):
    """An answer that will not become better."""

    def __init__(self, reason: str, *, is_gone: bool = False) -> None:
        super().__init__(reason)
        self.is_gone = is_gone


class _NotNow(Exception):
    """An answer that may become better."""

    def __init__(self, reason: str, kind: RetryKind, seconds: float | None = None) -> None:
        super().__init__(reason)
        self.retry = Retry(reason, kind, seconds)


class Downloader:
    """Fetches pictures into a cache, for any number of threads.

    HTTPX itself has no place where the address that is connected to could be checked, so its connection pool
    is used directly. Proxies of the environment are not: a proxy would be the one to connect.

    Args:
        cache: where pictures are stored.
        options: limits, time-outs and headers.
        when_received: called when all bytes of a job have come, and only have to be stored.
    """

    def __init__(
        self, cache: PictureCache, options: FetchOptions, when_received: Callable[[Job], None]
    ) -> None:
        self._cache = cache
        self._options = options
        self._when_received = when_received
        self._network = CheckedNetwork(allow_private=options.allow_private)
        self._ssl_context = httpx.create_ssl_context()
        self._shared = self._new_pool(options.n_at_once) if options.http2 else None
        self._free: collections.OrderedDict[str, list[httpcore.ConnectionPool]] = collections.OrderedDict()
        self._n_free = 0
        self._used: dict[str, httpcore.ConnectionPool] = {}
        self._lock = threading.Lock()
        self._timeouts = {
            "connect": options.connect_seconds,
            "read": options.read_seconds,
            "write": options.read_seconds,
        }

    def cut(self) -> None:
        """Ends all connections, so that threads that wait for one go on."""
        self._network.cut()

    def close(self) -> None:
        """Closes the connections, once no thread uses them."""
        pools = [*itertools.chain.from_iterable(self._free.values()), *self._used.values()]
        for pool in [*pools, *([self._shared] if self._shared else [])]:
            with contextlib.suppress(httpcore.NetworkError):
                pool.close()

    def _new_pool(self, n_connections: int) -> httpcore.ConnectionPool:
        return httpcore.ConnectionPool(
            ssl_context=self._ssl_context,
            max_connections=n_connections,
            max_keepalive_connections=n_connections,
            keepalive_expiry=15.0,
            http2=self._options.http2,
            network_backend=self._network,
        )

    def _take_pool(self, job: Job) -> httpcore.ConnectionPool:
        """Takes a pool for one job: one that has a connection to its host, if there is one.

        With one pool for all, each request would look at all pairs of connections, which takes longer than
        everything else. HTTP/2 needs one for all.
        """
        if self._shared is not None:
            return self._shared
        with self._lock:
            if free := self._free.get(job.host):
                pool = free.pop()
                self._n_free -= 1
            else:
                pool = self._new_pool(2)
            self._used[job.url] = pool
        return pool

    def _give_back(self, job: Job) -> None:
        """Lets the next job have the pool of a job that needs it no longer."""
        too_many: list[httpcore.ConnectionPool] = []
        with self._lock:
            pool = self._used.pop(job.url, None)
            if pool is None:
                return
            self._free.setdefault(job.host, []).append(pool)
            self._free.move_to_end(job.host)
            self._n_free += 1
            while self._n_free > 2 * self._options.n_at_once:
                _, oldest = self._free.popitem(last=False)
                self._n_free -= len(oldest)
                too_many += oldest
        for one in too_many:
            with contextlib.suppress(httpcore.NetworkError):
                one.close()

    def fetch(self, job: Job) -> Fetched | NotFetched | Retry:
        """Fetches the picture of a job, or learns from its server that it has not changed.

        Raises:
            OSError: the picture cannot be stored.
        """
        try:
            with self._network.deadline(self._options.total_seconds):
                return self._follow(job)
        except _Refused as error:
            if error.is_gone:
                self._cache.forget(job.url)
            return NotFetched(job.url, str(error), error.is_gone)
        except _NotNow as error:
            return error.retry
        except NotAnImage as error:
            return NotFetched(job.url, f"not a picture: {error}")
        except (AddressRefused, httpcore.UnsupportedProtocol, httpcore.LocalProtocolError) as error:
            return NotFetched(job.url, str(error))
        except httpcore.ConnectError as error:
            return Retry(str(error), RetryKind.CONNECTION)
        except httpcore.TimeoutException as error:
            return Retry(str(error) or "the server did not answer in time", RetryKind.CONNECTION)
        except (httpcore.NetworkError, httpcore.ProtocolError) as error:
            return Retry(f"the answer was cut off ({error})", RetryKind.ANSWER)
        finally:
            self._give_back(job)

    def _follow(self, job: Job) -> Fetched:
        """Asks for a picture, and goes where redirects lead."""
        url = _parse(job.url)
        credentials = (_origin(url), _authorization(url)) if url.userinfo else None
        visited: set[str] = set()
        pool = self._take_pool(job)
        for _ in range(self._options.max_redirects + 1):
            visited.add(str(url))
            sent = credentials[1] if credentials and credentials[0] == _origin(url) else None
            with pool.stream(
                "GET",
                httpcore.URL(
                    scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path or b"/"
                ),
                headers=self._headers(job, sent),
                extensions={"timeout": self._timeouts},
            ) as response:
                if response.status not in REDIRECTS:
                    return self._receive(job, response)
                location = _header(response, b"location")
                for n, _ in enumerate(response.iter_stream()):
                    if n:  # long: the connection is closed rather than read to its end
                        break
            if location is None:
                raise _Refused(f"the server answered {response.status} without saying where to go")
            url = _parse(location, url)
            if str(url) in visited:
                raise _Refused(f"redirects lead in a circle, over {_describe(url)}")
        raise _Refused(f"more than {self._options.max_redirects} redirects, the last to {_describe(url)}")

    def _headers(self, job: Job, authorization: bytes | None) -> list[tuple[bytes, bytes]]:
        headers = [
            (b"Accept", ACCEPT),
            (b"Accept-Encoding", b"identity"),
            (b"User-Agent", self._options.user_agent.encode("latin-1", "replace")),
        ]
        if authorization is not None:
            headers.append((b"Authorization", authorization))
        if job.cached is not None:
            if job.cached.etag:
                headers.append((b"If-None-Match", job.cached.etag.encode("latin-1")))
            if job.cached.last_modified:
                headers.append((b"If-Modified-Since", job.cached.last_modified.encode("latin-1")))
        return headers

    def _receive(self, job: Job, response: httpcore.Response) -> Fetched:
        """Stores the picture of an answer that is no redirect."""
        status = response.status
        if status == 304 and job.cached is not None:
            self._cache.touch(job.url)
            return Fetched(job.url, job.cached.path, job.cached.sha256, is_new=False)
        if status in GONE:
            raise _Refused(f"the server has no such picture (it answered {status})", is_gone=True)
        seconds = _retry_after(_header(response, b"retry-after"))
        if status == 429 or (status == 503 and seconds is not None):
            raise _NotNow(f"the server asks to come back later ({status})", RetryKind.LATER, seconds)
        if status in TRANSIENT or 500 <= status < 600:
            raise _NotNow(f"the server answered {status}", RetryKind.ANSWER, seconds)
        if status != 200:
            raise _Refused(f"the server answered {status}")
        picture = self._cache.store(
            job.url,
            self._pieces(job, response),
            etag=_header(response, b"etag"),
            last_modified=_header(response, b"last-modified"),
        )
        is_new = job.cached is None or job.cached.sha256 != picture.sha256
        return Fetched(job.url, picture.path, picture.sha256, is_new)

    def _pieces(self, job: Job, response: httpcore.Response) -> Iterator[bytes]:
        """Reads the bytes of a picture in pieces; bytes, length and encoding are checked."""
        limit = self._options.max_bytes
        announced = _header(response, b"content-length")
        n_announced = int(announced) if announced is not None and announced.isdecimal() else None
        if n_announced is not None and n_announced > limit:
            raise _Refused(f"it has {n_announced:,} bytes; {limit:,} are the limit")
        n_bytes = 0
        for piece in _decode(response.iter_stream(), _header(response, b"content-encoding")):
            n_bytes += len(piece)
            if n_bytes > limit:
                raise _Refused(f"it has more than {limit:,} bytes")
            yield piece
        stream = response.extensions.get("network_stream")
        if (
            n_announced is not None
            and isinstance(stream, CheckedStream)
            and response.extensions.get("http_version") == b"HTTP/1.1"
            and stream.n_after_headers > n_announced
        ):
            stream.close()  # or the rest would be taken for the answer to the next request
            raise _NotNow(
                f"the server sent more than the {n_announced:,} bytes it announced", RetryKind.ANSWER
            )
        response.close()  # the connection is free while the picture is stored
        self._give_back(job)
        self._when_received(job)


def _decode(pieces: Iterable[bytes], encoding: str | None) -> Iterator[bytes]:
    """Undoes a compression that was not asked for; no piece is large, however well it was compressed."""
    name = (encoding or "identity").strip().lower()
    if name == "identity":
        yield from pieces
        return
    if name not in _ZLIB_BITS:
        raise _Refused(f"the server compressed it as {name!r} without being asked to")
    decoder = zlib.decompressobj(_ZLIB_BITS[name])
    try:
        for piece in pieces:
            rest = piece
            while rest and not decoder.eof:
                yield decoder.decompress(rest, _BLOCK)
                rest = decoder.unconsumed_tail
        while data := decoder.decompress(decoder.unconsumed_tail, _BLOCK):
            yield data
    except zlib.error as error:
        raise _Refused(f"it is not compressed as the server says, {name}") from error
    if not decoder.eof:
        raise _NotNow("the answer was cut off", RetryKind.ANSWER)


def _parse(url: str, base: httpx.URL | None = None) -> httpx.URL:
    """Parses a URL, of a redirect relative to the one that sent there."""
    try:
        parsed = httpx.URL(url) if base is None else base.join(url)
    except (httpx.InvalidURL, ValueError) as error:
        raise _Refused(f"not a valid URL: {error}") from None
    if base is not None:
        parsed = parsed.copy_with(userinfo=b"", fragment=None)
    if parsed.scheme not in ("http", "https"):
        where = "" if base is None else "a redirect leads to "
        raise _Refused(f"{where}{parsed.scheme or 'no scheme'}: only http and https are fetched")
    if not parsed.host:
        raise _Refused("a URL without a host")
    if not (_HOST.fullmatch(parsed.raw_host) or ":" in parsed.host) or not 0 < (parsed.port or 80) < 2**16:
        raise _Refused(f"not a valid URL: no host is called {parsed.netloc.decode()!r}")
    return parsed


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _authorization(url: httpx.URL) -> bytes:
    return b"Basic " + base64.b64encode(f"{url.username}:{url.password}".encode())


def _describe(url: httpx.URL) -> str:
    """A URL for a message, of limited length."""
    text = without_secrets(str(url))
    return text if len(text) <= 200 else f"{text[:200]}..."


def _header(response: httpcore.Response, name: bytes) -> str | None:
    """The first value of a header, by its name in lower case."""
    return next((value.decode("latin-1") for key, value in response.headers if key.lower() == name), None)


def _retry_after(value: str | None) -> float | None:
    """Reads the header ``Retry-After``: seconds, or a date. None where it says nothing."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    return max(0.0, moment.timestamp() - time.time())
