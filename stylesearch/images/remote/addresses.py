"""Which addresses of the network may be connected to.

Whoever writes a product feed chooses the URLs that this machine asks for. Without a check, such a URL could
read what only this machine can reach: its own services, the shop's internal network, the credentials that a
cloud hands to its machines.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["Address", "AddressRefused", "describe_refusal", "resolve"]

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64: Final = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))
_REFUSED: Final = {
    ipaddress.ip_network("100.64.0.0/10"): "an address inside a provider's network",
    ipaddress.ip_network("168.63.129.16/32"): "the metadata service of a cloud",
    ipaddress.ip_network("192.0.0.0/24"): "a reserved address",
    ipaddress.ip_network("192.88.99.0/24"): "a reserved address",
    ipaddress.ip_network("fec0::/10"): "a private address",
    ipaddress.ip_network("64:ff9b:1::/48"): "a private address",
    ipaddress.ip_network("5f00::/16"): "a reserved address",
    ipaddress.ip_network("3fff::/20"): "a reserved address",
}
"""What ``ipaddress`` calls global, at least in some versions of Python."""


class AddressRefused(Exception):
    """A host that leads to an address that may not be connected to; the message says which, and why."""


@dataclass(frozen=True, slots=True)
class Address:
    """An address to connect to, as ``socket`` takes it."""

    family: int
    sockaddr: tuple[Any, ...]


def describe_refusal(address: str) -> str | None:
    """Says what an IP address is if it may not be connected to; None if it may.

    IPv4 addresses inside IPv6 addresses (mapped, compatible, 6to4, Teredo, NAT64) are looked at too.

    Example:
        >>> describe_refusal("::ffff:127.0.0.1")
        'a loopback address'
        >>> describe_refusal("93.184.215.14") is None
        True
    """
    given = ipaddress.ip_address(address)
    return next((reason for one in _addresses_in(given) if (reason := _refusal_of(one))), None)


def _addresses_in(address: IPAddress) -> Iterator[IPAddress]:
    """Lists the IPv4 addresses inside an address, then itself."""
    if isinstance(address, ipaddress.IPv6Address):
        number = int(address)
        if address.ipv4_mapped is not None:
            yield address.ipv4_mapped
            return  # Python has different opinions of the rest in different versions
        if address.sixtofour is not None:
            yield address.sixtofour
        if address.teredo is not None:
            yield from address.teredo
        if any(address in network for network in _NAT64) or 1 < number < 2**32:
            yield ipaddress.IPv4Address(number & 0xFFFFFFFF)
    yield address


def _refusal_of(address: IPAddress) -> str | None:
    if address.is_unspecified:
        return "the address of no machine"
    if address.is_loopback:
        return "a loopback address"
    if address.is_link_local:
        return "a link-local address"
    if address.is_multicast:
        return "a multicast address"
    for network, reason in _REFUSED.items():
        if address.version == network.version and address in network:
            return reason
    if address.is_private:
        return "a private address"
    if address.is_reserved and not any(address in network for network in _NAT64):
        return "a reserved address"
    return None


def resolve(host: str, port: int, *, allow_private: bool) -> list[Address]:
    """Resolves a host to the addresses to connect to, in the order in which to try them.

    Connect to these and do not resolve the host again: the next answer may be another one.

    Raises:
        AddressRefused: one of its addresses may not be connected to, even if others may.
        OSError: there is no such host, or the resolver does not answer.
    """
    try:
        answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    except UnicodeError:
        raise OSError(f"{host!r} is not the name of a host") from None
    for _, _, _, _, sockaddr in answers:
        reason = None if allow_private else describe_refusal(str(sockaddr[0]))
        if reason is not None:
            where = host if host == sockaddr[0] else f"{host} leads to {sockaddr[0]}, which"
            raise AddressRefused(
                f"{where} is {reason}; such hosts are refused (--allow-private-hosts lets them in)"
            )
    return [Address(family, tuple(sockaddr)) for family, _, _, _, sockaddr in answers]
