"""What a worker does before it serves: its share of the cores, its network, its settings."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import stylesearch as ss
from stylesearch.errors import ExtractorError, StyleSearchError
from stylesearch.serving.middleware.disconnect import CancelWhenGone
from stylesearch.serving.search.background import load_network
from stylesearch.serving.server import worker
from stylesearch.serving.settings import ServiceSettings
from stylesearch.settings import load_settings

NAME = "color-histogram"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "config.toml").write_text(f'extractor = "{NAME}"\n[serve]\ntitle = "Ours"\n')
    return tmp_path / "home"


@pytest.fixture
def usual_log() -> Iterator[None]:
    """The logs of this process as they were."""
    loggers = [
        logging.getLogger(name) for name in ("stylesearch", "uvicorn", "py.warnings", "uvicorn.access")
    ]
    before = [(one, one.handlers, one.propagate, one.level, one.disabled) for one in loggers]
    yield
    logging.captureWarnings(False)
    for one, handlers, propagate, level, disabled in before:
        one.handlers, one.propagate, one.disabled = handlers, propagate, disabled
        one.setLevel(level)


class Told:
    """Stands in for the pipe to the supervisor."""

    def __init__(self) -> None:
        self.news: list[Any] = []

    def send(self, news: Any) -> None:
        self.news.append(news)


def test_a_server_of_ones_own_takes_settings_from_the_environment(
    home: Path, usual_log: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STYLESEARCH_HOME", str(home))
    application = worker.app()
    assert isinstance(application, CancelWhenGone)
    assert application.app.title == "Ours"


def test_a_network_that_cannot_be_loaded_is_told_and_ends_the_worker(
    home: Path, usual_log: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stylesearch.extractors.classical.feature import WhiteBoxExtractor

    def fail(*_: object) -> None:
        raise ExtractorError("the network is broken", hint="get another")

    monkeypatch.setattr(WhiteBoxExtractor, "extract", fail)
    told = Told()
    with pytest.raises(SystemExit) as caught:
        worker.run_worker(load_settings({"home": home}), ServiceSettings(), [], told)  # type: ignore[arg-type]
    assert caught.value.code == 3
    assert told.news == [("the network is broken", "get another")]


def test_a_model_that_was_removed_does_not_keep_a_worker_from_coming_back(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with ss.open(home, space="siamese:gone") as shop:
        with pytest.raises(StyleSearchError):
            shop.extractor()
        assert load_network(shop) is None
    assert "siamese:gone" in caplog.text or "'gone'" in caplog.text


@pytest.mark.parametrize(("n_workers", "n_cores", "share"), [(2, 2, 1), (2, 8, 4), (3, 8, 3), (4, 2, 1)])
def test_workers_divide_the_cores(
    home: Path,
    usual_log: None,
    monkeypatch: pytest.MonkeyPatch,
    n_workers: int,
    n_cores: int,
    share: int,
) -> None:
    limits: list[int] = []
    monkeypatch.setattr(worker, "usable_cores", lambda: n_cores)
    monkeypatch.setattr(worker, "limit_cores", limits.append)
    monkeypatch.setattr(worker._Server, "run", lambda self, sockets: None)
    settings = load_settings({"home": home})
    worker.run_worker(settings, ServiceSettings(workers=n_workers), [], Told())  # type: ignore[arg-type]
    assert limits == [share]
    worker.run_worker(settings, ServiceSettings(), [], Told())  # type: ignore[arg-type]
    assert limits == [share], "a worker that is alone may use all"


def test_the_server_is_told_nothing_a_client_could_forge(
    home: Path, usual_log: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    configs: list[Any] = []
    monkeypatch.setattr(worker._Server, "run", lambda self, sockets: configs.append(self.config))
    worker.run_worker(load_settings({"home": home}), ServiceSettings(), [], Told())  # type: ignore[arg-type]
    (config,) = configs
    assert config.proxy_headers is False, "X-Forwarded-For is believed by our own rules only"
    assert config.access_log is False


def test_photos_are_searched_with_the_network_that_was_loaded(
    home: Path, drawn_shop: Path, tmp_path: Path
) -> None:
    with ss.open(home) as shop:
        shop.ingest(shutil.copytree(drawn_shop, tmp_path / "shop") / "products.csv")
        load_network(shop)
        extractor = shop.extractor(throughput=True)
        assert shop.searcher(throughput=True).extractor is extractor
        size = extractor.input_size
        assert extractor.extract(np.zeros((1, size, size, 3), np.uint8)).shape == (1, extractor.dim)
