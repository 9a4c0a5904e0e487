"""Indexes that are searched together answer as one index of all their vectors would."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stylesearch.array_types import Floats, Ids
from stylesearch.distance import METRICS, nearest_to_any
from stylesearch.errors import IndexDamaged
from stylesearch.index import joint
from stylesearch.index.annoy_forest import annoy_works
from stylesearch.index.category_indexes import CategoryIndexes, Nearest, OpenIndex
from stylesearch.index.index_files import REDUCED
from stylesearch.testing.index_contract import feature_like
from stylesearch.vectors import normalize_rows

DIM = 24
SIZES = {"bag": 40, "coat": 700, "dress": 8000, "hat": 300, "skirt": 1100}

pytestmark = pytest.mark.skipif(not annoy_works(), reason="nothing is scanned without Annoy")


def build(folder: Path, metric: str, *, signed: str = "") -> tuple[list[OpenIndex], Ids, Floats]:
    """Indexes of all categories, ids mixed among them; and ids and vectors of all, by id."""
    indexes = CategoryIndexes(folder, "space", metric, DIM)
    vectors = feature_like(sum(SIZES.values()), DIM, seed=4)
    ids = np.random.default_rng(5).permutation(len(vectors)).astype(np.int64)
    start = 0
    for category, size in SIZES.items():
        own = np.sort(ids[start : start + size])
        if category == signed:
            vectors[own] -= 0.5
        indexes.build(category, [(own, vectors[own])], transform_version="v", last_feature_id=10**6)
        start += size
    return [indexes.open(category) for category in SIZES], np.arange(len(vectors)), vectors


@pytest.mark.parametrize("metric", METRICS)
def test_they_find_the_nearest_of_all_with_exact_distances(tmp_path: Path, metric: str) -> None:
    opened, ids, vectors = build(tmp_path, metric)
    queries = vectors[[1, 3000, 9000]] + 0.01
    true, distances, rows = nearest_to_any(queries, vectors, metric, 30)
    for _ in range(2):  # at the second search the reduced vectors of small categories are scanned too
        found = joint.search_together(opened, queries, 30)
        assert len(np.intersect1d(found.ids, ids[true])) >= 29
        assert np.allclose(found.distances[:20], distances[:20], rtol=1e-4, atol=1e-5)
        assert found.rows[0] == rows[0]
    assert [one.open_reduced() is None for one in opened] == [True, False, False, False, False]


def test_a_query_that_is_like_nothing_is_answered_index_by_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, ids, vectors = build(tmp_path, "cosine")
    monkeypatch.setattr(joint, "MOST_COMPARED", 0)
    monkeypatch.setattr(joint, "TIMES_FIRST", 0)
    monkeypatch.setattr(joint, "_is_worth_a_scan", lambda *_: True)
    asked: list[str] = []
    search_any = OpenIndex.search_any

    def recorded(self: OpenIndex, *given: Any, **named: Any) -> Nearest:
        asked.append(self.manifest.category)
        return search_any(self, *given, **named)

    monkeypatch.setattr(OpenIndex, "search_any", recorded)
    queries = vectors[[1, 3000, 9000]] + 0.01
    among = [np.arange(0, one.count, 2) for one in opened]
    for slots in (None, among):
        meant = ids if slots is None else np.sort(np.concatenate([one.ids[::2] for one in opened]))
        true, distances, _ = nearest_to_any(queries, vectors[meant], "cosine", 30)
        found = joint.search_together(opened, queries, 30, among=slots)
        assert len(np.intersect1d(found.ids, meant[true])) >= 29
        assert np.allclose(found.distances[:20], distances[:20], rtol=1e-4, atol=1e-5)
        assert set(asked) >= {"coat", "dress", "skirt"}
        asked.clear()


def test_many_that_are_wanted_are_not_asked_of_each_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, _, vectors = build(tmp_path, "cosine")
    monkeypatch.setattr(joint, "MOST_COMPARED", 0)
    monkeypatch.setattr(joint, "max_candidates", lambda count: count)
    monkeypatch.delattr(OpenIndex, "search_any")
    for one in opened:
        one.open_reduced()
    query = vectors[[3000]] + 0.01
    found = joint.search_together(opened, query, 100)
    true, _, _ = nearest_to_any(query, vectors, "cosine", 100)
    assert len(np.intersect1d(found.ids, true)) >= 99


def test_scores_of_another_kind_are_not_mixed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened, _, vectors = build(tmp_path, "l1", signed="dress")  # of signed vectors no square roots are taken
    kinds = []
    scan = joint.scan_min
    monkeypatch.setattr(joint, "scan_min", lambda scans: kinds.append(len(scans)) or scan(scans))
    queries = vectors[[1, 3000]]
    found = joint.search_together(opened, queries, 10)
    assert sorted(kinds) == [1, 2]  # the hat's 300 are compared with exactly
    assert np.allclose(found.distances, nearest_to_any(queries, vectors, "l1", 10)[1], atol=1e-4)


def test_equal_distances_are_in_the_order_of_ids(tmp_path: Path) -> None:
    indexes = CategoryIndexes(tmp_path, "space", "l2", DIM)
    same = np.ones((70, DIM), np.float32)
    odd, even = np.arange(1, 140, 2), np.arange(0, 140, 2)
    for category, ids in (("a", odd), ("b", even)):
        indexes.build(category, [(ids, same)], transform_version="v", last_feature_id=200)
    found = joint.search_together([indexes.open("a"), indexes.open("b")], same[:1], 9)
    assert found.ids.tolist() == list(range(9))


def test_no_index_no_vector_and_a_wrong_query(tmp_path: Path) -> None:
    opened, _, vectors = build(tmp_path, "cosine")
    assert len(joint.search_together([], vectors[:1], 5).ids) == 0
    assert len(joint.search_together(opened, vectors[:0], 5).ids) == 0
    assert len(joint.search_together(opened, vectors[:1], 10**6).ids) == len(vectors)
    with pytest.raises(ValueError, match="finite"):
        joint.search_together(opened, np.full((1, DIM), np.nan, np.float32), 5)


def test_a_reduced_file_that_is_cut_short_is_damage(tmp_path: Path) -> None:
    opened, _, vectors = build(tmp_path, "cosine")
    (path,) = tmp_path.glob(f"skirt-*/g*/{REDUCED}")
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(IndexDamaged):
        joint.search_together(opened, vectors[:1], 5)


@pytest.mark.slow
def test_what_is_like_the_query_is_not_missed_behind_other_categories(tmp_path: Path) -> None:
    """Few images are like a query, and all others nearly equally far, in every category."""
    rng = np.random.default_rng(0)
    n_images, dim, n_categories = 8000, 400, 8
    centres = normalize_rows(rng.standard_normal((n_images // 13, dim), dtype=np.float32))
    clusters = rng.integers(len(centres), size=n_images)
    noise = rng.standard_normal((n_images, dim), dtype=np.float32) / np.float32(dim**0.5)
    vectors = normalize_rows(centres[clusters] + 0.5 * noise)
    indexes = CategoryIndexes(tmp_path, "space", "cosine", dim)
    opened = []
    for number in range(n_categories):
        ids = np.flatnonzero(clusters % n_categories == number)
        indexes.build(str(number), [(ids, vectors[ids])], transform_version="v", last_feature_id=10**6)
        opened.append(indexes.open(str(number)))
    shares = []
    for _ in range(12):
        image = vectors[[rng.integers(n_images)]]
        photo = image + 0.7 * rng.standard_normal((1, dim), dtype=np.float32) / np.float32(dim**0.5)
        true, _, _ = nearest_to_any(photo, vectors, "cosine", 20)
        shares.append(np.isin(true, joint.search_together(opened, photo, 80).ids[:20]).mean())
    assert np.mean(shares) >= 0.99
