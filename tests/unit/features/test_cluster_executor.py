"""The queue of a cluster: what becomes of calls when workers die, join, or are refused."""

from __future__ import annotations

import os
import pickle
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from stylesearch.errors import BatchLost, ClusterError, ConfigError, WorkerRefused
from stylesearch.features.cluster import executor as executor_module
from stylesearch.features.cluster import local, open_cluster
from stylesearch.features.cluster.executor import MAX_TRIES, ClusterExecutor
from stylesearch.features.cluster.local import LocalWorkers
from stylesearch.features.cluster.worker import (
    Outcome,
    WorkerInfo,
    library_version,
    processor_kind,
    run_pickled,
)
from stylesearch.features.cluster.workers import WorkerLost
from stylesearch.features.prepare import PreparedImage, Task, give_up_image, prepare_image
from stylesearch.features.stream import extract_stream
from stylesearch.listing import Listing, Record
from stylesearch.parallel import usable_cores
from stylesearch.settings import Settings
from stylesearch.testing.fake_extractor import FakeExtractor
from stylesearch.workspace.workspace import Workspace

Answer = Callable[[str, bytes, str], bytes]


class PretendedWorkers:
    """Workers that are threads of this process; a test adds and removes them."""

    def __init__(self, *names: str, answer: Answer | None = None) -> None:
        self.names = dict.fromkeys(names, 1)
        self.answer = answer or (lambda worker, call, version: run_in(worker, call))
        self.given: list[str] = []
        self.is_closed = False

    def present(self) -> Mapping[str, int]:
        return dict(self.names)

    def call(self, worker: str, call: bytes, version: str) -> Future[bytes]:
        answer: Future[bytes] = Future()
        self.given.append(worker)

        def work() -> None:
            try:
                answer.set_result(self.answer(worker, call, version))
            except BaseException as error:
                answer.set_exception(error)

        threading.Thread(target=work, daemon=True).start()
        return answer

    def close(self) -> None:
        self.is_closed = True


def run_in(worker: str, call: bytes, processor: str = "a processor") -> bytes:
    function, arguments = pickle.loads(call)
    info = WorkerInfo(worker, 1, processor)
    try:
        return pickle.dumps(Outcome(info, function(*arguments)))
    except Exception as error:
        return pickle.dumps(Outcome(info, error=error))


def run_without_folder(worker: str, call: bytes) -> bytes:
    """Runs a call as a worker does that lacks the folder ``shared``."""
    return run_in(worker, call.replace(b"/shared/", b"/absent/")).replace(b"/absent/", b"/shared/")


@pytest.fixture(autouse=True)
def quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor_module, "SECONDS_BETWEEN_LOOKS", 0.02)


@pytest.fixture
def start() -> Iterator[Callable[..., ClusterExecutor]]:
    started: list[ClusterExecutor] = []

    def make(workers: PretendedWorkers, **options: float) -> ClusterExecutor:
        started.append(ClusterExecutor("test://", lambda: workers, **options))
        started[-1].connect()
        return started[-1]

    yield make
    for one in started:
        one.shutdown()


Start = Callable[..., ClusterExecutor]


def test_calls_are_answered_by_all_workers(start: Start) -> None:
    workers = PretendedWorkers("a", "b")
    cluster = start(workers)
    futures = [cluster.submit(divmod, number, 7) for number in range(40)]
    assert [one.result(10) for one in futures] == [divmod(number, 7) for number in range(40)]
    assert set(workers.given) == {"a", "b"}
    assert (cluster.n_workers, cluster.n_slots(), cluster.describe()) == (2, 2, "2 workers")


def test_an_error_of_the_function_is_raised_and_the_worker_stays(start: Start) -> None:
    cluster = start(PretendedWorkers("a"))
    with pytest.raises(ValueError, match="invalid literal"):
        cluster.submit(int, "x").result(10)
    assert cluster.submit(int, "3").result(10) == 3


def test_a_call_whose_worker_died_goes_to_another(start: Start) -> None:
    def answer(worker: str, call: bytes, version: str) -> bytes:
        if worker == "a":
            workers.names.pop("a", None)
            raise WorkerLost("a has died")
        return run_in(worker, call)

    workers = PretendedWorkers("a", "b", answer=answer)
    cluster = start(workers)
    futures = [cluster.submit(str, number) for number in range(10)]
    assert [one.result(10) for one in futures] == [str(number) for number in range(10)]
    assert "a" in workers.given


def test_a_worker_that_vanishes_without_an_answer_loses_its_calls(start: Start) -> None:
    hanging = threading.Event()

    def answer(worker: str, call: bytes, version: str) -> bytes:
        if worker == "a":
            hanging.wait(30)
        return run_in(worker, call)

    workers = PretendedWorkers("a", answer=answer)
    cluster = start(workers)
    future = cluster.submit(str, 1)
    while not workers.given:
        pass
    workers.names = {"b": 1}
    assert future.result(10) == "1"
    hanging.set()  # the late answer of a worker that was given up is not taken
    assert cluster.submit(str, 2).result(10) == "2"


def test_a_cluster_that_does_not_answer_for_a_moment_keeps_its_workers(start: Start) -> None:
    class Busy(PretendedWorkers):
        n_looks = 0

        def present(self) -> Mapping[str, int]:
            self.n_looks += 1
            if self.n_looks % 2 == 0:
                raise ClusterError("it is busy")
            return super().present()

    workers = Busy("a")
    cluster = start(workers)
    for number in range(5):
        assert cluster.submit(str, number).result(10) == str(number)
        n_looks = workers.n_looks
        while workers.n_looks < n_looks + 2:
            pass
    assert cluster.n_workers == 1


def test_a_worker_that_leaves_and_comes_back_gets_work_again(start: Start) -> None:
    workers = PretendedWorkers("a")
    cluster = start(workers)
    assert cluster.submit(str, 1).result(10) == "1"
    workers.names = {}
    while cluster.n_workers:
        pass
    workers.names = {"a": 1}
    assert cluster.submit(str, 2).result(10) == "2"


@pytest.mark.parametrize("error", [WorkerLost("gone"), ConnectionError("gone"), RuntimeError("gone")])
def test_a_worker_that_takes_no_call_is_lost(start: Start, error: Exception) -> None:
    class Unreachable(PretendedWorkers):
        def call(self, worker: str, call: bytes, version: str) -> Future[bytes]:
            if worker == "a":
                self.given.append(worker)
                raise error
            return super().call(worker, call, version)

    workers = Unreachable("a")
    cluster = start(workers)
    futures = [cluster.submit(str, number) for number in range(3)]
    while not workers.given:
        pass
    workers.names["b"] = 1
    assert [one.result(10) for one in futures] == list("012")
    assert workers.given.count("a") == 1


def test_workers_that_never_take_a_call_are_not_waited_for_for_ever(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Unreachable(PretendedWorkers):
        def call(self, worker: str, call: bytes, version: str) -> Future[bytes]:
            raise ConnectionError("gone")

    monkeypatch.setattr(executor_module, "SECONDS_OF_DISTRUST", 0.05)
    cluster = start(Unreachable("a"), seconds_without_workers=0.3)
    with pytest.raises(ClusterError, match="has had no worker for"):
        cluster.submit(str, 1).result(10)


def test_a_mistake_in_the_program_ends_all_calls_with_it(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    class Mistaken(PretendedWorkers):
        def call(self, worker: str, call: bytes, version: str) -> Future[bytes]:
            raise TypeError("a mistake")

    cluster = start(Mistaken("a"))
    with pytest.raises(ClusterError, match=r"the queue of test:// has failed: TypeError\('a mistake'\)"):
        cluster.submit(str, 1).result(10)


def test_a_process_that_is_forgotten_meanwhile_is_lost() -> None:
    workers = LocalWorkers(1)
    try:
        (name,) = workers.present()
        workers._forget(name)  # as the thread of its pool does when it has died
        with pytest.raises(WorkerLost, match="local worker 1 has died"):
            workers.call(name, b"", library_version())
    finally:
        workers.close()


def test_a_batch_is_given_up_after_five_workers(start: Start) -> None:
    def answer(worker: str, call: bytes, version: str) -> bytes:
        workers.names = {f"{worker}a": 1}  # it is started again, under another name
        raise WorkerLost(f"{worker} has died")

    workers = PretendedWorkers("a", answer=answer)
    cluster = start(workers)
    with pytest.raises(BatchLost, match=f"{MAX_TRIES} workers of test:// died over it, the last: aaaaa"):
        cluster.submit(str, 1).result(10)
    assert len(workers.given) == 5


def test_pictures_whose_workers_die_are_failures_and_the_others_come(start: Start, tmp_path: Path) -> None:
    def answer(worker: str, call: bytes, version: str) -> bytes:
        if b"deadly" in call:
            workers.names = {f"{worker}a": 1}
            raise WorkerLost(f"{worker} has died")
        return run_in(worker, call)

    workers = PretendedWorkers("a", answer=answer)
    pictures = [tmp_path / f"{name}.png" for name in ("1", "2", "deadly", "4", "5")]
    for one in pictures:
        Image.new("RGB", (80, 80), "red").save(one)
    samples = list(_stream(pictures, FakeExtractor(), start(workers)))
    failures = {one.entry.product_id: one.entry.error for one in samples if one.entry.error}
    assert failures.keys() == {"deadly"}
    assert f"{MAX_TRIES} workers of test:// died over it" in str(failures["deadly"])
    assert [one.entry.product_id for one in samples if one.vectors] == ["1", "2", "4", "5"]


def test_a_worker_that_joins_gets_work(start: Start) -> None:
    workers = PretendedWorkers()
    cluster = start(workers)
    futures = [cluster.submit(str, number) for number in range(4)]
    workers.names["late"] = 1
    assert [one.result(10) for one in futures] == list("0123")
    assert set(workers.given) == {"late"}


def test_a_worker_with_other_weights_is_refused_by_name_and_the_others_go_on(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    def answer(worker: str, call: bytes, version: str) -> bytes:
        if worker == "old":
            error = WorkerRefused("process 7 on old has other weights", hint="give it the same")
            return pickle.dumps(Outcome(WorkerInfo("old", 7, "x"), error=error))
        return run_in(worker, call)

    workers = PretendedWorkers("old", "new", answer=answer)
    cluster = start(workers)
    futures = [cluster.submit(str, number) for number in range(6)]
    assert [one.result(10) for one in futures] == list("012345")
    assert cluster.n_workers == 1
    assert "a worker of test:// is not used: process 7 on old has other weights" in caplog.text
    assert cluster.notes()[0] == "a worker of test:// was not used: process 7 on old has other weights"


def test_where_all_workers_are_refused_it_ends_with_their_reasons(start: Start) -> None:
    def answer(worker: str, call: bytes, version: str) -> bytes:
        return pickle.dumps(Outcome(WorkerInfo(worker, 7, "x"), error=WorkerRefused(f"{worker} is too old")))

    cluster = start(PretendedWorkers("a", "b", answer=answer))
    futures = [cluster.submit(str, number) for number in range(3)]
    for one in futures:
        with pytest.raises(WorkerRefused, match=r"no worker of test:// can be used: .*is too old"):
            one.result(10)


@pytest.mark.parametrize("is_able", [True, False])
def test_a_worker_that_did_the_work_is_waited_for_though_another_is_refused(
    start: Start, is_able: bool
) -> None:
    def answer(worker: str, call: bytes, version: str) -> bytes:
        if worker == "old":
            refused = WorkerRefused("old is old")
            return pickle.dumps(Outcome(WorkerInfo("old", 7, "x"), error=refused, is_able=is_able))
        return run_in(worker, call)

    workers = PretendedWorkers("old", "new", answer=answer)
    cluster = start(workers)
    for number in range(4):
        assert cluster.submit_for("a", None, str, number).result(10) == str(number)
    assert "old" in workers.given
    del workers.names["new"]
    while cluster.n_workers:
        pass
    future = cluster.submit_for("a", None, str, 5)
    with pytest.raises(TimeoutError):
        future.result(0.2)
    workers.names["new again"] = 1
    assert future.result(10) == "5"


def test_a_lost_worker_is_waited_for_though_another_is_refused(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is still listed, and may have been started again."""

    def answer(worker: str, call: bytes, version: str) -> bytes:
        if worker == "old":
            return pickle.dumps(Outcome(WorkerInfo("old", 7, "x"), error=WorkerRefused("old is old")))
        if workers.given.count("new") == 1:
            raise WorkerLost("new has died")
        return run_in(worker, call)

    monkeypatch.setattr(executor_module, "SECONDS_OF_DISTRUST", 0.3)
    workers = PretendedWorkers("new", answer=answer)
    cluster = start(workers)
    future = cluster.submit(str, 1)
    while not workers.given:
        pass
    workers.names["old"] = 1
    assert future.result(10) == "1"
    assert workers.given == ["new", "old", "new"]


def test_it_ends_with_the_reasons_when_the_one_that_did_the_work_stays_away(start: Start) -> None:
    def answer(worker: str, call: bytes, version: str) -> bytes:
        if worker == "old":
            return pickle.dumps(Outcome(WorkerInfo("old", 7, "x"), error=WorkerRefused("old is old")))
        return run_in(worker, call)

    workers = PretendedWorkers("new", answer=answer)
    cluster = start(workers, seconds_without_workers=0.3)
    assert cluster.submit(str, 1).result(10) == "1"
    workers.names = {}
    while cluster.n_workers:
        pass
    workers.names = {"old": 1}
    with pytest.raises(WorkerRefused, match="no worker of test:// can be used: old is old"):
        cluster.submit(str, 2).result(10)


def test_a_worker_is_refused_for_a_purpose_and_used_for_others(start: Start) -> None:
    def answer(worker: str, call: bytes, version: str) -> bytes:
        if worker == "old" and b"rarely installed" in call:
            return pickle.dumps(
                Outcome(WorkerInfo("old", 7, "x"), error=WorkerRefused("old has other weights"))
            )
        return run_in(worker, call)

    workers = PretendedWorkers("old", answer=answer)
    cluster = start(workers)
    refused = [cluster.submit_for("a", None, str, f"rarely installed {number}") for number in range(3)]
    for one in refused:
        with pytest.raises(WorkerRefused, match="no worker of test:// can be used: old has other weights"):
            one.result(10)
    assert cluster.n_workers == 0
    n_given = len(workers.given)
    with pytest.raises(WorkerRefused):
        cluster.submit_for("a", None, str, "again").result(10)
    assert len(workers.given) == n_given, "it is not asked again for what it is refused for"
    assert cluster.submit_for("b", None, str, 1).result(10) == "1"
    assert cluster.submit(str, 2).result(10) == "2"
    assert cluster.n_workers == 1
    assert not any("was not used" in note for note in cluster.notes())
    workers.names["new"] = 1
    while cluster.n_workers < 2:
        pass
    assert cluster.submit_for("a", None, str, "rarely installed").result(10) == "rarely installed"
    assert workers.given[-1] == "new"


def test_a_worker_that_lacks_the_shared_folder_removes_nothing(
    drawn_shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = Path(shutil.copytree(drawn_shop, tmp_path / "shared"))
    settings = Settings(home=tmp_path / "home", extractor="hog", engine="numpy", space="raw")
    with Workspace(settings) as shop:
        assert shop.ingest(shared / "products.csv").n_failed == 0
    pictures = sorted(shared.glob("catalog/**/*.jpg"))
    for one in pictures:
        os.utime(one, ns=(1, 1))  # so that they are read again

    def answer(worker: str, call: bytes, version: str) -> bytes:
        return run_without_folder(worker, call) if worker == "blind" else run_in(worker, call)

    workers = PretendedWorkers("blind", "seeing", answer=answer)
    monkeypatch.setattr(local, "LocalWorkers", lambda n_processes: workers)
    with Workspace(settings.replace(cluster="local:2")) as shop:
        report = shop.ingest(shared / "products.csv")
        stored = {image.path for _, _, image in shop.catalog.usable_images()}
    assert stored == set(map(str, pictures))
    assert report.n_failed == 0
    (note,) = [one for one in report.notes if "was not used" in one]
    assert "process 1 on blind does not see " in note
    assert "blind" in workers.given


def test_one_picture_that_no_worker_may_read_costs_no_worker(start: Start, tmp_path: Path) -> None:
    pictures = [tmp_path / "other" / "0.png", tmp_path / "shared" / "1.png", tmp_path / "other" / "2.png"]
    for picture in pictures:
        picture.parent.mkdir(exist_ok=True)
        Image.new("RGB", (80, 80), "red").save(picture)
    cluster = start(PretendedWorkers("a", answer=lambda worker, call, _: run_without_folder(worker, call)))
    assert next(_stream(pictures[:1], FakeExtractor(), cluster)).vectors
    samples = list(_stream(pictures, FakeExtractor(), cluster))
    assert [bool(one.vectors) for one in samples] == [True, False, True]
    assert samples[1].entry.error == f"{pictures[1]} cannot be read by the process that was to read it"
    assert cluster.n_workers == 1


def test_where_no_worker_sees_the_folder_the_ingest_ends(start: Start, tmp_path: Path) -> None:
    picture = tmp_path / "shared" / "1.png"
    picture.parent.mkdir()
    Image.new("RGB", (80, 80), "red").save(picture)
    fake = FakeExtractor()
    cluster = start(PretendedWorkers("a", answer=lambda worker, call, _: run_without_folder(worker, call)))
    with pytest.raises(WorkerRefused, match=f"process 1 on a does not see {picture}") as caught:
        list(_stream([picture], fake, cluster))
    assert "mount the folder" in caught.value.hint


def test_a_worker_that_has_not_seen_a_file_once_is_asked_once_more(start: Start, tmp_path: Path) -> None:
    picture = tmp_path / "shared" / "1.png"
    picture.parent.mkdir()
    Image.new("RGB", (80, 80), "red").save(picture)

    def answer(worker: str, call: bytes, version: str) -> bytes:
        return run_without_folder(worker, call) if len(workers.given) == 1 else run_in(worker, call)

    workers = PretendedWorkers("a", answer=answer)
    (sample,) = _stream([picture], FakeExtractor(), start(workers))
    assert sample.vectors
    assert workers.given == ["a", "a"]


def test_a_file_that_is_gone_here_too_is_gone(start: Start, tmp_path: Path) -> None:
    workers = PretendedWorkers("a", answer=lambda worker, call, _: run_in(worker, call, processor_kind()))
    cluster = start(workers)
    (sample,) = _stream([tmp_path / "1.png"], FakeExtractor(), cluster)
    assert sample.entry.error == "No such file or directory"
    assert cluster.notes() == [], "the worker is not to blame"


def _stream(pictures: list[Path], fake: FakeExtractor, cluster: ClusterExecutor) -> Iterator[PreparedImage]:
    tasks = [Task(Record(Listing(one.stem), str(one)), None, frozenset()) for one in pictures]
    prepare = partial(prepare_image, sizes={fake.fingerprint: 64}, max_pixels=10**6)
    return extract_stream(
        tasks, prepare, [fake], cluster, batch_size=1, n_workers=cluster.n_slots, give_up=give_up_image
    )


def test_it_connects_when_it_is_first_given_something() -> None:
    made: list[PretendedWorkers] = []

    def connect() -> PretendedWorkers:
        made.append(PretendedWorkers("a"))
        return made[-1]

    unused = ClusterExecutor("test://", connect)
    assert (unused.n_workers, unused.n_slots(), unused.notes()) == (0, 1, [])
    unused.shutdown()
    assert made == []
    cluster = ClusterExecutor("test://", connect)
    assert cluster.submit(str, 1).result(10) == "1"
    assert cluster.submit(str, 2).result(10) == "2"
    cluster.shutdown()
    assert [one.is_closed for one in made] == [True]


def test_a_dry_run_connects_to_nothing(
    drawn_shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise ClusterError("nothing answers")

    monkeypatch.setattr(LocalWorkers, "__init__", refuse)
    settings = Settings(home=tmp_path / "home", extractor="hog", cluster="local:2")
    with Workspace(settings) as shop:
        assert shop.ingest(drawn_shop / "products.csv", dry_run=True).added == 24
        with pytest.raises(ClusterError, match="nothing answers"):
            shop.ingest(drawn_shop / "products.csv")
    assert not settings.has_catalog, "nothing was written"


def test_a_worker_that_cannot_run_it_at_all_is_refused(start: Start) -> None:
    def answer(worker: str, call: bytes, version: str) -> bytes:
        raise ModuleNotFoundError("No module named 'stylesearch'")

    cluster = start(PretendedWorkers("a", answer=answer))
    with pytest.raises(WorkerRefused, match=r"a cannot run stylesearch: .*No module named"):
        cluster.submit(str, 1).result(10)


def test_without_a_worker_it_does_not_wait_for_ever(start: Start) -> None:
    cluster = start(PretendedWorkers(), seconds_without_workers=0.1)
    with pytest.raises(ClusterError, match="has had no worker for") as caught:
        cluster.submit(str, 1).result(10)
    assert "finished work is kept" in caught.value.hint


def test_another_kind_of_processor_is_told(start: Start) -> None:
    workers = PretendedWorkers("a", answer=lambda worker, call, version: run_in(worker, call, "Abacus 9"))
    cluster = start(workers)
    cluster.submit(str, 1).result(10)
    (note,) = cluster.notes()
    assert "another kind of processor (Abacus 9; here: " in note
    assert "within rounding, not bit for bit" in note


def test_letting_go_drops_what_is_queued(start: Start) -> None:
    gate = threading.Event()

    def answer(worker: str, call: bytes, version: str) -> bytes:
        gate.wait(30)
        return run_in(worker, call)

    workers = PretendedWorkers("a", answer=answer)
    cluster = start(workers)
    futures = [cluster.submit(str, number) for number in range(9)]
    cluster.shutdown()
    gate.set()
    assert workers.is_closed
    assert len(workers.given) <= 2, "one runs and one waits for it"
    for one in futures:
        assert one.cancelled() or isinstance(one.exception(10), ClusterError)
    with pytest.raises(RuntimeError, match="let go"):
        cluster.submit(str, 1)


def test_a_worker_of_another_version_refuses() -> None:
    outcome: Outcome = pickle.loads(run_pickled(b"not even read", "9.9", 2))
    assert isinstance(outcome.error, WorkerRefused)
    assert str(outcome.error) == (
        f"process {os.getpid()} on {outcome.worker.host} has stylesearch {library_version()}; "
        "9.9 is asked for"
    )


def test_an_error_that_cannot_be_read_again_is_sent_as_a_plain_one() -> None:
    call = pickle.dumps((raise_unreadable, ()))
    outcome: Outcome = pickle.loads(run_pickled(call, library_version(), usable_cores()))
    assert type(outcome.error) is RuntimeError
    assert str(outcome.error) == "Unreadable: 7 of 9"


class Unreadable(Exception):
    """It can be pickled, and not be read again."""

    def __reduce__(self) -> tuple[Any, ...]:
        return int, ("no number",)


def raise_unreadable() -> None:
    raise Unreadable("7 of 9")


@pytest.mark.parametrize("address", ["", "local:0", "local:x", "dask://", "spark://host:1", "host:8786"])
def test_other_addresses_are_refused(address: str) -> None:
    with pytest.raises(ConfigError, match="a cluster is dask://HOST:8786"):
        open_cluster(address)


def test_no_library_of_a_cluster_is_imported_for_nothing(tmp_path: Path) -> None:
    import subprocess
    import sys

    code = (
        "import sys, stylesearch.features.stream, stylesearch.features.cluster;"
        "print([name for name in ('dask', 'distributed', 'ray') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
