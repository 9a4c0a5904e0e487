from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from stylesearch.errors import NotAnImage, StyleSearchError
from stylesearch.images.remote import PictureCache
from stylesearch.images.remote.cache import CacheStatus
from tests.unit.images.remote.conftest import jpeg

URL = "https://shop.test/dress.jpg"


def files_of(cache: PictureCache) -> list[str]:
    return sorted(
        path.relative_to(cache.folder).as_posix()
        for path in cache.folder.rglob("*.*")
        if "index" not in path.name
    )


def test_a_picture_lies_under_the_digest_of_its_bytes(cache: PictureCache) -> None:
    data = jpeg()
    digest = hashlib.sha256(data).hexdigest()
    stored = cache.store(URL, [data[:10], data[10:]], etag='"1"', last_modified="Mon")
    assert stored.sha256 == digest
    assert stored.path == cache.folder / digest[:2] / f"{digest}.jpg"
    assert stored.path.read_bytes() == data
    assert cache.find(URL) == stored
    assert (stored.etag, stored.last_modified, stored.size) == ('"1"', "Mon", len(data))


def test_the_ending_follows_the_content(cache: PictureCache) -> None:
    png = b"\x89PNG\r\n\x1a\n" + bytes(100)
    assert cache.store("https://shop.test/dress.jpg", [png]).path.suffix == ".png"


def test_nothing_is_created_before_the_first_picture(cache: PictureCache) -> None:
    assert cache.find(URL) is None
    assert cache.status() == CacheStatus(0, 0, 0)
    assert cache.clear() == CacheStatus(0, 0, 0)
    assert not cache.folder.exists()


def test_two_urls_of_one_content_have_one_file(cache: PictureCache) -> None:
    first = cache.store(URL, [jpeg()])
    second = cache.store(URL + "?v=2", [jpeg()])
    assert first.path == second.path
    assert cache.status() == CacheStatus(1, len(jpeg()), 2)


def test_what_is_no_picture_is_not_stored(cache: PictureCache) -> None:
    with pytest.raises(NotAnImage, match="a web page"):
        cache.store(URL, [b"<!DOCTYPE html><title>Not found</title>"])
    with pytest.raises(NotAnImage, match="empty"):
        cache.store(URL, [])
    assert cache.find(URL) is None
    assert cache.status() == CacheStatus(0, 0, 0)


def test_an_error_while_bytes_come_leaves_the_cache_as_it_was(cache: PictureCache) -> None:
    old = cache.store(URL, [jpeg(1)])

    def broken() -> Iterator[bytes]:
        yield jpeg(2)
        raise ConnectionError("cut off")

    with pytest.raises(ConnectionError):
        cache.store(URL, broken())
    assert cache.find(URL) == old
    assert files_of(cache) == [f"{old.path.parent.name}/{old.path.name}"]


def test_many_urls_are_found_at_once(cache: PictureCache) -> None:
    urls = [f"https://shop.test/{n}.jpg" for n in range(1203)]
    for url in urls:
        cache.store(url, [jpeg()])
    found = cache.find_many([*urls, "https://shop.test/other.jpg"])
    assert sorted(found) == sorted(urls)


def test_a_missing_or_shortened_file_is_not_found(cache: PictureCache) -> None:
    one, two = cache.store(URL, [jpeg(1)]), cache.store(URL + "2", [jpeg(2)])
    one.path.unlink()
    two.path.write_bytes(jpeg(2)[:-1])
    assert cache.find_many([URL, URL + "2"]) == {}
    assert cache.store(URL + "2", [jpeg(2)]).path.read_bytes() == jpeg(2)
    assert cache.find(URL + "2") is not None


def test_a_file_with_other_bytes_of_the_same_length_is_written_anew(cache: PictureCache) -> None:
    path = cache.store(URL, [jpeg(1)]).path
    path.write_bytes(bytes(len(jpeg(1))))
    cache.store(URL, [jpeg(1)])
    assert path.read_bytes() == jpeg(1)


def test_touch_sets_the_time_of_the_check(cache: PictureCache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 1000.0)
    cache.store(URL, [jpeg()])
    monkeypatch.setattr(time, "time", lambda: 2000.0)
    cache.touch(URL)
    found = cache.find(URL)
    assert found is not None
    assert found.checked_at == 2000.0


@pytest.mark.parametrize("damage", [b"no database at all" * 1000, b""])
def test_a_damaged_index_is_begun_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: bytes
) -> None:
    with PictureCache(tmp_path) as cache:
        cache.store(URL, [jpeg()])
    (tmp_path / "index.sqlite").write_bytes(damage)
    with PictureCache(tmp_path) as cache:
        assert cache.find(URL) is None
        cache.store(URL, [jpeg()])
        assert cache.find(URL) is not None
        assert cache.status() == CacheStatus(1, len(jpeg()), 1)
    warned = [one for one in caplog.records if one.levelno == logging.WARNING]
    assert len(warned) == bool(damage)


def test_an_index_of_another_version_is_begun_anew(tmp_path: Path) -> None:
    index = sqlite3.connect(tmp_path / "index.sqlite")
    index.execute("PRAGMA user_version = 99")
    index.close()
    with PictureCache(tmp_path) as cache:
        assert cache.find(URL) is None
        cache.store(URL, [jpeg()])
        assert cache.find(URL) is not None


def test_an_index_that_has_lost_its_table_is_begun_anew(tmp_path: Path) -> None:
    with PictureCache(tmp_path) as cache:
        cache.store(URL, [jpeg()])
    with contextlib.closing(sqlite3.connect(tmp_path / "index.sqlite")) as index:
        index.execute("DROP TABLE pictures")
    with PictureCache(tmp_path) as cache:
        assert cache.find(URL) is None
        assert cache.store(URL, [jpeg()]).path.exists()
        assert cache.find(URL) is not None


def test_a_deleted_index_is_begun_anew(tmp_path: Path) -> None:
    with PictureCache(tmp_path) as cache:
        cache.store(URL, [jpeg()])
    (tmp_path / "index.sqlite").unlink()
    with PictureCache(tmp_path) as cache:
        assert cache.find(URL) is None
        assert cache.store(URL, [jpeg()]).path.exists()


def test_an_index_that_cannot_be_opened_is_an_error_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "index.sqlite").mkdir()
    with (
        PictureCache(tmp_path) as cache,
        pytest.raises(StyleSearchError, match=r"index\.sqlite, cannot be used"),
    ):
        cache.find(URL)


def test_clear_keeps_what_it_is_told_to(cache: PictureCache) -> None:
    kept = cache.store(URL, [jpeg(1)])
    gone = [cache.store(f"{URL}?{n}", [jpeg(2)]) for n in range(3)]
    assert cache.clear({kept.sha256}) == CacheStatus(1, len(jpeg(2)), 3)
    assert files_of(cache) == [f"{kept.path.parent.name}/{kept.path.name}"]
    assert cache.find(URL) == kept
    assert not gone[0].path.parent.exists() or gone[0].path.parent == kept.path.parent
    assert cache.clear(lambda _: False) == CacheStatus(1, len(jpeg(1)), 1)
    assert cache.status() == CacheStatus(0, 0, 0)


def test_files_of_a_process_that_was_killed_are_removed_later(tmp_path: Path) -> None:
    with PictureCache(tmp_path) as cache:
        cache.store(URL, [jpeg()])
    old, fresh = tmp_path / "incoming" / "a.part", tmp_path / "incoming" / "b.part"
    old.write_bytes(b"half")
    fresh.write_bytes(b"half")
    os.utime(old, (1.0, 1.0))
    with PictureCache(tmp_path) as cache:
        assert cache.find(URL) is not None
    assert not old.exists()
    assert fresh.exists()


def test_threads_and_connections_store_side_by_side(tmp_path: Path) -> None:
    with PictureCache(tmp_path) as one, PictureCache(tmp_path) as other:

        def store(cache: PictureCache, start: int) -> None:
            for n in range(start, start + 40):
                cache.store(f"{URL}?{n}", [jpeg(n % 7)])

        threads = [
            threading.Thread(target=store, args=(cache, 40 * n))
            for n, cache in enumerate([one, other, one, other])
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        found = one.find_many(f"{URL}?{n}" for n in range(160))
        assert len(found) == 160
        assert all(
            path.path.read_bytes() == jpeg(int(url.rpartition("?")[2]) % 7) for url, path in found.items()
        )
        assert other.status().n_files == 7


def test_connections_begin_an_index_at_the_same_moment(tmp_path: Path) -> None:
    told: list[Exception] = []

    def begin(cache: PictureCache, together: threading.Barrier) -> None:
        together.wait()
        try:
            cache.touch(URL)
        except Exception as error:
            told.append(error)

    for n in range(30):  # one of four was told that the database is locked, one time in nine
        caches = [PictureCache(tmp_path / str(n)) for _ in range(4)]
        together = threading.Barrier(len(caches))
        threads = [threading.Thread(target=begin, args=(cache, together)) for cache in caches]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for cache in caches:
            cache.close()
    assert told == []
