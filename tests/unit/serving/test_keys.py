import hmac

import pytest
from starlette.requests import Request

from stylesearch.serving.api import products
from stylesearch.serving.api.products import require_key
from stylesearch.serving.problems import Problem
from tests.unit.serving.asgi import scope_of

KEYS = ("first-key-0123456789", "second-key-0123456789")


def request(**headers: str) -> Request:
    return Request(scope_of(headers=[(name.replace("_", "-"), value) for name, value in headers.items()]))


@pytest.mark.parametrize("key", KEYS)
def test_each_key_opens_in_either_header(key: str) -> None:
    require_key(request(authorization=f"Bearer {key}"), KEYS)
    require_key(request(authorization=f"bearer  {key} "), KEYS)
    require_key(request(x_api_key=key), KEYS)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x_api_key": ""},
        {"x_api_key": "first-key-012345678"},
        {"x_api_key": "FIRST-KEY-0123456789"},
        {"x_api_key": "first-key-0123456789,second-key-0123456789"},
        {"authorization": "Bearer"},
        {"authorization": "Basic first-key-0123456789"},
        {"authorization": "Bearer wrong", "x_api_key": "first-key-0123456789"},
        {"x_api_key": "\xfc\xff"},
    ],
)
def test_anything_else_does_not(headers: dict[str, str]) -> None:
    with pytest.raises(Problem) as raised:
        require_key(request(**headers), KEYS)
    assert raised.value.status == 401
    assert raised.value.headers["WWW-Authenticate"].startswith("Bearer")
    for value in headers.values():
        assert len(value) < 9 or value not in f"{raised.value.detail} {raised.value.hint}"


def test_without_a_configured_key_nothing_opens() -> None:
    for headers in ({}, {"x_api_key": KEYS[0]}, {"x_api_key": ""}):
        with pytest.raises(Problem, match="writing is off") as raised:
            require_key(request(**headers), ())
        assert raised.value.status == 403


def test_all_keys_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []
    compare_digest = hmac.compare_digest

    def counted(one: bytes, other: bytes) -> bool:
        compared.append((len(one), len(other)))
        return compare_digest(one, other)

    monkeypatch.setattr(products.hmac, "compare_digest", counted)
    require_key(request(x_api_key=KEYS[0]), KEYS)
    with pytest.raises(Problem):
        require_key(request(x_api_key="x"), KEYS)
    assert compared == [(32, 32)] * 4, "as many, and as long, whatever was given"
