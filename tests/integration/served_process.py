"""``stylesearch serve`` as a process of its own, and clients that search in it without pause."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Final

import httpx

__all__ = ["CLI", "PATIENCE", "Load", "Server", "has_ended", "workers_of"]

CLI: Final = "import sys; from stylesearch.cli import main; sys.argv[0] = 'stylesearch'; main()"
PATIENCE: Final = 60.0


def workers_of(supervisor: int) -> list[int]:
    """Process ids of those that answer."""
    children = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
    return [int(pid) for pid in children if "spawn_main" in _of_process(pid, "cmdline")]


def has_ended(pid: int) -> bool:
    """Whether a process runs no more; where nobody asks for its exit code, its entry stays, as a zombie."""
    # Behind the name, which may hold anything, a bracket too, comes the state.
    return _of_process(pid, "stat").rpartition(")")[2].split()[:1] in ([], ["Z"], ["X"])


def _of_process(pid: int | str, what: str) -> str:
    """What /proc says of a process; nothing if it has just ended: that can be between any two looks."""
    try:
        return Path(f"/proc/{pid}/{what}").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def ids_of(answer: httpx.Response) -> list[str]:
    return [hit["product"]["id"] for hit in answer.json()["hits"]]


class Server:
    """A running service, what it says, and how to ask it."""

    def __init__(self, home: Path, *arguments: str, environment: dict[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", CLI, "--home", str(home), "serve", "--json", "--port", "0", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **(environment or {})},
            start_new_session=True,  # so that a Ctrl-C meant for it does not reach this test
        )
        self.said: list[str] = []
        self._lines: queue.Queue[str] = queue.Queue()
        self.client = httpx.Client()
        assert self.process.stdout and self.process.stderr
        self._readers = [
            threading.Thread(target=self._read, args=(stream, take))
            for stream, take in (
                (self.process.stdout, self._lines.put),
                (self.process.stderr, self.said.append),
            )
        ]
        for reader in self._readers:
            reader.start()

    @staticmethod
    def _read(stream: Any, take: Any) -> None:
        with stream:
            for line in stream:
                take(line)

    def wait_until_ready(self) -> Server:
        try:
            started = json.loads(self._lines.get(timeout=PATIENCE))
        except queue.Empty:
            self.process.kill()
            raise AssertionError("".join(self.said)) from None
        self.url: str = started["url"]
        self.client.base_url, self.client.timeout = httpx.URL(self.url), httpx.Timeout(PATIENCE)
        return self

    def wait_to_say(self, text: str) -> str:
        """Everything it has said, as soon as ``text`` is part of it."""
        deadline = time.monotonic() + PATIENCE
        while text not in "".join(self.said):
            assert time.monotonic() < deadline, self.said
            time.sleep(0.01)
        return "".join(self.said)

    def search(self, photo: bytes, k: int = 3) -> list[str]:
        answer = self.client.post("/v1/search", files={"image": photo}, data={"k": str(k)})
        assert answer.status_code == 200, answer.text
        return ids_of(answer)

    def workers(self) -> list[int]:
        """Process ids of those that answer."""
        return workers_of(self.process.pid)

    def stop(self) -> int:
        """Ends it as a service manager does; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait_for_end()

    def wait_for_end(self) -> int:
        code = self.process.wait(PATIENCE)
        for reader in self._readers:
            reader.join(PATIENCE)
        return code

    def end(self) -> None:
        if self.process.poll() is None:
            for pid in self.workers():
                os.kill(pid, signal.SIGKILL)
            self.process.kill()
            self.process.wait(PATIENCE)
        self.client.close()
        for reader in self._readers:
            reader.join(PATIENCE)


class Load:
    """Clients that search without pause, and what became of it."""

    def __init__(self, server: Server, photos: list[bytes], expected: list[list[str]], n: int = 4) -> None:
        self.right = 0
        self.wrong: list[Any] = []
        self.refused = 0
        self.cut_off = 0
        self._stop = threading.Event()
        self._adding = threading.Lock()
        self._threads = [
            threading.Thread(target=self._run, args=(server.url, photos, expected, number))
            for number in range(n)
        ]
        for thread in self._threads:
            thread.start()

    def _run(self, url: str, photos: list[bytes], expected: list[list[str]], number: int) -> None:
        with httpx.Client(base_url=url, timeout=PATIENCE) as client:
            while not self._stop.is_set():
                number = (number + 1) % len(photos)
                try:
                    answer = client.post("/v1/search", files={"image": photos[number]}, data={"k": "3"})
                except httpx.TransportError:
                    with self._adding:
                        self.cut_off += 1
                    time.sleep(0.05)
                    continue
                with self._adding:
                    if answer.status_code == 503:
                        self.refused += 1
                    elif answer.status_code == 200 and ids_of(answer) == expected[number]:
                        self.right += 1
                    else:
                        self.wrong.append(answer.text)

    def wait_for(self, n_right: int) -> None:
        deadline = time.monotonic() + PATIENCE
        while self.right < n_right:
            assert time.monotonic() < deadline, vars(self)
            assert not self.wrong, self.wrong
            time.sleep(0.01)

    def end(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(PATIENCE)
