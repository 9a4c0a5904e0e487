import asyncio

import pytest

from stylesearch.serving.middleware.hosts import AllowedHosts, names_answered
from stylesearch.serving.problems import Problem
from tests.unit.serving.asgi import call, scope_of


async def answers(scope: object, receive: object, send: object) -> None:
    return None


def is_answered(names: frozenset[str] | None, host: str, path: str = "/v1/products") -> bool:
    assert names is not None
    try:
        asyncio.run(call(AllowedHosts(answers, names), scope_of(path, headers=[("Host", host)])))
    except Problem as problem:
        assert problem.status == 421
        return False
    return True


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.0.0.1:8000", "localhost:8000", "LOCALHOST", "localhost.:1", "[::1]:8000", "[::1]"],
)
@pytest.mark.parametrize("bound", ["127.0.0.1", "localhost", "::1"])
def test_on_loopback_it_answers_to_this_machine(bound: str, host: str) -> None:
    assert is_answered(names_answered(bound), host)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8000",
        "127.0.0.1.evil.example",
        "192.0.2.1",
        "",
        "[::2]:1",
        "127.0.0.1@evil",
    ],
)
def test_other_names_lead_here_by_mistake_or_by_malice(host: str) -> None:
    names = names_answered("127.0.0.1", ["shop.example"])
    assert not is_answered(names, host)
    assert is_answered(names, host, "/health")


def test_names_that_are_given_count_beside_those_of_the_machine() -> None:
    for names in (
        names_answered("127.0.0.1", ["Shop.example", "::2"]),
        names_answered("::", ["shop.example", "[::2]"]),
    ):
        for host in ("shop.example", "SHOP.example:443", "[::2]:8000", "localhost"):
            assert is_answered(names, host)
        assert not is_answered(names, "evil.example")


def test_what_listens_for_others_or_is_told_so_answers_to_any_name() -> None:
    assert names_answered("0.0.0.0") is names_answered("127.0.0.1", ["*"]) is None
    assert names_answered("127.0.0.5") is not None


def test_who_says_no_name_is_no_browser() -> None:
    names = names_answered("127.0.0.1")
    assert names is not None
    asyncio.run(call(AllowedHosts(answers, names), scope_of("/v1/products")))
