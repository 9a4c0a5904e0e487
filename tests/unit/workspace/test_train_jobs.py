"""A training as a job of a Ray cluster: what is submitted, and how its end is told."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import ray.job_submission
from click.testing import CliRunner

from stylesearch.cli.main import cli as command_line
from stylesearch.errors import ClusterError, ConfigError, TrainingError
from stylesearch.settings import Settings, read_settings
from stylesearch.workspace import train_jobs
from stylesearch.workspace.models import Models
from stylesearch.workspace.train_jobs import TrainJob, job_environment, jobs_address, submit_training


class PretendedJobs:
    """Ray's client of jobs, as far as it is used; the job itself does not run."""

    submitted: dict[str, Any]
    status = "SUCCEEDED"
    lines: tuple[str, ...] = ("epoch 1\n", "epoch 2\n")

    def __init__(self, address: str) -> None:
        self.address = address

    def submit_job(self, **job: Any) -> str:
        type(self).submitted = {**job, "address": self.address}
        return "job-7"

    def get_job_info(self, job_id: str) -> SimpleNamespace:
        return SimpleNamespace(status=self.status, message="no more room")

    async def tail_job_logs(self, job_id: str) -> AsyncIterator[str]:
        for line in self.lines:
            yield line


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> type[PretendedJobs]:
    class Jobs(PretendedJobs):
        pass

    monkeypatch.setattr(ray.job_submission, "JobSubmissionClient", Jobs)
    return Jobs


def test_the_job_gets_the_settings_and_the_folder_that_all_share(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", extractor="hog", workers=3, decode_processes=False)
    assert job_environment(settings) == {
        "STYLESEARCH_HOME": str(tmp_path / "home"),
        "STYLESEARCH_EXTRACTOR": "hog",
        "STYLESEARCH_WORKERS": "3",
        "STYLESEARCH_DECODE_PROCESSES": "false",
    }
    beside = Settings(home=tmp_path / "home", db=str(tmp_path / "shop.db"))
    assert job_environment(beside)["STYLESEARCH_DB"] == str(tmp_path / "shop.db")


def test_with_a_catalog_on_a_server_no_folder_is_named() -> None:
    url = "postgresql+psycopg://shop@db.example/shop"
    assert job_environment(Settings(home=Path("home"), db=url)) == {"STYLESEARCH_DB": url}


def test_files_go_by_their_absolute_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings(extractor="own.keras@64+colors", weights="own.h5", uploads="put", db="shop.db")
    assert job_environment(settings) == {
        "STYLESEARCH_HOME": f"{tmp_path}/.stylesearch",
        "STYLESEARCH_EXTRACTOR": f"{tmp_path}/own.keras@64+colors",
        "STYLESEARCH_WEIGHTS": f"{tmp_path}/own.h5",
        "STYLESEARCH_UPLOADS": f"{tmp_path}/put",
        "STYLESEARCH_DB": f"{tmp_path}/shop.db",
    }
    named = job_environment(Settings(extractor="resnet50@64", weights="random:3", uploads="s3://shop/put"))
    del named["STYLESEARCH_HOME"]
    assert named == {
        "STYLESEARCH_EXTRACTOR": "resnet50@64",
        "STYLESEARCH_WEIGHTS": "random:3",
        "STYLESEARCH_UPLOADS": "s3://shop/put",
    }


def test_where_jobs_are_taken() -> None:
    assert jobs_address("ray://head:10001") == "http://head:8265"
    assert jobs_address("ray://[::1]:10001") == "http://[::1]:8265"
    assert jobs_address("http://head:9999") == "http://head:9999"
    for wrong in ("head:8265", "dask://head:8786", "ray://"):
        with pytest.raises(ConfigError, match="a training is submitted to"):
            jobs_address(wrong)


def test_the_log_is_followed_to_the_end(jobs: type[PretendedJobs]) -> None:
    job = submit_training(Settings(extractor="hog"), "ray://head:10001", ["my model", "--epochs", "3"])
    said: list[str] = []
    job.follow(said.append)
    assert said == ["epoch 1\n", "epoch 2\n"]
    assert jobs.submitted["address"] == "http://head:8265"
    assert jobs.submitted["entrypoint"] == "stylesearch train 'my model' --epochs 3"
    assert jobs.submitted["runtime_env"]["env_vars"]["STYLESEARCH_EXTRACTOR"] == "hog"


def test_a_job_that_fails_is_an_error_with_its_log(jobs: type[PretendedJobs]) -> None:
    jobs.status = "FAILED"
    job = submit_training(Settings(), "http://head:8265", ["default"])
    with pytest.raises(TrainingError, match="the job job-7 ended as FAILED: no more room") as caught:
        job.follow(lambda lines: None)
    assert caught.value.hint == "ray job logs job-7 --address http://head:8265"


class RunsOn:
    """The log of a job that ends before the job: of so many characters, and in which state it is then."""

    def __init__(self, jobs: type[PretendedJobs], *ends: tuple[int, str]) -> None:
        self.log = "epoch 1\nepoch 2\nepoch 3\n"
        self.ends = list(ends)
        self.state = ""
        changed: Any = jobs
        changed.tail_job_logs = lambda client, job_id: self.tail()
        changed.get_job_info = lambda client, job_id: SimpleNamespace(status=self.state, message="")

    async def tail(self) -> AsyncIterator[str]:
        n_characters, self.state = self.ends.pop(0)
        for start in range(0, n_characters, 5):
            yield self.log[start : min(start + 5, n_characters)]


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    found: list[float] = []
    monkeypatch.setattr(train_jobs.time, "sleep", found.append)
    return found


def test_a_log_that_ends_before_its_job_is_followed_again(
    jobs: type[PretendedJobs], pauses: list[float]
) -> None:
    log = RunsOn(jobs, (0, "PENDING"), (8, "RUNNING"), (3, "RUNNING"), (18, "RUNNING"), (24, "SUCCEEDED"))
    job = submit_training(Settings(extractor="hog"), "http://head:8265", ["default"])
    said: list[str] = []
    job.follow(said.append)
    assert "".join(said) == log.log, "nothing is told twice"
    assert len(pauses) == 4


def test_a_log_that_ends_again_and_again_is_an_error(jobs: type[PretendedJobs], pauses: list[float]) -> None:
    RunsOn(jobs, *[(8, "RUNNING")] * 9)
    job = submit_training(Settings(extractor="hog"), "http://head:8265", ["default"])
    with pytest.raises(ClusterError, match="the log of job job-7 ends, and the job is RUNNING") as caught:
        job.follow(lambda lines: None)
    assert caught.value.hint == job.how_to_follow
    assert len(pauses) == train_jobs.MAX_TRIES - 1


def test_a_model_of_a_shared_catalog_is_made_the_default_here(
    jobs: type[PretendedJobs], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    card = SimpleNamespace(space="siamese:views", extractor="hog")
    monkeypatch.setattr(Models, "get", lambda self, name: card)
    arguments = ["train", "views", "--default", "--submit", "http://head:8265", "--home", "home"]
    arguments += ["-e", "hog", "--weights", "own.h5", "--tensorboard", "events"]
    monkeypatch.setenv("STYLESEARCH_ARTIFACTS", "catalog")
    monkeypatch.setenv("STYLESEARCH_DB", "shop.db")
    done = CliRunner().invoke(command_line, arguments, catch_exceptions=False)
    assert done.output.endswith(
        "siamese:views is in use here too\ndefault:  yes, by `space` in config.toml\n"
    )
    assert read_settings(tmp_path / "home") == {
        "space": "siamese:views",
        "extractor": "hog",
        "weights": f"{tmp_path}/own.h5",
    }
    given = jobs.submitted["entrypoint"].split()
    assert "--default" not in given
    assert given[given.index("--weights") + 1] == f"{tmp_path}/own.h5"
    assert given[given.index("--tensorboard") + 1] == f"{tmp_path}/events"


def test_in_a_folder_that_all_share_the_job_makes_it_the_default(
    jobs: type[PretendedJobs], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Models, "get", lambda self, name: SimpleNamespace(space="siamese:views"))
    arguments = ["train", "views", "--default", "--submit", "http://head:8265", "--home", str(tmp_path)]
    done = CliRunner().invoke(command_line, arguments, catch_exceptions=False)
    assert "default:  yes" in done.output
    assert jobs.submitted["entrypoint"].split()[3:] == ["--default"]
    assert read_settings(tmp_path) == {}


def test_the_command_passes_its_options_on(jobs: type[PretendedJobs], tmp_path: Path) -> None:
    options = ["--epochs", "3", "--split-shares", "80,10,10", "--hard-negatives", "-e", "hog"]
    arguments = ["train", "views", *options, "--submit", "http://head:8265", "--home", str(tmp_path)]
    done = CliRunner().invoke(command_line, arguments)
    assert "epoch 2" in done.output
    assert jobs.submitted["entrypoint"].split() == [
        *("stylesearch", "train", "views", "--split-shares", "80,10,10"),
        *("--hard-negatives", "--epochs", "3", "--extractor", "hog"),
    ]
    assert jobs.submitted["runtime_env"]["env_vars"]["STYLESEARCH_HOME"] == os.fspath(tmp_path)
    # The pretended job trained nothing, so there is no model to be used.
    assert type(done.exception).__name__ == "UnknownName"


def test_ctrl_c_tells_how_to_follow_and_end_it(jobs: type[PretendedJobs], tmp_path: Path) -> None:
    async def interrupted(self: PretendedJobs, job_id: str) -> AsyncIterator[str]:
        yield "epoch 1\n"
        raise KeyboardInterrupt

    jobs.tail_job_logs = interrupted  # type: ignore[method-assign]
    arguments = ["train", "--submit", "http://head:8265", "--home", str(tmp_path)]
    done = CliRunner().invoke(command_line, arguments, standalone_mode=False)
    told = getattr(done.exception, "explanation", "")
    assert "ray job logs --follow job-7 --address http://head:8265" in told
    assert "ray job stop job-7 --address http://head:8265" in told


def test_how_to_follow() -> None:
    job = TrainJob(None, "job-7", "http://head:8265")
    assert job.how_to_follow.startswith("the training goes on.")
