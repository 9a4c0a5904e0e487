"""Starts the processes that answer, starts them again when they die, and ends them in good order."""

from __future__ import annotations

import contextlib
import errno
import functools
import logging
import multiprocessing
import multiprocessing.connection
import os
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from types import FrameType
from typing import Any

from stylesearch.errors import ConfigError, StyleSearchError
from stylesearch.parallel import usable_cores
from stylesearch.serving.logs import configure_logging
from stylesearch.serving.server.signals import (
    BACKLOG,
    READY,
    interrupts_held,
    leave_interrupts_to_the_supervisor,
)
from stylesearch.serving.settings import ServiceSettings
from stylesearch.settings import Settings

__all__ = [
    "ServiceFailed",
    "bind",
    "serve",
]

log = logging.getLogger(__name__)

"""What a worker tells when it answers requests; otherwise it tells message and hint of what is in the way."""

# Threads of NumPy's libraries; counted when these are loaded, so by a variable of the process.
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")

TICK = 0.2
LONG_LIFE = 30.0
"""Seconds after which a worker's end says nothing any more about how the next one will do."""
LONGEST_PAUSE = 30.0
"""Connections that may wait to be taken by a worker."""
LAST_WORDS = 5.0

_spawn = multiprocessing.get_context("spawn")


class ServiceFailed(StyleSearchError):
    """No worker could be started."""


def bind(host: str, port: int) -> socket.socket:
    """A socket that listens; clients wait there also while no worker runs.

    Raises:
        ConfigError: the address cannot be had.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise ConfigError(
            f"{host!r} is no address of this machine: {error.strerror or error}",
            hint="127.0.0.1 is reached from this machine only, 0.0.0.0 from all others too",
        ) from error
    listener = socket.socket(family, kind, protocol)
    try:
        if os.name != "nt":  # there it would let two programs listen on the same port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise _cannot_listen(host, port, error) from error
    return listener


def _cannot_listen(host: str, port: int, error: OSError) -> ConfigError:
    message = f"cannot listen on {host} port {port}: {error.strerror or error}"
    if error.errno == errno.EADDRINUSE:
        another = port + 1 if port < 65535 else 8000
        return ConfigError(message, hint=f"is it running already? Else choose another: --port {another}")
    if error.errno in (errno.EACCES, errno.EPERM):
        return ConfigError(message, hint="ports below 1024 are the administrator's: --port 8000")
    return ConfigError(message, hint="--host 127.0.0.1 is always there")


def serve(
    settings: Settings,
    service: ServiceSettings,
    listener: socket.socket,
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Answers requests until SIGINT or SIGTERM comes, and what was begun is finished.

    Args:
        settings: of the workspace.
        service: of the service.
        listener: from :func:`bind`.
        ready: is called when the first worker answers.

    Raises:
        ServiceFailed: no worker could be started.
    """
    configure_logging(service.log_format)
    with contextlib.ExitStack() as held:
        forget: Callable[[], object] = lambda: None  # noqa: E731
        if service.workers > 1:
            from stylesearch.serving.metrics import FOLDER_VARIABLE, forget_dead_workers  # not light

            folder = held.enter_context(tempfile.TemporaryDirectory(prefix="stylesearch-metrics-"))
            share = str(max(1, usable_cores() // service.workers))
            held.enter_context(_environment({FOLDER_VARIABLE: folder}))
            held.enter_context(_environment({name: share for name in THREADS if name not in os.environ}))
            forget = functools.partial(forget_dead_workers, folder)

        def start() -> _Worker:
            ours, theirs = _spawn.Pipe(duplex=False)
            process = _spawn.Process(
                target=_work, args=(settings, service, [listener], theirs), name="stylesearch-worker"
            )
            with interrupts_held():
                process.start()
            theirs.close()
            return _Worker(process, ours, time.monotonic())

        _Supervisor(start, service.workers, service.shutdown_grace, ready, forget, listener.close).run()


def _work(*arguments: Any) -> None:
    leave_interrupts_to_the_supervisor()
    from stylesearch.serving.server.worker import run_worker

    run_worker(*arguments)


@dataclass(eq=False, slots=True)
class _Worker:
    process: SpawnProcess
    news: Connection
    since: float
    said: object = None

    def listen(self) -> None:
        """Takes what the worker had to say."""
        with contextlib.suppress(EOFError, OSError):
            while self.news.poll():
                self.said = self.news.recv()


class _Supervisor:
    def __init__(
        self,
        start: Callable[[], _Worker],
        n_workers: int,
        grace: float,
        ready: Callable[[], None],
        forget: Callable[[], object],
        close: Callable[[], None],
    ) -> None:
        self._start = start
        self._grace = grace
        self._ready = ready
        self._forget = forget
        self._close = close
        self._workers: list[_Worker] = []
        self._n_workers = n_workers
        self._n_signals = 0
        self._has_served = False
        self._pause = 0.0
        self._not_before = 0.0

    def run(self) -> None:
        with _signals(self._on_signal):
            try:
                while not self._n_signals:
                    self._fill_up()
                    self._wait()
                    for worker in list(self._workers):
                        self._look_at(worker)
            finally:
                self._end_all()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._n_signals += 1  # nothing else is safe to do here

    def _fill_up(self) -> None:
        if time.monotonic() >= self._not_before:
            while len(self._workers) < self._n_workers:
                self._workers.append(self._start())

    def _wait(self) -> None:
        """Until a worker dies or says something, or a moment has passed."""
        listened = [one.process.sentinel for one in self._workers]
        listened += [one.news for one in self._workers if one.said is None]  # type: ignore[misc]
        if listened:
            multiprocessing.connection.wait(listened, timeout=TICK)
        else:
            time.sleep(TICK)

    def _look_at(self, worker: _Worker) -> None:
        is_alive = worker.process.is_alive()
        worker.listen()
        if worker.said == READY and not self._has_served:
            self._has_served = True
            self._ready()
        if is_alive:
            return
        self._workers.remove(worker)
        self._bury(worker)
        if self._n_signals:
            return
        message, hint = worker.said if isinstance(worker.said, tuple) else ("", "")
        if not self._has_served:
            raise ServiceFailed(
                message or f"a worker ended before it served anything ({_end_of(worker.process)})", hint=hint
            )
        lived = time.monotonic() - worker.since
        self._pause = 0.0 if lived > LONG_LIFE else min(LONGEST_PAUSE, max(0.5, 2 * self._pause))
        # The first death is made good at once; a worker that dies again and again is not to take all cores.
        self._not_before = time.monotonic() + (self._pause if self._pause > 0.5 else 0.0)
        log.error(
            "worker %s ended (%s) after %.0f s; another takes its place%s",
            worker.process.pid,
            _end_of(worker.process),
            lived,
            "".join(f": {text}" for text in (message, hint) if text),
        )

    def _bury(self, worker: _Worker) -> None:
        worker.process.join()
        worker.news.close()
        self._forget()

    def _end_all(self) -> None:
        """Lets every worker finish what it holds; a second signal, or too long a time, ends them at once.

        Nobody is to wait for an answer that will not come: with the last worker's the socket is closed.
        """
        self._close()
        for worker in self._workers:
            worker.process.terminate()
        patience = time.monotonic() + self._grace + LAST_WORDS
        alive = list(self._workers)
        while alive and time.monotonic() < patience and self._n_signals < 2:
            multiprocessing.connection.wait([one.process.sentinel for one in alive], timeout=TICK)
            alive = [one for one in alive if one.process.is_alive()]
        for worker in alive:
            log.error("worker %s does not end: it is killed", worker.process.pid)
            worker.process.kill()
        for worker in self._workers:
            self._bury(worker)
        self._workers.clear()


def _end_of(process: SpawnProcess) -> str:
    code = process.exitcode
    if code is None or code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


@contextlib.contextmanager
def _signals(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


@contextlib.contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """Variables that processes started meanwhile are to see."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, old in before.items():
            if old is None:
                del os.environ[name]
            else:
                os.environ[name] = old
