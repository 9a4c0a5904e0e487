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
from stylesearch.errors import ConfigError, TrainingError
from stylesearch.settings import Settings
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
