from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from stylesearch.images.remote import Fetched, PictureCache
from tests.unit.images.remote.conftest import QUICK, jpeg
from tests.unit.images.remote.picture_server import Answer, PictureServer
from tests.unit.images.remote.test_fetch import fail_one, fetch_all, fetch_one


def redirect(to: str, status: int = 302) -> Answer:
    return Answer(status, b"moved", headers=[("Location", to)])


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_followed(server: PictureServer, cache: PictureCache, status: int) -> None:
    server.add("/new/a.jpg", jpeg())
    url = server.behave("/a.jpg", redirect("/new/a.jpg", status))
    found = fetch_one(url, cache)
    assert found.path.read_bytes() == jpeg()
    assert found.url == url
    assert cache.find(url) is not None


def test_an_old_picture_behind_a_redirect_is_asked_for_by_its_validator(
    server: PictureServer, cache: PictureCache
) -> None:
    server.add("/new/a.jpg", jpeg())
    url = server.behave("/a.jpg", redirect("new/a.jpg"))
    fetch_one(url, cache)
    assert not fetch_one(url, cache, replace(QUICK, max_age=0)).is_new
    assert server.requests[-1].headers["if-none-match"].startswith('"')


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("/a.jpg", "redirects lead in a circle, over http://127.0.0.1:"),
        ("/b.jpg", "redirects lead in a circle, over http://127.0.0.1:"),
        ("file:///etc/passwd", "a redirect leads to file: only http and https are fetched"),
        ("s3://bucket/a.jpg", "a redirect leads to s3: only http and https are fetched"),
        ("http://127.0.0.1:1:2/", "not a valid URL"),
    ],
)
def test_a_redirect_that_leads_nowhere_is_refused(
    server: PictureServer, cache: PictureCache, location: str, reason: str
) -> None:
    url = server.behave("/a.jpg", redirect(location))
    server.behave("/b.jpg", redirect("/a.jpg"))
    assert reason in fail_one(url, cache).reason
    assert server.requests_of("/a.jpg") == 1


def test_only_so_many_redirects_are_followed(server: PictureServer, cache: PictureCache) -> None:
    for n in range(4):
        server.behave(f"/{n}", redirect(f"/{n + 1}"))
    server.add("/4", jpeg())
    assert fail_one(server.url("/0"), cache, replace(QUICK, max_redirects=3)).reason.startswith(
        "more than 3 redirects, the last to http://127.0.0.1:"
    )
    assert fetch_one(server.url("/0"), cache, replace(QUICK, max_redirects=4)).path.read_bytes() == jpeg()


STRICT = replace(QUICK, allow_private=False)


def test_private_hosts_are_refused(server: PictureServer, cache: PictureCache) -> None:
    url = server.add("/a.jpg", jpeg())
    assert fail_one(url, cache, STRICT).reason == (
        "127.0.0.1 is a loopback address; such hosts are refused (--allow-private-hosts lets them in)"
    )
    assert server.requests == []


Names = dict[str, Callable[[], str]]


@pytest.mark.parametrize(
    ("to", "what"),
    [
        ("127.0.0.1", "a loopback address"),
        ("10.0.0.1", "a private address"),
        ("169.254.169.254", "a link-local address"),
        ("[::ffff:127.0.0.1]", "a loopback address"),
        ("127.1", "a loopback address"),
    ],
)
def test_a_redirect_to_a_private_address_is_refused(
    server: PictureServer, cache: PictureCache, monkeypatch: pytest.MonkeyPatch, to: str, what: str
) -> None:
    """The first host is allowed here although it is loopback, as a public one would be."""
    from stylesearch.images.remote import addresses

    real = addresses.describe_refusal
    asked: list[str] = []

    def allow_the_first(address: str) -> str | None:
        asked.append(address)
        return None if len(asked) == 1 else real(address)

    monkeypatch.setattr(addresses, "describe_refusal", allow_the_first)
    url = server.behave("/a.jpg", redirect(f"http://{to}:{server.port + 1}/secret"))
    assert f"is {what}; such hosts are refused" in fail_one(url, cache, STRICT).reason
    assert [one.path for one in server.requests] == ["/a.jpg"]


def test_a_name_that_leads_to_another_address_the_second_time_is_connected_to_as_checked(
    server: PictureServer, cache: PictureCache, hosts: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A DNS server answers with a public address when asked to check, and with loopback after it."""
    import socket

    answers = iter(["8.8.8.8", *["127.0.0.1"] * 10])
    hosts["rebinding.test"] = lambda: next(answers)
    connected: list[object] = []
    monkeypatch.setattr(socket.socket, "connect", lambda _, to: connected.append(to) or _refuse())
    options = replace(STRICT, n_retries=0)
    reason = fail_one(f"http://rebinding.test:{server.port}/a.jpg", cache, options).reason
    assert connected == [("8.8.8.8", server.port)]
    assert reason == "no connection to rebinding.test: connection refused"
    assert "loopback" in fail_one(f"http://rebinding.test:{server.port}/b.jpg", cache, options).reason
    assert len(connected) == 1


def _refuse() -> None:
    raise ConnectionRefusedError(111, "Connection refused")


def test_credentials_of_a_url_stay_with_its_host(
    server: PictureServer, cache: PictureCache, hosts: Names
) -> None:
    hosts["shop.test"] = hosts["cdn.test"] = lambda: "127.0.0.1"
    server.add("/open.jpg", jpeg(1))
    server.behave("/a.jpg", redirect("/b.jpg"))
    server.behave("/b.jpg", redirect(f"http://user:other@cdn.test:{server.port}/open.jpg"))
    url = server.url("/a.jpg", "user:secret@shop.test")
    assert fetch_one(url, cache).path.read_bytes() == jpeg(1)
    basic = "Basic dXNlcjpzZWNyZXQ="
    assert [(one.path, one.headers.get("authorization")) for one in server.requests] == [
        ("/a.jpg", basic),
        ("/b.jpg", basic),
        ("/open.jpg", None),
    ]


def test_a_password_is_in_no_message(server: PictureServer, cache: PictureCache, hosts: Names) -> None:
    hosts["shop.test"] = lambda: "127.0.0.1"
    circle = server.url("/a.jpg", "user:secret@shop.test")
    server.behave("/a.jpg", redirect("/a.jpg"))
    assert "secret" not in fail_one(circle, cache).reason
    hosts["dead.test"] = lambda: "127.0.0.1"
    dead = [f"http://user:secret@dead.test:1/{n}.jpg" for n in range(9)]
    reasons = [one.reason for one in fetch_all(dead, cache).values() if not isinstance(one, Fetched) and one]
    assert len(reasons) == 9
    assert any("http://dead.test:1 was given up" in one for one in reasons)
    assert not any("secret" in one for one in reasons)


def test_the_environment_does_not_name_a_proxy(
    server: PictureServer, cache: PictureCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    assert fetch_one(server.add("/a.jpg", jpeg()), cache).is_new
