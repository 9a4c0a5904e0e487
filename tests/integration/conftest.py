"""A way to run the command line in this process, and a workspace to run it on."""

from __future__ import annotations

import json
import logging
import shutil
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from stylesearch.cli.main import cli
from stylesearch.cli.process import run


@dataclass
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Command = Callable[..., Outcome]


@pytest.fixture
def stylesearch(capfd: pytest.CaptureFixture[str]) -> Command:
    """Runs ``stylesearch`` with arguments."""

    def call(*arguments: object) -> Outcome:
        capfd.readouterr()
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            code = run(cli, [str(argument) for argument in arguments])
        captured = capfd.readouterr()
        return Outcome(code, captured.out, captured.err)

    return call


@pytest.fixture(autouse=True)
def usual_log() -> Iterator[None]:
    """What -q or -v asked for ends with the test."""
    yield
    logging.getLogger("stylesearch").setLevel(logging.NOTSET)


@pytest.fixture(scope="session")
def ingested(drawn_shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with the drawn shop in it; not to be written to."""
    import stylesearch

    home = tmp_path_factory.mktemp("workspace")
    with stylesearch.open(home) as shop:
        report = shop.ingest(drawn_shop / "products.csv")
    assert report.added == 24
    return home


@pytest.fixture
def workspace(ingested: Path, tmp_path: Path) -> Path:
    """A copy of the workspace, to be written to."""
    home = tmp_path / "home"
    shutil.copytree(ingested, home)
    return home


@pytest.fixture(scope="session")
def patterned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a shop of patchworks and customers' photos of them; not to be written to."""
    import stylesearch
    from tests.integration.patchworks import N_PRODUCTS, NAME, draw_shop

    folder = tmp_path_factory.mktemp("patterned")
    source = draw_shop(folder / "source")
    with stylesearch.open(folder / "home", extractor=NAME) as shop:
        assert shop.ingest(source).added == 2 * N_PRODUCTS
    (folder / "home" / "config.toml").write_text(f'# ours\nextractor = "{NAME}"\nregions = "few"\n')
    return folder / "home"
