"""Indexes of trained models: what keeps one from them does not keep the others."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from stylesearch.errors import ConfigError, SpaceError, UnknownName
from stylesearch.search import IndexWarning
from stylesearch.settings import load_settings
from stylesearch.workspace.indexes import Indexes
from stylesearch.workspace.resources import Resources


@pytest.mark.parametrize("error", [ConfigError, SpaceError, UnknownName])
def test_a_model_that_takes_other_features_by_now_is_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    resources = Resources(load_settings({"home": tmp_path}, {}))

    def refuses(*_: Any) -> None:
        raise error("it was trained on other features")

    monkeypatch.setattr(resources, "space_location", refuses)
    card: Any = SimpleNamespace(space="siamese:one", metric="cosine")
    extractor: Any = SimpleNamespace()
    with pytest.warns(IndexWarning, match="siamese:one has no indexes: it was trained on other features"):
        assert Indexes(resources)._locate_model(extractor, card) is None
