"""The setting that chooses where candidates come from."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from stylesearch.catalog import Catalog
from stylesearch.errors import ConfigError, MissingDependency
from stylesearch.search.faiss_store import FaissVectorStores
from stylesearch.search.local_store import LocalVectorStores
from stylesearch.settings import Settings, load_settings
from stylesearch.workspace import resources


def test_only_three_sources_are_known(tmp_path: Path) -> None:
    assert load_settings({"home": tmp_path}, {}).candidates == "local"
    with pytest.raises(ConfigError, match="candidates is one of local, faiss, pgvector"):
        load_settings({"home": tmp_path}, {"STYLESEARCH_CANDIDATES": "milvus"})


def test_pgvector_wants_a_catalog_on_postgresql(tmp_path: Path) -> None:
    with Catalog.open(tmp_path / "catalog.db") as catalog:
        assert isinstance(resources._vector_stores(Settings(), catalog), LocalVectorStores)
        assert isinstance(resources._vector_stores(Settings(candidates="faiss"), catalog), FaissVectorStores)
        with pytest.raises(ConfigError, match="wants a catalog on PostgreSQL") as caught:
            resources._vector_stores(Settings(candidates="pgvector"), catalog)
    assert "candidates = local" in caught.value.hint


def test_all_machines_want_the_same_fits() -> None:
    catalog = SimpleNamespace(engine=SimpleNamespace(dialect=SimpleNamespace(name="postgresql")))
    with pytest.raises(ConfigError, match="artifacts = home"):
        resources._vector_stores(Settings(candidates="pgvector", artifacts="home"), catalog)  # type: ignore[arg-type]


def test_a_library_that_is_missing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    catalog = SimpleNamespace(engine=SimpleNamespace(dialect=SimpleNamespace(name="postgresql")))
    for name in [one for one in sys.modules if one.startswith("stylesearch.search.pgvector")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pgvector", None)
    with pytest.raises(MissingDependency, match="pgvector") as caught:
        resources._vector_stores(Settings(candidates="pgvector", artifacts="catalog"), catalog)  # type: ignore[arg-type]
    assert caught.value.hint == "pip install 'stylesearch[postgres]'"
