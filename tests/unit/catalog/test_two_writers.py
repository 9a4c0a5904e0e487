"""Two real processes that want to write to one catalog."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from stylesearch.catalog import Catalog
from stylesearch.catalog.backends import postgresql_lock, sqlite_lock
from stylesearch.errors import CatalogLocked
from stylesearch.types import Product
from tests.catalog_faults import faults_of

StartProcess = Callable[..., subprocess.Popen[str]]

HOLD = """
    import sys
    from stylesearch.catalog import Catalog

    with Catalog.open(sys.argv[1]) as catalog, catalog.writing():
        print("writing", flush=True)
        sys.stdin.readline()
"""

WRITE = """
    import sys
    from stylesearch.catalog import Catalog
    from stylesearch.types import Product

    with Catalog.open(sys.argv[1]) as catalog:
        print("open", flush=True)
        sys.stdin.readline()
        for turn in range(5):
            with catalog.writing(timeout=60) as writer:
                for chunk in range(3):
                    with writer.transaction():
                        names = [f"{sys.argv[2]}-{turn}-{chunk}-{i}" for i in range(20)]
                        products = [Product(name, name, "dress") for name in names]
                        writer.upsert_products(products, source="shop")
"""


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def let_go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def test_the_second_writer_is_told_who_the_first_is(
    catalog: Catalog, catalog_place: Path | str, start_process: StartProcess
) -> None:
    holder = start_process(HOLD, catalog_place)
    assert line_of(holder) == "writing\n"
    with (
        pytest.raises(CatalogLocked, match=f"process {holder.pid} on .* is writing") as caught,
        catalog.writing(timeout=0.1),
    ):
        raise AssertionError("two writers at once")
    assert isinstance(caught.value, TimeoutError)
    assert "wait until it is done" in caught.value.hint
    assert catalog.products() == []
    let_go(holder)
    with catalog.writing(timeout=30) as writer, writer.transaction():
        writer.upsert_products([Product("a", "A", "dress")], source="shop")
    assert holder.wait(timeout=30) == 0


def test_a_writer_that_waits_says_for_whom_and_once(
    catalog: Catalog,
    catalog_place: Path | str,
    start_process: StartProcess,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for lock in (sqlite_lock, postgresql_lock):
        monkeypatch.setattr(lock, "SECONDS_BEFORE_SAYING_SO", 0.05)
    holder = start_process(HOLD, catalog_place)
    assert line_of(holder) == "writing\n"
    with pytest.raises(CatalogLocked, match=r"waited 0\.3 s"), catalog.writing(timeout=0.3):
        raise AssertionError("two writers at once")
    (said,) = caplog.messages
    assert said.startswith(f"waiting up to 0.3 s for process {holder.pid} on ")
    let_go(holder)
    assert holder.wait(timeout=30) == 0
    caplog.clear()
    with catalog.writing(timeout=30):
        assert caplog.messages == []


def test_the_catalog_s_own_patience_is_the_default(catalog: Catalog) -> None:
    with (
        catalog.writing(),
        Catalog.open(catalog.backend, lock_timeout=0.05) as other,
        pytest.raises(CatalogLocked, match=r"waited 0\.05 s"),
        other.writing(),
    ):
        raise AssertionError("two writers at once")


@pytest.mark.slow
def test_two_writers_take_turns_and_lose_nothing(
    catalog: Catalog, catalog_place: Path | str, start_process: StartProcess
) -> None:
    writers = [start_process(WRITE, catalog_place, name) for name in ("first", "second")]
    assert [line_of(process) for process in writers] == ["open\n", "open\n"]
    for process in writers:
        let_go(process)
    assert [process.wait(timeout=120) for process in writers] == [0, 0]
    assert catalog.status().products == 2 * 5 * 3 * 20
    assert faults_of(catalog.backend) == []


def test_two_writers_in_one_process_do_not_share_the_lock(catalog: Catalog) -> None:
    with (
        catalog.writing(),
        Catalog.open(catalog.backend) as other,
        pytest.raises(CatalogLocked),
        other.writing(timeout=0.1),
    ):
        raise AssertionError("two writers at once")


@pytest.mark.slow
def test_processes_that_open_a_new_catalog_at_once_make_one(
    tmp_path: Path, start_process: StartProcess
) -> None:
    path = tmp_path / "new folder" / "catalog.db"
    script = """
        import sys
        import stylesearch.catalog.migrate
        from stylesearch.catalog import Catalog

        print("ready", flush=True)
        sys.stdin.readline()
        with Catalog.open(sys.argv[1]) as catalog:
            print(catalog.status().products, flush=True)
    """
    processes = [start_process(script, path) for _ in range(3)]
    assert [line_of(process) for process in processes] == ["ready\n"] * 3
    for process in processes:
        let_go(process)
    assert [process.wait(timeout=60) for process in processes] == [0, 0, 0]
    assert faults_of(path) == []
    assert [found.name for found in sorted(path.parent.iterdir())] == ["catalog.db", "catalog.db.lock"]
