from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import replace

from stylesearch.images.remote import Fetched, NotFetched, PictureCache, fetch_stream
from tests.unit.images.remote.conftest import QUICK, jpeg
from tests.unit.images.remote.picture_server import Answer, PictureServer

Names = dict[str, Callable[[], str]]


def test_a_dead_host_does_not_hold_the_pictures_of_another_one_up(
    server: PictureServer, cache: PictureCache, hosts: Names
) -> None:
    """The dead host takes connections and never answers; all of its pictures are listed first."""
    hosts["dead.test"] = hosts["good.test"] = lambda: "127.0.0.1"
    with socket.create_server(("127.0.0.1", 0), backlog=64) as dead:
        port = dead.getsockname()[1]
        urls = [f"http://dead.test:{port}/{n}.jpg" for n in range(600)]
        for n in range(100):
            server.add(f"/{n}.jpg", jpeg(n % 5))
        urls += [server.url(f"/{n}.jpg", "good.test") for n in range(100)]
        found = list(fetch_stream(urls, str, cache, QUICK))
    assert all("good.test" in url for url, _ in found[:100])
    assert all(isinstance(one, Fetched) for _, one in found[:100])
    reasons = [one.reason for _, one in found[100:] if isinstance(one, NotFetched)]
    assert len(reasons) == 600
    given_up = f"http://dead.test:{port} was given up after 3 failures in a row (the last: "
    assert sum(one.startswith(given_up) for one in reasons) > 580


def test_pictures_of_a_slow_host_do_not_hold_others_up(
    server: PictureServer, cache: PictureCache, hosts: Names
) -> None:
    hosts["slow.test"] = hosts["good.test"] = lambda: "127.0.0.1"
    for n in range(4):
        server.behave(f"/slow{n}.jpg", Answer(body=jpeg(n), delay=0.25))
    for n in range(40):
        server.add(f"/{n}.jpg", jpeg(n))
    urls = [server.url(f"/slow{n}.jpg", "slow.test") for n in range(4)]
    urls += [server.url(f"/{n}.jpg", "good.test") for n in range(40)]
    found = [url for url, _ in fetch_stream(urls, str, cache, QUICK)]
    assert all("good.test" in url for url in found[:30])
    assert set(found) == set(urls)


def test_no_host_is_asked_for_more_than_its_limit_at_once(server: PictureServer, cache: PictureCache) -> None:
    for n in range(30):
        server.behave(f"/{n}.jpg", Answer(body=jpeg(n), delay=0.01))
    options = replace(QUICK, n_per_host=3)
    found = list(fetch_stream([server.url(f"/{n}.jpg") for n in range(30)], str, cache, options))
    assert all(isinstance(one, Fetched) for _, one in found)
    assert 2 <= server.most_at_once <= 3


def test_a_host_that_asks_for_a_pause_gets_no_other_request_in_it(
    server: PictureServer, cache: PictureCache
) -> None:
    server.behave("/0.jpg", Answer(429, headers=[("Retry-After", "1")]), Answer(body=jpeg()))
    for n in range(1, 6):
        server.add(f"/{n}.jpg", jpeg(n))
    options = replace(QUICK, n_per_host=1, max_pause_seconds=0.2)
    found = list(fetch_stream([server.url(f"/{n}.jpg") for n in range(6)], str, cache, options))
    assert all(isinstance(one, Fetched) for _, one in found)
    moments = [one.moment for one in server.requests]
    assert moments[1] - moments[0] >= 0.2
