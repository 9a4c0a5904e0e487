"""A catalog to write to, a made-up shop to fill it with, and processes of its own to fight over it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from stylesearch.catalog import Catalog, FeatureSet, ImageEntry, Writer
from stylesearch.types import Product

DIM = 6


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Runs what needs a catalog on both databases; what asks for ``catalog_file`` is about SQLite's file."""
    if "database" in metafunc.fixturenames and "catalog_file" not in metafunc.fixturenames:
        on_server = pytest.param("postgresql", marks=[pytest.mark.servers, pytest.mark.slow])
        metafunc.parametrize("database", ["sqlite", on_server])


@pytest.fixture(autouse=True)
def _ids_count_from_one(stopped_clock: None) -> None:
    """Tests here name feature ids."""


@pytest.fixture(scope="session")
def empty_catalog_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("catalog") / "catalog.db"
    Catalog.open(path).close()
    return path


@pytest.fixture
def catalog_file(empty_catalog_file: Path, tmp_path: Path) -> Path:
    """A copy: running the migrations for every test would take longer than the tests."""
    return Path(shutil.copy(empty_catalog_file, tmp_path / "catalog.db"))


@pytest.fixture
def database() -> str:
    """Which database keeps the catalog: see ``pytest_generate_tests``."""
    return "sqlite"


@pytest.fixture
def catalog_place(database: str, request: pytest.FixtureRequest) -> Path | str:
    """The file or the URL of an empty catalog."""
    place: Path | str = request.getfixturevalue(
        "catalog_file" if database == "sqlite" else "postgres_catalog"
    )
    return place


@pytest.fixture
def catalog(catalog_place: Path | str) -> Iterator[Catalog]:
    with Catalog.open(catalog_place) as opened:
        yield opened


@pytest.fixture
def writer(catalog: Catalog) -> Iterator[Writer]:
    with catalog.writing() as opened:
        yield opened


@pytest.fixture
def make_feature_set(writer: Writer) -> Callable[[str], FeatureSet]:
    def make(name: str) -> FeatureSet:
        with writer.transaction():
            return writer.feature_set(
                extractor=name,
                parameters={"input_size": 224},
                weights_digest="w" * 64,
                fingerprint=f"fingerprint of {name}",
                dim=DIM,
            )

    return make


@pytest.fixture
def feature_set(make_feature_set: Callable[[str], FeatureSet]) -> FeatureSet:
    return make_feature_set("efficientnet-lite0")


def make_entry(product_id: str, path: str, content: str | None = None, **fields: object) -> ImageEntry:
    values: dict[str, object] = {"sha256": content or f"sha of {path}", "width": 30, "height": 40}
    return ImageEntry(product_id, path, **(values | fields))  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def entry() -> Callable[..., ImageEntry]:
    """Makes a usable picture, whose content is named after its path unless told."""
    return make_entry


@pytest.fixture(scope="session")
def vectors_for() -> Callable[[int], np.ndarray]:
    """n different vectors that float16 holds exactly."""

    def make(count: int, start: int = 0) -> np.ndarray:
        rows = start + np.arange(count, dtype=np.float32)
        return rows[:, None] + np.arange(DIM, dtype=np.float32) / 8

    return make


@pytest.fixture
def store(
    writer: Writer, feature_set: FeatureSet, vectors_for: Callable[[int], np.ndarray]
) -> Callable[..., dict[str, int]]:
    """Puts pictures of products in, each with a vector; returns the images' keys by path."""

    def put(*items: tuple[Product, ImageEntry], source: str = "shop") -> dict[str, int]:
        with writer.transaction():
            writer.upsert_products((product for product, _ in items), source=source)
            stored = writer.upsert_images((image for _, image in items), source=source)
            pks = [pk for pk, _ in stored.values()]
            writer.add_features(feature_set, pks, vectors_for(len(pks)))
        return {path: pk for (_, path), (pk, _) in stored.items()}

    return put


@pytest.fixture
def shop(store: Callable[..., dict[str, int]]) -> dict[str, int]:
    """Two dresses (one with two pictures) and a skirt; keys of the images by path."""
    red = Product("red", "Red dress", "dress", url="https://shop.example/red", price="19.90 EUR")
    blue = Product("blue", "Blue dress", "dress", attributes={"size": "M"})
    return store(
        (red, make_entry("red", "/shop/red-1.jpg")),
        (red, make_entry("red", "/shop/red-2.jpg")),
        (blue, make_entry("blue", "/shop/blue.jpg")),
        (Product("pleated", "Pleated skirt", "skirt"), make_entry("pleated", "/shop/pleated.jpg")),
    )


@pytest.fixture
def start_process() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts Python with a script and arguments; what still runs after the test is killed."""
    started: list[subprocess.Popen[str]] = []

    def start(script: str, *arguments: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
