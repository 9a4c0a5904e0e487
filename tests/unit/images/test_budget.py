from __future__ import annotations

import gc
import os
import threading
import time
from io import BytesIO

import pytest
from PIL import Image

from stylesearch.errors import ImageTooLarge
from stylesearch.images import decode as decoding
from stylesearch.images.budget import BUDGET, MemoryBudget
from stylesearch.images.decode import decode

TOTAL = 1_600
LARGEST = 1_200
SMALL = 100


@pytest.fixture
def budget() -> MemoryBudget:
    return MemoryBudget(lambda: TOTAL)


def _reserve(budget, n_bytes, check=lambda: None):
    return budget.reserve(n_bytes, "photo.png", (40, 30), check)


def _begin(budget, n_bytes, done, name):
    """Reserves in a thread of its own; returns when it has it, or waits for it."""

    def work():
        reservation = _reserve(budget, n_bytes)
        done.append(name)
        reservation.finish(0)

    n_waiting = len(budget._large.waiting)
    thread = threading.Thread(target=work)
    thread.start()
    while thread.is_alive() and len(budget._large.waiting) == n_waiting:
        time.sleep(0.001)
    return thread


def test_what_alone_exceeds_it_is_refused_with_what_it_takes(budget):
    with pytest.raises(ImageTooLarge, match=r"photo\.png is 40 x 30 pixels and takes 0 MB") as caught:
        _reserve(budget, LARGEST + 1)
    assert "STYLESEARCH_DECODE_MEMORY=100000000" in caught.value.hint
    assert budget.used == 0


def test_the_hint_is_enough():
    needed = 1_234_567_890
    with pytest.raises(
        ImageTooLarge, match=r"takes 1,235 MB to decode; one picture may take 600 MB"
    ) as caught:
        _reserve(MemoryBudget(lambda: 800_000_000), needed)
    enough = int(caught.value.hint.partition("MEMORY=")[2].partition(",")[0])
    _reserve(MemoryBudget(lambda: enough), needed)
    with pytest.raises(ImageTooLarge):
        _reserve(MemoryBudget(lambda: enough - 100_000_000), needed)


def test_large_ones_wait_and_come_in_their_order(budget):
    done = []
    first = _reserve(budget, LARGEST)
    threads = [_begin(budget, size, done, name) for name, size in (("large", 1_100), ("medium", 200))]
    # There would be no memory for either: the medium one does not pass the large one later, too.
    assert done == []
    first.finish(0)
    for thread in threads:
        thread.join(10)
    assert done == ["large", "medium"]
    assert budget.used == 0


def test_one_that_would_fit_does_not_pass_one_that_waits(budget):
    done = []
    first = _reserve(budget, 1_000)
    large = _begin(budget, LARGEST, done, "large")
    medium = _begin(budget, 150, done, "medium")
    time.sleep(0.05)
    assert done == []
    first.finish(0)
    large.join(10)
    medium.join(10)
    assert done == ["large", "medium"]


def test_small_ones_do_not_wait_for_large_ones(budget):
    _reserve(budget, LARGEST)
    waiting = _begin(budget, LARGEST, [], "large")
    _reserve(budget, SMALL)
    assert waiting.is_alive()
    assert budget.used == LARGEST + SMALL
    budget._large.used = budget._large.n_decoding = 0
    waiting.join(10)


def test_results_in_use_keep_nobody_waiting_for_ever(budget):
    first = _reserve(budget, LARGEST)
    first.finish(1_000)
    second = _reserve(budget, LARGEST)
    second.finish(0)
    first.give_back(1_000)
    assert budget.used == 0


def test_one_that_is_not_wanted_any_more_stops_waiting(budget):
    class NotWanted(Exception):
        pass

    def check():
        raise NotWanted

    first = _reserve(budget, LARGEST)
    with pytest.raises(NotWanted):
        _reserve(budget, LARGEST, check)
    first.finish(0)
    _reserve(budget, LARGEST).finish(0)


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing is copied here")
def test_a_fork_begins_with_all_of_it():
    reservation = BUDGET.reserve(BUDGET.largest, "photo.png", (40, 30))
    try:
        child = os.fork()
        if child == 0:
            other = BUDGET.reserve(BUDGET.largest, "photo.png", (40, 30), check=lambda: os._exit(1))
            other.finish(0)
            reservation.finish(0)
            os._exit(2 if BUDGET.used else 0)
        assert os.waitpid(child, 0)[1] == 0
    finally:
        reservation.finish(0)
    assert BUDGET.used == 0


def test_decoding_takes_what_it_needs_and_gives_it_back(monkeypatch):
    budget = MemoryBudget(lambda: 100_000_000)
    monkeypatch.setattr(decoding, "BUDGET", budget)
    data = BytesIO()
    Image.new("RGB", (200, 100), "red").save(data, "PNG")
    image = decode(data.getvalue())
    assert budget.used == 200 * 100 * 7
    del image
    gc.collect()
    assert budget.used == 0
    with pytest.raises(ImageTooLarge):
        decode(b"\x89PNG\r\n\x1a\n" + data.getvalue()[8:], max_pixels=200)
    assert budget.used == 0


def test_a_failure_gives_everything_back(monkeypatch):
    budget = MemoryBudget(lambda: 100_000_000)
    monkeypatch.setattr(decoding, "BUDGET", budget)
    data = BytesIO()
    Image.effect_noise((200, 100), 50).save(data, "PNG")
    with pytest.raises(ValueError, match="damaged"):
        decode(data.getvalue()[:3000])
    assert budget.used == 0
