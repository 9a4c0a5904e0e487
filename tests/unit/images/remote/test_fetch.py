from __future__ import annotations

import email.utils
import gzip
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stylesearch.errors import ConfigError
from stylesearch.images.remote import Fetched, FetchOptions, NotFetched, PictureCache, fetch_stream
from stylesearch.images.remote.fetch import WINDOW
from tests.unit.images.remote.conftest import QUICK, jpeg
from tests.unit.images.remote.picture_server import Answer, PictureServer

GOOD = Answer(body=jpeg())


def fetch_all(
    urls: Iterable[str], cache: PictureCache, options: FetchOptions = QUICK
) -> dict[str, Fetched | NotFetched | None]:
    return dict(fetch_stream(urls, str, cache, options))


def fetch_one(url: str, cache: PictureCache, options: FetchOptions = QUICK) -> Fetched:
    result = fetch_all([url], cache, options)[url]
    assert isinstance(result, Fetched), result
    return result


def fail_one(url: str, cache: PictureCache, options: FetchOptions = QUICK) -> NotFetched:
    result = fetch_all([url], cache, options)[url]
    assert isinstance(result, NotFetched), result
    return result


def test_pictures_come_with_their_items_and_others_pass(server: PictureServer, cache: PictureCache) -> None:
    items = [("a", server.add("/a.jpg", jpeg(1))), ("b", None), ("c", server.add("/c.jpg", jpeg(2)))]
    found = dict(fetch_stream(items, lambda item: item[1], cache, QUICK))
    assert found["b", None] is None
    one = found[items[0]]
    assert isinstance(one, Fetched)
    assert one.path.read_bytes() == jpeg(1)
    assert one.is_new
    assert len(found) == 3


def test_a_recent_picture_is_not_asked_for_again(server: PictureServer, cache: PictureCache) -> None:
    url = server.add("/a.jpg", jpeg())
    first = fetch_one(url, cache)
    assert fetch_one(url, cache) == replace(first, is_new=False)
    assert server.requests_of("/a.jpg") == 1


@pytest.mark.parametrize("validator", ["ETag", "Last-Modified"])
def test_an_old_picture_is_asked_for_by_its_validator(
    server: PictureServer, cache: PictureCache, validator: str
) -> None:
    date = "Mon, 01 Jan 2024 00:00:00 GMT"
    value, question = {"ETag": ('"1"', "if-none-match"), "Last-Modified": (date, "if-modified-since")}[
        validator
    ]
    url = server.behave_by(
        "/a.jpg",
        lambda request: (
            Answer(304)
            if request.headers.get(question) == value
            else replace(GOOD, headers=[(validator, value)])
        ),
    )
    first = fetch_one(url, cache)
    before = cache.find(url)
    assert fetch_one(url, cache, replace(QUICK, max_age=0)) == replace(first, is_new=False)
    assert [question in one.headers for one in server.requests] == [False, True]
    after = cache.find(url)
    assert before is not None
    assert after is not None
    assert after.checked_at > before.checked_at


def test_a_picture_that_has_changed_is_new(server: PictureServer, cache: PictureCache) -> None:
    url = server.add("/a.jpg", jpeg(1))
    old = fetch_one(url, cache)
    server.add("/a.jpg", jpeg(2))
    new = fetch_one(url, cache, replace(QUICK, max_age=0))
    assert new.is_new
    assert new.path.read_bytes() == jpeg(2)
    assert old.path.read_bytes() == jpeg(1)


def test_the_same_bytes_fetched_again_are_not_new(server: PictureServer, cache: PictureCache) -> None:
    server.validators = False
    url = server.add("/a.jpg", jpeg())
    fetch_one(url, cache)
    assert not fetch_one(url, cache, replace(QUICK, max_age=0)).is_new
    assert server.requests_of("/a.jpg") == 2


@pytest.mark.parametrize("max_age", [0.0, 60.0])
def test_a_url_is_fetched_once_in_a_run(server: PictureServer, cache: PictureCache, max_age: float) -> None:
    url, other = server.add("/a.jpg", jpeg()), server.behave("/no.jpg", Answer(404))
    items = [(n, url if n % 2 else other) for n in range(700)]
    found = dict(fetch_stream(items, lambda item: item[1], cache, replace(QUICK, max_age=max_age)))
    assert len(found) == 700
    assert sum(isinstance(one, Fetched) for one in found.values()) == 350
    assert (server.requests_of("/a.jpg"), server.requests_of("/no.jpg")) == (1, 1)


def test_offline_uses_the_cache_alone_however_old(server: PictureServer, cache: PictureCache) -> None:
    known, unknown = server.add("/a.jpg", jpeg(1)), server.add("/b.jpg", jpeg(2))
    fetch_one(known, cache)
    offline = replace(QUICK, offline=True, max_age=0)
    assert not fetch_one(known, cache, offline).is_new
    assert fail_one(unknown, cache, offline).reason == "it was never fetched, and nothing is fetched offline"
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [404, 410])
def test_a_picture_that_is_gone_is_told_apart(
    server: PictureServer, cache: PictureCache, status: int
) -> None:
    url = server.behave("/a.jpg", Answer(status))
    assert fail_one(url, cache) == NotFetched(
        url, f"the server has no such picture (it answered {status})", is_gone=True
    )
    assert server.requests_of("/a.jpg") == 1


def test_an_answer_that_is_refused_is_not_asked_for_again(server: PictureServer, cache: PictureCache) -> None:
    url = server.behave("/a.jpg", Answer(403))
    assert fail_one(url, cache) == NotFetched(url, "the server answered 403")
    assert server.requests_of("/a.jpg") == 1


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503])
def test_an_error_that_may_pass_is_tried_again(
    server: PictureServer, cache: PictureCache, status: int
) -> None:
    url = server.behave("/a.jpg", Answer(status), Answer(status), GOOD)
    assert fetch_one(url, cache).path.read_bytes() == jpeg()
    assert server.requests_of("/a.jpg") == 3


def test_an_error_that_does_not_pass_is_told_with_the_number_of_tries(
    server: PictureServer, cache: PictureCache
) -> None:
    url = server.behave("/a.jpg", Answer(500))
    assert fail_one(url, cache).reason == "the server answered 500 (asked 4 times)"
    assert server.requests_of("/a.jpg") == 4


@pytest.mark.parametrize("as_date", [False, True])
def test_retry_after_is_obeyed(server: PictureServer, cache: PictureCache, as_date: bool) -> None:
    moment = email.utils.formatdate(time.time() + 1.999, usegmt=True) if as_date else "1"
    url = server.behave("/a.jpg", Answer(429, headers=[("Retry-After", moment)]), GOOD)
    fetch_one(url, cache, replace(QUICK, max_pause_seconds=0.4))
    first, second = (one.moment for one in server.requests)
    assert second - first >= 0.4  # the pause is as long as the limit allows


def test_a_failed_refresh_gives_the_picture_of_the_cache(server: PictureServer, cache: PictureCache) -> None:
    url = server.behave("/a.jpg", GOOD, Answer(500))
    fetch_one(url, cache)
    again = fetch_one(url, cache, replace(QUICK, max_age=0))
    assert again.path.read_bytes() == jpeg()
    assert again.unchecked == "the server answered 500 (asked 4 times)"
    assert not again.is_new


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (
            Answer(
                body=b"<!DOCTYPE html><html><body>Please log in", headers=[("Content-Type", "image/jpeg")]
            ),
            "not a picture: a web page (the server may have sent an error page)",
        ),
        (Answer(body=b""), "not a picture: empty"),
        (Answer(204, length=-1), "the server answered 204"),
        (Answer(304), "the server answered 304"),
        (Answer(302), "the server answered 302 without saying where to go"),
        (replace(GOOD, headers=[("Content-Encoding", "br")]), "compressed it as 'br'"),
        (replace(GOOD, headers=[("Content-Encoding", "gzip")]), "not compressed as the server says, gzip"),
    ],
)
def test_an_answer_that_is_no_picture_is_refused(
    server: PictureServer, cache: PictureCache, answer: Answer, reason: str
) -> None:
    url = server.behave("/a.jpg", answer)
    assert reason in fail_one(url, cache).reason
    assert server.requests_of("/a.jpg") == 1
    assert cache.status().n_files == 0


@pytest.mark.parametrize(
    ("first", "reason"),
    [
        (replace(GOOD, length=len(jpeg()) + 100, drops=True), "the answer was cut off"),
        (replace(GOOD, length=len(jpeg()) - 100), "the server sent more than the"),
        (
            Answer(body=gzip.compress(jpeg())[:-20], headers=[("Content-Encoding", "gzip")]),
            "the answer was cut off",
        ),
        (replace(GOOD, length=len(jpeg()) + 100), "the answer stopped"),
        (Answer(hangs=True), "the answer stopped"),
    ],
)
def test_an_answer_of_another_length_than_announced_is_asked_for_again(
    server: PictureServer, cache: PictureCache, first: Answer, reason: str
) -> None:
    url, other = server.behave("/a.jpg", first, GOOD), server.add("/other.jpg", jpeg(2))
    assert fetch_one(url, cache).path.read_bytes() == jpeg()
    assert fetch_one(other, cache).path.read_bytes() == jpeg(2)
    bad = server.behave("/bad.jpg", first)
    assert reason in fail_one(bad, cache, replace(QUICK, n_retries=0)).reason
    assert cache.find(bad) is None


def test_what_a_server_sends_too_much_is_not_the_next_answer(
    server: PictureServer, cache: PictureCache
) -> None:
    extra = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(jpeg(9)) + jpeg(9)
    lie = Answer(body=jpeg(1) + extra, length=len(jpeg(1)))
    urls = [server.behave("/0.jpg", lie, replace(lie, body=jpeg(1)))]
    urls += [server.add(f"/{n}.jpg", jpeg(n + 1)) for n in range(1, 6)]
    found = fetch_all(urls, cache, replace(QUICK, n_at_once=1))
    pictures = [one.path.read_bytes() for one in map(found.get, urls) if isinstance(one, Fetched)]
    assert pictures == [jpeg(n + 1) for n in range(6)]


def test_an_answer_without_a_length_is_taken(server: PictureServer, cache: PictureCache) -> None:
    url = server.behave("/a.jpg", replace(GOOD, length=-1))
    assert fetch_one(url, cache).path.read_bytes() == jpeg()


def test_an_answer_in_chunks_is_taken(server: PictureServer, cache: PictureCache) -> None:
    data = jpeg()
    body = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (data[:7], data[7:])) + b"0\r\n\r\n"
    url = server.behave("/a.jpg", Answer(body=body, length=-1, headers=[("Transfer-Encoding", "chunked")]))
    assert fetch_one(url, cache).path.read_bytes() == data


def test_a_compressed_picture_is_unpacked(server: PictureServer, cache: PictureCache) -> None:
    url = server.behave("/a.jpg", Answer(body=gzip.compress(jpeg()), headers=[("Content-Encoding", "gzip")]))
    assert fetch_one(url, cache).path.read_bytes() == jpeg()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer(body=jpeg() + bytes(5000)), "bytes; 4,000 are the limit"),
        (Answer(body=jpeg() + bytes(5000), length=-1), "it has more than 4,000 bytes"),
        (
            Answer(body=gzip.compress(jpeg() + bytes(50_000_000)), headers=[("Content-Encoding", "gzip")]),
            "bytes; 4,000 are the limit",
        ),
        (
            Answer(body=gzip.compress(jpeg() + bytes(500_000)), headers=[("Content-Encoding", "gzip")]),
            "it has more than 4,000 bytes",
        ),
    ],
)
def test_a_picture_over_the_limit_is_refused_before_it_is_read(
    server: PictureServer, cache: PictureCache, answer: Answer, reason: str
) -> None:
    url = server.behave("/a.jpg", answer)
    assert reason in fail_one(url, cache, replace(QUICK, max_bytes=4000)).reason
    assert server.requests_of("/a.jpg") == 1
    assert cache.status().n_files == 0


def test_an_answer_that_drips_ends_at_the_total_time(server: PictureServer, cache: PictureCache) -> None:
    body, headers = server.behave("/a.jpg", replace(GOOD, drip=0.05)), Answer(body=b"", drip=0.05)
    options = replace(QUICK, total_seconds=0.3, n_retries=0)
    began = time.monotonic()
    assert fail_one(body, cache, options).reason == "it took too long"
    assert fail_one(server.behave("/b.jpg", headers), cache, options).reason in (
        "it took too long",
        "the answer stopped",
    )
    assert time.monotonic() - began < 5.0  # a byte at a time, these answers take over 30 seconds


def test_a_closed_port_is_told(cache: PictureCache) -> None:
    with socket.create_server(("127.0.0.1", 0)) as one:
        port = one.getsockname()[1]
    reason = fail_one(f"http://127.0.0.1:{port}/a.jpg", cache).reason
    assert reason == "no connection to 127.0.0.1: connection refused"


def test_a_host_without_an_address_is_told(cache: PictureCache, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    reason = fail_one("http://shop.test/a.jpg", cache).reason
    assert reason == "no address of shop.test was found: name or service not known"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("file:///etc/passwd", "only http, https and object stores are fetched, not 'file'"),
        ("ftp://shop.test/a.jpg", "only http, https and object stores are fetched, not 'ftp'"),
        ("http:///a.jpg", "a URL without a host"),
        ("http://shop.test:99999/a.jpg", "not a valid URL"),
        ("http://[shop/a.jpg", "not a valid URL"),
        ("http://\x7f/a.jpg", "not a valid URL"),
    ],
)
def test_a_url_that_cannot_be_fetched_is_told(cache: PictureCache, url: str, reason: str) -> None:
    assert reason in fail_one(url, cache).reason


def test_blanks_and_other_letters_in_a_url_are_escaped(server: PictureServer, cache: PictureCache) -> None:
    server.add("/Sommerkleid%20gr%C3%BCn.jpg?v=1&w=2", jpeg())
    assert fetch_one(server.url("/Sommerkleid grün.jpg?v=1&w=2#top"), cache).path.read_bytes() == jpeg()


@pytest.mark.parametrize("n", [1, 24])
def test_a_caller_that_stops_early_ends_threads_and_connections(
    server: PictureServer, cache: PictureCache, n: int
) -> None:
    before = set(threading.enumerate())
    slow = [server.behave(f"/{k}.jpg", Answer(hangs=True)) for k in range(n)]
    stream = fetch_stream(
        [server.add("/a.jpg", jpeg()), *slow],
        str,
        cache,
        replace(QUICK, read_seconds=60.0, total_seconds=60.0),
    )
    began = time.monotonic()
    next(stream)
    stream.close()
    assert time.monotonic() - began < 30.0
    assert not [one for one in threading.enumerate() if one not in before and one.name.startswith("fetch-")]


def test_a_full_disk_ends_the_stream(
    server: PictureServer, cache: PictureCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache, "store", fail)
    with pytest.raises(OSError, match="No space left"):
        fetch_all([server.add("/a.jpg", jpeg())], cache)


def test_items_are_read_only_as_far_as_needed(server: PictureServer, cache: PictureCache) -> None:
    url, n_read = server.add("/a.jpg", jpeg()), 0

    def endless() -> Iterable[str]:
        nonlocal n_read
        while True:
            n_read += 1
            yield f"{url}?{n_read}"

    server.behave_by("/a.jpg", lambda _: GOOD)
    stream = fetch_stream(endless(), str, cache, QUICK)
    for _ in range(10):
        next(stream)
    assert n_read <= WINDOW + 256
    stream.close()


@pytest.mark.parametrize(
    "wrong", [{"n_at_once": 0}, {"max_bytes": 0}, {"read_seconds": 0.0}, {"max_age": -1.0}, {"n_retries": -1}]
)
def test_options_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        FetchOptions(**wrong)


def test_a_missing_folder_of_the_cache_is_created(server: PictureServer, tmp_path: Path) -> None:
    with PictureCache(tmp_path / "a" / "b") as cache:
        assert fetch_one(server.add("/a.jpg", jpeg()), cache).path.is_relative_to(tmp_path / "a" / "b")


def test_no_http_library_is_loaded_before_something_is_fetched(tmp_path: Path) -> None:
    code = f"""
import sys
from pathlib import Path
from stylesearch.images.remote import FetchOptions, PictureCache, fetch_stream
cache = PictureCache(Path({str(tmp_path)!r}))
urls = ["https://shop.test/a.jpg", None]
assert len(list(fetch_stream(urls, lambda url: url, cache, FetchOptions(offline=True)))) == 2
sys.exit(", ".join(name for name in ("httpx", "httpcore", "fsspec", "PIL") if name in sys.modules))
"""
    probe = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert probe.stderr.strip() == ""
