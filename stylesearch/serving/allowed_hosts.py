"""Under which names the service is asked for: not under one that a stranger has made lead to this machine.

A page of ``evil.example`` whose name is changed to mean 127.0.0.1 while it is open may read, as its own, what
answers there (DNS rebinding). Its browser says what name it asked for, in ``Host``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from stylesearch.serving.listening import is_loopback
from stylesearch.serving.problems import Problem

__all__ = ["AllowedHosts", "names_answered"]

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
EXEMPT: Final = "/health"
"""Tells nothing, and is asked for by whatever starts and watches services, under any name."""


def names_answered(host: str, allowed: Iterable[str] = ()) -> frozenset[str] | None:
    """The names that a service answers to, or None for any.

    Args:
        host: the address that is listened on, as the socket says it (:func:`~.listening.as_bound`).
        allowed: more names; ``*`` for any.

    Example:
        >>> sorted(names_answered("127.0.0.1", ["shop.example"]))
        ['127.0.0.1', '[::1]', 'localhost', 'shop.example']
        >>> names_answered("0.0.0.0") is None
        True
    """
    given = frozenset(map(_plain, allowed))
    if "*" in given or not (given or is_loopback(host)):
        return None
    return LOOPBACK | {_plain(host)} | given


class AllowedHosts:
    """Refuses requests for other names.

    A request without ``Host`` passes: every browser sends one.

    Args:
        app: what comes next.
        names: that are answered to, in lower case, those of IPv6 in brackets.
    """

    def __init__(self, app: ASGIApp, names: frozenset[str]) -> None:
        self._app = app
        self._names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles a request."""
        if scope["type"] == "http" and scope["path"] != EXEMPT:
            asked = {
                _without_port(value.decode("latin-1")) for name, value in scope["headers"] if name == b"host"
            }
            if not asked <= self._names:
                raise Problem(
                    421,
                    "this server does not answer to the name in Host",
                    hint="whoever runs it can add the name to allowed_hosts",
                    reason="host",
                )
        await self._app(scope, receive, send)


def _without_port(host: str) -> str:
    name, colon, port = host.strip().rpartition(":")
    return _plain(name if colon and port.isdigit() and not name.endswith(":") else host.strip())


def _plain(name: str) -> str:
    """A name as it is compared."""
    if ":" in name and not name.startswith("["):
        name = f"[{name}]"
    return name.lower().removesuffix(".")
