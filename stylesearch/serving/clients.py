"""Which client a request comes from, also behind proxies."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from starlette.types import Scope

__all__ = ["ClientAddresses"]

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
IPV6_HOME = 64
"""Bits of an IPv6 address that one customer's connection has in common."""


class ClientAddresses:
    """Finds the address of a client.

    ``X-Forwarded-For`` is read from its end, where the nearest proxy wrote, and only for as long as whoever
    wrote it is trusted: a client can put anything at its beginning.

    Args:
        trusted_proxies: addresses or networks.
    """

    def __init__(self, trusted_proxies: Sequence[str] = ()) -> None:
        self._trusted = [ipaddress.ip_network(network, strict=False) for network in trusted_proxies]

    def of(self, scope: Scope) -> str:
        """The address as text; ``local`` where there is none, as over a Unix socket."""
        client = scope.get("client")
        address = _parsed(client[0]) if client else None
        if address is None:
            return "local"
        for hop in reversed(_forwarded(scope)):
            if not self._trusts(address):
                break
            parsed = _parsed(hop)
            if parsed is None:
                break
            address = parsed
        return str(address)

    def household(self, scope: Scope) -> str:
        """The address, or of an IPv6 address the network that one customer has: what a limit is for."""
        text = self.of(scope)
        address = _parsed(text)
        if isinstance(address, ipaddress.IPv6Address):
            return str(ipaddress.ip_network((address, IPV6_HOME), strict=False))
        return text

    def _trusts(self, address: Address) -> bool:
        return any(address.version == network.version and address in network for network in self._trusted)


def _forwarded(scope: Scope) -> list[str]:
    values = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
    return [hop.strip() for hop in b",".join(values).decode("latin-1").split(",") if hop.strip()]


def _parsed(text: str) -> Address | None:
    """An address, without its port or scope; one of IPv4 in IPv6 clothes as what it is."""
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
