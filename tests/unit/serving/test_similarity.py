import numpy as np
import pytest

from stylesearch.serving.api.responses import similarity


@pytest.mark.parametrize("metric", ["cosine", "l1", "l2"])
def test_it_lies_between_nought_and_one_and_never_rises(metric: str) -> None:
    values = [similarity(float(d), metric) for d in np.linspace(-1e-6, 50, 2000)]
    assert values[0] == 1.0
    assert all(0.0 <= value <= 1.0 for value in values)
    assert values == sorted(values, reverse=True)


def test_it_is_what_the_description_says() -> None:
    assert similarity(0.12, "cosine") == pytest.approx(0.88)
    assert similarity(1.7, "cosine") == 0.0
    assert similarity(1.0, "l1") == similarity(1.0, "l2") == 0.5
