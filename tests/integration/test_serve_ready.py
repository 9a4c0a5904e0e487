"""What keeps a service from being ready."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

import stylesearch as ss
from stylesearch.serving import schemas
from tests.integration.live_server import serving
from tests.integration.serve_answers import post_photo, valid
from tests.integration.tiny_shop import ingest_tiny_shop


@pytest.mark.filterwarnings("ignore::stylesearch.gallery.gallery.IndexWarning")
def test_what_cannot_be_searched_by_default_is_not_ready(tmp_path: Path) -> None:
    home = ingest_tiny_shop(tmp_path)
    with ss.open(home, space="siamese:gone") as shop, serving(shop) as client:
        checks = valid(client.get("/ready"), schemas.Readiness, 503)["checks"]
        assert checks["model"] == "the default space cannot be searched in"
        assert post_photo(client, space="raw").status_code == 200


def test_a_catalog_with_another_schema_is_not_ready(tmp_path: Path) -> None:
    home = ingest_tiny_shop(tmp_path)
    with ss.open(home) as shop, serving(shop) as client:
        ready = valid(client.get("/ready"), schemas.Readiness)
        assert ready["checks"]["schema"] == shop.catalog.revision
        with contextlib.closing(sqlite3.connect(home / "catalog.db")) as other, other:
            other.execute("UPDATE alembic_version SET version_num = '9999'")
        checks = valid(client.get("/ready"), schemas.Readiness, 503)["checks"]
        assert checks["schema"] == "the catalog cannot be read"
