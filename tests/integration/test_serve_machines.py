"""Two services with a home each on one catalog: what one is told, the other answers, without a restart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import stylesearch as ss
from stylesearch.files import sha256_bytes
from stylesearch.testing import save_fake_model
from stylesearch.workspace.workspace import Workspace
from tests.integration.live_server import serving
from tests.integration.serve_answers import AUTHORIZED, put
from tests.integration.tiny_shop import EXTRACTOR, ingest_tiny_shop
from tests.integration.two_machines import ORANGE, SETTINGS, search

# The other machine's fit has no index here until the service builds it.
pytestmark = pytest.mark.filterwarnings("ignore::stylesearch.search.gallery.IndexWarning")


@pytest.fixture(params=["folder", "url"])
def shops(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Workspace, Workspace]]:
    home = ingest_tiny_shop(tmp_path)
    uploads = tmp_path / "images of all"
    settings: dict[str, Any] = {
        "db": str(home / "catalog.db"),
        "artifacts": "catalog",
        "uploads": str(uploads) if request.param == "folder" else f"file://{uploads}",
        "extractor": EXTRACTOR,
        "regions": "few",
    }
    with ss.open(tmp_path / "a", **settings) as a, ss.open(tmp_path / "b", **settings) as b:
        a.indexes.build()
        yield a, b


def test_what_one_machine_is_told_the_other_answers(shops: tuple[Workspace, Workspace]) -> None:
    with serving(shops[0], SETTINGS) as a, serving(shops[1], SETTINGS) as b:
        before = search(a)
        assert search(b) == before

        made = put(a, "orange", ORANGE)
        assert made.status_code == 201
        assert search(b).keys() == {*before, "orange"}
        assert search(a) == search(b)
        image = f"/v1/images/{sha256_bytes(ORANGE)}"
        shown = b.get(image)
        assert (shown.status_code, shown.content) == (200, ORANGE)

        shops[1].indexes.build()
        assert search(a) == search(b)

        save_fake_model(shops[0].settings)
        of_model = search(b, space="siamese:default")
        assert of_model == search(a, space="siamese:default") != before

        assert b.delete("/v1/products/orange", headers=AUTHORIZED).status_code == 204
        assert search(a) == before
        assert a.get(image).status_code == 404
