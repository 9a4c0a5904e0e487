"""The address that is really listened on, whatever name or spelling it was given by."""

from __future__ import annotations

import dataclasses
import ipaddress

from stylesearch.serving.settings import ServiceSettings

__all__ = ["as_bound", "is_loopback"]


def is_loopback(address: str) -> bool:
    """Whether an address is reached from this machine only.

    Of names only ``localhost`` is known; what another one means is seen from the socket that is bound to it.

    Example:
        >>> [is_loopback(one) for one in ("127.0.0.5", "::1", "::ffff:127.0.0.1", "0.0.0.0")]
        [True, True, True, False]
    """
    try:
        parsed = ipaddress.ip_address(address.strip("[]"))
    except ValueError:
        return address.lower() == "localhost"
    mapped = getattr(parsed, "ipv4_mapped", None)  # Python before 3.13 does not look into these
    return (mapped or parsed).is_loopback


def as_bound(service: ServiceSettings, address: str) -> ServiceSettings:
    """Settings of a service that listens, with the address in place of the name or the spelling for it.

    ``127.1`` is 127.0.0.1, and so may be any name in ``/etc/hosts``: what is to be answered on loopback only
    is decided by the address. The name itself is answered to as before.

    Args:
        service: the settings as they were given.
        address: of the bound socket.
    """
    names = service.allowed_hosts
    # With no names at all, an address that others reach answers to any: that is not to change here.
    if service.host not in ("", address) and (names or is_loopback(address)):
        names = (*names, service.host)
    return dataclasses.replace(service, host=address, allowed_hosts=names)
