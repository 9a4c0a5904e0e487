"""Decodes pictures in processes, which are ended when a picture takes too long, and replaced."""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import errno
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from PIL import Image

from stylesearch import errors
from stylesearch.errors import ImageError, ImageTooLarge, NotAnImage, StyleSearchError
from stylesearch.images.budget import BUDGET, Reservation
from stylesearch.images.decode import Decoded, DecodedImage, Picture, decode_elsewhere, keep_reserved
from stylesearch.images.decoding_memory import bytes_to_open
from stylesearch.images.limits import decoding_limits
from stylesearch.images.processes.allowance import Allowance, current_allowance
from stylesearch.images.processes.messages import Closed, read_shared, receive, send, write_shared
from stylesearch.parallel import usable_cores

__all__ = ["SUPPORTED", "DecoderPool", "decoder_processes"]

log = logging.getLogger(__name__)


def _is_supported() -> bool:
    if sys.platform != "linux" or not (hasattr(os, "pidfd_open") and hasattr(os, "memfd_create")):
        return False
    try:
        os.close(os.pidfd_open(os.getpid()))
    except OSError:  # before Linux 5.3, or a container that does not allow it
        return False
    return True


SUPPORTED: Final = _is_supported()
"""Elsewhere pictures are decoded in threads, with the same limits but that of processor time."""

SLOW_SECONDS: Final = 0.1
"""Processor time after which a picture of a task gives way to other work, as only large ones take longer."""

LOOK_SECONDS: Final = 0.05
"""Between two looks at how long a decoder has worked."""

STUCK_SECONDS: Final = 30.0
"""A decoder that has not worked at all for so long never will."""

MAX_PICTURES: Final = 1000
"""After so many pictures another worker takes over, in case a decoder leaks."""

KEPT_BYTES: Final = 8_000_000
LOWEST_PRIORITY: Final = 19

_START: Final = (
    "import sys; sys.path[:] = sys.argv[2:]; "
    "from stylesearch.images.processes.worker import run_starter; run_starter(int(sys.argv[1]))"
)
_ONE_THREAD: Final = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class _Worker:
    """A process that decodes one picture at a time.

    Args:
        pid: its process id.
        handle: descriptor of the process, which no other process is mistaken for.
        connection: socket for messages.
        shared: descriptor of the file in which bytes and pixels are exchanged.
    """

    def __init__(self, pid: int, handle: int, connection: socket.socket, shared: int) -> None:
        self.pid = pid
        self.connection = connection
        self.shared = shared
        self.n_pictures = 0
        self.is_slow = False
        self._handle = handle
        self._clock = ~pid << 3 | 2  # of the processor time of a process: clock_getcpuclockid(3)

    def seconds(self) -> float:
        """Processor time that it has taken so far.

        Raises:
            Closed: it has ended.
        """
        try:
            return time.clock_gettime(self._clock)
        except OSError as error:
            raise Closed from error

    @property
    def is_alive(self) -> bool:
        """Whether the process has not ended."""
        try:
            signal.pidfd_send_signal(self._handle, 0)
        except ProcessLookupError:
            return False
        return True

    def give_way(self) -> None:
        """Lowers its priority for good."""
        self.is_slow = True
        with contextlib.suppress(OSError):  # it may end meanwhile
            for thread in Path(f"/proc/{self.pid}/task").iterdir():
                os.setpriority(os.PRIO_PROCESS, int(thread.name), LOWEST_PRIORITY)

    def end(self) -> None:
        """Ends the process, whatever it is doing."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._handle, signal.SIGKILL)
        os.close(self._handle)
        os.close(self.shared)
        self.connection.close()


class DecoderPool:
    """The workers of this process, and their starter; both are started when they are first needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[_Worker] = []
        self._starting = threading.Lock()
        self._starter: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    @property
    def pids(self) -> list[int]:
        """Process ids of the workers that have nothing to do."""
        with self._lock:
            return [one.pid for one in self._idle]

    def prepare(self, n_workers: int) -> None:
        """Starts workers, so that the first pictures need not wait for them."""
        workers = [self._take() for _ in range(n_workers)]
        for worker in workers:
            self._give_back(worker)

    def close(self) -> None:
        """Ends all processes that have nothing to do, and the starter, which ends the others."""
        with self._lock:
            idle, self._idle = self._idle, []
        for worker in idle:
            worker.end()
        with self._starting:
            if self._starter is not None and self._control is not None:
                self._control.close()
                self._starter.wait()
            self._starter = self._control = None

    def forget(self) -> None:
        """Lets go of all processes, which belong to the one that this one was forked from."""
        for worker in self._idle:
            worker.connection.close()
        if self._control is not None:
            self._control.close()
        if self._starter is not None:
            self._starter.returncode = 0  # no child of this process: it must not wait for it

    def decode(self, picture: Picture) -> Decoded:
        """Decodes a picture in a process of its own; see ``stylesearch.images.decode.decode_here``.

        Raises:
            ImageError: as ``stylesearch.images.decode.decode``; also where the picture breaks its decoder, or
                takes more processor time than it may.
            OSError: no process can be started.
            TaskCancelled: nobody waits for the picture any more.
        """
        try:
            return self._decode(picture)
        except Closed:
            # All workers end with the starter, which no picture reaches.
            if not self._lacks_starter():
                raise _failure_of_decoder(picture) from None
        try:
            return self._decode(picture)
        except Closed:
            raise _failure_of_decoder(picture) from None

    def _decode(self, picture: Picture) -> Decoded:
        worker = self._take()
        task = _Task(worker, picture, current_allowance())
        try:
            decoded = task.run()
        except _Refused as refused:
            self._give_back(worker)
            raise refused.error from None
        except BaseException:
            worker.end()
            raise
        finally:
            task.finish()
        self._give_back(worker)
        return decoded

    def _take(self) -> _Worker:
        while True:
            with self._lock:
                if not self._idle:
                    break
                worker = self._idle.pop()
            if worker.is_alive:
                return worker
            worker.end()
        return self._start()

    def _give_back(self, worker: _Worker) -> None:
        """Keeps a worker for the next picture, unless it has been slowed down or there are enough."""
        if not worker.is_slow and worker.n_pictures < MAX_PICTURES:
            with self._lock:
                if len(self._idle) < usable_cores() + 1:
                    self._idle.append(worker)
                    return
        worker.end()

    def _start(self) -> _Worker:
        """Has the starter fork a worker; starts that first where it does not run."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        shared = os.memfd_create("stylesearch-picture")
        cause: OSError | None = None
        try:
            with self._starting:
                for _ in range(2):  # once more if the starter was ended
                    try:
                        control = self._running_starter()
                    except OSError as error:
                        cause = error
                        break
                    try:
                        socket.send_fds(control, [b"fork"], [theirs.fileno(), shared])
                        answer, handles, _, _ = socket.recv_fds(control, 16, 1)
                    except OSError:
                        answer, handles = b"", []
                    if handles:
                        return _Worker(int(answer), handles[0], ours, shared)
                    if not answer:
                        self._forget_starter()
        except BaseException:
            ours.close()
            os.close(shared)
            raise
        finally:
            theirs.close()
        ours.close()
        os.close(shared)
        # Not an error of the picture: an ingest keeps what it knows of it.
        raise OSError(
            errno.EAGAIN,
            "the processes that decode pictures cannot be started, perhaps because of a limit of processes "
            "or memory; with STYLESEARCH_DECODE_PROCESSES=false pictures are decoded in this process",
        ) from cause

    def _running_starter(self) -> socket.socket:
        if self._control is not None:
            return self._control
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            try:
                # Not in this process group: Ctrl-C is for this process, which ends the others.
                self._starter = subprocess.Popen(
                    [sys.executable, "-c", _START, str(theirs.fileno()), *sys.path],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                    env={**os.environ, **_ONE_THREAD},
                    process_group=0,
                )
            except BaseException:
                ours.close()
                raise
        self._control = ours
        return ours

    def _lacks_starter(self) -> bool:
        with self._starting:
            return self._starter is None or self._starter.poll() is not None

    def _forget_starter(self) -> None:
        if self._control is not None:
            self._control.close()
        if self._starter is not None:
            self._starter.kill()
            self._starter.wait()
        self._starter = self._control = None


def _failure_of_decoder(picture: Picture) -> NotAnImage:
    return NotAnImage(
        f"{picture.label} is damaged, or no {picture.format.name} that can be read: it broke its decoder"
    )


class _Refused(Exception):
    """The decoder refuses the picture, and is as good as new."""

    def __init__(self, error: StyleSearchError) -> None:
        super().__init__(error)
        self.error = error


class _Task:
    """One picture in a worker, from sending its bytes to receiving its pixels.

    Args:
        worker: the worker.
        picture: the picture.
        allowance: what the picture may take, and its turn; None: as any picture of this process.
    """

    def __init__(self, worker: _Worker, picture: Picture, allowance: Allowance | None) -> None:
        self._worker = worker
        self._picture = picture
        self._allowance = allowance
        self._reservation: Reservation | None = None
        limit = decoding_limits().cpu_seconds
        self._limit = limit if allowance is None else min(limit, allowance.seconds)
        self._began = 0.0
        self._used = 0.0

    def run(self) -> Decoded:
        """Has the worker decode the picture.

        Raises:
            _Refused: the worker says that the picture cannot be decoded.
            Closed: the worker has ended, or answers what makes no sense.
            ImageError: the picture takes too much memory, or too much processor time.
        """
        worker, picture = self._worker, self._picture
        worker.n_pictures += 1
        self._began = worker.seconds()
        write_shared(worker.shared, picture.data)
        send(
            worker.connection,
            {
                "label": picture.label,
                "format": dataclasses.asdict(picture.format),
                "n_bytes": len(picture.data),
                "max_pixels": picture.max_pixels,
                "cpu_seconds": self._limit,
                "memory": bytes_to_open(picture.format, picture.max_pixels, decoding_limits().memory),
            },
        )
        while True:
            message = self._wait()
            match message:
                case {"sides": [int(width), int(height)]}:
                    send(worker.connection, {"sides": picture.sides_wanted(width, height)})
                case {"reserve": int(n_bytes), "size": [int(width), int(height)]}:
                    self._reservation = BUDGET.reserve(
                        n_bytes, picture.label, (width, height), self._step_aside
                    )
                    send(worker.connection, {})
                case {"error": str(name), "message": str(text), "hint": str(hint)}:
                    raise _Refused(_error(name, text, hint))
                case {"images": list(places), "cut_short": str() | None as cut_short}:
                    images = self._read(places)
                    if self._reservation is not None:
                        keep_reserved(self._reservation, images)
                        self._reservation = None
                    return images, cut_short
                case _:
                    raise Closed

    def finish(self) -> None:
        """Gives back what was reserved, and takes the turn again that a slow picture has given away."""
        if self._reservation is not None:
            self._reservation.finish(0)
        if self._allowance is not None:
            self._allowance.seconds -= self._used
            self._allowance.take_turn()

    def _wait(self) -> dict[str, Any]:
        """Waits for the worker's next message, as long as it works and does not work too long."""
        last_work = time.monotonic()
        while True:
            try:
                return receive(self._worker.connection, LOOK_SECONDS)
            except TimeoutError:
                used = self._worker.seconds() - self._began
            if used > self._used:
                last_work = time.monotonic()
            elif time.monotonic() - last_work > STUCK_SECONDS:
                raise Closed from None
            self._used = used
            if used > self._limit:
                raise self._too_slow() from None
            if used > SLOW_SECONDS and self._allowance is not None:
                if not self._worker.is_slow:
                    self._worker.give_way()
                self._step_aside()

    def _step_aside(self) -> None:
        """Lets another task work while this one waits; ends the waiting if it is not wanted any more."""
        if self._allowance is not None:
            self._allowance.give_turn()
            self._allowance.check()

    def _too_slow(self) -> ImageError:
        return ImageTooLarge(
            f"{self._picture.label} takes more than {self._limit:.3g} s of processor time to decode",
            hint="make the picture smaller, or raise decode_seconds: --decode-seconds of ingest or serve",
        )

    def _read(self, places: list[Any]) -> list[DecodedImage]:
        """Reads the images that the worker has written."""
        images: dict[int, DecodedImage] = {}
        used = []
        end = 0
        for place in places:
            match place:
                case {"at": int(at), "size": [int(width), int(height)], "full_size": [int(full), int(tall)]}:
                    pass
                case _:
                    raise Closed
            if at not in images:
                pixels = read_shared(self._worker.shared, 3 * width * height, at)
                images[at] = DecodedImage(Image.frombytes("RGB", (width, height), pixels), full, tall)
                end = max(end, at + len(pixels))
            used.append(images[at])
        if end > KEPT_BYTES:
            os.ftruncate(self._worker.shared, 0)
        return used


def _error(name: str, message: str, hint: str) -> StyleSearchError:
    """The error that a worker tells of."""
    kind = getattr(errors, name, None) if name in errors.__all__ else None
    if kind is None:
        raise Closed
    error: StyleSearchError = kind(message, hint=hint)
    return error


_pool = DecoderPool()
_users = 0
_counting = threading.Lock()


@contextlib.contextmanager
def decoder_processes(n_ready: int = 0) -> Iterator[None]:
    """Has all pictures of this process decoded in processes of their own, until the block ends.

    The processes stay for the next block, and end with this process. Where the system or the settings do not
    allow them, pictures are decoded in this process.

    Args:
        n_ready: so many workers are started at once.

    Raises:
        OSError: no process can be started.
    """
    global _users
    if not SUPPORTED or not decoding_limits().processes:
        log.info("pictures are decoded in threads: their processor time is not limited")
        yield
        return
    if n_ready:
        _pool.prepare(n_ready)
    with _counting:
        _users += 1
        decode_elsewhere(_pool.decode)
    try:
        yield
    finally:
        with _counting:
            _users -= 1
            if not _users:
                decode_elsewhere(None)


def _forget_after_fork() -> None:
    global _pool, _users, _counting
    _pool.forget()
    _pool = DecoderPool()
    _counting = threading.Lock()
    _users = 0
    decode_elsewhere(None)


def _close() -> None:
    _pool.close()


atexit.register(_close)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)
