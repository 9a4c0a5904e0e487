"""Shared by all tests: their order, real photos where they are given, and one small drawn shop."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


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
