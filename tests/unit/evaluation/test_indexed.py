"""Answers of indexes that hold more than the study's gallery."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from stylesearch.evaluation import indexed
from stylesearch.evaluation.protocol import choose
from stylesearch.evaluation.results import Columns, StudySettings
from stylesearch.features.images import list_images
from stylesearch.search.gallery import GalleryHit

ROWS = [(name, f"{name}.jpg", "shop", name) for name in "abcd"] + [("c", "street.jpg", "consumer", "s")]


@pytest.mark.parametrize(("n_kept", "nearer", "recall"), [(3, 1, 1.0), (2, 3, 2 / 3)])
def test_a_image_that_another_method_cannot_use_is_no_answer(
    make_catalog, monkeypatch, n_kept, nearer, recall
):
    """The index answers a, b, c, d; b is not in the gallery, and the answer may break off early."""
    catalog = make_catalog(ROWS)
    images = list_images(catalog)
    settings = StudySettings(methods=("fake",), metrics=("l1",), ks=(2,), n_hits=3, index=True)
    protocol = choose(images, settings).without({images[1].pk: "broken"})
    answers = [GalleryHit(one.product, one.image, 0.5 + i, 0, i) for i, one in enumerate(images[:2])]
    answers += [
        GalleryHit(one.product, one.image, 2.5 + i, 0, i)
        for i, one in enumerate(one for one in images[2:] if one.image.path != "/shop/street.jpg")
    ]
    answers = answers[: n_kept + 1] if n_kept == 3 else [answers[0], answers[1], answers[3]]
    asked = []

    class FakeGallery:
        def __init__(self, home, metric):
            pass

        def search(self, features, request, *, n_squares=0):
            assert request.exclude_image is None  # the query is a street photo
            asked.append(request.k)
            return answers[: request.k]

    monkeypatch.setattr(indexed, "Gallery", FakeGallery)
    exact = Columns(
        n_nearer=np.array([1]),
        n_tied=np.array([1]),
        average_precision=np.array([0.5]),
        right_image=np.array([1]),
        right_distance=np.array([2.5]),
        hit_images=np.array([[0, 1, 2]]),
        hit_distances=np.array([[0.5, 2.5, 3.5]]),
        hit_regions=np.zeros((1, 3), np.int64),
    )
    home = SimpleNamespace(catalog=catalog)
    queries = np.zeros((1, 1, 4), np.float32)
    found = indexed.rank_by_index(home, "l1", queries, np.array([1]), protocol, exact, settings)  # type: ignore[arg-type]
    assert asked == [4]
    expected = [0, 1, 2] if n_kept == 3 else [0, 2, -1]
    assert found.hit_images[0].tolist() == expected
    assert found.n_nearer[0] == nearer
    assert found.ann_recall is not None
    assert found.ann_recall[0] == pytest.approx(recall)
