from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from stylesearch.errors import ConfigError, MissingDependency
from stylesearch.images.remote import Fetched, FetchOptions, NotFetched, PictureCache, buckets, fetch_stream
from tests.unit.images.remote.conftest import QUICK, jpeg
from tests.unit.images.remote.test_fetch import fail_one, fetch_all, fetch_one

fsspec = pytest.importorskip("fsspec")


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A store in memory, which only tests can read."""
    monkeypatch.setitem(buckets.OBJECT_SCHEMES, "memory", "fsspec")
    memory = fsspec.filesystem("memory")
    yield memory
    memory.store.clear()


def allowed(*names: str, **changes: Any) -> FetchOptions:
    return replace(QUICK, buckets=names or ("memory://shop",), **changes)


def test_pictures_of_an_object_store_are_fetched(store: Any, cache: PictureCache) -> None:
    store.pipe("/shop/a.jpg", jpeg(1))
    found = fetch_one("memory://shop/a.jpg", cache, allowed())
    assert found.path.read_bytes() == jpeg(1)
    assert found.is_new


def test_an_unchanged_picture_is_not_read_again(
    store: Any, cache: PictureCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.pipe("/shop/a.jpg", jpeg(1))
    fetch_one("memory://shop/a.jpg", cache, allowed())
    monkeypatch.setattr(store, "open", lambda *_, **__: pytest.fail("it was read again"))
    assert not fetch_one("memory://shop/a.jpg", cache, allowed(max_age=0)).is_new


def test_a_changed_picture_is_read_again(store: Any, cache: PictureCache) -> None:
    store.pipe("/shop/a.jpg", jpeg(1))
    fetch_one("memory://shop/a.jpg", cache, allowed())
    store.pipe("/shop/a.jpg", jpeg(2))
    found = fetch_one("memory://shop/a.jpg", cache, allowed(max_age=0))
    assert found.is_new
    assert found.path.read_bytes() == jpeg(2)


def test_what_is_no_picture_or_too_large_or_gone_is_told(store: Any, cache: PictureCache) -> None:
    store.pipe("/shop/page.jpg", b"<html>")
    store.pipe("/shop/large.jpg", jpeg() + bytes(9000))
    found = fetch_all(
        ["memory://shop/page.jpg", "memory://shop/large.jpg", "memory://shop/no.jpg", "memory://shop"],
        cache,
        allowed(max_bytes=4000),
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
    assert fetch_one("memory://shop/a.jpg", cache, allowed()).is_new
    assert n_asked == 2


def test_other_stores_cannot_be_chained_into_a_url(store: Any, cache: PictureCache, tmp_path: Any) -> None:
    (tmp_path / "secret.jpg").write_bytes(jpeg())
    for url in (f"memory::file://{tmp_path}/secret.jpg", f"simplecache::file://{tmp_path}/secret.jpg"):
        assert "only http, https and object stores" in fail_one(url, cache).reason
    url = f"memory://x::file://{tmp_path}/secret.jpg"
    assert isinstance(fetch_all([url], cache, allowed("memory://x::file:"))[url], NotFetched)


def test_a_library_that_is_missing_is_named(cache: PictureCache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(MissingDependency, match="pictures behind s3:// are read with s3fs") as raised:
        list(fetch_stream(["s3://bucket/a.jpg"], str, cache, allowed("s3://bucket")))
    assert raised.value.hint == "pip install 'stylesearch[cloud]' s3fs"


def test_offline_needs_no_library(cache: PictureCache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec", None)
    options = allowed("s3://bucket", offline=True)
    assert not isinstance(fetch_all(["s3://bucket/a.jpg"], cache, options)["s3://bucket/a.jpg"], Fetched)


@pytest.mark.parametrize(
    ("url", "bucket"),
    [
        ("s3://other/a.jpg", "s3://other"),
        ("s3://shop-media-2/a.jpg", "s3://shop-media-2"),
        ("S3A://Other/a.jpg", "s3a://Other"),
        ("gs://shop-media/a.jpg", "gs://shop-media"),
        ("gs://pictures/b/a.jpg", "gs://pictures"),
        ("abfs://box@other.dfs.core.windows.net/a.jpg", "abfs://box@other.dfs.core.windows.net"),
        ("az:///box/a.jpg", "az://"),
    ],
)
def test_no_bucket_is_read_that_is_not_allowed(cache: PictureCache, url: str, bucket: str) -> None:
    names = ("s3://shop-media", "gs://pictures/a", "az://box")
    reason = fail_one(url, cache, allowed(*names)).reason
    assert "is not among those that may be read (--allow-bucket" in reason
    assert bucket in reason
    assert "is not among those" in fail_one("s3://shop-media/a.jpg", cache, QUICK).reason, (
        "none is by default"
    )


def test_folders_and_other_names_of_a_scheme_are_allowed_with_their_bucket() -> None:
    names = ("s3://shop-media", "gs://pictures/a/", "abfss://box@own.dfs.core.windows.net")
    for url in (
        "s3a://shop-media/x/y.jpg",
        "s3://shop-media",
        "gcs://pictures/a/b.jpg",
        "az://box@own.dfs.core.windows.net/a.jpg",
    ):
        assert buckets.describe_bucket_refusal(url, names) is None
    for url in ("s3://shop-media/../other/a.jpg", "gs://pictures/a/../b.jpg", "s3://shop-media/x/.."):
        assert "with .. in it" in str(buckets.describe_bucket_refusal(url, names))


@pytest.mark.parametrize(
    "bucket", ["shop-media", "s3://", "https://shop.example", "memory://x", "s3://a b", ""]
)
def test_what_is_no_bucket_is_refused(bucket: str) -> None:
    with pytest.raises(ConfigError, match="not a bucket of a known object store"):
        FetchOptions(buckets=(bucket,))


def test_a_feed_cannot_read_the_memory_of_other_programs(cache: PictureCache) -> None:
    assert "only http, https and object stores" in fail_one("memory://shop/a.jpg", cache).reason
