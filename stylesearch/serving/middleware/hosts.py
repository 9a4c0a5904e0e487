"""Addresses and host names: finds a client's address, and refuses requests for other host names.

A service on loopback answers only to names of loopback. Otherwise a page of ``evil.example`` could change its
name's address to 127.0.0.1 while it is open, and read responses from there as its own (DNS rebinding); the
browser sends the name in ``Host``. Starlette's TrustedHostMiddleware would refuse a request without ``Host``,
and ``/health`` under another name, and answers 400 in plain text, where this answers 421 as a problem.
"""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Iterable, Sequence
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from stylesearch.serving.problems import Problem
from stylesearch.serving.settings import ServiceSettings

__all__ = [
    "AllowedHosts",
    "ClientAddresses",
    "as_bound",
    "is_loopback",
    "names_answered",
]

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

IPV6_NETWORK: Final = 64
"""Bits of an IPv6 address that one customer's connection has in common."""

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
EXEMPT: Final = "/health"
"""Tells nothing, and is asked for by whatever starts and watches services, under any name."""


class ClientAddresses:
    """Finds the address of a client, also behind proxies.

    ``X-Forwarded-For`` is read from its end, which the nearest proxy wrote, and only as far as each writer is
    trusted: a client can write anything at its beginning.

    Args:
        trusted_proxies: addresses or networks of trusted proxies.
    """

    def __init__(self, trusted_proxies: Sequence[str] = ()) -> None:
        self._trusted = [ipaddress.ip_network(network, strict=False) for network in trusted_proxies]

    def of(self, scope: Scope) -> str:
        """Returns the address as text; ``local`` where there is none, as on a Unix socket."""
        client = scope.get("client")
        address = _parse_address(client[0]) if client else None
        if address is None:
            return "local"
        for hop in reversed(_forwarded_addresses(scope)):
            if not self._trusts(address):
                break
            parsed = _parse_address(hop)
            if parsed is None:
                break
            address = parsed
        return str(address)

    def household(self, scope: Scope) -> str:
        """Returns the address, or for IPv6 the network of one customer, to which limits apply."""
        text = self.of(scope)
        address = _parse_address(text)
        if isinstance(address, ipaddress.IPv6Address):
            return str(ipaddress.ip_network((address, IPV6_NETWORK), strict=False))
        return text

    def _trusts(self, address: Address) -> bool:
        return any(address.version == network.version and address in network for network in self._trusted)


def _forwarded_addresses(scope: Scope) -> list[str]:
    values = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
    return [hop.strip() for hop in b",".join(values).decode("latin-1").split(",") if hop.strip()]


def _parse_address(text: str) -> Address | None:
    """Parses an address without its port or scope; an IPv4 address mapped to IPv6 becomes IPv4."""
    bare = text.strip()
    if bare.startswith("["):
        bare = bare[1:].partition("]")[0]
    elif bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        address = ipaddress.ip_address(bare.partition("%")[0])
    except ValueError:
        return None
    return (getattr(address, "ipv4_mapped", None) or address) if address.version == 6 else address


def is_loopback(address: str) -> bool:
    """Whether an address is reached from this machine only.

    Of names only ``localhost`` is known; the address of any other is known from its bound socket.

    Example:
        >>> [is_loopback(one) for one in ("127.0.0.5", "::1", "::ffff:127.0.0.1", "0.0.0.0")]
        [True, True, True, False]
    """
    try:
        parsed = ipaddress.ip_address(address.strip("[]"))
    except ValueError:
        return address.lower() == "localhost"
    mapped = getattr(parsed, "ipv4_mapped", None)  # Python before 3.13 does not check mapped addresses
    return (mapped or parsed).is_loopback


def as_bound(service: ServiceSettings, address: str) -> ServiceSettings:
    """Copies the settings of a listening service, with the bound address in place of its name.

    ``127.1`` is 127.0.0.1, and so may be any name in ``/etc/hosts``: whether the service is on loopback is
    decided by the address. The service still answers to the name.

    Args:
        service: the settings as given.
        address: address of the bound socket.
    """
    names = service.allowed_hosts
    # Without any names, a public address answers to all names: adding one would change that.
    if service.host not in ("", address) and (names or is_loopback(address)):
        names = (*names, service.host)
    return dataclasses.replace(service, host=address, allowed_hosts=names)


def names_answered(host: str, allowed: Iterable[str] = ()) -> frozenset[str] | None:
    """Lists the names that a service answers to; None for any.

    Args:
        host: the bound address (``as_bound``).
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
    """ASGI middleware: refuses requests for other names.

    A request without ``Host`` passes: every browser sends one.

    Args:
        app: the next application.
        names: allowed names, in lower case, IPv6 addresses in brackets.
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
    """Normalises a name for comparison."""
    if ":" in name and not name.startswith("["):
        name = f"[{name}]"
    return name.lower().removesuffix(".")
