"""What levers are measured with: ranks, axes, re-ranking, and values that are chosen on other products."""

import numpy as np
import pytest
from PIL import Image

from benchmarks.lever_colors import HISTOGRAMS, Histogram
from benchmarks.lever_features import MORE, STREET, Kept, places_of
from benchmarks.lever_vectors import Principal, product_ranks, region_distances, resampled_gain, unit
from benchmarks.levers import cross_chosen
from benchmarks.photo_tests import in_other_light, photo_tests
from benchmarks.reranking import Neighbours, jaccard_distances
from benchmarks.retrieval import difference, ranks_of
from stylesearch.images.regions import REGION_PLANS
from stylesearch.spaces import fit_transform
from stylesearch.testing import FakeExtractor


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def test_ranks_are_those_of_retrieval(rng):
    gallery = rng.normal(size=(30, 8)).astype(np.float32)
    photos = rng.normal(size=(12, 3, 8)).astype(np.float32)
    products = [f"p{number % 11}" for number in range(30)]
    right = [f"p{number % 11}" for number in range(12)]
    for metric in ("l1", "l2", "cosine"):
        found = product_ranks(region_distances(photos, gallery, metric).min(axis=1), products, right)
        np.testing.assert_array_equal(found, ranks_of(photos, right, gallery, products, metric))


def test_ties_count_half():
    ranks = product_ranks(np.zeros((1, 3)), ["a", "b", "c"], ["b"])
    assert ranks.tolist() == [1.0]


def test_axes_of_the_library_are_among_those_of_the_levers(rng):
    features = np.abs(rng.normal(size=(200, 40))).astype(np.float32)
    transform = fit_transform("whitened", iter([features]), dim_in=40, n_rows=200)
    axes = Principal.of(features)
    ours = axes.apply(features, transform.dim, 0.5)
    # An axis has no direction of its own.
    np.testing.assert_allclose(np.abs(ours), np.abs(transform.apply(features)), atol=2e-3)


def test_full_strength_makes_all_axes_equal(rng):
    features = rng.normal(size=(300, 10)).astype(np.float32)
    moved = Principal.of(features).apply(features, 4, 1.0)
    np.testing.assert_allclose(np.cov(moved, rowvar=False, bias=True), np.eye(4), atol=1e-3)


def test_gain_is_drawn_by_product():
    gained = np.repeat([1.0, 0.0], 50)
    alone = resampled_gain(gained, [str(number) for number in range(100)])
    together = resampled_gain(gained, ["a"] * 50 + ["b"] * 50)
    assert alone[0] == together[0] == 0.5
    assert together[1:] == (0.0, 1.0)
    assert 0.38 < alone[1] < alone[2] < 0.62


def test_gain_of_single_photos_is_that_of_retrieval(rng):
    ours, usual = rng.integers(0, 40, 80).astype(float), rng.integers(0, 40, 80).astype(float)
    gained = 100 * ((ours < 20).astype(float) - (usual < 20))
    found = resampled_gain(gained, [f"{number:03}" for number in range(80)])
    assert found == pytest.approx(difference(ours, usual, 20))


def test_values_are_chosen_on_the_other_half():
    half = {"one": np.array([0, 0, 1, 1])}
    found = {
        "good on 0": {"one": np.array([0.0, 0, 99, 99])},
        "good on 1": {"one": np.array([99.0, 99, 0, 0])},
    }
    ranks, values = cross_chosen(found, half)
    assert values == ["good on 1", "good on 0"]
    assert ranks["one"].tolist() == [99, 99, 99, 99]  # what only fits one half must not pay


def _reciprocal(order, i, k):
    forward = order[i, : k + 1]
    return forward[[i in order[j, : k + 1] for j in forward]]


def _jaccard_as_published(distances, k1, k2):
    """The loops of the authors' program, for the query number 0."""
    n = len(distances)
    order = np.argsort(distances - 2 * np.eye(n), axis=1, kind="stable")
    encoded = np.zeros((n, n))
    for i in range(n):
        near = _reciprocal(order, i, k1)
        members = near
        for candidate in near:
            of_candidate = _reciprocal(order, candidate, round(k1 / 2))
            if len(np.intersect1d(of_candidate, near)) > 2 / 3 * len(of_candidate):
                members = np.append(members, of_candidate)
        members = np.unique(members)
        weight = np.exp(-distances[i, members] / distances[i].max())
        encoded[i, members] = weight / weight.sum()
    if k2 > 1:
        encoded = np.stack([encoded[order[i, :k2]].mean(axis=0) for i in range(n)])
    smaller = np.minimum(encoded[0], encoded[1:]).sum(axis=1)
    return 1 - smaller / (2 - smaller)


@pytest.mark.parametrize(("k1", "k2"), [(4, 1), (6, 3), (20, 6)])
def test_reranking_is_as_published(rng, k1, k2):
    vectors = unit(rng.normal(size=(41, 5)).astype(np.float32)).astype(float)
    distances = 1 - vectors @ vectors.T
    np.fill_diagonal(distances, 0)
    found = jaccard_distances(Neighbours(distances[0, 1:], distances[1:, 1:]), k1, k2)
    np.testing.assert_allclose(found, _jaccard_as_published(distances, k1, k2), atol=1e-6)


def test_reranking_prefers_what_shares_the_photos_neighbours():
    # By angles around the photo at 0: nearest is one of a crowd, to which the photo is a stranger; a little
    # further on the other side are two that have the photo among their own nearest.
    crowd, pair = [-10.0, -10.5, -11.0, -11.5, -12.0, -12.5], [10.6, 13.0]
    angles = np.radians(np.array(crowd + pair))
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    before = 1 - vectors @ np.array([1, 0], np.float32)
    assert before.argmin() == 0
    found = jaccard_distances(Neighbours(before, 1 - vectors @ vectors.T), 3, 1)
    assert found.shape == (8,)
    assert ((found >= 0) & (found <= 1)).all()
    assert set(found.argsort()[:2].tolist()) == {6, 7}
    assert found[6] < found[0]


def test_plans_of_the_library_are_measured():
    for plan in ("whole", "few", "street"):
        assert [MORE[place] for place in places_of(REGION_PLANS[plan])] == list(REGION_PLANS[plan])
    assert len(set(MORE)) == len(MORE) > len(STREET)


@pytest.mark.parametrize("histogram", HISTOGRAMS, ids=lambda one: one.fingerprint)
def test_histograms_tell_colors_apart_and_leave_white_out(histogram):
    squares = np.full((4, 64, 64, 3), 255, np.uint8)
    squares[0, 20:44, 20:44] = (200, 30, 30)
    squares[1, 26:40, 26:40] = (200, 30, 30)
    squares[2, 20:44, 20:44] = (30, 30, 200)
    found = histogram.extract(squares)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), [1, 1, 1, 0], atol=1e-5)
    np.testing.assert_allclose(found[0], found[1], atol=1e-5)
    assert found[0] @ found[2] < 0.5


def test_the_middle_of_a_square_may_count_alone():
    square = np.full((1, 64, 64, 3), (30, 30, 200), np.uint8)
    square[0, 13:51, 13:51] = (200, 30, 30)
    assert (Histogram("Lab 25", 0.6).extract(square) > 0).sum() == 1
    assert (Histogram("Lab 25").extract(square) > 0).sum() == 2


class _Counting:
    """A fake extractor that says how many pictures it was asked for."""

    concurrency = 1

    def __init__(self):
        self.fake, self.n_asked = FakeExtractor(), 0
        self.fingerprint, self.input_size = self.fake.fingerprint, self.fake.input_size

    def extract(self, images):
        self.n_asked += len(images)
        return self.fake.extract(images)


def test_features_are_computed_once(drawn_shop, tmp_path):
    paths = sorted((drawn_shop / "street").glob("*.jpg"))[:3]
    source = _Counting()
    found = Kept(tmp_path).regions(source, paths, STREET)
    assert found.shape == (3, len(STREET), source.fake.dim)
    assert source.n_asked == 3 * len(STREET)
    again = Kept(tmp_path).regions(source, paths, STREET)
    np.testing.assert_array_equal(found, again)
    assert source.n_asked == 3 * len(STREET)
    Kept(tmp_path).regions(source, paths, STREET, mirrored=True)
    assert source.n_asked == 6 * len(STREET)


def test_other_light_is_other_light(drawn_shop, tmp_path, monkeypatch):
    monkeypatch.delenv("STYLESEARCH_TEST_DATA", raising=False)
    test = photo_tests(tmp_path, 3, drawn_shop)["drawn"]
    lit = in_other_light(test, tmp_path / "light")
    assert (lit.right, lit.gallery, lit.products) == (test.right, test.gallery, test.products)
    for before, after in zip(test.photos, lit.photos, strict=True):
        one, other = (np.asarray(Image.open(path).convert("RGB")).astype(float) for path in (before, after))
        assert one.shape == other.shape
        assert np.abs(one - other).mean() > 2
    again = in_other_light(test, tmp_path / "again")
    assert [path.read_bytes() for path in again.photos] == [path.read_bytes() for path in lit.photos]


def test_a_drawn_shop_is_a_test(drawn_shop, tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("STYLESEARCH_TEST_DATA", raising=False)
    tests = photo_tests(tmp_path, 5, drawn_shop)
    assert list(tests) == ["drawn"]
    assert len(tests["drawn"].gallery) == len(set(tests["drawn"].products)) == 5
    assert set(tests["drawn"].right) <= set(tests["drawn"].products)
    assert "STYLESEARCH_TEST_DATA" in capsys.readouterr().out
