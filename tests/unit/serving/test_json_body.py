import tracemalloc

import pytest

from stylesearch.serving.api.json_body import MAX_DEPTH, check_values, parse_json
from stylesearch.serving.problems import Problem


def test_an_object_is_read() -> None:
    assert parse_json(b'{"k": 5, "box": [1, 2.5], "title": "gr\xc3\xb6\xc3\x9fe"}') == {
        "k": 5,
        "box": [1, 2.5],
        "title": "größe",
    }


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"{'k': 5}",
        b'{"k": NaN}',
        b'{"k": -Infinity}',
        b'{"k": 1e999}',
        b'{"k": ' + b"9" * 400 + b"}",
        b'{"k": ' + b"9" * 5000 + b"}",
        b"[" * 9_000,
        b'{"k":' * 9_000,
        b'\xff\xfe{\x00"\x00',
        b'{"k": "\xff"}',
        b'\xef\xbb\xbf{"k": 5}',
    ],
)
def test_what_is_no_json_is_a_bad_request(body: bytes) -> None:
    with pytest.raises(Problem) as raised:
        parse_json(body)
    assert raised.value.status == 400


@pytest.mark.parametrize("filling", [b"[],", b"{},", b"1,", b'"",', b"[", b'{"a":'])
def test_a_body_of_millions_of_values_is_not_even_parsed(filling: bytes) -> None:
    body = b'{"a": [' + filling * (20_000_000 // len(filling)) + b"1]}"
    tracemalloc.start()
    try:
        with pytest.raises(Problem) as raised:
            parse_json(body)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert raised.value.status == 413
    assert peak < 1_000_000


def test_a_long_text_is_one_value() -> None:
    assert len(parse_json(b'{"image": "' + b"A" * 5_000_000 + b'"}')["image"]) == 5_000_000


@pytest.mark.parametrize("body", [b"[]", b"5", b"null", b'"x"'])
def test_what_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(Problem) as raised:
        parse_json(body)
    assert raised.value.status == 422


def nested(depth: int) -> object:
    value: object = 1
    for _ in range(depth):
        value = [value]
    return value


def test_values_that_can_be_stored_pass() -> None:
    check_values({"a": [1, 2.5, None, True, {"b": "ü 😀"}]}, "attributes")
    check_values(nested(MAX_DEPTH - 1), "attributes")


@pytest.mark.parametrize(
    "value",
    [
        {"a": "x\0"},
        {"x\0": 1},
        ["\ud800"],
        {"a": {"b": ["ok", "\udfff!"]}},
        {"\ud800": 1},
        nested(MAX_DEPTH),
        ["x" * 70_000],
    ],
)
def test_values_that_cannot_be_stored_are_refused(value: object) -> None:
    with pytest.raises(Problem, match="attributes: ") as raised:
        check_values(value, "attributes")
    assert raised.value.status == 422
