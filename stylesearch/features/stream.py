"""Decodes any number of images and extracts their features, as one stream.

```text
items -> prepare (decode, crop) -> batches -> extract -> samples, in the order of the items
```

By default both steps run in threads of this process. With an executor (a pool of processes, or a cluster)
both steps of a batch run where the executor runs them: items are sent there, vectors or failures come back,
and no pixels are sent. Where vectors may be known by content, items are first looked at there, many at a
time, so that they can be asked for here before anything is decoded:

```text
items -> look (read, hash) -> known here? -> no: batches -> prepare and extract -> samples, in their order
```

Whether a file is gone is decided here, as a worker may lack the folder that all share: the answer of one that
does not see what is here is not taken.

Either way pictures are decoded in processes of their own (``stylesearch.images.processes``); the limits of
what that takes hold for each process of the executor.

Either way only a bounded window of items is on the way at once, so memory does not grow with the source.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
import hashlib
import itertools
import os
import pickle
import socket
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Generic, Self, TypeVar

import numpy as np

from stylesearch.array_types import Floats, Pixels
from stylesearch.errors import BatchLost, StyleSearchError, WorkerRefused
from stylesearch.extractors.with_colors import ExtractorWithColors
from stylesearch.features.cluster.executor import ClusterExecutor, FilesSeen
from stylesearch.images.limits import DecodingLimits, decoding_limits, limit_decoding
from stylesearch.images.processes.pool import decoder_processes
from stylesearch.images.source import is_lost
from stylesearch.parallel import quick_switches

if TYPE_CHECKING:
    from stylesearch.extractors.base import Extractor

__all__ = ["MAX_SAMPLES", "ExtractionOptions", "Sample", "extract_stream", "map_in_order"]

LOOKED_AT_ONCE: Final = 4
"""Batches of items that are looked at in one call of an executor."""

MAX_SAMPLES: Final = 256
"""Samples of a batch, with those that have nothing to be extracted."""

Given = TypeVar("Given")
Made = TypeVar("Made")
SampleT = TypeVar("SampleT", bound="Sample")


@dataclass(frozen=True, slots=True)
class ExtractionOptions:
    """Batch size, threads and limits of an extraction.

    Attributes:
        batch_size: images of a forward pass.
        n_workers: threads that read and decode; with an executor other than a cluster, how many batches it
            runs at once.
        max_pixels: larger images are refused before they are decoded.
        lock_timeout: seconds to wait for another process that writes to the catalog.
        executor: runs whole batches, in other processes or on other machines, to which the extractors are
            pickled; None: threads of this process.
    """

    batch_size: int = 32
    n_workers: int = 2
    max_pixels: int = 200_000_000
    lock_timeout: float = 30.0
    executor: Executor | None = None

    @property
    def n_at_once(self) -> int | Callable[[], int]:
        """Threads, or batches that the executor runs at once; of a cluster a function, since that changes."""
        return self.executor.n_slots if isinstance(self.executor, ClusterExecutor) else self.n_workers

    def name_stage(self, stage: str) -> str:
        """A stage of an extraction as it is told: with the number of workers, where a cluster does it."""
        if isinstance(self.executor, ClusterExecutor):
            return f"{stage}: {self.executor.describe()}"
        return stage


@dataclass(eq=False, slots=True)
class Sample:
    """The result for one item of a stream; ``prepare`` makes it, usually as a subclass with the item.

    Attributes:
        inputs: network inputs by their size, uint8 (regions, size, size, 3); empty where there is nothing to
            extract from, and after the extraction.
        is_looked_at: whether it was only looked at: it has no inputs yet, and something to extract from.
        wanted: fingerprints of the extractors whose vectors are wanted; None for all of the stream.
        vectors: features by the extractor's fingerprint, float32 (regions, dim). Vectors that are set before
            the extraction are kept; those of a network that is used with colors get the colors appended.
        failure: the reason why there is nothing to extract from, or None.
        unseen: path of the file that is not there, or may not be read, in the process that prepared it.
        n_extracted: how many extractors were run on it.
        prepare_seconds: processor time of ``prepare``, if that measures it.
        extract_seconds: the sample's share of the wall time of the extraction.
    """

    inputs: dict[int, Pixels] = field(default_factory=dict, kw_only=True)
    is_looked_at: bool = field(default=False, kw_only=True)
    wanted: frozenset[str] | None = field(default=None, kw_only=True)
    vectors: dict[str, Floats] = field(default_factory=dict, kw_only=True)
    failure: str | None = field(default=None, kw_only=True)
    unseen: str | None = field(default=None, kw_only=True)
    n_extracted: int = field(default=0, kw_only=True)
    prepare_seconds: float = field(default=0.0, kw_only=True)
    extract_seconds: float = field(default=0.0, kw_only=True)

    @property
    def n_inputs(self) -> int:
        """Number of inputs of one size."""
        return max((len(pixels) for pixels in self.inputs.values()), default=int(self.is_looked_at))

    @property
    def content(self) -> object:
        """What identifies the content; None where that is not known."""
        return None

    def become(self, other: Self) -> None:
        """Takes over all that another sample of the same item has."""
        for one in dataclasses.fields(self):
            setattr(self, one.name, getattr(other, one.name))

    def drop_inputs(self) -> None:
        """Leaves nothing to be extracted from."""
        self.inputs, self.is_looked_at = {}, False

    def lacks(self, extractor: Extractor) -> bool:
        """Whether vectors of an extractor have to be computed."""
        fingerprint = extractor.fingerprint
        if fingerprint in self.vectors or extractor.input_size not in self.inputs:
            return False
        return self.wanted is None or fingerprint in self.wanted


def extract_stream(
    items: Iterable[Given],
    prepare: Callable[[Given], SampleT],
    extractors: Sequence[Extractor | Callable[[], Extractor]] = (),
    executor: Executor | None = None,
    *,
    batch_size: int = 32,
    n_workers: int | Callable[[], int] = 2,
    n_regions: int = 1,
    find_known: Callable[[list[SampleT]], None] | None = None,
    look: Callable[[Given], SampleT] | None = None,
    give_up: Callable[[Given, str], SampleT] | None = None,
) -> Generator[SampleT]:
    """Prepares items and extracts their features, batch by batch.

    Args:
        items: read lazily, in the caller's thread.
        prepare: makes a sample of an item. It, the items and the samples must be picklable where the
            executor's workers are other processes.
        extractors: each extracts from every sample that lacks its vectors; without any, samples come back
            with their inputs. One may be given as a function that loads it, such as
            ``partial(load_extractor, "hog")``: the function is called once in each process and pickled in
            place of the extractor.
        executor: runs whole batches; None: threads of this process.
        batch_size: inputs that an extractor gets at once.
        n_workers: threads that prepare, or batches that the executor works on (or a function that tells it).
        n_regions: about how many inputs a sample has; the more there are, the fewer samples are in work at
            once.
        find_known: called in the caller's thread with the samples of each batch before the extraction; may
            add vectors that are known. With an executor it is called only where there is ``look``.
        look: with an executor: makes a sample that is looked at, of what may be known by its content, else
            one that is finished. None: all is prepared at once.
        give_up: makes the sample of an item that the executor has lost with its worker too often
            (``BatchLost``), and of the reason; None: that is raised. With an executor also of an item whose
            file was not seen there, unless nothing is at its path here.

    Yields:
        The samples, in the order of the items. An exception of ``prepare`` or of an extractor is raised in
        place of its batch. When the caller stops early, batches that have not begun are cancelled.
    """
    batch_items = max(1, batch_size // n_regions)
    with ExitStack() as held:
        if executor is not None:
            elsewhere = _Elsewhere(executor, prepare, _Extractors(extractors), n_workers, give_up)
            if look is None:
                samples = elsewhere.extract(_lists(items, batch_items))
            else:
                seen = elsewhere.look(_lists(items, LOOKED_AT_ONCE * batch_items), look)
                seen = held.enter_context(closing(seen))
                found = held.enter_context(closing(_batches(seen, batch_size, find_known)))
                samples = elsewhere.extract_looked_at(found)
            yield from held.enter_context(closing(samples))
            return
        n_workers = n_workers() if callable(n_workers) else n_workers
        held.enter_context(decoder_processes())
        loaded = _Extractors(extractors).loaded
        concurrency = min((one.concurrency for one in loaded), default=0)
        # Decoders and engines need Python often and briefly: an ingest takes 0.85 of the time with this.
        held.enter_context(quick_switches())
        decoders = held.enter_context(ThreadPoolExecutor(n_workers, "decode"))
        window = (concurrency + 1) * batch_items if loaded else 8 * n_workers
        prepared = held.enter_context(closing(map_in_order(decoders, prepare, items, window=window)))
        if not loaded:
            yield from prepared
            return
        batches = held.enter_context(closing(_batches(prepared, batch_size, find_known)))
        pool = held.enter_context(ThreadPoolExecutor(concurrency, "extract"))
        extract = partial(_extract, loaded)
        extracted = held.enter_context(closing(map_in_order(pool, extract, batches, window=concurrency + 1)))
        yield from itertools.chain.from_iterable(extracted)


def map_in_order(
    executor: Executor, function: Callable[[Given], Made], items: Iterable[Given], *, window: int
) -> Generator[Made]:
    """Maps as ``executor.map`` does, but takes only so many of ``items`` at once as fit into a window.

    Args:
        executor: runs ``function``.
        function: called with each item.
        items: read lazily, in the caller's thread.
        window: how many items may be in work at once, which bounds memory.

    Yields:
        The results in the order of the items. An exception of ``function`` is raised in place of its
        result. When the caller stops early, calls that have not begun are cancelled.
    """
    pairs = ((item, executor.submit(function, item)) for item in items)
    for _, future in _in_order(pairs, lambda: window):
        yield future.result()


def _in_order(
    pairs: Iterable[tuple[Given, Future[Made]]], window: Callable[[], int]
) -> Generator[tuple[Given, Future[Made]]]:
    """Reads futures ahead, as many as fit into a window; cancels those that nobody reads."""
    running: collections.deque[tuple[Given, Future[Made]]] = collections.deque()
    try:
        for pair in pairs:
            running.append(pair)
            while len(running) >= window():
                yield running.popleft()
        while running:
            yield running.popleft()
    finally:
        for _, future in running:
            future.cancel()


class _Extractors:
    """Extractors, loaded when they are first used; pickled as the functions that load them."""

    def __init__(self, given: Sequence[Extractor | Callable[[], Extractor]]) -> None:
        self._given = tuple(given)
        self._loaded: tuple[Extractor, ...] | None = None
        self._loading = threading.Lock()

    @property
    def loaded(self) -> tuple[Extractor, ...]:
        """The extractors themselves."""
        with self._loading:
            if self._loaded is None:
                self._loaded = tuple(one() if callable(one) else one for one in self._given)
            return self._loaded

    @functools.cached_property
    def purpose(self) -> str:
        """What a worker is refused for that cannot load them as they are here: their fingerprints."""
        names = (
            hashlib.sha256(pickle.dumps(one)).hexdigest() if callable(one) else one.fingerprint
            for one in self._given
        )
        return " ".join(names)

    @functools.cached_property
    def _pickled(self) -> bytes:
        # The fingerprint of one that is given as a function is not known before it is loaded.
        expected = [None if callable(one) else one.fingerprint for one in self._given]
        return pickle.dumps((pickle.dumps(self._given), expected))

    def __reduce__(self) -> tuple[Any, ...]:
        return _ExtractorsElsewhere, (self._pickled,)


@dataclass(frozen=True, slots=True)
class _ExtractorsElsewhere:
    """The extractors in another process; loaded there once, whatever the number of batches."""

    pickled: bytes

    @property
    def loaded(self) -> tuple[Extractor, ...]:
        """The extractors themselves.

        Raises:
            WorkerRefused: they cannot be loaded here, or would compute other vectors.
        """
        with _loading_elsewhere:
            return _load_elsewhere(self.pickled)


_loading_elsewhere = threading.Lock()


@functools.lru_cache(maxsize=2)
def _load_elsewhere(pickled: bytes) -> tuple[Extractor, ...]:
    given, expected = pickle.loads(pickled)
    here = f"process {os.getpid()} on {socket.gethostname()}"
    try:
        loaded = tuple(one() if callable(one) else one for one in pickle.loads(given))
        found = [one.fingerprint for one in loaded]
    except Exception as error:
        hint = error.hint if isinstance(error, StyleSearchError) else ""
        raise WorkerRefused(f"{here} cannot load the extractor: {error}", hint=hint) from error
    for one, own, wanted in zip(loaded, found, expected, strict=True):
        if wanted not in (None, own):
            raise WorkerRefused(
                f"{here} has other weights or another version: its {one.name} has the fingerprint "
                f"{own[:12]}; {wanted[:12]} is asked for",
                hint="give all machines the same weights and the same versions",
            )
    return loaded


@dataclass(frozen=True, slots=True)
class _Pending(Generic[Given]):
    """An item that was looked at, with the vectors that are known of its content."""

    item: Given
    content: object
    vectors: dict[str, Floats]


class _Elsewhere:
    """The steps of a stream, run by an executor."""

    def __init__(
        self,
        executor: Executor,
        prepare: Callable[[Any], Any],
        extractors: _Extractors,
        n_workers: int | Callable[[], int],
        give_up: Callable[[Any, str], Any] | None,
    ) -> None:
        self._executor = executor
        self._purpose = extractors.purpose
        self._job = partial(_prepare_and_extract, prepare, extractors, decoding_limits())
        self._n_workers = n_workers
        self._give_up = give_up
        self._items: dict[int, Any] = {}

    def extract(self, lists: Iterable[list[Any]]) -> Generator[Any]:
        """Prepares and extracts items, batch by batch."""
        batches = ([_Pending(item, None, {}) for item in items] for items in lists)
        pairs = ((batch, self._start(batch)) for batch in batches)
        with closing(_in_order(pairs, self._window)) as futures:
            for batch, future in futures:
                yield from self._result(future, [one.item for one in batch])

    def look(self, lists: Iterable[list[Any]], look: Callable[[Any], Any]) -> Generator[Any]:
        """Looks at items."""
        job = partial(_look_at_all, look, decoding_limits())
        pairs = ((items, self._submit_job("", job, items)) for items in lists)
        with closing(_in_order(pairs, lambda: self._window() // LOOKED_AT_ONCE + 2)) as futures:
            for items, future in futures:
                for item, sample in zip(items, self._result(future, items), strict=True):
                    if sample.is_looked_at:
                        self._items[id(sample)] = item
                    yield sample

    def extract_looked_at(self, batches: Iterable[list[Any]]) -> Generator[Any]:
        """Prepares and extracts samples that were looked at; the others are finished."""
        with closing(_in_order(map(self._submit, batches), self._window)) as futures:
            for batch, future in futures:
                unfinished = [one for one in batch if one.is_looked_at]
                items = [self._items.pop(id(one)) for one in unfinished]
                for one, made in zip(unfinished, self._result(future, items), strict=True):
                    one.become(made)
                yield from batch

    def _submit(self, batch: list[Any]) -> tuple[list[Any], Future[list[Any]]]:
        for one in batch:
            if not one.is_looked_at:
                self._items.pop(id(one), None)
        pending = [
            _Pending(self._items[id(one)], one.content, one.vectors) for one in batch if one.is_looked_at
        ]
        if pending:
            return batch, self._start(pending)
        done: Future[list[Any]] = Future()
        done.set_result([])
        return batch, done

    def _start(self, batch: list[_Pending[Any]]) -> Future[list[Any]]:
        return self._submit_job(self._purpose, self._job, batch)

    def _submit_job(
        self, purpose: str, job: Callable[[list[Any]], list[Any]], items: list[Any]
    ) -> Future[list[Any]]:
        if isinstance(self._executor, ClusterExecutor):
            return self._executor.submit_for(purpose, _check_files, job, items)
        return self._executor.submit(job, items)

    def _window(self) -> int:
        """Batches on the way: each worker has one, and one more waits for it."""
        return 2 * (self._n_workers() if callable(self._n_workers) else self._n_workers) + 1

    def _result(self, future: Future[list[Any]], items: list[Any]) -> list[Any]:
        try:
            samples = future.result()
        except BatchLost as lost:
            if self._give_up is None:
                raise
            return [self._give_up(item, str(lost)) for item in items]
        if self._give_up is None:
            return samples
        return [
            sample
            if sample.unseen is None or is_lost(sample.unseen)
            else self._give_up(item, f"{sample.unseen} cannot be read by the process that was to read it")
            for item, sample in zip(items, samples, strict=True)
        ]


def _check_files(samples: list[Sample]) -> FilesSeen:
    """Which of the files of some samples were seen where these were prepared."""
    missing = (one.unseen for one in samples if one.unseen and os.access(one.unseen, os.R_OK))
    return FilesSeen(any(one.unseen is None for one in samples), next(missing, None))


def _look_at_all(look: Callable[[Any], Any], limits: DecodingLimits, items: list[Any]) -> list[Any]:
    """Looks at items, in a process of the executor."""
    if decoding_limits() != limits:  # in another process
        limit_decoding(limits)
    return [look(item) for item in items]


def _prepare_and_extract(
    prepare: Callable[[Any], Any],
    extractors: _Extractors | _ExtractorsElsewhere,
    limits: DecodingLimits,
    batch: list[_Pending[Any]],
) -> list[Any]:
    """Prepares and extracts a batch, in a process of the executor."""
    if decoding_limits() != limits:  # in another process
        limit_decoding(limits)
    loaded = extractors.loaded
    with decoder_processes():
        samples = [prepare(one.item) for one in batch]
    for one, sample in zip(batch, samples, strict=True):
        if sample.content == one.content:  # else its file was replaced in between
            sample.vectors.update(one.vectors)
    return _extract(loaded, samples) if loaded else samples


def _lists(items: Iterable[Given], size: int) -> Iterator[list[Given]]:
    iterator = iter(items)
    while some := list(itertools.islice(iterator, size)):
        yield some


def _batches(
    samples: Iterable[SampleT], batch_size: int, find_known: Callable[[list[SampleT]], None] | None
) -> Generator[list[SampleT]]:
    """Groups samples so that each group has at most a batch of inputs, unless one sample has more."""
    batch: list[SampleT] = []
    n_inputs = 0
    for sample in samples:
        if batch and n_inputs + sample.n_inputs > batch_size:
            yield _look_up(batch, find_known)
            batch, n_inputs = [], 0
        batch.append(sample)
        n_inputs += sample.n_inputs
        if n_inputs >= batch_size or len(batch) >= MAX_SAMPLES:
            yield _look_up(batch, find_known)
            batch, n_inputs = [], 0
    if batch:
        yield _look_up(batch, find_known)


def _look_up(batch: list[SampleT], find_known: Callable[[list[SampleT]], None] | None) -> list[SampleT]:
    if find_known:
        find_known(batch)
    return batch


def _extract(extractors: Sequence[Extractor], batch: list[SampleT]) -> list[SampleT]:
    """Extracts the features that the samples of a batch lack, and drops their inputs."""
    for extractor in extractors:
        lacking = [one for one in batch if one.lacks(extractor)]
        if isinstance(extractor, ExtractorWithColors):
            network = extractor.network.fingerprint
            _combine(extractor, [one for one in lacking if network in one.vectors])
            lacking = [one for one in lacking if network not in one.vectors]
        if lacking:
            began = time.perf_counter()
            features = extractor.extract(
                np.concatenate([one.inputs[extractor.input_size] for one in lacking])
            )
            _share(extractor, lacking, features, time.perf_counter() - began)
    for sample in batch:
        sample.inputs = {}
    return batch


def _combine(extractor: ExtractorWithColors, samples: list[SampleT]) -> None:
    """Appends colors to features of the network that the samples have already."""
    if samples:
        began = time.perf_counter()
        network = np.concatenate([one.vectors[extractor.network.fingerprint] for one in samples])
        pixels = np.concatenate([one.inputs[extractor.input_size] for one in samples])
        _share(extractor, samples, extractor.append_colors(network, pixels), time.perf_counter() - began)


def _share(extractor: Extractor, samples: list[SampleT], features: Floats, seconds: float) -> None:
    """Gives each sample the features of its own inputs."""
    first = 0
    for sample in samples:
        stop = first + len(sample.inputs[extractor.input_size])
        # A copy: a view would keep the vectors of the whole batch in memory.
        sample.vectors[extractor.fingerprint] = features[first:stop].copy()
        sample.n_extracted += 1
        sample.extract_seconds += seconds / len(samples)
        first = stop
