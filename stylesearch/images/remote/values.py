"""Options of fetching, and what is known of a picture behind a URL after it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stylesearch.errors import ConfigError
from stylesearch.images.remote.buckets import check_bucket
from stylesearch.images.source import without_secrets

__all__ = ["USER_AGENT", "FetchOptions", "Fetched", "NotFetched"]

USER_AGENT: Final = "stylesearch (+https://github.com/stylesearch/stylesearch)"
"""What servers are told of who asks."""


@dataclass(frozen=True, slots=True)
class FetchOptions:
    """How pictures behind URLs are fetched; times are in seconds.

    Attributes:
        n_at_once: pictures that are fetched or stored at the same time, of all hosts.
        n_per_host: the most of them that are of one host. A host begins with two, and gets one more with each
            answer.
        connect_seconds: how long to wait for a connection.
        read_seconds: how long to wait for the next bytes.
        total_seconds: how long one picture may take, with its redirects.
        n_retries: how often a picture is asked for again after a failed connection, a time-out, an answer
            that was cut off, or one of 408, 425 and 500 to 599.
        n_postponements: how often a picture is asked for again after 429, or 503 with ``Retry-After``; also
            how often in a row a host may answer so before it is given up.
        n_host_failures: how often in a row a connection to a host may fail before it is given up: all of its
            other pictures then fail at once.
        backoff_seconds: the pause before the first retry; it doubles with each.
        max_pause_seconds: the longest pause before a retry, whatever ``Retry-After`` says.
        max_bytes: larger pictures are refused.
        max_redirects: how many redirects are followed.
        max_age: how old a picture of the cache may be before its server is asked whether it has changed; 0:
            as old as this run.
        allow_private: whether private, loopback and link-local addresses may be connected to.
        buckets: buckets of object stores that may be read, or folders of them: ``s3://shop-media``. No
            others are, since they are read with this machine's credentials.
        offline: whether pictures come from the cache alone.
        http2: whether HTTP/2 is offered to servers over https.
        user_agent: the header ``User-Agent``.

    Raises:
        ConfigError: a number that makes no sense.
    """

    n_at_once: int = 32
    n_per_host: int = 16
    connect_seconds: float = 10.0
    read_seconds: float = 20.0
    total_seconds: float = 120.0
    n_retries: int = 3
    n_postponements: int = 8
    n_host_failures: int = 3
    backoff_seconds: float = 0.5
    max_pause_seconds: float = 60.0
    max_bytes: int = 50 * 2**20
    max_redirects: int = 5
    max_age: float = 86_400.0
    allow_private: bool = False
    buckets: tuple[str, ...] = ()
    offline: bool = False
    http2: bool = False
    user_agent: str = USER_AGENT

    def __post_init__(self) -> None:
        for name in ("n_at_once", "n_per_host", "n_host_failures", "max_bytes"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} has to be 1 or more. Received: {getattr(self, name)}")
        for name in ("connect_seconds", "read_seconds", "total_seconds"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} has to be more than 0. Received: {getattr(self, name)}")
        for name in (
            "n_retries",
            "n_postponements",
            "backoff_seconds",
            "max_pause_seconds",
            "max_redirects",
            "max_age",
        ):
            if not getattr(self, name) >= 0:
                raise ConfigError(f"{name} has to be 0 or more. Received: {getattr(self, name)}")
        for bucket in self.buckets:
            check_bucket(bucket)


@dataclass(frozen=True, slots=True)
class Fetched:
    """A picture behind a URL, which lies in the cache.

    Attributes:
        url: as it was given.
        path: its file.
        sha256: hexadecimal digest of its bytes.
        is_new: whether the cache had other bytes of this URL before, or none.
        unchecked: why its server could not be asked whether the picture has changed, where that was to be
            done and failed: these are the bytes that the cache had. None otherwise.
    """

    url: str
    path: Path
    sha256: str
    is_new: bool
    unchecked: str | None = None

    def __post_init__(self) -> None:
        if self.unchecked is not None:
            object.__setattr__(self, "unchecked", without_secrets(self.unchecked))


@dataclass(frozen=True, slots=True)
class NotFetched:
    """A picture behind a URL that could not be had.

    Attributes:
        url: as it was given.
        reason: why, for a person; user names and passwords of URLs are left out of it.
        is_gone: whether its server says that there is no such picture (404, 410).
    """

    url: str
    reason: str
    is_gone: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "reason", without_secrets(self.reason))
