"""A training as a job of a real Ray head: the log is followed, and the model comes back."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import stylesearch as ss
from stylesearch.errors import TrainingError
from stylesearch.settings import Settings
from stylesearch.workspace.train_jobs import submit_training
from tests.integration.conftest import patterned  # noqa: F401 - a fixture
from tests.integration.patchworks import photo_of
from tests.servers.clusters import RayHead, unless_ray_cannot_start

pytestmark = [
    pytest.mark.servers,
    pytest.mark.slow,
    pytest.mark.nightly,  # a head with its job server, and trainings in processes of their own
    pytest.mark.filterwarnings("default"),  # of Ray, which closes sockets and loops when it likes
]

SHORT = ("--epochs", "2", "--dim", "16")


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayHead]:
    pytest.importorskip("ray")
    with unless_ray_cannot_start():
        started = RayHead(tmp_path_factory.mktemp("head"))
    try:
        yield started
    finally:
        started.stop()


@pytest.fixture
def home(patterned: Path, tmp_path: Path) -> Path:  # noqa: F811
    return Path(shutil.copytree(patterned, tmp_path / "home"))


def test_in_a_folder_that_all_share(stylesearch: Any, head: RayHead, home: Path) -> None:
    done = stylesearch("train", "jobbed", *SHORT, "--home", home, "--submit", head.jobs)
    assert done.code == 0, done.err
    assert "submitted: job raysubmit_" in done.err
    assert "epoch 2: loss" in done.out, "the log of the job is followed"
    assert done.out.endswith("siamese:jobbed is in use here too\n")
    assert _can_be_searched(home, "jobbed")


def test_through_the_catalog(
    stylesearch: Any, head: RayHead, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog = home.joinpath("catalog.db").rename(tmp_path / "shop.db")
    monkeypatch.setenv("STYLESEARCH_DB", str(catalog))
    monkeypatch.setenv("STYLESEARCH_ARTIFACTS", "catalog")
    done = stylesearch("train", "jobbed", *SHORT, "--home", home, "--submit", head.jobs)
    assert done.code == 0, done.err
    assert "epoch 2: loss" in done.out
    assert _can_be_searched(home, "jobbed")
    assert _can_be_searched(tmp_path / "another machine", "jobbed")


def test_a_training_that_fails(head: RayHead, tmp_path: Path) -> None:
    said: list[str] = []
    job = submit_training(Settings(home=tmp_path / "empty"), head.jobs, ["default"])
    with pytest.raises(TrainingError, match=rf"the job {job.id} ended as FAILED: .*exit code"):
        job.follow(said.append)
    assert "no catalog" in "".join(said)


def _can_be_searched(home: Path, model: str) -> bool:
    with ss.open(home, space=f"siamese:{model}", extractor="efficientnet-lite0@64") as shop:
        photo = photo_of(home, "p003")
        return len(shop.query(photo, k=5)) == 5
