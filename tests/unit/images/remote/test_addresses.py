from __future__ import annotations

import socket
from typing import Any

import pytest

from stylesearch.images.remote.addresses import AddressRefused, describe_refusal, resolve


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("127.0.0.1", "a loopback address"),
        ("127.9.9.9", "a loopback address"),
        ("::1", "a loopback address"),
        ("10.1.2.3", "a private address"),
        ("172.16.0.1", "a private address"),
        ("192.168.178.1", "a private address"),
        ("fd00:ec2::254", "a private address"),
        ("fec0::1", "a private address"),
        ("169.254.169.254", "a link-local address"),
        ("fe80::1", "a link-local address"),
        ("fe80::1%eth0", "a link-local address"),
        ("100.100.100.200", "an address inside a provider's network"),
        ("168.63.129.16", "the metadata service of a cloud"),
        ("192.0.0.192", "a reserved address"),
        ("224.0.0.1", "a multicast address"),
        ("233.252.0.9", "a multicast address"),
        ("ff02::1", "a multicast address"),
        ("0.0.0.0", "the address of no machine"),
        ("::", "the address of no machine"),
        ("0.1.2.3", "a private address"),
        ("240.0.0.1", "a private address"),
        ("255.255.255.255", "a private address"),
        ("198.18.0.1", "a private address"),
        ("2001:db8::1", "a private address"),
    ],
)
def test_addresses_that_are_not_of_the_public_network_are_refused(address: str, reason: str) -> None:
    assert describe_refusal(address) == reason


@pytest.mark.parametrize(
    "address",
    [
        "::ffff:127.0.0.1",  # mapped
        "::127.0.0.1",  # compatible
        "2002:7f00:1::",  # 6to4
        "64:ff9b::7f00:1",  # NAT64
        "64:ff9b:1::7f00:1",  # NAT64 of a network's own
        "2001:0:53aa:64c:0:7f:80ff:fffe",  # Teredo
        "2001:0:7f00:1:0:7f:f7f7:f7f7",  # Teredo, whose server is this machine
    ],
)
def test_a_loopback_address_inside_an_ipv6_address_is_refused(address: str) -> None:
    assert describe_refusal(address) in ("a loopback address", "a private address")


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "23.227.38.32",
        "2606:4700:4700::1111",
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
        "2002:808:808::",
    ],
)
def test_public_addresses_are_allowed(address: str) -> None:
    assert describe_refusal(address) is None


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f000001", "0177.0.0.1", "localhost"])
def test_other_ways_to_write_loopback_are_refused(host: str) -> None:
    with pytest.raises(AddressRefused, match="is a loopback address"):
        resolve(host, 80, allow_private=False)


def test_a_host_is_refused_if_any_of_its_addresses_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve_to_two(host: str, port: int, **_: Any) -> Any:
        return [(socket.AF_INET, 1, 6, "", (one, port)) for one in ("8.8.8.8", "10.0.0.7")]

    monkeypatch.setattr(socket, "getaddrinfo", resolve_to_two)
    with pytest.raises(AddressRefused, match=r"^cdn\.test leads to 10\.0\.0\.7, which is a private address;"):
        resolve("cdn.test", 80, allow_private=False)
    assert [one.sockaddr for one in resolve("cdn.test", 80, allow_private=True)] == [
        ("8.8.8.8", 80),
        ("10.0.0.7", 80),
    ]


def test_a_name_that_no_host_can_have_is_not_found() -> None:
    with pytest.raises(OSError, match="is not the name of a host"):
        resolve("a" * 80 + ".test", 80, allow_private=True)
