from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from stylesearch.errors import MissingDependency
from stylesearch.images.remote import Fetched, NotFetched, PictureCache, fetch_stream
from tests.unit.images.remote.conftest import QUICK, jpeg
from tests.unit.images.remote.test_fetch import fail_one, fetch_all, fetch_one

fsspec = pytest.importorskip("fsspec")


@pytest.fixture
def store() -> Iterator[Any]:
    memory = fsspec.filesystem("memory")
    yield memory
    memory.store.clear()


def test_pictures_of_an_object_store_are_fetched(store: Any, cache: PictureCache) -> None:
    store.pipe("/shop/a.jpg", jpeg(1))
    found = fetch_one("memory://shop/a.jpg", cache)
    assert found.path.read_bytes() == jpeg(1)
    assert found.is_new


def test_an_unchanged_picture_is_not_read_again(
    store: Any, cache: PictureCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.pipe("/shop/a.jpg", jpeg(1))
    fetch_one("memory://shop/a.jpg", cache)
    monkeypatch.setattr(store, "open", lambda *_, **__: pytest.fail("it was read again"))
    assert not fetch_one("memory://shop/a.jpg", cache, replace(QUICK, max_age=0)).is_new


def test_a_changed_picture_is_read_again(store: Any, cache: PictureCache) -> None:
    store.pipe("/shop/a.jpg", jpeg(1))
    fetch_one("memory://shop/a.jpg", cache)
    store.pipe("/shop/a.jpg", jpeg(2))
    found = fetch_one("memory://shop/a.jpg", cache, replace(QUICK, max_age=0))
    assert found.is_new
    assert found.path.read_bytes() == jpeg(2)


def test_what_is_no_picture_or_too_large_or_gone_is_told(store: Any, cache: PictureCache) -> None:
    store.pipe("/shop/page.jpg", b"<html>")
    store.pipe("/shop/large.jpg", jpeg() + bytes(9000))
    found = fetch_all(
        ["memory://shop/page.jpg", "memory://shop/large.jpg", "memory://shop/no.jpg", "memory://shop"],
        cache,
        replace(QUICK, max_bytes=4000),
    )
    reasons = {url: (one.reason, one.is_gone) for url, one in found.items() if isinstance(one, NotFetched)}
    size = len(jpeg()) + 9000
    assert reasons == {
        "memory://shop/page.jpg": (
            "not a picture: a web page (the server may have sent an error page)",
            False,
        ),
        "memory://shop/large.jpg": (f"it has {size:,} bytes; 4,000 are the limit", False),
        "memory://shop/no.jpg": ("the store has no such picture", True),
        "memory://shop": ("a folder, not a picture", True),
    }


def test_a_store_that_does_not_answer_is_asked_again(
    store: Any, cache: PictureCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.pipe("/shop/a.jpg", jpeg())
    real, n_asked = store.info, 0

    def fail_once(*arguments: Any, **keywords: Any) -> Any:
        nonlocal n_asked
        n_asked += 1
        if n_asked == 1:
            raise TimeoutError("no answer")
        return real(*arguments, **keywords)

    monkeypatch.setattr(store, "info", fail_once)
    assert fetch_one("memory://shop/a.jpg", cache).is_new
    assert n_asked == 2


def test_other_stores_cannot_be_chained_into_a_url(cache: PictureCache, tmp_path: Any) -> None:
    (tmp_path / "secret.jpg").write_bytes(jpeg())
    for url in (f"memory::file://{tmp_path}/secret.jpg", f"simplecache::file://{tmp_path}/secret.jpg"):
        assert "only http, https and object stores" in fail_one(url, cache).reason
    assert isinstance(
        fetch_all([f"memory://x::file://{tmp_path}/secret.jpg"], cache).popitem()[1], NotFetched
    )


def test_a_library_that_is_missing_is_named(cache: PictureCache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(MissingDependency, match="pictures behind s3:// are read with s3fs") as raised:
        list(fetch_stream(["s3://bucket/a.jpg"], str, cache, QUICK))
    assert raised.value.hint == "pip install 'stylesearch[cloud]' s3fs"


def test_offline_needs_no_library(cache: PictureCache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec", None)
    options = replace(QUICK, offline=True)
    assert not isinstance(fetch_all(["s3://bucket/a.jpg"], cache, options)["s3://bucket/a.jpg"], Fetched)
