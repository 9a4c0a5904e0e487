from __future__ import annotations

import errno
import gc
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stylesearch.errors import ImageTooLarge, ImageTooSmall, NotAnImage
from stylesearch.images import limits
from stylesearch.images.budget import BUDGET
from stylesearch.images.decode import decode, decode_reduced
from stylesearch.images.limits import DecodingLimits, limit_decoding
from stylesearch.images.processes import pool as pools
from stylesearch.images.processes.allowance import Allowance, TaskCancelled, allow
from stylesearch.images.processes.pool import decoder_processes

pytestmark = pytest.mark.skipif(not pools.SUPPORTED, reason="pictures are decoded in threads here")


@pytest.fixture(scope="module", autouse=True)
def processes():
    with decoder_processes(1):
        yield


@pytest.fixture
def limited(monkeypatch):
    """Sets the limits of decoding for one test."""
    monkeypatch.setattr(limits, "_limits", DecodingLimits())
    return lambda **changes: limit_decoding(DecodingLimits(**changes))


def _file(image, file_format="PNG", **options):
    data = BytesIO()
    image.save(data, file_format, **options)
    return data.getvalue()


def _in_process(work):
    """Runs a function while pictures are decoded in this process."""
    pools.decode_elsewhere(None)
    try:
        return work()
    finally:
        pools.decode_elsewhere(pools._pool.decode)


PHOTO = _file(Image.effect_noise((640, 480), 60).convert("RGB"), "JPEG", quality=85)


def _slow_png(side=9000):
    """Grey zeros: a file of some kilobytes, which takes a good part of a second."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
    squeeze = zlib.compressobj(9)
    row = bytes(side + 1)
    packed = b"".join(squeeze.compress(row) for _ in range(side)) + squeeze.flush()
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


@pytest.fixture(scope="module")
def slow():
    return _slow_png()


def _pid_of_worker():
    (pid, *_) = pools._pool.pids
    return pid


class TestSameAsInThisProcess:
    @pytest.mark.parametrize(
        "file_format", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF", "GIF", "BMP", "PPM", "JPEG2000"]
    )
    def test_pixels(self, file_format):
        data = _file(Image.effect_noise((300, 200), 60).convert("RGB"), file_format)
        inside = _in_process(lambda: decode_reduced(data, [None, 40, lambda w, h: w // 2]))
        outside = decode_reduced(data, [None, 40, lambda w, h: w // 2])
        for one, other in zip(inside, outside, strict=True):
            assert (one.width, one.height) == (other.width, other.height)
            np.testing.assert_array_equal(one.pixels, other.pixels)

    def test_orientation_and_full_size(self):
        exif = Image.Exif()
        exif[0x0112] = 6
        data = _file(Image.effect_noise((640, 480), 60).convert("RGB"), "JPEG", exif=exif)
        decoded = decode(data, reduce_to=200)
        assert (decoded.width, decoded.height) == (480, 640)
        assert decoded.pixels.shape == (320, 240, 3)

    def test_equal_uses_share_one_image(self):
        first, second = decode_reduced(PHOTO, [100, 100])
        assert first is second

    @pytest.mark.parametrize(
        ("data", "max_pixels"),
        [
            (PHOTO[:2000], 10**8),
            (PHOTO, 1000),
            (_file(Image.new("L", (8, 400))), 10**8),
            (_file(Image.new("RGB", (64, 64)))[:60], 10**8),
            (b"GIF89a" + bytes(20), 10**8),
            (b"RIFF\x20\0\0\0WEBPVP8 " + bytes(20), 10**8),
        ],
    )
    def test_errors(self, data, max_pixels, tmp_path):
        path = tmp_path / "bäd\udcff.jpg"
        path.write_bytes(data)

        def refuse():
            with pytest.raises((NotAnImage, ImageTooLarge, ImageTooSmall)) as caught:
                decode(path, max_pixels=max_pixels)
            return type(caught.value), caught.value.message, caught.value.hint

        assert refuse() == _in_process(refuse)

    def test_the_warning_of_a_file_that_is_cut_short(self):
        def warn():
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                decode(PHOTO[:-600])
            (one,) = caught
            return one.category, str(one.message)

        assert warn() == _in_process(warn)

    def test_an_error_of_the_caller_comes_back(self):
        def fail(width, height):
            raise KeyError("a mistake")

        with pytest.raises(KeyError):
            decode(PHOTO, reduce_to=fail)
        assert decode(PHOTO).width == 640


class TestBrokenDecoders:
    @pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL, signal.SIGABRT])
    def test_one_that_crashes_is_one_error(self, number):
        def crash(width, height):
            (busy,) = busy_pids()
            os.kill(busy, number)
            return 100

        def busy_pids():
            return {int(pid) for pid in _children(pools._pool._starter.pid)} - set(pools._pool.pids)

        gc.collect()
        before = BUDGET.used  # by results of other tests
        with pytest.raises(NotAnImage, match="no JPEG that can be read: it broke its decoder"):
            decode(PHOTO, reduce_to=crash)
        assert BUDGET.used <= before
        assert decode(PHOTO).width == 640

    def test_a_starter_that_was_ended_is_replaced(self):
        pid = pools._pool._starter.pid
        os.kill(pid, signal.SIGKILL)
        pools._pool._starter.wait()
        assert decode(PHOTO).width == 640
        assert pools._pool._starter.pid != pid

    def test_a_starter_that_is_ended_costs_no_picture(self):
        killed = []

        def kill(width, height):
            if not killed:
                killed.append(pools._pool._starter.pid)
                os.kill(*killed, signal.SIGKILL)
                while pools._pool._starter.poll() is None:
                    time.sleep(0.001)
            return 640

        assert decode(PHOTO, reduce_to=kill).width == 640

    def test_a_worker_that_was_ended_while_idle_costs_no_picture(self):
        decode(PHOTO)
        os.kill(_pid_of_worker(), signal.SIGKILL)
        time.sleep(0.05)
        assert decode(PHOTO).width == 640

    def test_a_starter_outlives_that_it_cannot_fork(self):
        code = """
            import os, sys
            from stylesearch.images.processes import worker
            def fork():
                raise BlockingIOError
            os.fork = fork
            worker.run_starter(int(sys.argv[1]))
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours, theirs:
            command = [sys.executable, "-c", textwrap.dedent(code), str(theirs.fileno())]
            with subprocess.Popen(command, pass_fds=[theirs.fileno()]) as starter:
                theirs.close()
                ours.settimeout(60)
                for _ in range(2):
                    socket.send_fds(ours, [b"fork"], [1, 2])
                    assert socket.recv_fds(ours, 16, 1)[:2] == (b"0", [])
                ours.close()
                assert starter.wait(60) == 0

    def test_a_starter_ends_quietly_when_nobody_waits_for_its_worker(self):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        connection, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs, connection, other, tempfile.TemporaryFile() as shared:
            with ours:
                socket.send_fds(ours, [b"fork"], [connection.fileno(), shared.fileno()])
            command = [sys.executable, "-c", pools._START, str(theirs.fileno()), *sys.path]
            done = subprocess.run(
                command, pass_fds=[theirs.fileno()], capture_output=True, text=True, timeout=60
            )
        assert (done.returncode, done.stderr) == (0, "")

    def test_no_process_at_all_is_told_with_what_to_do(self, monkeypatch):
        def popen(*arguments, **named):
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

        pool = pools.DecoderPool()
        monkeypatch.setattr(pools.subprocess, "Popen", popen)
        with pytest.raises(OSError, match="STYLESEARCH_DECODE_PROCESSES=false") as caught:
            pool.prepare(1)
        assert isinstance(caught.value.__cause__, BlockingIOError)


class TestLimits:
    def test_a_file_larger_than_what_the_picture_before_could_take(self, limited):
        limited(memory=4_000_000_000)
        decode(_file(Image.new("L", (16, 16))))
        large = _file(Image.new("L", (11_000, 11_000)), "TIFF")
        assert len(large) > 121_000_000
        assert decode(large, reduce_to=16).width == 11_000

    def test_limits_of_the_system_stay_and_are_no_fault_of_a_picture(self):
        code = """
            import resource
            from stylesearch.images.processes import worker
            resource.setrlimit(resource.RLIMIT_CPU, (50, 60))
            resource.setrlimit(resource.RLIMIT_DATA, (2_000_000_000, 3_000_000_000))
            worker._limit_seconds(1000)
            worker._limit_bytes(10_000_000_000)
            print(resource.getrlimit(resource.RLIMIT_CPU), resource.getrlimit(resource.RLIMIT_DATA))
            worker._limit_seconds(1)
            print(resource.getrlimit(resource.RLIMIT_CPU)[1])
        """
        command = [sys.executable, "-c", textwrap.dedent(code)]
        done = subprocess.run(command, check=True, timeout=60, stdout=subprocess.PIPE, text=True)
        assert done.stdout == "(60, 60) (3000000000, 3000000000)\n60\n"

    def test_processor_time(self, slow, limited):
        limited(cpu_seconds=0.1)
        with pytest.raises(ImageTooLarge, match=r"takes more than 0\.1 s of processor time") as caught:
            decode(slow, reduce_to=64)
        assert "--decode-seconds" in caught.value.hint
        assert BUDGET.used == 0
        assert decode(PHOTO).width == 640

    def test_the_system_ends_one_that_nobody_ends(self):
        code = """
            from stylesearch.images.processes import worker
            worker.LATER_SECONDS = 0
            worker._limit_seconds(0.5)
            while True:
                pass
        """
        done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=False, timeout=60)
        assert done.returncode == -signal.SIGXCPU

    def test_memory_while_a_file_is_opened(self, monkeypatch):
        monkeypatch.setattr(pools, "bytes_to_open", lambda *arguments: 0)
        canvas = struct.pack("<I", 0) + (5999).to_bytes(3, "little") * 2
        body = b"WEBPVP8X" + struct.pack("<I", len(canvas)) + canvas
        body += _file(Image.new("RGB", (20, 20)), "WEBP")[12:]
        with pytest.raises(NotAnImage):
            decode(b"RIFF" + struct.pack("<I", len(body)) + body)
        assert decode(PHOTO).width == 640

    def test_memory_while_pixels_are_decoded(self):
        code = """
            import numpy as np
            from stylesearch.images.processes import worker
            worker._limit_bytes(10_000_000)
            np.ones(50_000_000, np.uint8)
            try:
                np.ones(200_000_000, np.uint8)
            except MemoryError:
                print("refused")
        """
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code)], check=True, timeout=60, capture_output=True
        )
        assert done.stdout == b"refused\n"

    def test_what_exceeds_the_budget_is_refused(self, slow, limited):
        limited(memory=100_000_000)
        with pytest.raises(ImageTooLarge, match=r"is 9000 x 9000 pixels and takes [\d,]+ MB to decode"):
            decode(slow)

    def test_large_ones_wait_for_each_other(self, limited):
        limited(memory=100_000_000)
        data = _slow_png(4000)  # 16 MB, and as much again for its result: two do not fit
        largest = 0

        def note(width, height):
            nonlocal largest
            largest = max(largest, BUDGET.used)
            return 500

        with ThreadPoolExecutor(8) as threads:
            images = list(threads.map(lambda _: decode(data, reduce_to=note).upright.size, range(8)))
        assert images == [(500, 500)] * 8
        assert 0 < largest <= 100_000_000
        assert BUDGET.used == 0


class TestTasks:
    def test_a_slow_picture_lets_others_work(self, slow, limited):
        limited(cpu_seconds=20.0)
        turns = threading.Semaphore(1)
        order = []

        def work(data, name):
            with allow(Allowance(20.0, turns, threading.Event())):
                order.append(f"{name} begins")
                decode(data, reduce_to=64)
                order.append(f"{name} ends")

        slow_one = threading.Thread(target=work, args=(slow, "slow"))
        slow_one.start()
        while not order:
            time.sleep(0.001)
        quick_one = threading.Thread(target=work, args=(PHOTO, "quick"))
        quick_one.start()
        slow_one.join(60)
        quick_one.join(60)
        assert order[0] == "slow begins"
        assert order.index("quick begins") < order.index("slow ends")
        assert turns.acquire(blocking=False)

    def test_pictures_of_a_task_share_its_seconds(self, slow, limited):
        limited(cpu_seconds=20.0)
        allowance = Allowance(20.0, threading.Semaphore(1), threading.Event())
        with allow(allowance):
            decode(slow, reduce_to=64)
            assert allowance.seconds < 20.0
            allowance.seconds = 0.06
            with pytest.raises(ImageTooLarge, match="processor time"):
                decode(slow, reduce_to=64)

    def test_a_cancelled_task_ends_its_decoder(self, slow, limited):
        limited(cpu_seconds=20.0)
        cancelled = threading.Event()

        def cancel(width, height):
            cancelled.set()
            return 64

        with pytest.raises(TaskCancelled), allow(Allowance(20.0, threading.Semaphore(1), cancelled)):
            decode(slow, reduce_to=cancel)
        assert BUDGET.used == 0


def _children(pid):
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def _is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


PROGRAM = """
    import sys
    from stylesearch.images.decode import decode
    from stylesearch.images.processes import pool
    data = open(sys.argv[1], "rb").read()
    held = pool.decoder_processes(2)
    held.__enter__()
    print(pool._pool._starter.pid, *pool._pool.pids, flush=True)
    {rest}
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_no_process_is_left_and_ctrl_c_is_quiet(how, slow, tmp_path):
    path = tmp_path / "slow.png"
    path.write_bytes(slow)
    work = "decode(data, reduce_to=64)"
    rest = f"{work}\n    print('begins', flush=True)\n    while True: {work}"
    program = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(PROGRAM.format(rest=rest)), path],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    )
    with program:
        pids = [int(pid) for pid in program.stdout.readline().split()]
        assert len(pids) == 3
        assert program.stdout.readline() == "begins\n"
        if how == signal.SIGKILL:
            program.kill()
        else:
            os.killpg(program.pid, how)  # as a terminal does
        _, said = program.communicate(timeout=60)
    deadline = time.monotonic() + 20
    while any(map(_is_alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not any(map(_is_alive, pids))
    assert said.count("Traceback") == (how == signal.SIGINT)  # that of the program itself
