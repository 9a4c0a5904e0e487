import pytest

from stylesearch.serving.middleware.hosts import ClientAddresses
from tests.unit.serving.asgi import scope_of


def of(peer: str, *forwarded: str, trusted: tuple[str, ...] = ("10.0.0.0/8", "::1")) -> str:
    headers = [("X-Forwarded-For", value) for value in forwarded]
    return ClientAddresses(trusted).of(scope_of(client=(peer, 1), headers=headers))


def test_nobody_is_believed_unless_told_so() -> None:
    assert of("10.0.0.1", "203.0.113.9", trusted=()) == "10.0.0.1"
    assert of("192.0.2.1", "203.0.113.9") == "192.0.2.1"


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        (("203.0.113.9",), "203.0.113.9"),
        (("203.0.113.9, 10.1.1.1",), "203.0.113.9"),
        (("1.1.1.1, 203.0.113.9",), "203.0.113.9"),  # what stands before it was written by the client
        (("1.1.1.1", "203.0.113.9"), "203.0.113.9"),
        (("1.1.1.1, 203.0.113.9, nonsense",), "10.0.0.1"),
        (("10.2.2.2",), "10.2.2.2"),
        (("",), "10.0.0.1"),
        (("203.0.113.9:4711",), "203.0.113.9"),
        (("[2001:db8::5]:4711",), "2001:db8::5"),
    ],
)
def test_a_trusted_proxy_is_believed_for_one_step(forwarded: tuple[str, ...], client: str) -> None:
    assert of("10.0.0.1", *forwarded) == client


def test_ipv4_in_ipv6_clothes_is_ipv4() -> None:
    assert of("::ffff:10.0.0.1", "203.0.113.9") == "203.0.113.9"


def test_a_socket_without_an_address_is_local() -> None:
    assert ClientAddresses().of(scope_of(client=None)) == "local"


def test_one_customer_has_a_whole_network_of_ipv6() -> None:
    addresses = ClientAddresses()
    one, two, other, four = (
        addresses.household(scope_of(client=(peer, 1)))
        for peer in ("2001:db8::1", "2001:db8::ffff:2", "2001:db8:0:1::1", "192.0.2.1")
    )
    assert one == two == "2001:db8::/64"
    assert other != one
    assert four == "192.0.2.1"
