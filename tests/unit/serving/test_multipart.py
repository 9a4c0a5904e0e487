import time

import pytest

from stylesearch.serving.api.multipart import Part, boundary_of, parse_multipart
from stylesearch.serving.problems import Problem


def body(*parts: bytes, boundary: bytes = b"B", end: bytes = b"--\r\n") -> bytes:
    return b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts) + b"--" + boundary + end


def field(name: str, data: bytes, more: str = "") -> bytes:
    return f'Content-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + data


def test_parts_by_name_in_their_order() -> None:
    file = '; filename="x.jpg"\r\nContent-Type: image/jpeg'
    found = parse_multipart(
        body(field("k", b"5"), field("image", b"1", file), field("image", b"", file)), b"B", 9
    )
    assert found == {"k": [Part(b"5", False)], "image": [Part(b"1", True), Part(b"", True)]}


def test_data_may_hold_anything_but_the_boundary() -> None:
    data = bytes(range(256)) + b"\r\n--A\r\n\r\n--\r\nContent-Disposition: form-data; name=x\r\n--C"
    assert parse_multipart(body(field("image", data)), b"B", 9)["image"][0].data == data


def test_what_comes_before_and_after_does_not_count() -> None:
    whole = b"hello\r\n" + body(field("k", b"1")) + b"goodbye\r\n--B\r\n"
    assert list(parse_multipart(whole, b"B", 9)) == ["k"]


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("form-data; name=bare", "bare"),
        ('form-data; filename="a; name=evil.jpg"; name="image"', "image"),
        (r'form-data; name="quo\"ted"', 'quo"ted'),
        ('FORM-DATA;NAME="image"', "image"),
        ('form-data; name="größe"', "größe"),
    ],
)
def test_the_name_of_a_part(header: str, name: str) -> None:
    part = f"Content-Disposition: {header}\r\n\r\n".encode()
    assert list(parse_multipart(body(part), b"B", 9)) == [name]


@pytest.mark.parametrize(
    ("headers", "is_file"),
    [
        ('; filename=""', True),
        ("; filename*=UTF-8''x.jpg", True),
        ("\r\nContent-Type: application/octet-stream", True),
        ("\r\nContent-Type: text/plain", False),
        ("", False),
    ],
)
def test_a_file_says_that_it_is_one(headers: str, is_file: bool) -> None:
    assert parse_multipart(body(field("image", b"", headers)), b"B", 9)["image"][0].is_file is is_file


@pytest.mark.parametrize(
    "whole",
    [
        b"",
        b"--B",
        b"no boundary at all",
        body(field("k", b"1"), end=b"\r\n"),
        body(b"\r\nno headers"),
        body(b"Content-Disposition: form-data; name=k\r\n"),
        body(b"Content-Disposition: form-data\r\n\r\n1"),
        body(b"Content-Disposition: attachment; name=k\r\n\r\n1"),
        body(b"Content-Type: text/plain\r\n\r\n1"),
        body(b"no colon here\r\n\r\n1"),
        body(field("k", b"1", "\r\nContent-Transfer-Encoding: base64")),
        body(b'Content-Disposition: form-data; name="\xff"\r\n\r\n1'),
        body(b"X: " + b"x" * 10_000 + b"\r\n\r\n1"),
        b"--Bogus\r\n\r\n--B--",
    ],
)
def test_what_is_malformed_is_a_bad_request(whole: bytes) -> None:
    with pytest.raises(Problem, match="malformed") as raised:
        parse_multipart(whole, b"B", 9)
    assert raised.value.status == 400


def test_more_parts_than_allowed_are_not_read() -> None:
    parts = [field("k", b"") for _ in range(10)]
    assert len(parse_multipart(body(*parts), b"B", 10)["k"]) == 10
    with pytest.raises(Problem, match="more than 9 parts") as raised:
        parse_multipart(body(*parts), b"B", 9)
    assert raised.value.status == 413


@pytest.mark.parametrize("filling", [b"\r", b"\r\n", b"\r\n-", b"\r\n--", b"\r\n--boundar", b"-"])
def test_nearly_boundaries_take_no_longer_than_other_bytes(filling: bytes) -> None:
    whole = body(field("image", filling * (8_000_000 // len(filling))), boundary=b"boundary")
    began = time.process_time()
    parse_multipart(whole, b"boundary", 9)
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        ("multipart/form-data; boundary=abc", b"abc"),
        ('multipart/form-data; boundary="a b:c"; charset=utf-8', b"a b:c"),
        ("multipart/form-data;BOUNDARY=x", b"x"),
    ],
)
def test_the_boundary_is_read_from_the_header(content_type: str, boundary: bytes) -> None:
    assert boundary_of(content_type) == boundary


@pytest.mark.parametrize("content_type", ["multipart/form-data", "multipart/form-data; boundary=", "x; b=y"])
def test_a_header_without_a_boundary_is_a_bad_request(content_type: str) -> None:
    with pytest.raises(Problem, match="boundary"):
        boundary_of(content_type)
