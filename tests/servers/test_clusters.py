"""Extraction over real clusters on loopback: every kind does the same, whatever happens to its workers."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from stylesearch.errors import ClusterError, WorkerRefused
from stylesearch.extractors import load_extractor
from stylesearch.extractors.classical.feature import WhiteBoxExtractor
from stylesearch.features.cluster import ClusterExecutor, dask_workers
from stylesearch.features.prepare import Task, give_up_image, prepare_image
from stylesearch.features.stream import extract_stream
from stylesearch.listing import Listing, Record
from stylesearch.settings import Settings
from stylesearch.workspace.workspace import Workspace
from tests.integration.patchworks import N_PRODUCTS, draw_shop
from tests.servers.clusters import DaskCluster, LocalCluster, RayCluster, opened, unless_ray_cannot_start
from tests.servers.slow_pictures import OtherElsewhere, pids_in, prepare_slowly

pytestmark = [
    pytest.mark.servers,
    pytest.mark.slow,
    # Of the libraries of clusters, which close sockets and loops when they like.
    pytest.mark.filterwarnings("default"),
]

N_PICTURES = 12
SECONDS = 240.0

AnyCluster = LocalCluster | DaskCluster | RayCluster


@pytest.fixture(scope="module")
def dask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    pytest.importorskip("distributed")
    try:
        cluster = DaskCluster(tmp_path_factory.mktemp("dask"))
    except OSError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"Dask cannot be started here: {error}")
    try:
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture(scope="module")
def ray() -> Iterator[RayCluster]:
    pytest.importorskip("ray")
    with unless_ray_cannot_start():
        cluster = RayCluster()
    try:
        yield cluster
    finally:
        cluster.stop()


# A busy machine may take minutes until nodes of Ray are up.
@pytest.fixture(params=["local", "dask", pytest.param("ray", marks=pytest.mark.nightly)])
def cluster(request: pytest.FixtureRequest) -> AnyCluster:
    if request.param == "local":
        return LocalCluster()
    found: DaskCluster | RayCluster = request.getfixturevalue(request.param)
    with unless_ray_cannot_start():
        found.ensure(2)
    return found


@pytest.fixture(scope="session")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> list[Task]:
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(4)
    found = []
    for number in range(N_PICTURES):
        path = folder / f"{number}.jpg"
        Image.fromarray(rng.integers(0, 255, (300, 200, 3), np.uint8)).save(path)
        found.append(Task(Record(Listing(str(number)), str(path)), None, frozenset()))
    return found


def _hog() -> Any:
    return load_extractor("hog", engine="numpy")  # else engines are imported to choose from


def _expected(tasks: list[Task]) -> list[np.ndarray]:  # type: ignore[type-arg]
    hog = _hog()
    prepare = partial(prepare_image, sizes={hog.fingerprint: hog.input_size}, max_pixels=10**6)
    return [one.vectors[hog.fingerprint] for one in extract_stream(tasks, prepare, [hog])]


def _slow_stream(tasks: list[Task], executor: Any, log: Path) -> Any:
    hog = _hog()
    prepare = partial(prepare_slowly, sizes={hog.fingerprint: hog.input_size}, max_pixels=10**6, log=str(log))
    return extract_stream(
        tasks, prepare, [hog], executor, batch_size=1, n_workers=executor.n_slots, give_up=give_up_image
    )


def _same(samples: list[Any], tasks: list[Task]) -> None:
    fingerprint = _hog().fingerprint
    assert [one.task.record.path for one in samples] == [one.record.path for one in tasks]
    assert [one.failure or one.entry.error for one in samples] == [None] * len(tasks)
    for one, vectors in zip(samples, _expected(tasks), strict=True):
        np.testing.assert_array_equal(one.vectors[fingerprint], vectors)


def _wait_for(condition: Any) -> None:
    ends = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.05)


@pytest.mark.parametrize("cluster", ["local", "dask", "ray"], indirect=True)  # Ray not only each night
def test_an_ingest_stores_what_a_local_one_stores(
    cluster: AnyCluster, drawn_shop: Path, tmp_path: Path
) -> None:
    said: list[str] = []
    settings = Settings(home=tmp_path / "here", extractor="hog", engine="numpy", space="raw")
    with Workspace(settings) as here:
        here.ingest(drawn_shop / "products.csv")
        expected = _stored(here)
    with Workspace(settings.replace(home=tmp_path / "there", cluster=cluster.address)) as there:
        with unless_ray_cannot_start():
            report = there.ingest(
                drawn_shop / "products.csv", progress=lambda stage, done, total: said.append(stage)
            )
        assert (report.added, report.computed, report.n_failed) == (24, 24, 0)
        found = _stored(there)
        assert found.keys() == expected.keys()
        for key, (size, vector) in expected.items():
            assert found[key][0] == size
            np.testing.assert_array_equal(found[key][1], vector)
        assert any(stage.startswith("pictures: ") and "worker" in stage for stage in said)
        # The same pictures at another place: they are known by content, so nothing is computed.
        copy = shutil.copytree(drawn_shop, tmp_path / "copy")
        again = there.ingest(copy / "products.csv", source="copy")
        assert (again.n_failed, again.computed) == (0, 0)
        assert {size for size, _ in _stored(there).values()} == {size for size, _ in expected.values()}
        # Unchanged files are not even read.
        last = there.ingest(drawn_shop / "products.csv")
        assert (last.unchanged, last.computed) == (24, 0)


def test_a_command_with_worker_processes_ends_without_a_warning(drawn_shop: Path, tmp_path: Path) -> None:
    command = [Path(sys.executable).with_name("stylesearch"), "ingest", drawn_shop / "products.csv"]
    options = ["--home", tmp_path / "home", "-e", "hog", "--cluster", "local:2", "--quiet"]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def _stored(shop: Workspace) -> dict[tuple[str, str], Any]:
    feature_set = shop.catalog.find_feature_set(_hog().fingerprint)
    assert feature_set is not None
    found = {}
    for ids, vectors in shop.catalog.features(feature_set):
        for feature_id, (product, image) in shop.catalog.hits_for(ids.tolist()).items():
            vector = vectors[np.searchsorted(ids, feature_id)]
            found[product.id, Path(image.locator).name] = ((image.width, image.height), vector)
    return found


@pytest.fixture(scope="module")
def patchworks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace without features of HOG."""
    folder = tmp_path_factory.mktemp("patchworks")
    table = draw_shop(folder / "source")
    with Workspace(Settings(home=folder / "home", extractor="color-histogram")) as here:
        here.ingest(table)
    return folder / "home"


def _open_elsewhere(home: Path, copy: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A copy of a workspace, with two worker processes, in a process that computes no HOG."""

    def never(*_: object) -> None:
        raise AssertionError("computed in this process")

    monkeypatch.setattr(WhiteBoxExtractor, "extract", never)
    shutil.copytree(home, copy)
    return Workspace(Settings(home=copy, extractor="hog@32", cluster="local:2"))


def test_eval_computes_what_is_missing_there(
    patchworks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: set[str] = set()
    with _open_elsewhere(patchworks, tmp_path / "home", monkeypatch) as there:
        study = there.evaluate(["hog@32"], metrics=("l2",), progress=lambda stage, *_: said.add(stage))
        # The second may not have said that it is there before all is done.
        assert any(re.fullmatch("features of hog@32: [12] workers?", stage) for stage in said)
        assert not any("worker" in one for one in said if not one.startswith(("features of", "regions of")))
        assert study.run("hog@32", "l2").micro.n_queries == N_PRODUCTS


@pytest.mark.nightly  # Keras
def test_train_computes_what_is_missing_there(
    patchworks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: set[str] = set()
    with _open_elsewhere(patchworks, tmp_path / "home", monkeypatch) as there:
        report = there.train("tiny", epochs=1, dim=8, progress=lambda stage, *_: said.add(stage))
        assert sum(report.as_dict()["model"]["n_products"].values()) == N_PRODUCTS
        assert any(re.fullmatch("features of .*: [12] workers?", stage) for stage in said), said


def test_a_worker_is_killed_in_the_middle(cluster: AnyCluster, tasks: list[Task], tmp_path: Path) -> None:
    log = tmp_path / "log"
    with opened(cluster) as executor:
        samples = _slow_stream(tasks, executor, log)
        found = [next(samples), next(samples)]
        killed = pids_in(log)[-1]
        os.kill(killed, signal.SIGKILL)
        found += samples
        _same(found, tasks)
    assert killed != pids_in(log)[-1]


@pytest.mark.nightly  # a scheduler of its own
def test_a_scheduler_that_dies_ends_what_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr(dask_workers, "SECONDS_TO_CONNECT", 5.0)
    cluster = DaskCluster(tmp_path)
    try:
        cluster.ensure(1)
        workers = dask_workers.DaskWorkers(cluster.address.removeprefix("dask://"))
        executor = ClusterExecutor(cluster.address, lambda: workers, seconds_without_workers=20.0)
        assert executor.submit(str, 1).result(SECONDS) == "1"
    finally:
        cluster.stop()
    with pytest.raises(ClusterError, match="has had no worker for"):
        executor.submit(str, 2).result(SECONDS)
    executor.shutdown()


@pytest.mark.nightly  # it starts a node and waits until the head has noticed that it is gone
def test_a_node_is_removed_in_the_middle(ray: RayCluster, tasks: list[Task], tmp_path: Path) -> None:
    with unless_ray_cannot_start():
        ray.ensure(2)
    with opened(ray) as executor:
        _wait_for(lambda: executor.n_workers == 2)
        samples = _slow_stream(tasks, executor, tmp_path / "log")
        found = [next(samples), next(samples)]
        ray.remove_node()
        found += samples
        _same(found, tasks)
        assert executor.n_workers == 1


@pytest.mark.parametrize("name", ["dask", pytest.param("ray", marks=pytest.mark.nightly)])
def test_a_worker_joins_in_the_middle(
    name: str, request: pytest.FixtureRequest, tasks: list[Task], tmp_path: Path
) -> None:
    cluster: DaskCluster | RayCluster = request.getfixturevalue(name)
    cluster.ensure(1)
    log = tmp_path / "log"
    with opened(cluster) as executor:
        _wait_for(lambda: executor.n_workers == 1)
        samples = _slow_stream(tasks * 20, executor, log)
        first = next(samples)
        before = set(pids_in(log))
        with unless_ray_cannot_start():
            cluster.add_worker()
        _wait_for(lambda: next(samples) is not first and len(set(pids_in(log))) > len(before))
        assert executor.n_workers == 2
        samples.close()


def test_workers_with_other_weights_are_refused_by_name(cluster: AnyCluster, tasks: list[Task]) -> None:
    extractor = OtherElsewhere()
    prepare = partial(prepare_image, sizes={extractor.fingerprint: 64}, max_pixels=10**6)
    with opened(cluster) as executor:
        samples = extract_stream(tasks, prepare, [extractor], executor, n_workers=executor.n_slots)
        with pytest.raises(WorkerRefused, match=r"process \d+ on .* has other weights or another version"):
            list(samples)


@pytest.mark.nightly  # each worker loads it
def test_the_default_network_computes_the_same_there(dask: DaskCluster, tasks: list[Task]) -> None:
    dask.ensure(2)
    extractor = load_extractor(Settings().extractor, throughput=True)
    prepare = partial(prepare_image, sizes={extractor.fingerprint: extractor.input_size}, max_pixels=10**6)
    here = list(extract_stream(tasks, prepare, [extractor], batch_size=5))
    with opened(dask) as executor:
        there = list(extract_stream(tasks, prepare, [extractor], executor, batch_size=4))
        assert executor.notes() == [], "all processes have one kind of processor"
    for mine, other in zip(here, there, strict=True):
        np.testing.assert_array_equal(
            other.vectors[extractor.fingerprint], mine.vectors[extractor.fingerprint]
        )


def test_nothing_runs_on_after_an_interruption(
    cluster: AnyCluster, tasks: list[Task], tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with contextlib.suppress(KeyboardInterrupt), opened(cluster) as executor:
        samples = _slow_stream(tasks * 20, executor, log)
        with contextlib.closing(samples):
            next(samples)
            raise KeyboardInterrupt
    time.sleep(2.0)  # what a thread of Dask has begun it ends
    n_prepared = len(pids_in(log))
    assert n_prepared <= 8
    time.sleep(2.0)
    assert len(pids_in(log)) == n_prepared
