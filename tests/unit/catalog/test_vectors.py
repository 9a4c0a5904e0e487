from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from stylesearch.catalog.vector_codec import MAX_RELATIVE_ERROR, decode_vectors, encode_vectors
from stylesearch.errors import CatalogError

any_floats = st.floats(width=32, allow_nan=False, allow_infinity=False)
half_floats = st.floats(width=16, allow_nan=False, allow_infinity=False)


def matrices(elements: st.SearchStrategy[float]) -> st.SearchStrategy[np.ndarray]:
    shapes = hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9)
    return shapes.flatmap(lambda shape: hnp.arrays(np.float32, shape, elements=elements))


@given(matrices(any_floats))
def test_any_finite_vectors_come_back_close_in_their_order(vectors: np.ndarray) -> None:
    before = vectors.copy()
    rows = encode_vectors(vectors)
    decoded = decode_vectors(rows, vectors.shape[1])
    assert encode_vectors(decoded) == rows
    lost = np.linalg.norm((decoded - vectors).astype(np.float64), axis=1)
    assert (lost <= MAX_RELATIVE_ERROR * np.linalg.norm(vectors.astype(np.float64), axis=1)).all()
    assert decoded.dtype == np.float32
    np.testing.assert_array_equal(vectors, before)


@given(matrices(any_floats))
def test_float32_comes_back_exactly(vectors: np.ndarray) -> None:
    decoded = decode_vectors(encode_vectors(vectors, "float32"), vectors.shape[1])
    np.testing.assert_array_equal(decoded, vectors)


@given(matrices(half_floats))
def test_what_float16_can_hold_comes_back_exactly_and_twice_encoding_changes_nothing(
    vectors: np.ndarray,
) -> None:
    rows = encode_vectors(vectors)
    decoded = decode_vectors(rows, vectors.shape[1])
    np.testing.assert_array_equal(decoded, vectors)
    assert encode_vectors(decoded) == rows


def test_every_float16_is_decoded_as_numpy_does() -> None:
    halves = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    finite = halves[np.isfinite(halves)].reshape(-1, 2)
    decoded = decode_vectors([row.astype("<f2").tobytes() for row in finite], 2)
    np.testing.assert_array_equal(decoded, finite.astype(np.float32))


@pytest.mark.parametrize("large", [65_520.0, 1e9, -1e30])
def test_a_vector_with_large_numbers_is_stored_as_float32_and_its_neighbours_are_not(large: float) -> None:
    vectors = np.array([[1, 2, 3], [1, large, 3], [4, 5, 6]], np.float32)
    rows = encode_vectors(vectors)
    assert [len(row) for row in rows] == [6, 12, 6]
    np.testing.assert_array_equal(decode_vectors(rows, 3), vectors)


def test_a_vector_of_tiny_numbers_keeps_its_digits() -> None:
    vectors = np.array([[1e-8, 3e-8, 2e-8]], np.float32)
    np.testing.assert_array_equal(decode_vectors(encode_vectors(vectors), 3), vectors)


def test_tiny_numbers_beside_ordinary_ones_do_not_double_the_size() -> None:
    assert [len(row) for row in encode_vectors(np.array([[1e-8, 0.5, 2.0]]))] == [6]


def test_zeros_are_stored_as_float16() -> None:
    rows = encode_vectors(np.zeros((2, 3), np.float32))
    assert rows == [bytes(6), bytes(6)]


def test_bytes_are_little_endian() -> None:
    assert encode_vectors(np.array([[1.0, 2.0]]))[0] == b"\x00\x3c\x00\x40"
    assert encode_vectors(np.array([[1.0]]), "float32")[0] == b"\x00\x00\x80\x3f"


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e39])
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_numbers_that_are_not_finite_are_refused(bad: float, dtype: str) -> None:
    with pytest.raises(CatalogError, match=r"not finite \(row 1 of 2\)"):
        encode_vectors(np.array([[1.0, 2.0], [3.0, bad]]), dtype)


def test_no_vectors() -> None:
    assert encode_vectors(np.empty((0, 4), np.float32)) == []
    assert decode_vectors([], 4).shape == (0, 4)


@pytest.mark.parametrize("length", [0, 5, 10])
def test_bytes_of_another_width_are_refused(length: int) -> None:
    with pytest.raises(CatalogError, match=f"{length} bytes where 3 numbers take 6 or 12"):
        decode_vectors([bytes(6), bytes(length)], 3)


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="one of float16, float32"):
        encode_vectors(np.zeros((1, 2)), "float64")
    with pytest.raises(ValueError, match=r"shape \(n, dim\)"):
        encode_vectors(np.zeros(2))
