"""What runs in the processes that decode: the starter, and the workers that it forks.

The starter has all decoders loaded and one thread, and never sees a picture. A worker is forked from it
within milliseconds, which is why one can be ended for every hostile picture. When the process that they work
for is gone, the starter ends by itself, and the system ends the workers with it.
"""

from __future__ import annotations

import ctypes
import gc
import math
import os
import resource
import signal
import socket
import time
from types import FrameType
from typing import Any, Final

from stylesearch.errors import ImageTooLarge, MissingDependency, StyleSearchError
from stylesearch.images import color  # noqa: F401 - loaded before the forks
from stylesearch.images.decode import DecodedImage, Picture, decode_data
from stylesearch.images.formats import FORMATS, ImageFormat
from stylesearch.images.processes.messages import Closed, read_shared, receive, send, write_shared

__all__ = ["run_starter"]

PR_SET_PDEATHSIG: Final = 1

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3

SPARE_BYTES: Final = 96_000_000
"""What a decoder may allocate beyond the estimate: stacks of threads, tables, rounding."""

KEPT_BYTES: Final = 8_000_000
"""The shared file is emptied after pictures that take more."""

TRIMMED_BYTES: Final = 32_000_000
"""What was freed is given back to the system after pictures that took more, as that costs some time."""

LATER_SECONDS: Final = 2
"""The system ends a worker so long after the process that it works for should have ended it."""

BAND_BYTES: Final = 4_000_000


def run_starter(control: int) -> None:
    """Forks a worker for each message of the process that started this one, until that has ended.

    Args:
        control: descriptor of a socket. A message brings the worker's socket and its shared file; the answer
            is the worker's process id, with a descriptor of the process.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, _wait_for_ended)
    for name in FORMATS:
        try:
            FORMATS.load(name)
        except MissingDependency:
            continue  # said by the worker that is given such a picture
    _keep_freed_memory()
    gc.collect()
    gc.freeze()
    parent = socket.socket(fileno=control)
    starter = os.getpid()
    while True:
        try:
            message, descriptors, _, _ = socket.recv_fds(parent, 16, 2)
        except ConnectionError:
            return
        if not message:
            return
        connection, shared = descriptors
        try:
            pid = os.fork()
        except OSError:  # too many processes: those that work go on
            pid = -1
        if pid == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            parent.close()
            _die_with(starter)
            _work(socket.socket(fileno=connection), shared)
            os._exit(0)
        os.close(connection)
        os.close(shared)
        handle = None if pid < 0 else _open_process(pid)
        answer, handles = (b"0", []) if handle is None else (str(pid).encode(), [handle])
        try:
            socket.send_fds(parent, [answer], handles)
        except ConnectionError:  # nobody waits for the worker, which ends with this process
            return
        for one in handles:
            os.close(one)


def _open_process(pid: int) -> int | None:
    """A descriptor of a process; None where that has ended, and so let go of what it worked for."""
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None


def _wait_for_ended(number: int, frame: FrameType | None) -> None:
    """Signal handler: lets workers that have ended go, whose processor time is then counted here."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


def _keep_freed_memory() -> None:
    """Has malloc keep what small pictures free: to ask the system for it anew takes as long as decoding."""
    malloc = ctypes.CDLL(None)
    if hasattr(malloc, "mallopt"):  # of glibc
        malloc.mallopt(M_MMAP_THRESHOLD, TRIMMED_BYTES)
        malloc.mallopt(M_TRIM_THRESHOLD, 2 * TRIMMED_BYTES)


def _trim_memory() -> None:
    """Gives back to the system what large pictures have freed."""
    malloc = ctypes.CDLL(None)
    if hasattr(malloc, "malloc_trim"):
        malloc.malloc_trim(0)


def _die_with(starter: int) -> None:
    """Has the system kill this process when the starter has ended."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != starter:
        os._exit(0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _work(connection: socket.socket, shared: int) -> None:
    """Decodes one picture after the other, until the connection is closed."""
    while True:
        try:
            request = receive(connection)
            _decode(request, connection, shared)
        except Closed:
            return


def _decode(request: dict[str, Any], connection: socket.socket, shared: int) -> None:
    _limit_seconds(request["cpu_seconds"])
    # Before the file is read: until here the limit is that of the picture before.
    _limit_bytes(request["memory"] + request["n_bytes"])
    data = read_shared(shared, request["n_bytes"])
    if len(data) > KEPT_BYTES:
        os.ftruncate(shared, 0)
    sides: dict[tuple[int, int], list[int | None]] = {}
    reserved = 0

    def ask(question: dict[str, Any]) -> dict[str, Any]:
        send(connection, question)
        return receive(connection)

    def sides_wanted(width: int, height: int) -> list[int | None]:
        if (width, height) not in sides:
            sides[width, height] = ask({"sides": [width, height]})["sides"]
        return sides[width, height]

    def reserve(n_bytes: int, size: tuple[int, int]) -> None:
        nonlocal reserved
        ask({"reserve": n_bytes, "size": size})
        reserved = n_bytes
        _limit_bytes(n_bytes)

    picture = Picture(
        request["label"], ImageFormat(**request["format"]), data, request["max_pixels"], sides_wanted
    )
    try:
        images, cut_short = decode_data(picture, reserve)
        answer = {"images": _share(images, shared), "cut_short": cut_short}
    except Closed:
        raise
    except StyleSearchError as error:
        answer = {"error": type(error).__name__, "message": error.message, "hint": error.hint}
    except MemoryError:
        message = f"{request['label']} does not fit into memory"
        answer = {"error": ImageTooLarge.__name__, "message": message, "hint": ""}
    images = []
    send(connection, answer)
    if reserved > TRIMMED_BYTES:
        _trim_memory()


def _share(images: list[DecodedImage], shared: int) -> list[dict[str, Any]]:
    """Writes the pixels of images into the shared file; says for each use where they are."""
    places: dict[int, dict[str, Any]] = {}
    offset = 0
    for one in images:
        if id(one) in places:
            continue
        image = one.upright
        places[id(one)] = {"at": offset, "size": image.size, "full_size": [one.width, one.height]}
        if 3 * image.width * image.height <= BAND_BYTES:
            write_shared(shared, image.tobytes(), offset)
            offset += 3 * image.width * image.height
            continue
        n_rows = max(1, BAND_BYTES // (3 * image.width))
        for top in range(0, image.height, n_rows):
            rows = image.crop((0, top, image.width, min(image.height, top + n_rows)))
            write_shared(shared, rows.tobytes(), offset)
            offset += 3 * rows.width * rows.height
    return [places[id(one)] for one in images]


def _limit_seconds(seconds: float) -> None:
    """Has the system end this process if the one that it works for should fail to."""
    limit = math.ceil(time.process_time() + seconds) + LATER_SECONDS
    _set_limit(resource.RLIMIT_CPU, limit)


def _limit_bytes(n_bytes: int) -> None:
    """Limits what this process may allocate from here on."""
    with open("/proc/self/statm", "rb", buffering=0) as file:  # noqa: PTH123 - called for every picture
        in_use = int(file.read(200).split()[5]) * resource.getpagesize()
    _set_limit(resource.RLIMIT_DATA, in_use + n_bytes + SPARE_BYTES)


def _set_limit(kind: int, limit: int) -> None:
    """Sets a limit of this process, below the one that was set for all processes, if there is one."""
    _, most = resource.getrlimit(kind)
    resource.setrlimit(kind, (limit if most == resource.RLIM_INFINITY else min(limit, most), most))
