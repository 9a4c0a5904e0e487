"""What a training that fine-tunes compares before it goes on with the new network's features."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from stylesearch.errors import ConfigError
from stylesearch.training.run import _check_same
from stylesearch.training.split import Split


def dataset(
    *, photos: tuple[str, ...] = ("x", "y"), test: str = "c", duplicates: tuple[int, ...] = (0, 1, 2)
) -> Any:
    """As much of a ``stylesearch.training.pair_dataset.PairDataset`` as is compared."""
    rows = SimpleNamespace(photos=photos, shop=("s",), duplicates=np.array(duplicates))
    return SimpleNamespace(rows=rows, split=Split(frozenset("a"), frozenset("b"), frozenset(test)), seen=None)


def test_an_unchanged_catalog_is_the_same() -> None:
    _check_same(dataset(), dataset())


@pytest.mark.parametrize("change", [{"photos": ("x",)}, {"test": "d"}, {"duplicates": (0, 0, 2)}])
def test_images_that_stay_may_still_join_other_products(change: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="the catalog has changed") as caught:
        _check_same(dataset(), dataset(**change))
    assert "without --resume" in caught.value.hint
