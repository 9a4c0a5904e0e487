"""A catalog on a real server of PostgreSQL: one writer, counters, errors, and what SQLite has no need of."""

from __future__ import annotations

import contextlib
import json
import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psycopg
import pytest
from sqlalchemy import event, text
from sqlalchemy.engine import make_url

from stylesearch.catalog import Catalog, FeatureSet, ImageEntry, Writer
from stylesearch.catalog.backends import PoolSettings, backend_of
from stylesearch.catalog.migrate import HEAD, current_revision
from stylesearch.catalog.tables import metadata
from stylesearch.catalog.transfer import copy_tables
from stylesearch.cli.main import cli
from stylesearch.cli.process import run
from stylesearch.errors import CatalogDamaged, CatalogError, CatalogLocked, DatasetError
from stylesearch.types import Domain, Product, Variant
from tests.catalog_faults import faults_of
from tests.postgres_server import PostgresServer
from tests.servers.pooler import Pooler

pytestmark = pytest.mark.servers

ACROSS = ["b", "B", "a-b", "ab", "a", "A", "é", "Z", "_", "ß"]
"""Ids that an English collation orders in another way than Python does."""


def add(writer: Writer, *ids: str) -> FeatureSet:
    """Adds products with an image and a vector each, in one transaction."""
    with writer.transaction():
        feature_set = writer.feature_set(
            extractor="x", parameters={}, weights_digest="", fingerprint="f" * 64, dim=4
        )
        writer.upsert_products([Product(one, f"Title {one}", one) for one in ids], source="mine")
        entries = [
            ImageEntry(one, f"/shop/{one}.jpg", sha256=one * 8, domain=Domain.SHOP, width=9, height=9)
            for one in ids
        ]
        stored = writer.upsert_images(entries, source="mine")
        vectors = np.ones((len(ids), 4), np.float32)
        writer.add_features(feature_set, [pk for pk, _ in stored.values()], vectors)
    return feature_set


@pytest.fixture
def catalog(postgres_catalog: str) -> Iterator[Catalog]:
    with Catalog.open(postgres_catalog) as opened:
        yield opened


def python(code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.slow
def test_three_processes_make_one_catalog(postgres: str) -> None:
    code = "import sys; from stylesearch.catalog import Catalog; print(Catalog.open(sys.argv[1]).id)"
    outputs = [process.communicate() for process in [python(code, postgres) for _ in range(3)]]
    assert len({out for out, _ in outputs}) == 1, outputs
    assert len(outputs[0][0].strip()) == 16
    assert faults_of(postgres) == []


def test_a_new_catalog_has_the_newest_schema_and_the_order_and_storage_it_needs(postgres: str) -> None:
    assert current_revision(postgres) is None
    with Catalog.open(postgres) as catalog, catalog._connect() as connection:
        assert faults_of(postgres) == []
        collations = connection.execute(
            text(
                "SELECT DISTINCT collation_name FROM information_schema.columns WHERE "
                "data_type = 'character varying' AND table_schema = 'public' "
                "AND table_name <> 'alembic_version'"
            )
        )
        assert list(collations.scalars()) == ["C"]
        of_vectors = "attrelid = 'features'::regclass AND attname = 'vector'"
        storage = f"SELECT attstorage FROM pg_attribute WHERE {of_vectors}"
        assert connection.execute(text(storage)).scalar() == "e"


def test_ids_and_categories_are_ordered_as_python_orders_them(catalog: Catalog) -> None:
    with catalog.writing() as writer:
        feature_set = add(writer, *ACROSS)
    assert [one.id for one in catalog.products()] == sorted(ACROSS)
    assert catalog.category_names(feature_set) == sorted(ACROSS)
    assert list(catalog.categories(feature_set)) == sorted(ACROSS)
    assert [product.id for _, product, _ in catalog.usable_images()] == sorted(ACROSS)


def test_a_catalog_is_not_made_where_none_is_wanted(postgres: str, postgres_server: PostgresServer) -> None:
    for options in ({"create": False}, {"readonly": True}):
        with pytest.raises(CatalogError, match="there is no catalog at postgresql://"):
            Catalog.open(postgres, **options)  # type: ignore[arg-type]
    assert not backend_of(postgres).exists()
    engine = backend_of(postgres).engine()
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE products (price int)")
    engine.dispose()
    with pytest.raises(CatalogDamaged, match="without the tables of a catalog") as caught:
        Catalog.open(postgres)
    assert "search_path" in caught.value.hint


def test_each_schema_of_a_database_can_have_a_catalog_and_a_writer_of_its_own(postgres: str) -> None:
    engine = backend_of(postgres).engine()
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE SCHEMA one")
        connection.exec_driver_sql("CREATE SCHEMA two")
    engine.dispose()
    one, two = (f"{postgres}?options=-csearch_path%3D{name}" for name in ("one", "two"))
    with Catalog.open(one) as first, Catalog.open(two) as second:
        assert first.id != second.id
        with first.writing() as writer, second.writing(timeout=0) as other:
            add(writer, "of-one")
            add(other, "of-two")
            with Catalog.open(one) as again, pytest.raises(CatalogLocked), again.writing(timeout=0):
                pass
        assert [product.id for product in second.products()] == ["of-two"]


OF_ANOTHER_PROGRAM = (
    "CREATE TABLE public.alembic_version (version_num varchar(32))",
    "INSERT INTO public.alembic_version VALUES ('5f2c8a')",
    'CREATE TABLE public."Order" ("Order id" serial PRIMARY KEY, price int)',
    'INSERT INTO public."Order" (price) VALUES (9)',
    "CREATE TABLE public.features (id serial PRIMARY KEY, name text)",
    "SELECT setval('public.features_id_seq', 1000)",
    "CREATE TABLE public.products (pk int, colour text)",
)


@pytest.mark.parametrize("schema", ["shop", "my-shop", "Shop"])
def test_a_schema_of_its_own_keeps_a_catalog_apart_from_the_tables_of_another_program(
    postgres: str, postgres_server: PostgresServer, tmp_path: Path, schema: str
) -> None:
    database = str(make_url(postgres).database)
    with (engine := backend_of(postgres).engine()).begin() as connection:
        for statement in (f'CREATE SCHEMA "{schema}"', "CREATE SCHEMA two", *OF_ANOTHER_PROGRAM):
            connection.exec_driver_sql(statement)
    engine.dispose()
    # An index that the server does not rely on: it is the other program's to mend.
    invalid = "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'public.\"Order_pkey\"'::regclass"
    postgres_server.execute(invalid, database=database)

    place, two = (f"{postgres}?options=-csearch_path%3D%22{one}%22,public" for one in (schema, "two"))
    assert not backend_of(place).exists()
    assert not backend_of(place).is_readonly()
    with backend_of(place).upgrading(0), backend_of(two).upgrading(0):
        pass  # each waits for its own
    with Catalog.open(place) as catalog, Catalog.open(tmp_path / "catalog.db") as source:
        with source.writing() as writer:
            add(writer, "a")
        with catalog.writing() as writer, writer.transaction(), source.snapshot() as rows:
            copy_tables(rows, writer.connection())
        with catalog.writing() as writer:
            add(writer, "b")
        assert [one.id for one in catalog.products()] == ["a", "b"]
        assert catalog.revision == current_revision(place) == HEAD
    assert faults_of(place) == []
    tables = f"SELECT count(*) FROM pg_tables WHERE schemaname = '{schema}'"
    assert postgres_server.execute(tables, database=database) == [(len(metadata.tables) + 1,)]
    others = "SELECT last_value, is_called FROM public.features_id_seq"
    assert postgres_server.execute(others, database=database) == [(1000, True)]
    with pytest.raises(CatalogDamaged, match="without the tables of a catalog"):
        Catalog.open(f"{postgres}?options=-csearch_path%3Dpublic")


HOLD = """
import sys
from stylesearch.catalog import Catalog
with Catalog.open(sys.argv[1]) as catalog, catalog.writing() as writer, writer.transaction():
    writer.sources.note_ingest("half", path="", format="", options={})
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.mark.slow
def test_the_lock_names_its_process_and_ends_with_it(
    catalog: Catalog, postgres_catalog: str, caplog: pytest.LogCaptureFixture
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, postgres_catalog],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        before = catalog.state()
        name = f"process {holder.pid} on "
        with pytest.raises(CatalogLocked, match=f"{name}.* is writing"), catalog.writing(timeout=0):
            pass
        with caplog.at_level(logging.WARNING), pytest.raises(CatalogLocked), catalog.writing(timeout=1.2):
            pass
        assert [name in one for one in caplog.messages] == [True]
        holder.kill()
    with catalog.writing(timeout=10):
        assert catalog.state() == before
    assert catalog.sources.all() == []


def test_ids_never_fall_and_every_commit_is_counted(catalog: Catalog) -> None:
    assert catalog.highest_feature_id() == 0
    with catalog.writing() as writer:
        states = [catalog.state()]
        feature_set = add(writer, "a", "b")
        states.append(catalog.state())
        ids = catalog.features(feature_set)
        highest = int(next(ids)[0][-1])
        assert catalog.highest_feature_id() == highest > 1_600_000_000_000_000  # microseconds since 1970
        with writer.transaction():
            writer.remove_products(["b"])
        states.append(catalog.state())
        with contextlib.suppress(KeyError), writer.transaction():
            writer.remove_products(["a"])
            raise KeyError
        states.append(catalog.state())
    assert catalog.highest_feature_id() == highest
    assert states == [states[0], states[0] + 1, states[0] + 2, states[0] + 2]
    with catalog.writing() as writer:
        add(writer, "c")
    assert catalog.highest_feature_id() > highest


def test_the_highest_id_is_not_told_before_its_row(catalog: Catalog) -> None:
    """An index that is built meanwhile must not say that it holds a row that it could not see."""
    with catalog.writing() as writer:
        add(writer, "a")
        highest = catalog.highest_feature_id()
        with writer.transaction():
            writer.remove_feature_sets(["f" * 64])
            with writer.connection().begin_nested():
                feature_set = writer.feature_set(
                    extractor="x", parameters={}, weights_digest="", fingerprint="e" * 64, dim=4
                )
                pk = writer.connection().execute(text("SELECT pk FROM images")).scalar_one()
                writer.add_features(feature_set, [pk], np.ones((1, 4), np.float32))
            assert catalog.highest_feature_id() == highest
            state = catalog.state()
            catalog.artifacts.put("fit", "a", {"space.json": b"1"})  # by another machine, without the lock
            catalog.artifacts.remove("fit", "a")
            assert (catalog.highest_feature_id(), catalog.state()) == (highest, state + 2)
    assert catalog.highest_feature_id() > highest


def test_no_password_is_told_anywhere(
    postgres_server: PostgresServer, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = "postgresql://nobody:geheim@127.0.0.1:1/shop?sslpassword=geheim&connect_timeout=1"
    backend = backend_of(bad)
    for secret in ("", "&oauth_client_secret=geheim", "&scram_client_key=geheim&scram_server_key=geheim"):
        hidden = backend_of(f"{bad}{secret}")
        assert "geheim" not in f"{hidden} {hidden.shown} {hidden.places}"
    with pytest.raises(CatalogError, match="cannot connect to") as caught:  # libpq repeats what it is given
        backend_of(f"{bad}&scram_client_key=geheim").exists()
    assert "geheim" not in f"{caught.value} {caught.value.hint}"
    with pytest.raises(CatalogError, match="cannot connect to") as caught:
        backend.exists()
    assert "geheim" not in f"{caught.value} {caught.value.hint}"
    assert run(cli, ["--db", bad, "products", "list"]) == 1
    assert run(cli, ["--db", bad, "doctor"]) == 1
    shown = capsys.readouterr()
    assert "geheim" not in shown.out + shown.err
    assert "cannot connect to postgresql://nobody:***@127.0.0.1:1/shop" in shown.err


def test_a_role_without_rights_is_told_what_it_lacks(
    catalog: Catalog, postgres_catalog: str, postgres_server: PostgresServer
) -> None:
    with catalog.writing() as writer:
        add(writer, "a")
    url = make_url(postgres_catalog)
    postgres_server.execute("CREATE ROLE shop_reader LOGIN PASSWORD 'read'", database=url.database)
    try:
        reader = url.set(username="shop_reader", password="read").render_as_string(hide_password=False)
        with pytest.raises(CatalogError, match="this role may not") as caught:
            Catalog.open(reader, create=False)
        assert "GRANT" in caught.value.hint
        grant = "GRANT SELECT ON ALL TABLES IN SCHEMA public TO shop_reader"
        postgres_server.execute(grant, database=url.database)
        assert backend_of(reader).is_readonly()
        with Catalog.open(reader) as read:
            assert [one.id for one in read.products()] == ["a"]
            with pytest.raises(CatalogError, match="this role may not"), read.writing() as writer:
                add(writer, "b")
        with Catalog.open(reader, readonly=True) as read:
            assert read.state() == catalog.state()
            with pytest.raises(CatalogError, match="for reading only"), read.writing():
                pass
    finally:
        postgres_server.execute("DROP OWNED BY shop_reader; DROP ROLE shop_reader", database=url.database)


def test_a_server_that_can_only_be_read_is_told_as_such(catalog: Catalog, postgres_catalog: str) -> None:
    readonly = f"{postgres_catalog}?options=-cdefault_transaction_read_only%3Don"
    assert backend_of(readonly).is_readonly()
    with Catalog.open(readonly) as other:
        with pytest.raises(CatalogError, match="can only be read") as caught, other.writing() as writer:
            add(writer, "a")
        assert "standby" in caught.value.hint
        assert other.products() == []


def test_a_statement_that_takes_too_long_is_told_as_such(postgres_catalog: str) -> None:
    hurried = f"{postgres_catalog}?options=-cstatement_timeout%3D50"
    with (
        Catalog.open(hurried) as catalog,
        catalog._connect() as connection,
        pytest.raises(CatalogError, match="took too long"),
    ):
        connection.exec_driver_sql("SELECT pg_sleep(5)")


def test_rows_that_another_session_locks_are_told_as_locked(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stylesearch.catalog.backends import postgresql_lock

    settings = (*postgresql_lock.SESSION_SETTINGS[:-1], "SET lock_timeout = 50")
    monkeypatch.setattr(postgresql_lock, "SESSION_SETTINGS", settings)
    with catalog._engine.connect() as stranger, stranger.begin():
        stranger.exec_driver_sql("LOCK TABLE products")
        with pytest.raises(CatalogLocked, match="another session"), catalog.writing() as writer:
            add(writer, "a")


def test_a_pool_that_is_empty_says_which_settings_make_it_larger(postgres_catalog: str) -> None:
    pool = PoolSettings(size=1, overflow=0, connect_seconds=1)
    with (
        Catalog.open(backend_of(postgres_catalog, pool)) as catalog,
        catalog._connect(),
        pytest.raises(CatalogError, match="all 1 connections") as caught,
    ):
        catalog.totals()
    assert "db_pool_size" in caught.value.hint


def cut(server: PostgresServer, url: str) -> None:
    """Ends all sessions of a database."""
    server.execute(
        "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity "
        f"WHERE datname = '{make_url(url).database}' AND pid <> pg_backend_pid()"
    )


def test_cut_connections_are_survived_by_readers_and_leave_nothing_of_a_writer(
    catalog: Catalog, postgres_catalog: str, postgres_server: PostgresServer
) -> None:
    with catalog.writing() as writer:
        add(writer, "a")
    state = catalog.state()
    cut(postgres_server, postgres_catalog)
    assert [one.id for one in catalog.products()] == ["a"]
    with (
        pytest.raises(CatalogError, match="was lost") as caught,
        catalog.writing() as writer,
        writer.transaction(),
    ):
        writer.upsert_products([Product("b", "B", "dress")], source="mine")
        cut(postgres_server, postgres_catalog)
        writer.upsert_products([Product("c", "C", "dress")], source="mine")
    assert "nothing of a transaction" in caught.value.hint
    assert [one.id for one in catalog.products()] == ["a"]
    assert catalog.state() == state
    with catalog.writing(timeout=5) as writer:
        add(writer, "d")


def test_a_connection_that_is_cut_while_rows_are_copied_is_told_as_lost(
    catalog: Catalog, postgres_catalog: str, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    with Catalog.open(tmp_path / "catalog.db") as source:
        with source.writing() as writer:
            add(writer, "a", "b")
        with (
            pytest.raises(CatalogError, match=r"^the connection to .* was lost"),
            catalog.writing() as writer,
            source.snapshot() as rows,
            writer.transaction(),
        ):
            copy_tables(rows, writer.connection(), progress=lambda *_: cut(postgres_server, postgres_catalog))
    assert catalog.totals() == (0, 0)


def test_the_server_knows_how_large_a_copy_is_at_once(catalog: Catalog, tmp_path: Path) -> None:
    """Otherwise it plans as for empty tables, until autovacuum has looked at them."""
    with Catalog.open(tmp_path / "catalog.db") as source:
        with source.writing() as writer:
            add(writer, "a", "b", "c")
        with catalog.writing() as writer, writer.transaction(), source.snapshot() as rows:
            copy_tables(rows, writer.connection())
    sizes = (
        "SELECT relname, reltuples FROM pg_class WHERE relname IN ('products', 'features', 'shown_counts')"
    )
    with catalog._connect() as connection:
        known = dict(connection.exec_driver_sql(sizes).all())
    assert known == {"products": 3, "features": 3, "shown_counts": 3}


def test_both_ends_give_up_a_connection_whose_other_machine_is_gone(catalog: Catalog) -> None:
    """Keepalives end what is idle; what was sent and is never acknowledged needs a time of its own."""
    with catalog.writing() as writer, writer.transaction():
        driver = writer.connection().connection.dbapi_connection
        assert isinstance(driver, psycopg.Connection)
        assert driver.info.get_parameters()["tcp_user_timeout"] == "60000"
        server = writer.connection().exec_driver_sql("SHOW tcp_user_timeout").scalar()
        assert server == "60000"


def test_what_is_read_asks_the_server_once(
    catalog: Catalog, postgres_catalog: str, postgres_server: PostgresServer
) -> None:
    """The last thing that the session was told is the statement, not the end of a transaction."""
    database = make_url(postgres_catalog).database
    last = f"SELECT query FROM pg_stat_activity WHERE datname = '{database}' AND pid <> pg_backend_pid()"
    for read, statement in (
        (lambda: catalog.products(), "SELECT products"),
        (lambda: catalog.hits_for([1, 2]), "SELECT features.id"),
        (lambda: catalog.state(), "SELECT value FROM counters"),
    ):
        read()
        (told,) = postgres_server.execute(last)
        assert told[0].startswith(statement)


def test_the_variants_of_all_products_are_not_held_at_once(catalog: Catalog) -> None:
    cursors = []
    listener = lambda _, cursor, statement, *__: cursors.append((statement, cursor))  # noqa: E731
    with catalog.writing() as writer, writer.transaction():
        variants = (Variant("v1", {"size": "M"}),)
        writer.upsert_products([Product("a", "A", "dress", variants=variants)], source="mine")
        event.listen(catalog.engine, "before_cursor_execute", listener)
        assert writer.find_variants({"v1", "v2"}) == {"a": variants}
        event.remove(catalog.engine, "before_cursor_execute", listener)
    ((statement, cursor),) = cursors
    assert "variants" in statement
    assert isinstance(cursor, psycopg.ServerCursor)  # any other fetches all rows when it executes


def test_a_writer_whose_session_has_ended_is_told_so_and_of_no_pooler(
    catalog: Catalog, postgres_catalog: str, postgres_server: PostgresServer
) -> None:
    with catalog.writing() as writer:
        add(writer, "a")
        cut(postgres_server, postgres_catalog)
        with pytest.raises(CatalogError, match="was lost"):
            add(writer, "b")
        with pytest.raises(CatalogError, match="has ended, perhaps with the server") as caught:
            add(writer, "b")
        assert "run it again" in caught.value.hint
        assert "pooler" not in caught.value.hint
    assert [one.id for one in catalog.products()] == ["a"]


def test_a_lock_that_someone_released_stops_the_writer(catalog: Catalog) -> None:
    with catalog.writing() as writer:
        add(writer, "a")
        with writer._connection.begin():
            writer._connection.exec_driver_sql("SELECT pg_advisory_unlock_all()")
        with pytest.raises(CatalogError, match="does not hold the writer's lock"):
            add(writer, "b")
    assert [one.id for one in catalog.products()] == ["a"]


@pytest.mark.parametrize("keeps_sessions", [True, False])
def test_a_pooler_that_shares_sessions_may_read_but_not_write(
    postgres_catalog: str, keeps_sessions: bool
) -> None:
    """A small pooler stands for PgBouncer, in its modes ``session`` and ``transaction``."""
    with Catalog.open(postgres_catalog) as direct, direct.writing() as writer:
        add(writer, "a")
    url = make_url(postgres_catalog)
    assert url.host and url.port
    with Pooler(url.host, url.port, keeps_sessions=keeps_sessions) as pooler:
        behind = url.set(host="127.0.0.1", port=pooler.port).render_as_string(hide_password=False)
        with Catalog.open(f"{behind}?sslmode=disable&gssencmode=disable") as catalog:
            for _ in range(7):  # psycopg prepares a statement when it comes the fifth time
                assert [one.id for one in catalog.products()] == ["a"]
            if keeps_sessions:
                with catalog.writing() as writer:
                    add(writer, "b")
                    with writer._connection.begin():
                        writer._connection.exec_driver_sql("SELECT pg_advisory_unlock_all()")
                    with pytest.raises(CatalogError, match="does not hold the writer's lock") as caught:
                        add(writer, "c")
                assert "pool_mode = transaction" in caught.value.hint
                return
            with pytest.raises(CatalogError, match="pool_mode = transaction") as caught, catalog.writing():
                pass
            assert "pool_mode = session" in caught.value.hint
    with Catalog.open(postgres_catalog) as direct, direct.writing(timeout=0):
        pass  # no lock was left behind


def test_a_nul_in_a_title_is_refused_before_anything_is_written(catalog: Catalog) -> None:
    products = [Product("a", "Red", "dress"), Product("b", "Blue\0dress", "dress")]
    with (
        pytest.raises(DatasetError, match="a NUL character in the title of 'b'"),
        catalog.writing() as writer,
        writer.transaction(),
    ):
        writer.upsert_products(products, source="mine")
    assert catalog.products() == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["", "web", "w" * 70])
def test_rows_are_not_replaced_under_another_process_whatever_it_is_called(
    catalog: Catalog, postgres_catalog: str, name: str
) -> None:
    named = f"{postgres_catalog}?application_name={name}" if name else postgres_catalog
    with Catalog.open(named) as own, own._connect():  # of this process: it knows what it does
        with catalog.backend.replacing(), own.backend.replacing():
            pass
        with subprocess.Popen(
            [sys.executable, "-c", HOLD, named], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as holder:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "held\n"
            process = rf"process {holder.pid} on [^ ]+{', w' if name else ''}"
            for one in (catalog, own):
                with (
                    pytest.raises(CatalogLocked, match=f"^{process}.* has the database"),
                    one.backend.replacing(),
                ):
                    pass
            holder.kill()


@pytest.mark.slow
def test_the_command_line_does_all_on_a_server(
    postgres: str, drawn_shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    at = ["--home", str(tmp_path / "home"), "--db", postgres, "-q"]

    def stylesearch(*arguments: str) -> str:
        capsys.readouterr()
        code = run(cli, [*at, *arguments])
        shown = capsys.readouterr()
        assert code == 0, (arguments, shown)
        return shown.out

    stylesearch("ingest", str(drawn_shop / "catalog"), "-e", "color-histogram")
    photo = str(next((drawn_shop / "catalog").rglob("*.jpg")))
    found = json.loads(stylesearch("--json", "query", photo, "-e", "color-histogram", "-k", "3"))
    assert stylesearch("db", "check").endswith("nothing is wrong\n")
    stylesearch("db", "export", str(tmp_path / "export"))
    stylesearch("db", "import", str(tmp_path / "export"), "--overwrite", "--yes")
    again = json.loads(stylesearch("--json", "query", photo, "-e", "color-histogram", "-k", "3"))
    assert _products(again) == _products(found)
    assert len(_products(found)) == 3
    assert run(cli, [*at, "db", "backup", str(tmp_path / "copy.db")]) == 1
    assert "pg_dump" in capsys.readouterr().err


def _products(answer: object) -> list[str]:
    """The products of an answer, in their order."""
    return re.findall(r'"product": "([^"]+)"', json.dumps(answer))
