"""Contract tests of extractors, as a class to inherit from."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from stylesearch.array_types import Features, Images
from stylesearch.errors import ExtractorError
from stylesearch.extractors.base import Extractor

__all__ = ["ExtractorContract"]


class ExtractorContract:
    """Tests of one extractor: inherit, and give it the fixture ``extractor``.

    ```python
    class TestMyExtractor(ExtractorContract):
        @pytest.fixture(scope="class")
        @classmethod
        def extractor(cls):
            return MyExtractor()
    ```

    Attributes:
        min_cosine: smallest cosine between two vectors of an image that were computed in different batches.
        max_relative_difference: largest difference of an element of these, relative to the largest element of
            the vector.
    """

    min_cosine = 0.99999
    max_relative_difference = 0.01

    def test_is_an_extractor(self, extractor: Extractor) -> None:
        assert isinstance(extractor, Extractor)
        assert extractor.dim > 0, "a vector has a width"
        assert extractor.input_size > 0, "a picture has a size"
        assert extractor.concurrency >= 1, "one thread at least may call it"

    def test_fingerprint_is_a_sha256(self, extractor: Extractor) -> None:
        assert len(extractor.fingerprint) == 64
        assert set(extractor.fingerprint) <= set("0123456789abcdef")

    def test_declared_dim_float32_finite(self, extractor: Extractor) -> None:
        features = extractor.extract(self.images(extractor, 3))
        assert isinstance(features, np.ndarray)
        assert features.shape == (3, extractor.dim)
        assert features.dtype == np.float32
        assert np.isfinite(features).all()

    def test_other_images_give_other_vectors(self, extractor: Extractor) -> None:
        features = extractor.extract(self.images(extractor, 3))
        assert not np.array_equal(features[0], features[1])
        assert not np.array_equal(features[1], features[2])

    def test_batch_equals_one_by_one(self, extractor: Extractor) -> None:
        images = self.images(extractor, 5)
        together = extractor.extract(images)
        alone = np.concatenate([extractor.extract(images[i : i + 1]) for i in range(5)])
        self.assert_alike(together, alone)

    def test_order_is_kept(self, extractor: Extractor) -> None:
        images = self.images(extractor, 5)
        order = np.array([4, 0, 2, 1, 3])
        self.assert_alike(extractor.extract(images)[order], extractor.extract(images[order]))

    def test_same_again(self, extractor: Extractor) -> None:
        images = self.images(extractor, 2)
        self.assert_alike(extractor.extract(images), extractor.extract(images))

    def test_input_is_untouched(self, extractor: Extractor) -> None:
        images = self.images(extractor, 3)
        before = images.copy()
        images.flags.writeable = False
        extractor.extract(images)
        assert np.array_equal(images, before)

    def test_output_is_the_callers(self, extractor: Extractor) -> None:
        images = self.images(extractor, 3)
        first = extractor.extract(images)
        kept = first.copy()
        extractor.extract(images[::-1])
        assert np.array_equal(first, kept), "a later call changed an array that was returned before"
        first[...] = 0.0
        self.assert_alike(extractor.extract(images), kept)

    def test_strided_input(self, extractor: Extractor) -> None:
        images = self.images(extractor, 6)
        expected = extractor.extract(np.ascontiguousarray(images[::2, :, ::-1]))
        self.assert_alike(extractor.extract(images[::2, :, ::-1]), expected)

    def test_empty_batch(self, extractor: Extractor) -> None:
        features = extractor.extract(self.images(extractor, 0))
        assert features.shape == (0, extractor.dim)
        assert features.dtype == np.float32

    def test_refuses_other_arrays(self, extractor: Extractor) -> None:
        images = self.images(extractor, 1)
        size = extractor.input_size
        wrongs: tuple[npt.NDArray[Any], ...] = (
            images.astype(np.float32),
            images.astype(np.int64),
            images[0],
            images[..., :1],
            images[:, :-1],
            np.zeros((1, 3, size, size), np.uint8) if size != 3 else images[:, :1],
            np.zeros((0, size + 1, size + 1, 3), np.uint8),
        )
        for wrong in wrongs:
            try:
                extractor.extract(wrong)
            except ExtractorError as error:
                assert str(wrong.dtype) in str(error), "the message says what was received"
                assert str(wrong.shape) in str(error), "the message says what was received"
            else:
                raise AssertionError(f"accepted {wrong.dtype} of shape {wrong.shape}")

    def test_threads(self, extractor: Extractor) -> None:
        batches = [self.images(extractor, n, seed=n) for n in (1, 2, 3, 1, 2)]
        expected = [extractor.extract(batch) for batch in batches]
        with ThreadPoolExecutor(4) as threads:
            found = list(threads.map(extractor.extract, batches))
        for one, other in zip(expected, found, strict=True):
            self.assert_alike(one, other)

    @staticmethod
    def images(extractor: Extractor, n: int, seed: int = 0) -> Images:
        """Draws ``n`` images that differ: a shaded background and a rectangle, each with its own color."""
        rng = np.random.default_rng(seed)
        size = extractor.input_size
        shade = np.linspace(0.5, 1.0, size)[:, None, None]
        images = np.empty((n, size, size, 3), np.uint8)
        for image in images:
            image[...] = shade * rng.integers(64, 256, 3)
            top, left = rng.integers(0, size // 2, 2)
            image[top : top + size // 2, left : left + size // 2] = rng.integers(0, 256, 3)
        return images

    def assert_alike(self, one: Features, other: Features) -> None:
        """Asserts that vectors are the same, except for rounding."""
        assert one.shape == other.shape
        for a, b in zip(_exact(one), _exact(other), strict=True):
            largest = max(np.abs(a).max(), np.abs(b).max())
            assert largest > 0, "a vector of zeros says nothing"
            cosine = float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))
            assert cosine >= self.min_cosine, f"cosine {cosine}"
            assert np.abs(a - b).max() <= self.max_relative_difference * largest


def _exact(features: Features) -> npt.NDArray[np.float64]:
    return features.astype(np.float64)
