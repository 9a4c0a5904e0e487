"""Starts the worker processes, restarts them when they die, and stops them within a time limit.

Uvicorn's own supervisor (``uvicorn.supervisors.Multiprocess``, tried with version 0.54) does not do the
following, which is tested in ``tests/unit/serving/test_supervisor.py`` and
``tests/integration/test_serve_process.py``, ``test_serve_stopping.py``:

- A start that fails reports the reason, and ends with exit code 1
  (``test_a_worker_that_cannot_start_says_why``, ``test_one_that_falls_at_once_ends_the_service``). Uvicorn
  ends with exit code 0, and restarts a worker that crashes before it has served, without end.
- A later worker that cannot start is tried again, with growing pauses, while the others go on
  (``test_what_keeps_a_later_worker_from_starting_is_logged``). Uvicorn then stops all of them.
- A worker that does not stop is killed after its grace, or upon a second signal
  (``test_one_that_does_not_end_is_killed_after_its_grace``). Uvicorn waits for it without end.
- Workers stop when their supervisor is killed (``test_workers_end_with_their_supervisor``). Uvicorn's live on
  and hold the port.
- Ctrl-C is quiet while a worker starts (``test_ctrl_c_while_a_worker_starts_ends_it_quietly``). Uvicorn's
  print a traceback each.
"""

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
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from types import FrameType
from typing import Any

from stylesearch.errors import ConfigError, StyleSearchError
from stylesearch.files import temporary_folder
from stylesearch.parallel import usable_cores
from stylesearch.serving.logs import configure_logging
from stylesearch.serving.server.signals import BACKLOG, READY, block_interrupts, ignore_interrupts
from stylesearch.serving.settings import ServiceSettings
from stylesearch.settings import Settings

__all__ = ["ServiceFailed", "bind", "serve"]

log = logging.getLogger(__name__)

THREAD_VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
"""Read by NumPy's libraries when they are loaded, which in a worker is at its very start."""

POLL_SECONDS = 0.2
STABLE_SECONDS = 30.0
"""The death of a worker that has lived longer says nothing about how the next one will do."""
MIN_PAUSE = 0.5
MAX_PAUSE = 30.0
"""Bounds of the seconds between restarts of workers that die again and again."""
KILL_SECONDS = 5.0
"""After the grace, a worker that still runs is killed."""

_spawn = multiprocessing.get_context("spawn")


class ServiceFailed(StyleSearchError):
    """No worker could be started."""


def bind(host: str, port: int) -> socket.socket:
    """Returns a listening socket, on which clients can connect and wait while no worker runs.

    Raises:
        ConfigError: the service cannot listen on this address.
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
        if os.name != "nt":  # on Windows it would let two programs listen on the same port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise _listen_error(host, port, error) from error
    return listener


def _listen_error(host: str, port: int, error: OSError) -> ConfigError:
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
    """Serves until SIGINT or SIGTERM arrives, and finishes the requests that have begun.

    Args:
        settings: settings of the workspace.
        service: settings of the service.
        listener: socket from ``bind``; closed when the service stops.
        ready: called when the first worker answers.

    Raises:
        ServiceFailed: no worker could be started.
    """
    configure_logging(service.log_format)
    with contextlib.ExitStack() as stack:
        on_death: Callable[[], object] = lambda: None  # noqa: E731
        if service.workers > 1:
            from stylesearch.serving.metrics import FOLDER_VARIABLE, forget_dead_workers  # not light

            folder = stack.enter_context(temporary_folder("stylesearch-metrics-"))
            share = str(max(1, usable_cores() // service.workers))
            threads = {name: share for name in THREAD_VARIABLES if name not in os.environ}
            stack.enter_context(_environment({FOLDER_VARIABLE: str(folder), **threads}))
            on_death = functools.partial(forget_dead_workers, folder)

        def start() -> _Worker:
            receiver, sender = _spawn.Pipe(duplex=False)
            process = _spawn.Process(
                target=_run_worker, args=(settings, service, [listener], sender), name="stylesearch-worker"
            )
            with block_interrupts():
                process.start()
            sender.close()
            return _Worker(process, receiver, time.monotonic())

        _Supervisor(start, service.workers, service.shutdown_grace, ready, on_death, listener.close).run()


def _run_worker(*arguments: Any) -> None:
    """Main function of a worker process."""
    ignore_interrupts()
    from stylesearch.serving.server.worker import run_worker

    run_worker(*arguments)


@dataclass(eq=False, slots=True)
class _Worker:
    """A worker process.

    Attributes:
        process: the process.
        pipe: connection for its messages.
        started_at: time of its start, by the monotonic clock.
        message: the last message: ``READY``, or message and hint of the error that prevents its start.
    """

    process: SpawnProcess
    pipe: Connection
    started_at: float
    message: object = None

    def receive(self) -> None:
        """Reads the messages that have arrived."""
        with contextlib.suppress(EOFError, OSError):
            while self.pipe.poll():
                self.message = self.pipe.recv()


class _Supervisor:
    """Keeps workers running until a signal arrives.

    Args:
        start: starts a worker.
        n_workers: number of workers.
        grace: seconds in which workers may finish their requests.
        ready: called when the first worker answers.
        on_death: called after each worker's end.
        close: closes the listening socket.
    """

    def __init__(
        self,
        start: Callable[[], _Worker],
        n_workers: int,
        grace: float,
        ready: Callable[[], None],
        on_death: Callable[[], object],
        close: Callable[[], None],
    ) -> None:
        self._start = start
        self._grace = grace
        self._ready = ready
        self._on_death = on_death
        self._close = close
        self._workers: list[_Worker] = []
        self._n_workers = n_workers
        self._n_signals = 0
        self._has_served = False
        self._pause = 0.0
        self._next_start = 0.0

    def run(self) -> None:
        """Runs until all workers have ended after a signal.

        Raises:
            ServiceFailed: a worker ended before any has served.
        """
        with _handle_signals(self._on_signal):
            try:
                while not self._n_signals:
                    self._start_missing()
                    self._wait()
                    for worker in list(self._workers):
                        self._check(worker)
            finally:
                self._stop_all()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._n_signals += 1  # nothing else is safe in a signal handler

    def _start_missing(self) -> None:
        if time.monotonic() >= self._next_start:
            while len(self._workers) < self._n_workers:
                self._workers.append(self._start())

    def _wait(self) -> None:
        """Waits until a worker dies or sends a message, or a moment has passed."""
        waited_for = [one.process.sentinel for one in self._workers]
        waited_for += [one.pipe for one in self._workers if one.message is None]  # type: ignore[misc]
        if waited_for:
            multiprocessing.connection.wait(waited_for, timeout=POLL_SECONDS)
        else:
            time.sleep(POLL_SECONDS)

    def _check(self, worker: _Worker) -> None:
        """Reads the worker's messages, and removes it if it has ended."""
        is_alive = worker.process.is_alive()
        worker.receive()
        if worker.message == READY and not self._has_served:
            self._has_served = True
            self._ready()
        if is_alive:
            return
        self._workers.remove(worker)
        self._clean_up(worker)
        if self._n_signals:
            return
        message, hint = worker.message if isinstance(worker.message, tuple) else ("", "")
        how = _describe_end(worker.process)
        if not self._has_served:
            raise ServiceFailed(message or f"a worker ended before it served anything ({how})", hint=hint)
        lived = time.monotonic() - worker.started_at
        self._pause = 0.0 if lived > STABLE_SECONDS else min(MAX_PAUSE, max(MIN_PAUSE, 2 * self._pause))
        # The first one is replaced at once; later ones after a pause, so that they do not use all cores.
        self._next_start = time.monotonic() + (self._pause if self._pause > MIN_PAUSE else 0.0)
        log.error(
            "worker %s ended (%s) after %.0f s; another takes its place%s",
            worker.process.pid,
            how,
            lived,
            "".join(f": {text}" for text in (message, hint) if text),
        )

    def _clean_up(self, worker: _Worker) -> None:
        worker.process.join()
        worker.pipe.close()
        self._on_death()

    def _stop_all(self) -> None:
        """Lets every worker finish its requests; kills those left after a second signal or the time limit.

        The socket is closed first, in this process too, so that no client waits for an answer in vain.
        """
        self._close()
        for worker in self._workers:
            worker.process.terminate()
        deadline = time.monotonic() + self._grace + KILL_SECONDS
        alive = list(self._workers)
        while alive and time.monotonic() < deadline and self._n_signals < 2:
            multiprocessing.connection.wait([one.process.sentinel for one in alive], timeout=POLL_SECONDS)
            alive = [one for one in alive if one.process.is_alive()]
        for worker in alive:
            log.error("worker %s does not end: it is killed", worker.process.pid)
            worker.process.kill()
        for worker in self._workers:
            self._clean_up(worker)
        self._workers.clear()


def _describe_end(process: SpawnProcess) -> str:
    """Describes how a process ended: by a signal, or with an exit code."""
    code = process.exitcode
    if code is None or code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


@contextlib.contextmanager
def _handle_signals(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


@contextlib.contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """Sets environment variables for processes that are started inside the block."""
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
