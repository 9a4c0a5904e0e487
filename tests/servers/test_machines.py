"""Two machines with a home each on one catalog in PostgreSQL, and nginx in front of their services."""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

import stylesearch as ss
from stylesearch.catalog import Catalog
from stylesearch.testing import save_fake_model
from stylesearch.workspace.workspace import Workspace
from tests.integration.live_server import serving
from tests.integration.serve_answers import AUTHORIZED, put
from tests.integration.tiny_shop import EXTRACTOR, draw, jpeg
from tests.integration.two_machines import ORANGE, SETTINGS, search

pytestmark = [
    pytest.mark.servers,
    pytest.mark.slow,
    # The other machine's fit has no index here until the service builds it.
    pytest.mark.filterwarnings("ignore::stylesearch.search.gallery.IndexWarning"),
]

ROOT = Path(__file__).parents[2]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """18 products: enough to fit axes on."""
    for number in range(18):
        picture = tmp_path / "source" / ("dress", "skirt")[number % 2] / f"{number}.jpg"
        picture.parent.mkdir(parents=True, exist_ok=True)
        color = (10 + 13 * number, (90 * number) % 250, (170 * number) % 240)
        picture.write_bytes(jpeg(draw(color, seed=number)))
    return tmp_path / "source"


@pytest.fixture
def shops(postgres: str, source: Path, tmp_path: Path) -> Iterator[tuple[Workspace, Workspace]]:
    settings = {
        "db": postgres,
        "uploads": str(tmp_path / "uploads"),
        "extractor": EXTRACTOR,
        "regions": "few",
        "space": "whitened",
    }
    with ss.open(tmp_path / "a", **settings) as a, ss.open(tmp_path / "b", **settings) as b:
        assert a.ingest(source).added == 18
        yield a, b


def test_products_fits_and_models_of_one_are_those_of_the_other(shops: tuple[Workspace, Workspace]) -> None:
    with serving(shops[0], SETTINGS) as a, serving(shops[1], SETTINGS) as b:
        before = search(a)
        assert search(b) == before

        assert put(a, "orange", ORANGE).status_code == 201
        with_product = search(b)
        assert with_product.keys() == {*before, "orange"}
        assert search(a) == with_product

        shops[1].indexes.build()
        fitted_anew = search(a)
        assert fitted_anew == search(b) != with_product

        save_fake_model(shops[0].settings)
        of_model = search(b, space="siamese:default")
        assert of_model == search(a, space="siamese:default") != fitted_anew

        assert b.delete("/v1/products/orange", headers=AUTHORIZED).status_code == 204
        assert search(a).keys() == before.keys()
    shops[1].models.remove("default")
    assert list(shops[0].models) == []


def test_of_two_that_are_put_at_once_one_wins(postgres_catalog: str) -> None:
    with Catalog.open(postgres_catalog) as one, Catalog.open(postgres_catalog) as two:
        state = two.state()
        first = one.artifacts.put("fit", "a/raw", {"space.json": b"1"}, replacing="")
        assert first is not None
        assert two.state() != state
        assert two.artifacts.put("fit", "a/raw", {"space.json": b"2"}, replacing="") is None
        with one.writing():  # beside a writer on another machine, between its transactions
            second = two.artifacts.put("fit", "a/raw", {"space.json": b"3"}, replacing=first.version)
        assert one.artifacts.versions() == {("fit", "a/raw"): second}


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextlib.contextmanager
def nginx_before(clients: list[httpx.Client], folder: Path) -> Iterator[httpx.Client]:
    """Runs nginx with the shipped file in front of these services."""
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if nginx is None:
        pytest.skip("nginx is needed to run the file; on Debian: apt-get install nginx")
    site = (ROOT / "deploy" / "nginx-replicas.conf").read_text(encoding="utf-8")
    (line,) = re.findall(r"^ +server replica:8000.*;$", site, re.MULTILINE)
    servers = "".join(line.replace("replica:8000", client.base_url.netloc.decode()) for client in clients)
    port = free_port()
    site = site.replace(line, servers).replace("listen 8080;", f"listen 127.0.0.1:{port};")
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    folders = "".join(f"{kind}_temp_path {folder / kind};" for kind in kinds)
    (folder / "nginx.conf").write_text(
        f"daemon off; master_process off; pid {folder / 'pid'}; error_log stderr; events {{}} "
        f"http {{ access_log off; {folders} {site} }}"
    )
    process = subprocess.Popen([nginx, "-c", folder / "nginx.conf"], stderr=subprocess.PIPE)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            patience = time.monotonic() + 20
            while time.monotonic() < patience and process.poll() is None:
                with contextlib.suppress(httpx.ConnectError):
                    client.get("/health")
                    break
                time.sleep(0.05)
            yield client
    finally:
        process.terminate()
        process.communicate(timeout=20)


def test_nginx_goes_to_the_other_service_when_one_has_ended(
    shops: tuple[Workspace, Workspace], tmp_path: Path
) -> None:
    with contextlib.ExitStack() as second:
        a = second.enter_context(serving(shops[0], SETTINGS))
        with serving(shops[1], SETTINGS) as b, nginx_before([a, b], tmp_path) as front:
            expected = search(b)
            assert [search(front) for _ in range(4)] == [expected] * 4
            assert put(front, "orange", ORANGE).status_code == 201
            assert front.get("/metrics").status_code == 404
            second.close()
            assert [search(front).keys() for _ in range(4)] == [{*expected, "orange"}] * 4
