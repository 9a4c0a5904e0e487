"""Trains a model of a workspace as a job of a Ray cluster: submits it, follows its log, and tells its end.

The job runs ``stylesearch train`` with this workspace's settings. It reaches the catalog by its URL, or by
the path of the workspace's folder where that is shared by all machines; the model comes back the same way.
"""

from __future__ import annotations

import asyncio
import dataclasses
import shlex
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from stylesearch.errors import ClusterError, ConfigError, MissingDependency, TrainingError
from stylesearch.extractors.spec import ExtractorSpec
from stylesearch.images.source import is_remote
from stylesearch.settings import ENVIRONMENT_PREFIX, Settings

__all__ = ["TrainJob", "job_environment", "jobs_address", "submit_training", "with_absolute_paths"]

MAX_TRIES: Final = 5
"""How often in turn a log may end, with nothing new in it, while its job runs."""

SECONDS_BETWEEN_TRIES: Final = 2.0

JOBS_PORT: Final = 8265
"""The port at which a Ray head takes jobs, unless it was told another."""


class TrainJob:
    """A training that was submitted.

    Args:
        client: Ray's client of jobs.
        id: the id that Ray gave it.
        address: where Ray takes jobs.
    """

    def __init__(self, client: Any, id: str, address: str) -> None:
        self._client = client
        self.id = id
        self.address = address

    @property
    def how_to_follow(self) -> str:
        """The commands that follow and end it from any machine."""
        where = f"{self.id} --address {self.address}"
        follow, stop = f"ray job logs --follow {where}", f"ray job stop {where}"
        return f"the training goes on. `{follow}` follows it, `{stop}` ends it"

    def follow(self, write: Callable[[str], None]) -> None:
        """Hands its log on as it is written, until the job ends.

        Where the log ends before the job, it is followed again from there on.

        Raises:
            TrainingError: it failed, or somebody stopped it.
            ClusterError: the cluster does not answer any more, or the log ends again and again.
        """
        n_seen = n_tries = 0
        while True:
            try:
                n_read = asyncio.run(self._follow(write, n_seen))
                info = self._client.get_job_info(self.id)
            except (OSError, RuntimeError) as error:
                raise ClusterError(
                    f"the log of job {self.id} cannot be read any more: {error}", hint=self.how_to_follow
                ) from error
            state = str(getattr(info.status, "value", info.status))
            if state not in ("PENDING", "RUNNING"):
                break
            n_tries = 1 if n_read > n_seen else n_tries + 1
            if n_tries >= MAX_TRIES:
                raise ClusterError(
                    f"the log of job {self.id} ends, and the job is {state}", hint=self.how_to_follow
                )
            n_seen = max(n_seen, n_read)
            time.sleep(SECONDS_BETWEEN_TRIES)
        if state != "SUCCEEDED":
            raise TrainingError(
                f"the job {self.id} ended as {state}: {info.message}",
                hint=f"ray job logs {self.id} --address {self.address}",
            )

    async def _follow(self, write: Callable[[str], None], n_seen: int) -> int:
        """Hands the log on from a character on; returns how many it had. Ray tells it from the beginning."""
        n_read = 0
        async for lines in self._client.tail_job_logs(self.id):
            if new := lines[max(0, n_seen - n_read) :]:
                write(new)
            n_read += len(lines)
        return n_read


def submit_training(settings: Settings, address: str, arguments: Sequence[str]) -> TrainJob:
    """Submits ``stylesearch train`` as a job.

    Args:
        settings: of the workspace; the job gets all that are not the defaults.
        address: ``http://HOST:8265``, or ``ray://HOST:10001`` for port 8265 of the same machine.
        arguments: of ``stylesearch train``.

    Raises:
        ConfigError: another address.
        MissingDependency: ``ray[default]`` is not installed.
        ClusterError: nothing takes jobs there.
    """
    place = jobs_address(address)
    try:
        from ray.job_submission import JobSubmissionClient
    except ImportError as error:
        raise MissingDependency(
            "to submit a training needs the library 'ray', which is not installed",
            hint="pip install 'stylesearch[ray]'",
        ) from error
    try:
        client: Any = JobSubmissionClient(place)
        job = client.submit_job(
            entrypoint=shlex.join(["stylesearch", "train", *arguments]),
            runtime_env={"env_vars": job_environment(settings)},
            metadata={"submitted_by": "stylesearch train --submit"},
        )
    except (OSError, RuntimeError) as error:
        raise ClusterError(
            f"no Ray cluster takes jobs at {place}: {error}",
            hint="its head is started by: ray start --head --dashboard-host ADDRESS",
        ) from error
    return TrainJob(client, str(job), place)


def jobs_address(address: str) -> str:
    """The address at which a Ray cluster takes jobs.

    Example:
        >>> jobs_address("ray://head.example:10001"), jobs_address("https://ray.example")
        ('http://head.example:8265', 'https://ray.example')
    """
    parts = urlsplit(address)
    if parts.hostname and parts.scheme in ("http", "https"):
        return address
    if parts.hostname and parts.scheme == "ray":
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        return f"http://{host}:{JOBS_PORT}"
    raise ConfigError(
        f"a training is submitted to http://HOST:{JOBS_PORT} or ray://HOST:10001. Received: {address!r}"
    )


def job_environment(settings: Settings) -> dict[str, str]:
    """The environment variables that give a job the settings of a workspace.

    A folder or file goes by its absolute path, which has to be there on the job's machine too. Where models
    are kept in the catalog, the job needs no folder of ours: it uses one of its own.
    """
    settings = with_absolute_paths(settings)
    values: dict[str, Any] = {
        one.name: value
        for one in dataclasses.fields(Settings)
        if (value := getattr(settings, one.name)) != one.default
    }
    if settings.shares_artifacts:
        del values["home"]
    return {
        ENVIRONMENT_PREFIX + name.upper(): str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in values.items()
    }


def with_absolute_paths(settings: Settings) -> Settings:
    """The settings for a process with another working directory: folders and files from the root on.

    Raises:
        ConfigError: the extractor is written in no way that is known.
    """
    spec = ExtractorSpec.parse(settings.extractor)
    spec = dataclasses.replace(spec, weights=settings.weights or None).with_absolute_paths
    uploads, db = settings.uploads, settings.db
    return settings.replace(
        home=settings.home.absolute(),
        db=db if not db or "://" in db else str(Path(db).absolute()),
        uploads=uploads if not uploads or is_remote(uploads) else str(Path(uploads).absolute()),
        extractor=str(spec),
        weights=spec.weights or "",
    )
