from __future__ import annotations

import dataclasses
import json
import shutil
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from stylesearch.errors import ConfigError, SpaceError
from stylesearch.extractors import load_extractor
from stylesearch.files import sha256_file
from stylesearch.kinds.head import CARD, WEIGHTS, HeadFeatures, KindHead, kind_distances

FEATURES = HeadFeatures("net", 8, "top", "none", "ab12", (2, 5))
KINDS = ("hat", "shoes", "not a garment")


def hand_made() -> KindHead:
    matrix = np.array([[1, 0, -1], [0, 2, 0]], np.float32)
    return KindHead(KINDS, FEATURES, [(matrix, np.array([0, 0, 0.5], np.float32))])


def test_roots_keep_their_signs_and_have_length_one() -> None:
    found = hand_made().predict(np.array([[9, -16]], np.float32))
    roots = np.array([3, -4]) / 5
    numbers = np.array([roots[0], 2 * roots[1], 0.5 - roots[0]])
    np.testing.assert_allclose(found[0], np.exp(numbers) / np.exp(numbers).sum(), rtol=1e-6)
    assert found.dtype == np.float32


def test_a_hidden_layer_drops_negative_numbers() -> None:
    first = (np.array([[1, -1], [1, -1]], np.float32), np.zeros(2, np.float32))
    second = (np.array([[2, 0], [0, 2]], np.float32), np.zeros(2, np.float32))
    head = KindHead(("a", "b"), FEATURES, [first, second])
    np.testing.assert_allclose(
        head.predict(np.array([[1, 0]], np.float32)),
        [[np.e**2 / (np.e**2 + 1), 1 / (np.e**2 + 1)]],
        rtol=1e-6,
    )


def test_probabilities_do_not_depend_on_colors_scale_neighbours_or_number_of_rows() -> None:
    head, rng = hand_made(), np.random.default_rng(0)
    features = rng.standard_normal((200, 2)).astype(np.float32)
    found = head.predict(features)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-6)
    with_colors = np.concatenate([features, rng.random((200, 3), np.float32)], axis=1)
    np.testing.assert_array_equal(head.predict(with_colors), found)
    np.testing.assert_allclose(head.predict(features * 7), found, rtol=1e-5)
    np.testing.assert_allclose(head.predict(features[:1]), found[:1], rtol=1e-5)


def test_features_of_zeros_and_no_features() -> None:
    head = hand_made()
    numbers = np.exp([0, 0, 0.5])
    np.testing.assert_allclose(
        head.predict(np.zeros((1, 2), np.float32))[0], numbers / numbers.sum(), rtol=1e-6
    )
    assert head.predict(np.zeros((0, 2), np.float32)).shape == (0, 3)


@pytest.mark.parametrize("shape", [(1, 3), (1, 1), (2,), (1, 1, 2)])
def test_other_widths_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(SpaceError, match=r"\(n, 2\) or \(n, 5\)"):
        hand_made().predict(np.zeros(shape, np.float32))


@pytest.mark.parametrize(
    "layers",
    [
        [],
        [(np.zeros((3, 3)), np.zeros(3))],
        [(np.zeros((2, 2)), np.zeros(2))],
        [(np.zeros((2, 3)), np.zeros(2))],
        [(np.zeros((2, 4)), np.zeros(4)), (np.zeros((5, 3)), np.zeros(3))],
    ],
)
def test_layers_that_do_not_fit_are_refused(layers: list[tuple[np.ndarray, np.ndarray]]) -> None:
    with pytest.raises(SpaceError):
        KindHead(KINDS, FEATURES, layers)


def test_kind_distances_are_cosine_distances_of_roots() -> None:
    rng = np.random.default_rng(1)
    photos, images = (rng.dirichlet(np.ones(4), n).astype(np.float32) for n in (3, 5))
    found = kind_distances(photos, images)
    np.testing.assert_allclose(found, 1 - np.sqrt(photos) @ np.sqrt(images).T, atol=1e-6)
    assert found.shape == (3, 5)
    np.testing.assert_allclose(kind_distances(photos, photos).diagonal(), 0, atol=1e-6)
    assert kind_distances(photos, photos).min() >= 0


def test_the_shipped_head_is_the_one_its_card_describes() -> None:
    place = Path(str(files("stylesearch.kinds")))
    card = json.loads((place / CARD).read_text())
    assert sha256_file(place / WEIGHTS) == card["weights_sha256"]
    assert (place / WEIGHTS).stat().st_size < 80_000
    head = KindHead.load()
    assert head.kinds == tuple(card["kinds"])
    assert head.kinds[-1] == "not a garment"
    assert card["scores on test"]["photos"]["right"] >= 0.85
    assert head.predict(np.ones((2, 1388), np.float32)).shape == (2, len(head.kinds))


def test_the_shipped_head_is_for_the_default_extractor_with_and_without_colors() -> None:
    head = KindHead.load()
    for name in ("efficientnet-lite0@320", "efficientnet-lite0@320+colors"):
        extractor = load_extractor(name)
        head.check_features(extractor.name, extractor.parameters, extractor.weights_digest)
        assert extractor.dim in head.features.widths


@pytest.mark.parametrize(
    ("name", "weights"),
    [
        ("efficientnet-lite0@224", None),
        ("efficientnet-lite0@320", "random"),
        ("resnet50", "random"),
        ("whitebox", None),
    ],
)
def test_other_extractors_are_refused(name: str, weights: str | None) -> None:
    head, extractor = KindHead.load(), load_extractor(name, weights=weights)
    assert not head.is_for(extractor.name, extractor.parameters, extractor.weights_digest)
    with pytest.raises(ConfigError, match="efficientnet-lite0@320"):
        head.check_features(extractor.name, extractor.parameters, extractor.weights_digest)


@pytest.mark.parametrize("change", ["extractor", "input_size", "layer", "preprocessing", "weights_digest"])
def test_everything_that_decides_features_is_compared(change: str) -> None:
    parameters = {"input_size": 8, "layer": "top", "preprocessing": "none", "colors": {"dim": 3}}
    assert FEATURES.is_of("net+colors", parameters, "ab12")
    other = dataclasses.replace(FEATURES, **{change: 9 if change == "input_size" else "other"})
    assert not other.is_of("net+colors", parameters, "ab12")


def test_a_damaged_or_missing_head_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpaceError, match="cannot be read"):
        KindHead.load(tmp_path)
    for name in (CARD, WEIGHTS):
        shutil.copy(str(files("stylesearch.kinds") / name), tmp_path / name)
    assert KindHead.load(tmp_path).kinds == KindHead.load().kinds
    data = bytearray((tmp_path / WEIGHTS).read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / WEIGHTS).write_bytes(data)
    with pytest.raises(SpaceError, match="its card"):
        KindHead.load(tmp_path)
    (tmp_path / CARD).write_text("{}")
    with pytest.raises(SpaceError, match="cannot be read"):
        KindHead.load(tmp_path)


@pytest.mark.slow
@pytest.mark.data
def test_a_few_real_photos_are_named_rightly(real_photos: Path) -> None:
    from benchmarks.retrieval import gallery_features

    head = KindHead.load()
    card = json.loads((files("stylesearch.kinds") / CARD).read_text())
    paths = {
        f"{path.parent.name}/{path.name[:8]}": path for path in (real_photos / "clothing").rglob("*.jpg")
    }
    asked = [name for name in card["test photos"] if name.startswith(("pants", "shoes", "t-shirt"))][::6]
    found = [(name.partition("/")[0], paths[name]) for name in asked if name in paths]
    if len(found) < 12:
        pytest.skip("the photos of this folder are others")
    extractor = load_extractor("efficientnet-lite0@320+colors")
    probabilities = head.predict(gallery_features(extractor, [path for _, path in found]))
    named = [head.kinds[row] for row in probabilities.argmax(axis=1)]
    assert np.mean([one == kind for one, (kind, _) in zip(named, found, strict=True)]) >= 0.8
