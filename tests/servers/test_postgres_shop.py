"""A shop on PostgreSQL: ingested, searched from two homes, copied there and back."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import stylesearch as ss
from tests.integration.served_process import Server
from tests.integration.tiny_shop import COLORS, EXTRACTOR, draw, ingest_tiny_shop, jpeg
from tests.postgres_server import PostgresServer

pytestmark = [pytest.mark.servers, pytest.mark.slow]

Command = Callable[..., Any]


def settings_in(home: Path) -> Path:
    home.mkdir()
    (home / "config.toml").write_text(f'extractor = "{EXTRACTOR}"\nregions = "few"\n')
    return home


def hits(shop: ss.Workspace, photo: bytes) -> list[tuple[str, float]]:
    return [(hit.product.id, hit.distance) for hit in shop.query(photo, k=6).hits]


def test_a_shop_is_ingested_and_searched_as_in_a_file(
    drawn_shop: Path, postgres: str, tmp_path: Path
) -> None:
    photo = next((drawn_shop / "street").glob("*.jpg")).read_bytes()
    answers = []
    for home, db in (("file", ""), ("server", postgres)):
        with ss.open(tmp_path / home, db=db, extractor=EXTRACTOR) as shop:
            assert shop.ingest(drawn_shop / "products.csv").added == 24
            assert shop.ingest(drawn_shop / "products.csv").unchanged == 24
            answers.append(hits(shop, photo))
    assert answers[0] == answers[1]


def test_a_copied_catalog_answers_as_before_and_comes_back(
    postgres: str, tmp_path: Path, stylesearch: Command
) -> None:
    home = ingest_tiny_shop(tmp_path)
    photo = jpeg(draw(COLORS["skirt"]["yellow"]))
    with ss.open(home) as shop:
        before = hits(shop, photo)
        built = shop.indexes.status()
    copied = stylesearch("db", "copy", home / "catalog.db", postgres, "--home", home)
    assert (copied.code, "copied 6 products, 7 images and 7 features" in copied.out) == (0, True), copied
    again = stylesearch("db", "copy", home / "catalog.db", postgres, "--home", home)
    assert again.code == 1
    assert "not empty" in again.err
    with ss.open(home, db=postgres) as shop:
        assert hits(shop, photo) == before
        assert shop.indexes.status() == built
    back = stylesearch("db", "copy", postgres, tmp_path / "back.db", "--home", home)
    assert back.code == 0, back
    with ss.open(home, db=str(tmp_path / "back.db")) as shop:
        assert hits(shop, photo) == before
        assert shop.indexes.status() == built


def test_two_homes_serve_one_catalog(postgres: str, tmp_path: Path) -> None:
    home = ingest_tiny_shop(tmp_path)
    photo = jpeg(draw(COLORS["dress"]["green"]))
    homes = [settings_in(tmp_path / name) for name in ("first", "second")]
    with ss.open(home) as shop:
        shop.database.copy(postgres)
    servers = [Server(one, environment={"STYLESEARCH_DB": postgres}) for one in homes]
    try:
        answers = [server.wait_until_ready().search(photo) for server in servers]
        assert answers[0] == answers[1]
        assert answers[0][0] == "dress-green"
        with ss.open(homes[0], db=postgres) as shop:
            shop.remove(["dress-green"])
        assert ["dress-green" in server.search(photo) for server in servers] == [False, False]
        assert [server.stop() for server in servers] == [0, 0]
    finally:
        for server in servers:
            server.end()


def test_no_command_tells_the_password(
    postgres_server: PostgresServer, postgres: str, tmp_path: Path, stylesearch: Command
) -> None:
    home = ingest_tiny_shop(tmp_path)
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(jpeg(draw(COLORS["dress"]["red"])))
    with ss.open(home) as shop:
        shop.database.copy(postgres)
    shutil.rmtree(home / "indexes")
    wrong = postgres.replace(postgres_server.password, "another-secret")
    gone = postgres_server.url("no_such_database")
    closed = postgres.replace(f":{postgres_server.port}/", ":1/")
    commands = ["doctor", "db check", "db current", "index status", "products list", f"query {photo}"]
    commands += ["sources list", f"db backup {tmp_path / 'backup.db'}", "products show none"]
    failing = ["doctor", "products list --json"]
    said = {}
    for url in (postgres, wrong, gone, closed):
        for command in commands if url == postgres else failing:
            done = stylesearch(*command.split(), "--home", home, "--db", url)
            said[url, command] = done.out + done.err
    for secret in (postgres_server.password, "another-secret"):
        assert [key for key, text in said.items() if secret in text] == []
    assert all("Traceback" not in text for text in said.values())
    assert "postgresql://shop:***@127.0.0.1" in said[postgres, "products show none"]  # to be copied
    assert "let this role in" in said[wrong, "products list --json"]
