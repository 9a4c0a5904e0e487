"""A study that looks at views through the indexes, and what a study holds in memory."""

from __future__ import annotations

import tracemalloc
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from PIL import Image

from stylesearch.array_types import Features, Images
from stylesearch.artifacts.home import HomeArtifacts
from stylesearch.catalog import Catalog
from stylesearch.evaluation.results import StudySettings
from stylesearch.evaluation.study import evaluate
from stylesearch.extractors.base import Extractor
from stylesearch.features.context import StudyContext
from stylesearch.importers.tables.importer import TableImporter
from stylesearch.ingest import IngestOptions, ingest
from stylesearch.search.fitted_space import SpaceLocation
from stylesearch.settings import Settings
from stylesearch.testing.fake_extractor import FakeExtractor
from stylesearch.workspace.resources import locate_space

N_PRODUCTS = 40
N_VIEWS = 3


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 products of two categories with three shop pictures each, alike but for noise."""
    home = tmp_path_factory.mktemp("views")
    rng = np.random.default_rng(3)
    lines = ["id,category,image,domain"]
    for number in range(N_PRODUCTS):
        colors = rng.integers(0, 255, (4, 4, 3))
        for view in range(N_VIEWS):
            noisy = np.clip(colors + rng.normal(0, 60, colors.shape), 0, 255).astype(np.uint8)
            Image.fromarray(np.kron(noisy, np.ones((12, 12, 1), np.uint8))).save(
                home / f"{number}-{view}.png"
            )
            lines.append(f"p{number:02},{'dress' if number % 2 else 'skirt'},{number}-{view}.png,shop")
    (home / "table.csv").write_text("\n".join(lines))
    with Catalog.open(home / "catalog.db") as catalog:
        report = ingest(catalog, home / "table.csv", TableImporter(), [FakeExtractor()], IngestOptions())
    assert report.added == N_PRODUCTS * N_VIEWS
    return home


@pytest.fixture
def study_context(home: Path) -> Iterator[StudyContext]:
    with Catalog.open(home / "catalog.db") as catalog:

        def space_location(extractor: Extractor, space: str) -> SpaceLocation:
            feature_set = catalog.find_feature_set(extractor.fingerprint)
            assert feature_set is not None
            return locate_space(
                Settings(home=home), catalog, HomeArtifacts(home, catalog.id), feature_set, space
            )

        yield StudyContext(catalog, lambda name: FakeExtractor(), space_location, home / "cache")


@pytest.mark.parametrize("space", ["raw", "whitened"])
def test_views_through_the_indexes_find_what_exact_search_finds(
    study_context: StudyContext, space: str
) -> None:
    """A view's own picture is in the indexes, and nearest of all: it must not hide its product's others."""
    settings = {"metrics": ("l2",), "ks": (1, 5), "queries": "views", "gallery": "others", "n_resamples": 50}
    through_index = evaluate(study_context, StudySettings((f"fake/{space}",), index=True, **settings))  # type: ignore[arg-type]
    exact = evaluate(study_context, StudySettings((f"fake/{space}",), **settings))  # type: ignore[arg-type]
    found, wanted = through_index.runs[0].columns, exact.runs[0].columns
    n_queries = through_index.queries.n_queries
    assert n_queries == N_PRODUCTS * N_VIEWS == through_index.gallery.n_images
    for place, query in enumerate(through_index.queries.images):
        answers = [through_index.gallery.images[row].path for row in found.hit_images[place] if row >= 0]
        assert query.path not in answers
        assert answers[0] == exact.gallery.images[wanted.hit_images[place, 0]].path
    within = wanted.ranks <= 20
    assert within.mean() > 0.3
    assert np.array_equal(found.ranks[within], wanted.ranks[within])
    assert through_index.runs[0].ann_recall is not None
    assert through_index.runs[0].ann_recall.value > 0.99


class Network:
    """Stands for what an extractor loads when it is first used."""


class LoadingExtractor(FakeExtractor):
    """Loads a network with the first picture, as those with a network do."""

    networks: ClassVar[weakref.WeakSet[Network]] = weakref.WeakSet()
    most_at_once = 0

    def extract(self, images: Images) -> Features:
        if not hasattr(self, "network"):
            object.__setattr__(self, "network", Network())
            self.networks.add(self.network)  # type: ignore[attr-defined]
            LoadingExtractor.most_at_once = max(LoadingExtractor.most_at_once, len(self.networks))
        return super().extract(images)


def test_one_network_is_in_memory_at_a_time(home: Path, tmp_path: Path) -> None:
    names = ("fake1", "fake2", "fake3")
    n_loaded = []

    def load(name: str) -> LoadingExtractor:
        n_loaded.append(name)
        return LoadingExtractor(seed=int(name[-1]), concurrency=1)

    with Catalog.open(tmp_path / "catalog.db") as catalog:
        ingest(catalog, home / "table.csv", TableImporter(), [FakeExtractor()], IngestOptions())
        context = StudyContext(catalog, load, None, tmp_path / "cache")  # type: ignore[arg-type]
        study = evaluate(
            context,
            StudySettings(names, ("l1",), (1,), queries="views", gallery="others", n_resamples=50),
        )
    assert len(study.runs) == len(names)
    assert LoadingExtractor.most_at_once == 1
    assert len(LoadingExtractor.networks) == 0


def test_what_does_not_fit_into_memory_lies_in_files(home: Path, tmp_path: Path) -> None:
    """Features of gallery and queries take 1 MB each, which is more than an eighth of the bound."""
    wide = FakeExtractor(dim=2048)
    bound = 2 * 2**20
    peaks = {}
    with Catalog.open(tmp_path / "catalog.db") as catalog:
        ingest(catalog, home / "table.csv", TableImporter(), [wide], IngestOptions())
        for n_bytes in (bound, 1024 * 2**20):
            context = StudyContext(catalog, lambda name: wide, None, tmp_path / "cache", max_bytes=n_bytes)  # type: ignore[arg-type]
            settings = StudySettings(
                ("fake",), ("l2",), (1,), queries="views", gallery="others", n_resamples=9
            )
            evaluate(context, settings)  # what is loaded once does not count
            tracemalloc.start()
            evaluate(context, settings)
            peaks[n_bytes] = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
    n_features = 2 * 4 * N_PRODUCTS * N_VIEWS * wide.dim
    assert peaks[1024 * 2**20] - peaks[bound] > 0.8 * n_features
    assert not [path for path in (tmp_path / "cache").iterdir() if not path.is_dir()]
