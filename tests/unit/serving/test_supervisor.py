"""Workers that die are started again, in measure; those that cannot start are not."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stylesearch.errors import ConfigError
from stylesearch.serving.server import supervisor
from stylesearch.serving.server.signals import READY
from stylesearch.serving.server.supervisor import ServiceFailed, bind

SPAWN = multiprocessing.get_context("spawn")


def refuses(news: Any, folder: str) -> None:
    news.send(("there are no weights", "get some"))
    sys.exit(3)


def falls(news: Any, folder: str) -> None:
    sys.exit(7)


def serves(news: Any, folder: str) -> None:
    Path(folder, str(os.getpid())).touch()
    news.send(READY)
    signal.sigwait([signal.SIGTERM])


def serves_shortly(news: Any, folder: str) -> None:
    Path(folder, str(os.getpid())).touch()
    news.send(READY)
    time.sleep(0.05)
    os.kill(os.getpid(), signal.SIGKILL)


def serves_once(news: Any, folder: str) -> None:
    if any(Path(folder).iterdir()):
        Path(folder, str(os.getpid())).touch()
        refuses(news, folder)
    serves_shortly(news, folder)


def will_not_end(news: Any, folder: str) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    Path(folder, str(os.getpid())).touch()
    news.send(READY)
    time.sleep(60)


def supervised(
    target: Callable[..., None],
    folder: Path,
    *,
    n: int = 1,
    grace: float = 5.0,
    ready: Callable[[], None] = lambda: None,
    close: Callable[[], None] = lambda: None,
) -> tuple[Any, list[str]]:
    buried: list[str] = []

    def start() -> Any:
        ours, theirs = SPAWN.Pipe(duplex=False)
        process = SPAWN.Process(target=target, args=(theirs, str(folder)))
        process.start()
        theirs.close()
        return supervisor._Worker(process, ours, time.monotonic())

    return supervisor._Supervisor(start, n, grace, ready, lambda: buried.append("one"), close), buried


def stop_when(condition: Callable[[], bool]) -> threading.Thread:
    """Sends this process what Ctrl-C or a service manager sends, once something has happened."""

    def watch() -> None:
        deadline = time.monotonic() + 30
        while not condition() and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


def test_what_a_worker_says_before_it_gives_up_is_the_error(tmp_path: Path) -> None:
    with pytest.raises(ServiceFailed, match="there are no weights") as caught:
        supervised(refuses, tmp_path)[0].run()
    assert caught.value.hint == "get some"


def test_one_that_falls_at_once_ends_the_service(tmp_path: Path) -> None:
    with pytest.raises(ServiceFailed, match="exit code 7"):
        supervised(falls, tmp_path)[0].run()


def test_it_is_ready_once_and_ends_when_asked_to(tmp_path: Path) -> None:
    n_ready: list[int] = []
    guard, buried = supervised(serves, tmp_path, n=2, ready=lambda: n_ready.append(1))
    before = signal.getsignal(signal.SIGTERM)
    stopper = stop_when(lambda: len(list(tmp_path.iterdir())) == 2 and bool(n_ready))
    guard.run()
    stopper.join()
    assert n_ready == [1]
    assert len(buried) == len(list(tmp_path.iterdir())) == 2
    assert signal.getsignal(signal.SIGTERM) is before


def test_one_that_dies_again_and_again_is_started_less_and_less_often(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    guard, buried = supervised(serves_shortly, tmp_path)
    stopper = stop_when(lambda: len(list(tmp_path.iterdir())) >= 3)
    guard.run()
    stopper.join()
    assert len(buried) >= 2
    assert guard._pause >= 1.0
    assert "ended (SIGKILL)" in caplog.text


def test_what_keeps_a_later_worker_from_starting_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    guard, _ = supervised(serves_once, tmp_path)
    stopper = stop_when(lambda: "there are no weights" in caplog.text)
    guard.run()
    stopper.join()
    assert "exit code 3" in caplog.text
    assert "there are no weights: get some" in caplog.text


def test_nobody_connects_any_more_while_workers_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "KILL_SECONDS", 0.1)
    with bind("127.0.0.1", 0) as listener:
        address = listener.getsockname()
        refused: list[bool] = []

        def try_to_connect() -> None:
            try:
                socket.create_connection(address, timeout=5).close()
            except ConnectionRefusedError:
                refused.append(True)

        def close() -> None:
            assert guard._workers[0].process.is_alive(), "before the workers are told to end"
            listener.close()

        guard, _ = supervised(will_not_end, tmp_path, grace=1.0, close=close)
        stopper = stop_when(lambda: any(tmp_path.iterdir()))

        def connect_while_it_ends() -> None:
            stopper.join()
            time.sleep(0.3)
            try_to_connect()

        connecting = threading.Thread(target=connect_while_it_ends)
        connecting.start()
        guard.run()
        connecting.join()
    assert refused == [True]


def test_one_that_does_not_end_is_killed_after_its_grace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(supervisor, "KILL_SECONDS", 0.2)
    guard, buried = supervised(will_not_end, tmp_path, grace=0.1)
    stopper = stop_when(lambda: any(tmp_path.iterdir()))
    guard.run()
    stopper.join()
    assert len(buried) == 1
    assert "does not end: it is killed" in caplog.text


def test_a_port_that_is_taken_is_said_with_another_one() -> None:
    with bind("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port}") as caught:
            bind("127.0.0.1", port)
        assert "--port" in caught.value.hint


def test_an_address_that_is_none_is_said() -> None:
    with pytest.raises(ConfigError, match="no address of this machine") as caught:
        bind("no such host", 0)
    assert "127.0.0.1" in caught.value.hint


def test_clients_wait_where_no_worker_runs_yet() -> None:
    with bind("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname(), timeout=5):
        pass


def test_variables_are_for_the_workers_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONE", "before")
    monkeypatch.delenv("TWO", raising=False)
    with supervisor._environment({"ONE": "1", "TWO": "2"}):
        assert (os.environ["ONE"], os.environ["TWO"]) == ("1", "2")
    assert os.environ["ONE"] == "before"
    assert "TWO" not in os.environ
