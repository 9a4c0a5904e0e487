"""The servers that tests start: other tests rely on them."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest
from sqlalchemy import create_engine, text

from tests.postgres_server import PostgresServer

pytestmark = [pytest.mark.servers, pytest.mark.slow]


def test_a_database_is_new_and_its_owner_is_no_superuser(postgres: str) -> None:
    engine = create_engine(postgres)
    with engine.connect() as connection:
        assert (
            connection.execute(text("SELECT count(*) FROM pg_class WHERE relnamespace = 2200")).scalar() == 0
        )
        assert connection.execute(text("SELECT current_setting('is_superuser')")).scalar() == "off"
        assert int(connection.execute(text("SHOW server_version_num")).scalar_one()) >= 180000
    engine.dispose()


def test_the_password_is_asked_for(postgres_server: PostgresServer) -> None:
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(f"postgresql://shop:wrong@127.0.0.1:{postgres_server.port}/postgres")


@pytest.mark.parametrize("end", ["kill", "immediate"])
def test_a_server_of_ones_own_keeps_what_was_committed(
    own_postgres: Callable[[], PostgresServer], end: str
) -> None:
    server = own_postgres()
    name = server.create_database()
    server.execute("CREATE TABLE kept AS SELECT 7 AS n", database=name)
    if end == "kill":
        server.kill()
    else:
        server.stop("immediate")
    with pytest.raises(psycopg.OperationalError):
        server.execute("SELECT 1")
    server.start()
    assert server.execute("SELECT n FROM kept", database=name) == [(7,)]
