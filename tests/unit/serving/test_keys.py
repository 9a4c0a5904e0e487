import asyncio
import hmac
from types import SimpleNamespace

import pytest
from fastapi import Depends, FastAPI

from stylesearch.serving.api import products
from stylesearch.serving.api.products import check_key
from stylesearch.serving.problems import Problem, problem_response
from stylesearch.serving.settings import ServiceSettings
from tests.unit.serving.asgi import Sent, call, scope_of

KEYS = ("first-key-0123456789", "second-key-0123456789")


def ask(keys: tuple[str, ...], **headers: str) -> Sent:
    """What an application answers whose only route wants a key."""
    app = FastAPI(exception_handlers={Problem: lambda _, error: problem_response(error, "id")})
    app.state.service = SimpleNamespace(settings=ServiceSettings(api_keys=keys))

    @app.get("/", dependencies=[Depends(products.require_key)])
    async def written() -> str:
        return "written"

    return asyncio.run(
        call(app, scope_of(headers=[(name.replace("_", "-"), value) for name, value in headers.items()]))
    )


@pytest.mark.parametrize("key", KEYS)
def test_each_key_opens_in_either_header(key: str) -> None:
    assert ask(KEYS, authorization=f"Bearer {key}").status == 200
    assert ask(KEYS, authorization=f"bearer  {key} ").status == 200
    assert ask(KEYS, x_api_key=key).status == 200


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
    answer = ask(KEYS, **headers)
    assert answer.status == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    for value in headers.values():
        assert len(value) < 9 or value not in answer.body.decode()


def test_without_a_configured_key_nothing_opens() -> None:
    for headers in ({}, {"x_api_key": KEYS[0]}, {"x_api_key": ""}):
        answer = ask((), **headers)
        assert answer.status == 403
        assert b"writing is off" in answer.body


def test_all_keys_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []
    compare_digest = hmac.compare_digest

    def counted(one: bytes, other: bytes) -> bool:
        compared.append((len(one), len(other)))
        return compare_digest(one, other)

    monkeypatch.setattr(products.hmac, "compare_digest", counted)
    check_key(KEYS[0], KEYS)
    with pytest.raises(Problem):
        check_key("x", KEYS)
    assert compared == [(32, 32)] * 4, "as many, and as long, whatever was given"
