"""Events of webhooks are kept until they are done, of each product the newest."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from stylesearch.serving.products.webhook_queue import Event, QueueIsFull, WebhookQueue, read_moment

OLD, NEW = "2026-11-29T08:00:00.000000+00:00", "2026-11-29T09:00:00.000000+00:00"


@pytest.fixture
def queue(tmp_path: Path) -> WebhookQueue:
    return WebhookQueue(tmp_path, 3)


def event(product: str = "1", moment: str = OLD, title: str = "A", topic: str = "products/update") -> Event:
    return Event(product, topic, moment, {"id": int(product), "title": title})


def waiting(queue: WebhookQueue) -> list[Event | None]:
    return [queue.read(key) for key in queue.waiting()]


def test_of_each_product_the_newest_waits(queue: WebhookQueue, tmp_path: Path) -> None:
    assert queue.put(event())
    assert queue.put(event(moment=NEW, title="B"))
    assert not queue.put(event(title="late"))
    assert queue.put(event(moment=NEW, title="C")), "of the same second, the one that comes later"
    assert waiting(WebhookQueue(tmp_path, 3)) == [event(moment=NEW, title="C")], "another process sees it"


def test_what_is_older_than_what_was_done_is_dropped(queue: WebhookQueue) -> None:
    queue.put(event(moment=NEW, topic="products/delete"))
    queue.done(event(moment=NEW, topic="products/delete"))
    assert waiting(queue) == []
    assert not queue.put(event(title="late"))
    assert queue.put(event("2", OLD))


def test_a_newer_event_that_came_meanwhile_is_not_done(queue: WebhookQueue) -> None:
    queue.put(event())
    queue.put(event(moment=NEW))
    queue.done(event())
    assert waiting(queue) == [event(moment=NEW)]


def test_those_that_wait_longest_come_first_and_a_change_has_another_key(
    queue: WebhookQueue, tmp_path: Path
) -> None:
    for number, product in enumerate(("30", "7", "100")):
        queue.put(event(product))
        os.utime(tmp_path / "webhooks" / f"{product}.json", ns=(number, number))
    assert [key[0] for key in queue.waiting()] == ["30", "7", "100"]
    queue.put(event("30", NEW))
    assert queue.waiting()[-1][0] == "30"


def test_it_holds_no_more_products_than_it_may(queue: WebhookQueue) -> None:
    for product in ("1", "2", "3"):
        queue.put(event(product))
    with pytest.raises(QueueIsFull, match="too many"):
        queue.put(event("4"))
    assert queue.put(event("3", NEW)), "in place of its older one"


@pytest.mark.parametrize(
    "written",
    [
        b"[1",
        b"5",
        b"null",
        b"{}",
        b"[]",
        b'["t", "m"]',
        b'["t", 5, {}]',
        b'["t", "m", []]',
        b"\xff",
        b"[" * 100_000,
    ],
    ids=lambda written: str(written[:20]),
)
def test_what_is_no_event_is_put_aside(
    queue: WebhookQueue, tmp_path: Path, written: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    queue.put(event())
    (tmp_path / "webhooks" / "1.json").write_bytes(written)
    assert waiting(queue) == [None]
    assert queue.waiting() == []
    assert (tmp_path / "webhooks" / "1.bad").read_bytes() == written
    assert "1.json" in caplog.text
    assert queue.put(event())
    assert waiting(queue) == [event()]


def test_other_files_in_the_folder_are_left_alone(queue: WebhookQueue, tmp_path: Path) -> None:
    queue.put(event())
    (tmp_path / "webhooks" / "1x.json").write_bytes(b"{}")
    assert waiting(queue) == [event()]


def test_the_folder_is_counted_only_near_the_limit(
    queue: WebhookQueue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = []
    count = WebhookQueue.n_waiting

    def note(queue: WebhookQueue) -> int:
        counted.append(count(queue))
        return counted[-1]

    monkeypatch.setattr(WebhookQueue, "n_waiting", note)
    other = WebhookQueue(tmp_path, 3)
    for one, product in ((queue, "1"), (other, "2"), (queue, "3")):
        one.put(event(product))
    assert counted == [0], "another process knows it too"
    for _ in range(2):
        with pytest.raises(QueueIsFull):
            other.put(event("4"))
    queue.done(event("1"))
    assert other.put(event("4"))
    assert counted == [0, 3, 3, 2]
    (tmp_path / "webhooks" / "room").write_text("many")
    with pytest.raises(QueueIsFull):
        queue.put(event("5"))


@pytest.mark.parametrize("product", ["../1", "", "1/2", "\u0661"])
def test_only_numbers_become_names_of_files(queue: WebhookQueue, product: str) -> None:
    with pytest.raises(ValueError, match="not the number"):
        queue.put(Event(product, "products/update", OLD, {}))


def test_one_reads_at_a_time(queue: WebhookQueue, tmp_path: Path) -> None:
    with queue.only_reader(), pytest.raises(QueueIsFull), WebhookQueue(tmp_path, 3).only_reader():
        raise AssertionError("two read at a time")
    with queue.only_reader():
        pass


def test_what_was_done_long_ago_is_forgotten(queue: WebhookQueue, tmp_path: Path) -> None:
    for product in ("1", "2"):
        queue.done(event(product))
    os.utime(tmp_path / "webhooks" / "done" / "1", (0, 0))
    queue.tidy()
    assert [path.name for path in (tmp_path / "webhooks" / "done").iterdir()] == ["2"]


def test_without_a_time_it_is_now() -> None:
    for text in (None, "yesterday", "2026-11-29T08:00:00", 5):
        assert read_moment(text) > NEW[:4]
    assert read_moment("x", "2026-11-29T10:00:00+02:00") == OLD


@pytest.mark.parametrize(
    "content",
    [b"", b"[" * 5000, b"\xff\xfe", b'["products/update", "r026-11-29T08:00:00.000000+00:00", {}]', None],
)
def test_a_damaged_event_is_put_aside_and_does_not_keep_newer_ones_out(
    queue: WebhookQueue, tmp_path: Path, content: bytes | None
) -> None:
    queue.put(event("1"))
    path = tmp_path / "webhooks" / "1.json"
    path.unlink()
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    assert queue.put(event("1", NEW))
    assert waiting(queue) == [event("1", NEW)]
    assert path.with_suffix(".bad").exists()


@pytest.mark.parametrize("content", [b"r026-11-29T08:00:00.000000+00:00", b"\xff\xfe", b""])
def test_a_damaged_moment_of_what_was_done_keeps_no_event_out(
    queue: WebhookQueue, tmp_path: Path, content: bytes
) -> None:
    queue.put(event("1"))
    queue.done(event("1"))
    (tmp_path / "webhooks" / "done" / "1").write_bytes(content)
    assert queue.put(event("1", NEW))
