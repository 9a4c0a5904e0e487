"""An extractor is pickled as what loads it, for processes and machines that compute with it."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest

from stylesearch.extractors import load_extractor
from stylesearch.extractors.backbones import BACKBONES
from stylesearch.extractors.base import Extractor
from stylesearch.extractors.cnn import CnnExtractor
from stylesearch.extractors.load import BackboneRecipe
from stylesearch.extractors.weights import find_weights


@pytest.mark.parametrize("spec", ["efficientnet-lite0@224+texture+colors", "resnet50", "hog@64"])
def test_a_copy_computes_the_same(spec: str) -> None:
    weights = "random" if spec == "resnet50" else None
    extractor = load_extractor(spec, weights=weights, throughput=True)
    pickled = pickle.dumps(extractor)
    copy: Extractor = pickle.loads(pickled)
    assert len(pickled) < 1000, "no weights travel"
    assert (copy.fingerprint, copy.name, copy.concurrency) == (
        extractor.fingerprint,
        extractor.name,
        extractor.concurrency,
    )


def test_files_are_found_from_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.h5").write_bytes(b"weights")
    pickled = pickle.dumps(load_extractor("resnet50", weights="mine.h5"))
    monkeypatch.chdir(os.path.sep)
    assert (
        pickle.loads(pickled).weights_digest
        == load_extractor("resnet50", weights=str(tmp_path / "mine.h5")).weights_digest
    )


def test_one_that_was_not_loaded_by_name_says_so() -> None:
    backbone = BACKBONES["resnet50"]
    recipe = BackboneRecipe(backbone, 224, find_weights(backbone, "random"))
    with pytest.raises(TypeError, match="was not loaded by its name"):
        pickle.dumps(CnnExtractor(recipe, lambda recipe: None))  # type: ignore[arg-type,return-value]
