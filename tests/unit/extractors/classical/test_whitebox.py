import numpy as np
import pytest

from stylesearch.extractors.classical.combined import WHITE_BOX
from stylesearch.extractors.classical.feature import WHITE_BOXES

PARTS = ("hog", "color-histogram", "color-coherence", "harris")


def test_the_four_in_order_and_scaled(photo_like):
    found = WHITE_BOX.from_arrays(photo_like)
    assert found.shape == (6, WHITE_BOX.dim(48))
    start = 0
    for name in PARTS:
        part = WHITE_BOXES.load(name)
        alone = part.from_arrays(photo_like)
        unit = alone / 5 if name == "hog" else alone  # 5 x 5 blocks of norm 1
        expected = unit * part.dim(48) ** -0.25
        assert np.allclose(found[:, start : start + part.dim(48)], expected, atol=1e-7)
        start += part.dim(48)
    assert start == WHITE_BOX.dim(48)


@pytest.mark.parametrize("order", [1, 2])
def test_no_part_drowns_the_others(photo_like, order):
    """Mean distances between pictures, part by part: within a factor of four in l1 and in l2."""
    found = WHITE_BOX.from_arrays(photo_like).astype(float)
    ends = np.cumsum([WHITE_BOXES.load(name).dim(48) for name in PARTS])[:-1]
    differences = found[:, None] - found[None]
    means = [np.linalg.norm(part, order, axis=2).mean() for part in np.split(differences, ends, axis=2)]
    assert max(means) < 4 * min(means)


def test_golden():
    """Recorded from the first version, whose parts agree with scikit-image, SciPy and OpenCV."""
    y, x = np.mgrid[:32, :32]
    image = np.stack([x * 8, y * 8, (x * y) % 256], axis=-1).astype(np.uint8)
    found = WHITE_BOX.from_arrays(image[None])[0]
    ends = np.cumsum([WHITE_BOXES.load(name).dim(32) for name in PARTS])[:-1]
    parts = np.split(found, ends)
    assert [round(float(part.sum()), 3) for part in parts] == GOLDEN_SUMS
    assert [round(float(part.max()), 4) for part in parts] == GOLDEN_MAXIMA


GOLDEN_SUMS = [2.179, 1.832, 1.615, 1.731]
GOLDEN_MAXIMA = [0.0369, 0.1838, 0.1662, 0.1612]
