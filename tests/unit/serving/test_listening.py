"""Who is answered is decided by the address that is bound, however it was spelled."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from stylesearch.serving.middleware.hosts import as_bound, is_loopback, names_answered
from stylesearch.serving.server.supervisor import bind
from stylesearch.serving.settings import ServiceSettings


def names_of(host: str, *allowed: str) -> frozenset[str] | None:
    """The names that a service answers to which was told to listen on this."""
    service = ServiceSettings(host=host, allowed_hosts=allowed)
    with bind(host, 0) as listener:
        bound = as_bound(service, listener.getsockname()[0])
    return names_answered(bound.host, bound.allowed_hosts)


@pytest.fixture
def name_for_loopback(monkeypatch: pytest.MonkeyPatch) -> str:
    """As a line of /etc/hosts makes one."""
    look_up = socket.getaddrinfo

    def found(host: Any, *more: Any, **named: Any) -> Any:
        return look_up("127.0.0.1" if host == "shop.test" else host, *more, **named)

    monkeypatch.setattr(socket, "getaddrinfo", found)
    return "shop.test"


@pytest.mark.parametrize("host", ["127.1", "0x7f.1", "2130706433", "127.0.0.1", "127.0.0.2", "localhost"])
def test_every_spelling_of_loopback_is_loopback(host: str) -> None:
    names = names_of(host)
    assert names is not None
    assert {"localhost", "127.0.0.1", "[::1]", host} <= names
    assert "evil.example" not in names


def test_a_name_that_means_loopback_is_answered_to_and_others_are_not(name_for_loopback: str) -> None:
    assert names_of(name_for_loopback) == names_of("127.0.0.1", name_for_loopback)
    assert names_of(name_for_loopback, "other.test") == names_of("127.0.0.1", name_for_loopback, "other.test")


@pytest.mark.parametrize("host", ["0.0.0.0", "0"])
def test_what_others_reach_answers_to_any_name_unless_told(host: str) -> None:
    assert names_of(host) is None
    names = names_of(host, "shop.example")
    assert names is not None
    assert {"shop.example", host} <= names
    assert names_of("127.0.0.1", "*") is None


def test_the_rest_of_the_settings_stays() -> None:
    service = ServiceSettings(port=1, title="Shop", allowed_hosts=("a.example",))
    assert as_bound(service, "127.0.0.1") == service
    others = as_bound(service, "192.0.2.1")
    assert (others.port, others.title, others.host) == (1, "Shop", "192.0.2.1")


@pytest.mark.parametrize(
    ("address", "expected"),
    [("::1", True), ("[::1]", True), ("::ffff:127.0.0.1", True), ("::ffff:192.0.2.1", False), ("::", False)],
)
def test_addresses_of_ipv6(address: str, expected: bool) -> None:
    assert is_loopback(address) is expected
