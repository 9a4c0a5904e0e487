"""The stream that decodes and extracts: in threads, and in other processes."""

from __future__ import annotations

import multiprocessing
import pickle
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stylesearch.catalog import KnownImage
from stylesearch.extractors import load_extractor
from stylesearch.features.prepare import PreparedImage, Task, give_up_image, prepare_image
from stylesearch.features.stream import MAX_SAMPLES, Sample, extract_stream, map_in_order
from stylesearch.files import RACY_SECONDS
from stylesearch.images import decode, limits
from stylesearch.images.inputs import make_inputs
from stylesearch.images.limits import DecodingLimits
from stylesearch.images.processes.pool import SUPPORTED
from stylesearch.listing import Record
from stylesearch.testing.fake_extractor import FakeExtractor
from stylesearch.types import Product


def test_results_are_in_the_order_of_the_items() -> None:
    def slow_when_even(number: int) -> int:
        time.sleep(0.004 * (number % 2 == 0))
        return number * number

    with ThreadPoolExecutor(4) as pool:
        assert list(map_in_order(pool, slow_when_even, range(40), window=8)) == [n * n for n in range(40)]


def test_no_more_is_taken_than_the_window_holds() -> None:
    taken = 0

    def items() -> Iterator[int]:
        nonlocal taken
        for number in range(1000):
            taken += 1
            yield number

    with ThreadPoolExecutor(2) as pool:
        results = map_in_order(pool, lambda number: number, items(), window=5)
        for n_read in range(1, 20):
            next(results)
            assert taken <= n_read + 5
        results.close()


def test_an_error_is_raised_in_its_place_and_the_rest_is_cancelled() -> None:
    ran: set[int] = set()
    gate = threading.Event()

    def fail_at_three(number: int) -> int:
        ran.add(number)
        if number == 3:
            raise ValueError("three")
        if number > 3:
            gate.wait(5)
        return number

    with ThreadPoolExecutor(1) as pool:
        results = map_in_order(pool, fail_at_three, range(100), window=10)
        assert [next(results) for _ in range(3)] == [0, 1, 2]
        with pytest.raises(ValueError, match="three"):
            next(results)
        gate.set()
    assert len(ran) <= 6


@dataclass(eq=False, slots=True)
class Numbered(Sample):
    """A picture of one grey."""

    number: int


def prepare_grey(number: int, *, size: int = 64, n_regions: int = 1) -> Numbered:
    pixels = np.full((n_regions, size, size, 3), number % 256, np.uint8)
    return Numbered(number, inputs={size: pixels})


def test_samples_come_in_order_with_the_vectors_of_their_own_pixels() -> None:
    fake = FakeExtractor()
    samples = list(extract_stream(range(50), prepare_grey, [fake], batch_size=8, n_workers=3))
    assert [one.number for one in samples] == list(range(50))
    for one in samples:
        np.testing.assert_array_equal(
            one.vectors[fake.fingerprint], fake.extract(np.full((1, 64, 64, 3), one.number, np.uint8))
        )
        assert not one.inputs
        assert one.n_extracted == 1


def test_a_batch_has_no_more_inputs_than_were_asked_for() -> None:
    sizes = []

    class Counting(FakeExtractor):
        def extract(self, images: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
            sizes.append(len(images))
            return super().extract(images)

    prepare = partial(prepare_grey, n_regions=3)
    list(extract_stream(range(20), prepare, [Counting(concurrency=1)], batch_size=8, n_regions=3))
    assert sizes == [6] * 10
    sizes.clear()
    list(extract_stream(range(3), prepare, [Counting(concurrency=1)], batch_size=2, n_regions=3))
    assert sizes == [3] * 3, "a sample is not divided"


@pytest.mark.parametrize("executor", [None, ThreadPoolExecutor])
def test_memory_does_not_grow_with_the_source(executor: type[ThreadPoolExecutor] | None) -> None:
    n_taken = 0

    def items() -> Iterator[int]:
        nonlocal n_taken
        for number in range(5000):
            n_taken += 1
            yield number

    pool = executor(2) if executor else None
    samples = extract_stream(items(), prepare_grey, [FakeExtractor(concurrency=2)], pool, batch_size=4)
    for n_read in range(1, 100):
        next(samples)
        assert n_taken <= n_read + 40
    samples.close()
    assert n_taken < 200
    if pool:
        pool.shutdown()


def test_samples_without_inputs_pass_a_few_hundred_at_a_time() -> None:
    batches: list[int] = []
    samples = extract_stream(
        range(600), Sampling(), [FakeExtractor()], find_known=lambda batch: batches.append(len(batch))
    )
    assert [one.number for one in samples] == list(range(600))
    assert max(batches) == MAX_SAMPLES


class Sampling:
    """Prepares samples that have nothing to be extracted from."""

    def __call__(self, number: int) -> Numbered:
        return Numbered(number)


def test_known_vectors_are_not_computed() -> None:
    fake, other = FakeExtractor(), FakeExtractor(seed=1)
    known = np.ones((1, 32), np.float32)

    def find_known(batch: list[Numbered]) -> None:
        for one in batch:
            if one.number % 2:
                one.vectors[fake.fingerprint] = known

    samples = list(
        extract_stream(range(10), prepare_grey, [fake, other], batch_size=4, find_known=find_known)
    )
    for one in samples:
        assert (one.vectors[fake.fingerprint] is known) == bool(one.number % 2)
        assert one.n_extracted == 2 - one.number % 2
        assert other.fingerprint in one.vectors


def test_an_extractor_is_not_run_where_its_vectors_are_not_wanted() -> None:
    fake, other = FakeExtractor(), FakeExtractor(seed=1)

    def prepare(number: int) -> Numbered:
        sample = prepare_grey(number)
        sample.wanted = frozenset([other.fingerprint])
        return sample

    (sample,) = extract_stream([1], prepare, [fake, other])
    assert set(sample.vectors) == {other.fingerprint}


def test_without_an_extractor_the_inputs_come_back() -> None:
    samples = list(extract_stream(range(30), prepare_grey, n_workers=3))
    assert [int(one.inputs[64][0, 0, 0, 0]) for one in samples] == list(range(30))


def test_an_error_of_an_extractor_is_raised_and_all_threads_end() -> None:
    class Failing(FakeExtractor):
        def extract(self, images: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
            if (images == 9).all(axis=(1, 2, 3)).any():
                raise ValueError("nine")
            return super().extract(images)

    samples = extract_stream(range(1000), prepare_grey, [Failing()], batch_size=4)
    assert [next(samples).number for _ in range(8)] == list(range(8))
    with pytest.raises(ValueError, match="nine"):
        next(samples)
    names = {thread.name.partition("_")[0] for thread in threading.enumerate()}
    assert not names & {"decode", "extract"}


# A pool of processes stands for a cluster: tasks go there, vectors and failures come back.


@pytest.fixture
def tasks(tmp_path: Path) -> list[Task]:
    """Seven pictures; the fourth is none."""
    rng = np.random.default_rng(4)
    found = []
    for number in range(7):
        path = tmp_path / f"{number}.jpg"
        Image.fromarray(rng.integers(0, 255, (300, 200, 3), np.uint8)).save(path)
        if number == 3:
            path.write_bytes(b"no picture")
        found.append(Task(Record(Product(str(number), "a coat", "coat"), str(path)), None, frozenset()))
    return found


def test_processes_give_what_threads_give_and_no_pixels_travel(tasks: list[Task]) -> None:
    load = partial(load_extractor, "hog", engine="numpy")  # else engines are imported to choose from
    hog = load()
    prepare = partial(prepare_image, sizes={hog.fingerprint: hog.input_size}, max_pixels=10**6)
    time.sleep(RACY_SECONDS + 0.1)  # files that have just been written have no key yet
    here = list(extract_stream(tasks, prepare, [hog], batch_size=3))
    spawn = multiprocessing.get_context("spawn")  # nothing of this process is there
    with ProcessPoolExecutor(2, mp_context=spawn) as processes:
        there = list(extract_stream(tasks, prepare, [load], processes, batch_size=3))
    assert [one.task for one in there] == tasks
    for mine, other in zip(here, there, strict=True):
        assert mine.entry == other.entry
        assert not other.inputs
        assert set(mine.vectors) == set(other.vectors)
        for fingerprint, vectors in mine.vectors.items():
            np.testing.assert_array_equal(other.vectors[fingerprint], vectors)
    assert [one.task.record.product.id for one in there if one.entry.error] == ["3"]
    size = len(pickle.dumps(there[0]))
    assert size < 4 * hog.dim + 2000, f"{size} bytes"


def test_only_this_process_says_that_a_file_is_gone(tasks: list[Task]) -> None:
    def prepare_without_folder(task: Task) -> PreparedImage:
        elsewhere = f"/absent{task.record.path}"
        there = replace(task, record=replace(task.record, path=elsewhere))
        sample = prepare_image(there, sizes={}, max_pixels=10**6)
        assert sample.entry.error == "No such file or directory"
        assert sample.unseen == elsewhere
        sample.unseen = task.record.path
        return sample

    here, gone = (replace(one, known=_usable(one.record)) for one in tasks[:2])
    Path(gone.record.path).unlink()
    with ThreadPoolExecutor(1) as pool:
        samples = list(extract_stream([here, gone], prepare_without_folder, [], pool, give_up=give_up_image))
    assert [one.entry.error for one in samples] == [None, "No such file or directory"]
    path = here.record.path
    assert [one.failure for one in samples] == [
        f"{path} cannot be read by the process that was to read it",
        None,
    ]


def _usable(record: Record) -> KnownImage:
    product = Product(record.product.id, "a coat", "coat")
    where = (record.path, record.domain, record.box)
    return KnownImage(1, product, *where, "a" * 64, 200, 300, None, None, None, frozenset())


def test_an_error_in_another_process_is_raised_where_it_belongs() -> None:
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as processes:
        samples = extract_stream(["10", "20", "x"], parse, [], processes, batch_size=1, n_workers=1)
        assert [next(samples).number for _ in range(2)] == [10, 20]
        with pytest.raises(ValueError, match="'x'"):
            next(samples)


@pytest.mark.skipif(not SUPPORTED, reason="pictures are decoded in threads here")
def test_limits_of_decoding_hold_in_other_processes_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_limits", DecodingLimits(max_file_bytes=123_456))
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as processes:
        (sample,) = extract_stream(["1"], largest_file_if_decoded_elsewhere, [], processes)
    assert sample.number == 123_456


def largest_file_if_decoded_elsewhere(text: str) -> Numbered:
    return Numbered(limits.decoding_limits().max_file_bytes if decode._elsewhere else int(text))


def parse(text: str) -> Numbered:
    return Numbered(int(text))


def test_a_prepared_image_can_be_pickled(tasks: list[Task]) -> None:
    sample = prepare_image(tasks[0], sizes={"a": 32}, max_pixels=10**6)
    copy: PreparedImage = pickle.loads(pickle.dumps(sample))
    assert (copy.task, copy.entry, copy.wanted) == (sample.task, sample.entry, frozenset("a"))
    np.testing.assert_array_equal(copy.inputs[32], make_inputs(tasks[0].record.path, [32]).pixels[32])
