"""Shared by all tests: their order, real photos where they are given, and one small drawn shop."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.postgres_server import PostgresServer, ServerUnavailable


def pytest_configure() -> None:
    """Has Ctrl-C end programs that tests start also where a shell runs the tests in the background."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first: each is given to one process as a whole, and the last should be short."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Names what the quick suite leaves out: nothing is skipped silently."""
    if config.option.markexpr == "not slow":
        root = Path(__file__).parent
        slow = [
            path for path in sorted(root.rglob("test_*.py")) if "pytest.mark.slow" in path.read_text("utf-8")
        ]
        names = " ".join(str(path.relative_to(root)) for path in slow)
        terminalreporter.section("slow tests that were left out")
        terminalreporter.write_line(f"tests in {len(slow)} files; `make test-all` runs them: {names}")


@pytest.fixture(scope="session")
def real_photos() -> Path:
    """The folder with ``clothing/`` and ``luma/``, which are no part of this repository."""
    folder = os.environ.get("STYLESEARCH_TEST_DATA")
    if not folder:
        pytest.skip("real photos are needed: set STYLESEARCH_TEST_DATA to their folder")
    return Path(folder)


@pytest.fixture(scope="session")
def drawn_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 drawn products: ``products.csv``, ``catalog/``, ``street.csv`` and ``street/``."""
    from stylesearch.drawn_shop import write_demo

    folder = tmp_path_factory.mktemp("drawn")
    write_demo(folder, n_products=24, seed=4)
    return folder


@pytest.fixture
def stopped_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Feature ids that count from 1, so that a test can name them."""
    from stylesearch.catalog import feature_rows

    monkeypatch.setattr(feature_rows, "microseconds_since_1970", lambda: 0)


@pytest.fixture(scope="session")
def person_files() -> None:
    """The files that persons are found with, in the user's cache; with CI set they are fetched."""
    from stylesearch.errors import WeightsNotFound
    from stylesearch.persons.weights import PERSON_FILES, fetch_person_files, find_person_file

    if os.environ.get("CI"):
        fetch_person_files()
    try:
        for file in PERSON_FILES:
            find_person_file(file)
    except WeightsNotFound as error:
        pytest.skip(f"{error}; to run this test: {error.hint}")


def start_postgres(*, durable: bool) -> PostgresServer:
    """Starts a server; where that is impossible, the test is skipped; with CI set it fails."""
    try:
        server = PostgresServer(durable=durable)
        server.make()
        return server
    except ServerUnavailable as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"no PostgreSQL: {error}")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """The PostgreSQL server of this process of pytest; a test must not stop it."""
    server = start_postgres(durable=False)
    with contextlib.closing(server):
        yield server


@pytest.fixture
def postgres(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of a new, empty database, whose owner is no superuser."""
    name = postgres_server.create_database()
    yield postgres_server.url(name)
    postgres_server.drop_database(name)


@pytest.fixture(scope="session")
def postgres_template(postgres_server: PostgresServer) -> str:
    """Name of a database with an empty catalog: copying it is quicker than running the migrations.

    Its feature ids count from 1 where a test stops the clock.
    """
    from stylesearch.catalog import Catalog

    name = postgres_server.create_database(name="template_catalog")
    Catalog.open(postgres_server.url(name)).close()
    postgres_server.execute("ALTER SEQUENCE features_id_seq RESTART", database=name)
    postgres_server.execute("UPDATE counters SET value = 0", database=name)
    return name


@pytest.fixture
def postgres_catalog(postgres_server: PostgresServer, postgres_template: str) -> Iterator[str]:
    """The URL of a new database with an empty catalog."""
    name = postgres_server.create_database(template=postgres_template)
    yield postgres_server.url(name)
    postgres_server.drop_database(name)


@pytest.fixture
def own_postgres() -> Iterator[Callable[[], PostgresServer]]:
    """Starts servers that a test may stop, kill and start again: what they commit is on the disk."""
    with contextlib.ExitStack() as started:

        def start() -> PostgresServer:
            return started.enter_context(contextlib.closing(start_postgres(durable=True)))

        yield start
