"""Real photos of garments, where the machine has them."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from stylesearch.images.decode import decode
from stylesearch.images.regions import letterbox, reduction

DATA = os.environ.get("STYLESEARCH_TEST_DATA")

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(DATA is None, reason="STYLESEARCH_TEST_DATA does not name a folder of real photos"),
]


@pytest.mark.parametrize("folder", ["clothing", "luma"])
def test_reduced_photos_look_like_full_ones_to_a_network(folder):
    paths = sorted(Path(DATA or ".", folder).rglob("*.jpg"))[::8]
    assert len(paths) > 50
    differences = []
    for path in paths:
        full = decode(path)
        assert full.pixels.shape == (full.height, full.width, 3)
        reduced = decode(path, reduce_to=reduction(224))
        ours, expected = letterbox(reduced.pixels, 224), letterbox(full.pixels, 224)
        differences.append(np.abs(ours.astype(int) - expected).mean())
    assert np.mean(differences) < 0.5
    assert np.max(differences) < 4  # a picture full of fine checks
