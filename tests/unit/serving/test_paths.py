import asyncio
from typing import Any
from urllib.parse import unquote

import pytest

from stylesearch.serving.middleware.product_paths import (
    ProductPaths,
    counts_against_limit,
    route_of,
)
from stylesearch.serving.problems import Problem
from tests.unit.serving.asgi import call, scope_of


def routed(written: str, decoded: str) -> str:
    seen: list[str] = []

    async def note(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["path"])

    asyncio.run(call(ProductPaths(note), scope_of(decoded, raw_path=written.encode())))
    return seen[0]


@pytest.mark.parametrize(
    ("written", "decoded", "product_id", "suffix"),
    [
        ("/v1/products/a", "/v1/products/a", "a", ""),
        ("/v1/products/a/similar", "/v1/products/a/similar", "a", "/similar"),
        ("/v1/products/a%2Fsimilar", "/v1/products/a/similar", "a/similar", ""),
        ("/v1/products/a%2Fsimilar/similar", "/v1/products/a/similar/similar", "a/similar", "/similar"),
        ("/v1/products/a/b", "/v1/products/a/b", "a/b", ""),
        ("/v1/products/a//b/", "/v1/products/a//b/", "a//b/", ""),
        ("/v1/products/similar", "/v1/products/similar", "similar", ""),
        ("/v1/products/gr%C3%B6%C3%9Fe%3F", "/v1/products/größe?", "größe?", ""),
        ("/v1/products/%252F", "/v1/products/%2F", "%2F", ""),
        ("/v1/products/a%00b", "/v1/products/a\0b", "a\0b", ""),
        ("/v1/products/%EF%BF%BD", "/v1/products/\ufffd", "\ufffd", ""),
        ("/v1/%70roducts/a%2Fb", "/v1/products/a/b", "a/b", ""),
    ],
)
def test_an_id_is_one_segment_whatever_is_in_it(
    written: str, decoded: str, product_id: str, suffix: str
) -> None:
    path = routed(written, decoded)
    segment = path.removeprefix("/v1/products/").removesuffix(suffix)
    assert path.endswith(suffix)
    assert "/" not in segment
    assert unquote(segment) == product_id


@pytest.mark.parametrize(
    "written", ["/v1/products/%FF", "/v1/%70roducts/%FE/similar", "/v1/products/%ed%a0%80"]
)
def test_an_id_that_is_no_utf_8_is_refused(written: str) -> None:
    with pytest.raises(Problem, match="UTF-8") as raised:
        routed(written, "/v1/products/\ufffd")
    assert raised.value.status == 422


def test_other_paths_stay_as_they_are() -> None:
    for path in ("/", "/v1/products", "/v1/images/a%2Fb"):
        assert routed(path, path) == path


def test_a_server_that_does_not_say_what_was_written_is_good_enough() -> None:
    assert unquote(routed("", "/v1/products/a b/c").removeprefix("/v1/products/")) == "a b/c"


@pytest.mark.parametrize(
    ("path", "route", "is_limited"),
    [
        ("/", "/", False),
        ("/v1/search", "/v1/search", True),
        ("/v1/search/batch", "/v1/search/batch", True),
        ("/v1/detect", "/v1/detect", True),
        ("/v1/products", "/v1/products", True),
        ("/v1/products/x", "/v1/products/{id}", True),
        ("/v1/products/x/similar", "/v1/products/{id}/similar", True),
        ("/v1/images/abc", "/v1/images/{hash}", False),
        ("/v1/images/abc/thumbnail", "/v1/images/{hash}/thumbnail", False),
        ("/assets/app.js", "/assets/{file}", False),
        ("/metrics", "/metrics", False),
        ("/wp-login.php", "other", True),
    ],
)
def test_every_path_has_one_of_a_few_names(path: str, route: str, is_limited: bool) -> None:
    assert route_of(path) == route
    assert counts_against_limit(route) is is_limited
