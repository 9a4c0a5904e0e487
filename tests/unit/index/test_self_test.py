import subprocess
import sys
import types

import numpy as np
import pytest

from stylesearch.index.annoy_forest import AnnoyUnavailable, annoy_works, why_annoy_fails
from stylesearch.index.base import ExactIndex
from stylesearch.index.category_indexes import CategoryIndexes
from stylesearch.index.reranked import Strategy
from tests.unit.index.conftest import COUNT


@pytest.fixture(autouse=True)
def _asked_anew():
    why_annoy_fails.cache_clear()
    annoy_works.cache_clear()
    yield
    why_annoy_fails.cache_clear()
    annoy_works.cache_clear()


class Wrong:
    """Annoy as some compilers make it: it answers, and wrongly."""

    def __init__(self, width, metric):
        pass

    def set_seed(self, seed):
        pass

    def add_item(self, slot, vector):
        pass

    def build(self, n_trees, n_jobs):
        pass

    def get_nns_by_vector(self, vector, n, search_k, include_distances):
        return list(range(n)), [0.0] * n


class Failing(Wrong):
    def build(self, n_trees, n_jobs):
        raise RuntimeError("cannot allocate")


def broken(monkeypatch, how):
    if how == "missing":
        monkeypatch.setitem(sys.modules, "annoy", None)
    else:
        module = types.ModuleType("annoy")
        module.AnnoyIndex = {"wrong": Wrong, "failing": Failing}[how]
        monkeypatch.setitem(sys.modules, "annoy", module)


def test_annoy_is_right_here():
    assert why_annoy_fails() == ""
    assert annoy_works()


@pytest.mark.parametrize(
    ("how", "reason"),
    [("missing", "cannot be imported"), ("wrong", "are wrong"), ("failing", "cannot allocate")],
)
def test_without_annoy_all_is_exact_after_one_warning(
    monkeypatch, how, reason, indexes, build, vectors, photo
):
    broken(monkeypatch, how)
    with pytest.warns(AnnoyUnavailable, match=reason) as caught:
        assert build().kind == "exact"
        assert build("skirt", n=100).kind == "exact"
    assert len(caught) == 1
    opened = indexes.open("dress")
    assert np.array_equal(
        opened.search_any(photo, 9).ids, ExactIndex(vectors, "l2").search_any(photo, 9)[0] * 3 + 1
    )


def test_an_index_built_with_annoy_serves_without_it(monkeypatch, indexes, build, vectors, photo):
    assert build().kind == "annoy"
    why_annoy_fails.cache_clear()
    annoy_works.cache_clear()
    broken(monkeypatch, "missing")
    with pytest.warns(AnnoyUnavailable):
        opened = CategoryIndexes(
            indexes.folder, "space", "l2", vectors.shape[1], strategy=Strategy.ANNOY
        ).open("dress")
    right = ExactIndex(vectors, "l2").search_any(photo, 9)[0] * 3 + 1
    assert np.array_equal(opened.search_any(photo, 9).ids, right)
    assert opened.count == COUNT


def test_nothing_is_imported_before_it_is_needed():
    code = (
        "import sys, stylesearch.index.category_indexes\n"
        "sys.exit('annoy' in sys.modules or 'filelock' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
