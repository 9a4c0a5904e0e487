"""A shop with candidates from pgvector answers as with local ones, and its commands tell of the tables."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

import stylesearch as ss
from stylesearch.errors import ConfigError
from stylesearch.search import IndexWarning
from tests.integration.tiny_shop import COLORS, EXTRACTOR, draw, ingest_tiny_shop, jpeg
from tests.postgres_server import PostgresServer

pytestmark = [pytest.mark.servers, pytest.mark.slow]

Command = Callable[..., Any]

VECTOR_TABLES = "SELECT relname FROM pg_class WHERE relname LIKE 'vectors%' AND relkind = 'r'"


@pytest.fixture
def database(postgres_server: PostgresServer, postgres: str) -> str:
    """Name of the database of ``postgres``, with pgvector."""
    name = postgres.rpartition("/")[2]
    postgres_server.execute("CREATE EXTENSION vector", database=name)
    return name


def hits(shop: ss.Workspace, photo: bytes) -> list[tuple[str, float]]:
    return [(hit.product.id, round(hit.distance, 4)) for hit in shop.query(photo, k=6).hits]


def test_a_shop_answers_as_before_and_its_commands_tell_of_the_tables(
    postgres_server: PostgresServer, postgres: str, database: str, tmp_path: Path, stylesearch: Command
) -> None:
    home, shared = ingest_tiny_shop(tmp_path), tmp_path / "shared"
    photo = jpeg(draw(COLORS["dress"]["red"]))
    with ss.open(home) as shop:
        before = hits(shop, photo)
        shop.database.copy(postgres)
    shared.mkdir()
    (shared / "config.toml").write_text(
        f'db = "{postgres}"\nextractor = "{EXTRACTOR}"\nregions = "few"\ncandidates = "pgvector"\n'
    )
    assert "2 missing" in stylesearch("doctor", "--home", shared).out
    assert stylesearch("index", "build", "--home", shared).code == 0
    ((table,),) = postgres_server.execute(VECTOR_TABLES, database=database)
    status = stylesearch("index", "status", "--home", shared)
    assert (status.code, status.out.count("scan")) == (0, 2), status
    verified = stylesearch("index", "verify", "--home", shared)
    assert verified.code == 0, verified
    assert "2 categories: 2 ready, in pgvector 0." in stylesearch("doctor", "--home", shared).out
    checked = stylesearch("db", "check", "--home", shared)
    assert (checked.code, "vectors_" in checked.out) == (0, False), checked

    postgres_server.execute(f"DELETE FROM {table} WHERE category = 'skirt'", database=database)
    for code, command in ((3, ["index", "verify"]), (1, ["db", "check"])):
        failed = stylesearch(*command, "--home", shared)
        assert (failed.code, f"{table} lacks 3 vectors" in failed.out + failed.err) == (code, True), failed
    repaired = stylesearch("db", "check", "--repair", "--home", shared)
    assert repaired.code == 0, repaired
    assert stylesearch("index", "verify", "--home", shared).code == 0

    copied = stylesearch("db", "copy", postgres, tmp_path / "copy.db", "--home", home)
    assert copied.code == 0, copied
    elsewhere = postgres_server.url(postgres_server.create_database())
    copied = stylesearch("db", "copy", postgres, elsewhere, "--home", home)
    assert copied.code == 0, copied
    copied_tables = postgres_server.execute(VECTOR_TABLES, database=elsewhere.rpartition("/")[2])
    assert copied_tables == []
    with ss.open(shared) as shop:
        assert hits(shop, photo) == before
        shop.remove(["dress-red"])
        assert {name for name, _ in hits(shop, photo)} == {name for name, _ in before} - {"dress-red"}
    postgres_server.drop_database(elsewhere.rpartition("/")[2])


def test_the_first_search_of_a_process_uses_the_table_also_as_a_role_that_reads(
    postgres_server: PostgresServer, postgres: str, database: str, tmp_path: Path, stylesearch: Command
) -> None:
    home, photo = ingest_tiny_shop(tmp_path), tmp_path / "photo.jpg"
    photo.write_bytes(jpeg(draw(COLORS["dress"]["red"])))
    with ss.open(home) as shop:
        shop.database.copy(postgres)
    (home / "config.toml").write_text(
        f'extractor = "{EXTRACTOR}"\nregions = "few"\ncandidates = "pgvector"\n'
    )
    reader = make_url(postgres).set(username="pgvector_reader", password="read")
    postgres_server.execute("CREATE ROLE pgvector_reader LOGIN PASSWORD 'read'", database=database)
    grant = "GRANT SELECT ON ALL TABLES IN SCHEMA public TO pgvector_reader"
    postgres_server.execute(grant, database=database)
    try:
        for _ in range(2):  # the second table is granted as the first one was
            built = stylesearch("index", "build", "--home", home, "--db", postgres)
            assert built.code == 0, built
            for url in (postgres, reader.render_as_string(hide_password=False)):
                command = [Path(sys.executable).with_name("stylesearch"), "query", photo, "--db", url]
                asked = subprocess.run(
                    [*command, "--home", home], capture_output=True, text=True, check=False
                )
                assert (asked.returncode, asked.stderr) == (0, ""), asked
                assert "dress-red" in asked.stdout
    finally:
        postgres_server.execute("DROP OWNED BY pgvector_reader", database=database)
        postgres_server.execute("DROP ROLE pgvector_reader", database=database)


@pytest.mark.parametrize("options", ["", "?options=-csearch_path%3D%22my-shop%22,public"])
def test_what_replaces_the_features_leaves_no_table_that_says_it_has_them(
    postgres_server: PostgresServer, postgres: str, database: str, tmp_path: Path, options: str
) -> None:
    postgres_server.execute('CREATE SCHEMA "my-shop" AUTHORIZATION shop', database=database)
    home, shared = ingest_tiny_shop(tmp_path), {"db": f"{postgres}{options}", "candidates": "pgvector"}
    shared |= {"extractor": EXTRACTOR, "regions": "few"}
    photo = jpeg(draw(COLORS["dress"]["red"]))
    with ss.open(home) as shop:
        before = hits(shop, photo)
        shop.database.copy(shared["db"])
    with ss.open(tmp_path / "shared", **shared) as other:  # type: ignore[arg-type]
        other.indexes.build()
        assert len(postgres_server.execute(VECTOR_TABLES, database=database)) == 1
    with ss.open(home) as shop:
        shop.database.copy(shared["db"], overwrite=True)
        shop.database.export(tmp_path / "export")
    assert postgres_server.execute(VECTOR_TABLES, database=database) == []
    with ss.open(tmp_path / "shared", **shared) as other:  # type: ignore[arg-type]
        with pytest.warns(IndexWarning, match="is not built yet"):
            assert hits(other, photo) == before
        other.indexes.build()
        assert hits(other, photo) == before
        other.database.import_from(tmp_path / "export", overwrite=True)
        assert postgres_server.execute(VECTOR_TABLES, database=database) == []


def test_settings_that_pgvector_cannot_serve_are_refused(
    postgres: str, tmp_path: Path, stylesearch: Command
) -> None:
    home = ingest_tiny_shop(tmp_path)
    with (
        pytest.raises(ConfigError, match="wants a catalog on PostgreSQL"),
        ss.open(home, candidates="pgvector") as shop,
    ):
        shop.indexes.build()
    with ss.open(home) as shop:
        shop.database.copy(postgres)
    with (
        pytest.raises(ConfigError, match="the same fits on all machines"),
        ss.open(home, db=postgres, candidates="pgvector", artifacts="home") as shop,
    ):
        shop.indexes.build()
