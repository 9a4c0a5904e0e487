import numpy as np
import pytest

from stylesearch.errors import StyleSearchError, UnknownName
from stylesearch.features.region_cache import RegionCache

NAME = "ab" * 32


def test_what_is_put_in_comes_out(tmp_path):
    cache = RegionCache(tmp_path, "f" * 64, 3, "few")
    vectors = np.random.default_rng(0).random((cache.n_regions, 3), dtype=np.float32)
    assert not cache.has(NAME)
    cache.put(NAME, vectors)
    assert cache.has(NAME)
    assert np.allclose(cache.get(NAME), vectors, rtol=1e-3)
    large = vectors * np.float32(1e6)  # beyond float16, in one row only
    large[1:] = vectors[1:]
    cache.put(NAME, large)
    assert np.array_equal(cache.get(NAME), large)


def test_another_extractor_or_plan_is_another_cache(tmp_path):
    RegionCache(tmp_path, "f" * 64, 3, "few").put(NAME, np.ones((4, 3), np.float32))
    assert not RegionCache(tmp_path, "e" * 64, 3, "few").has(NAME)
    assert not RegionCache(tmp_path, "f" * 64, 3, "street").has(NAME)
    with pytest.raises(UnknownName, match="street"):
        RegionCache(tmp_path, "f" * 64, 3, "stret")


def test_a_file_that_is_cut_short_counts_as_missing(tmp_path):
    cache = RegionCache(tmp_path, "f" * 64, 3, "whole")
    cache.put(NAME, np.ones((1, 3), np.float32))
    (file,) = (path for path in tmp_path.rglob("*") if path.is_file())
    file.write_bytes(file.read_bytes()[:-1])
    assert not cache.has(NAME)
    with pytest.raises(StyleSearchError, match="damaged"):
        cache.get(NAME)


def test_photos_with_a_person_have_fewer_regions(tmp_path):
    cache = RegionCache(tmp_path, "f" * 64, 3, "person")
    assert cache.n_regions == 9
    for n_regions in (5, 6, 7, 9):
        name = f"{n_regions:02}" * 32
        vectors = np.random.default_rng(0).random((n_regions, 3), dtype=np.float32) * np.float32(1e6)
        cache.put(name, vectors)
        assert cache.has(name)
        assert np.array_equal(cache.get(name), vectors)
    cache.put(NAME, np.ones((8, 3), np.float32))
    assert not cache.has(NAME)
