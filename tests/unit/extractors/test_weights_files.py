"""Weights come back from every kind of file, and files of other networks are refused with the reason."""

import json
import subprocess
import zipfile

import keras
import numpy as np
import pytest

from stylesearch.errors import WeightsMismatch
from stylesearch.extractors.backbones import BACKBONES
from stylesearch.extractors.efficientnet_lite import assign_torch_weights, efficientnet_lite
from stylesearch.extractors.keras_models import backbone_graph
from stylesearch.extractors.weight_files import _snake_case, assign_weights
from stylesearch.extractors.weights import WeightsSource, find_weights
from stylesearch.files import sha256_file

# Keras itself, when it saves a model.
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.slow,
]


def source(path):
    return WeightsSource(sha256_file(path), path)


def network(*, width=4, top=True, names=True, classes=3):
    """A small one with everything that matters: several layers of a class, batch statistics, a classifier."""

    def name(text):
        return text if names else None

    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(width, 3, name=name("conv_a"))(inputs)
    x = keras.layers.BatchNormalization(name=name("norm_a"))(x)
    x = keras.layers.ReLU(name=name("relu"))(x)
    x = keras.layers.DepthwiseConv2D(3, name=name("depthwise"))(x)
    x = keras.layers.Conv2D(5, 1, use_bias=False, name=name("conv_b"))(x)
    x = keras.layers.Flatten(name=name("flatten"))(x)
    x = keras.layers.Dense(6, name=name("fc1"))(x)
    if top:
        x = keras.layers.Dense(classes, name=name("predictions"))(x)
    model = keras.Model(inputs, x, name="small")
    rng = np.random.default_rng(0)
    for variable in model.weights:
        variable.assign(rng.uniform(0.1, 1, variable.shape))
    return model


def blank(**options):
    model = network(**options)
    for variable in model.weights:
        variable.assign(np.zeros(variable.shape))
    return model


def save_keras2(model, path):
    import h5py
    from keras.src.legacy.saving.legacy_h5_format import save_weights_to_hdf5_group

    with h5py.File(path, "w") as file:
        save_weights_to_hdf5_group(file, model)


def save(model, path):
    if path.suffix == ".keras":
        model.save(path)
    elif path.name.endswith(".weights.h5"):
        model.save_weights(path)
    elif path.stem == "whole":
        model.save(path)  # a whole model as Keras 2 kept it
    else:
        save_keras2(model, path)
    return path


@pytest.mark.parametrize("name", ["keras2.h5", "whole.h5", "keras3.weights.h5", "model.keras"])
@pytest.mark.parametrize("names", [True, False])
@pytest.mark.parametrize("top", [True, False])
def test_weights_come_back(tmp_path, name, names, top):
    saved = network(names=names, top=top)
    graph = blank(names=names, top=False)
    assign_weights(graph, source(save(saved, tmp_path / name)))
    assert len(graph.weights) == 11
    for found, expected in zip(graph.weights, saved.weights, strict=False):
        np.testing.assert_array_equal(np.asarray(found), np.asarray(expected))


@pytest.mark.parametrize("name", ["keras2.h5", "keras3.weights.h5", "model.keras"])
def test_another_width_is_refused_and_nothing_is_set(tmp_path, name):
    graph = blank(width=4, top=False)
    path = save(network(width=6), tmp_path / name)
    with pytest.raises(WeightsMismatch, match=r"conv_a wants .*\(3, 3, 3, 4\).*\(3, 3, 3, 6\)"):
        assign_weights(graph, source(path))
    assert not any(np.asarray(variable).any() for variable in graph.weights)


def test_the_differences_are_counted(tmp_path):
    with pytest.raises(WeightsMismatch, match="and 1 more"):
        assign_weights(blank(width=4), source(save(network(width=6), tmp_path / "a.h5")))


@pytest.mark.parametrize("name", ["resnet_notop.h5", "resnet_notop.weights.h5"])
def test_a_file_without_the_layer_is_refused_with_what_to_do(tmp_path, name):
    whole = network()
    without_top = keras.Model(whole.inputs, whole.get_layer("conv_b").output)
    path = save(without_top, tmp_path / name)
    with pytest.raises(WeightsMismatch, match="fc1") as error:
        assign_weights(blank(top=False), source(path))
    assert name.replace("_notop", "") in error.value.hint


@pytest.mark.parametrize("name", ["a.h5", "a.weights.h5", "a.keras"])
def test_a_truncated_file_is_refused(tmp_path, name):
    path = save(network(), tmp_path / name)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(WeightsMismatch, match="cannot be read"):
        assign_weights(blank(), source(path))


@pytest.mark.parametrize("name", ["a.h5", "a.weights.h5", "a.keras", "a.pth"])
def test_other_files_are_refused(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"not weights at all" * 100)
    with pytest.raises(WeightsMismatch, match="cannot be read"):
        assign_weights(blank(), source(path))


def test_an_hdf5_file_of_something_else_is_refused(tmp_path):
    import h5py

    path = tmp_path / "table.h5"
    with h5py.File(path, "w") as file:
        file["temperatures"] = np.arange(5)
    with pytest.raises(WeightsMismatch, match="conv_a"):
        assign_weights(blank(), source(path))


def test_a_keras2_file_with_holes_is_refused(tmp_path):
    import h5py

    path = save(network(), tmp_path / "a.h5")
    with h5py.File(path, "a") as file:
        del file["norm_a"]
    with pytest.raises(WeightsMismatch, match="not laid out"):
        assign_weights(blank(), source(path))


def test_a_file_that_was_replaced_since_is_refused(tmp_path):
    path = save(network(), tmp_path / "a.h5")
    before = source(path)
    save(network(width=5), path)
    with pytest.raises(WeightsMismatch, match="sha256"):
        assign_weights(blank(), before)


def test_a_keras_file_is_read_without_its_description(tmp_path):
    """Weights from a .keras file never build the model in it, so nothing in its description can run."""
    path = save(network(), tmp_path / "a.keras")
    with zipfile.ZipFile(path) as archive:
        weights = archive.read("model.weights.h5")
    evil = tmp_path / "evil.keras"
    with zipfile.ZipFile(evil, "w") as archive:
        archive.writestr("config.json", json.dumps({"class_name": "Lambda", "module": "os"}))
        archive.writestr("model.weights.h5", weights)
    graph = blank(top=False)
    assign_weights(graph, source(evil))
    assert np.asarray(graph.weights[0]).all()


def test_random_weights_are_the_same_for_a_seed():
    one, same, other = (blank(top=False) for _ in range(3))
    assign_weights(one, WeightsSource("random:1", seed=1))
    assign_weights(same, WeightsSource("random:1", seed=1))
    assign_weights(other, WeightsSource("random:2", seed=2))
    np.testing.assert_array_equal(np.asarray(one.weights[0]), np.asarray(same.weights[0]))
    assert not np.array_equal(np.asarray(one.weights[0]), np.asarray(other.weights[0]))


def test_a_real_network_with_generated_layer_names(tmp_path):
    """InceptionV3's layers are called conv2d_17 and the like, by what was built before in the process."""
    row = BACKBONES["inceptionv3"]
    saved = backbone_graph(row, 75)
    assign_weights(saved, WeightsSource("random:3", seed=3))
    save_keras2(saved, tmp_path / "inception.h5")
    saved.save_weights(tmp_path / "inception.weights.h5")
    graph = backbone_graph(row, 75)
    assert graph.layers[1].name != saved.layers[1].name
    for name in ("inception.h5", "inception.weights.h5"):
        assign_weights(graph, WeightsSource("random:4", seed=4))
        assign_weights(graph, source(tmp_path / name))
        for found, expected in zip(graph.weights, saved.weights, strict=True):
            np.testing.assert_array_equal(np.asarray(found), np.asarray(expected))


@pytest.mark.parametrize(
    "layer",
    [keras.layers.Conv2D, keras.layers.BatchNormalization, keras.layers.DepthwiseConv2D, keras.layers.ReLU],
)
def test_layers_are_counted_under_keras_names(layer):
    from keras.src.utils.naming import to_snake_case

    assert _snake_case(layer.__name__) == to_snake_case(layer.__name__)


def test_torch_weights_of_another_network_are_refused():
    graph = efficientnet_lite("efficientnet-lite0", 32)
    with pytest.raises(WeightsMismatch, match=r"_conv_stem\.weight is missing"):
        assign_torch_weights(graph, {"fc.weight": np.zeros((3, 3))})


def test_torch_weights_of_another_shape_are_refused():
    from stylesearch.extractors.torch_legacy import read_legacy_state_dict

    tensors = read_legacy_state_dict(find_weights(BACKBONES["efficientnet-lite0"]).path)
    tensors["_blocks.3._expand_conv.weight"] = np.zeros((144, 23, 1, 1), np.float32)
    with pytest.raises(WeightsMismatch, match=r"_blocks\.3\._expand_conv\.weight is \(1, 1, 23, 144\)"):
        assign_torch_weights(efficientnet_lite("efficientnet-lite0", 32), tensors)


def hostile_arrays(file):
    """Arrays that are no plain ones, by what is wrong with them."""
    import h5py

    def huge_chunks(group, name, shape):
        group.create_dataset(
            name, shape, "f4", chunks=(1 << 16, 1 << 13)[: len(shape)], maxshape=(None,) * len(shape)
        )

    def long_texts(group, name, shape):
        group.create_dataset(name, shape, "S100000000")

    def elsewhere(group, name, shape):
        size = int(np.prod(shape)) * 4
        group.create_dataset(name, shape, "f4", external=[("/etc/hostname", 0, size)])

    def other_file(group, name, shape):
        with h5py.File(file.with_name("other.h5"), "w") as other:
            other.create_dataset("x", shape, "f4")
        group[name] = h5py.ExternalLink(str(file.with_name("other.h5")), "x")

    return [huge_chunks, long_texts, elsewhere, other_file]


@pytest.mark.parametrize("number", range(4))
def test_arrays_that_are_more_than_their_elements_are_refused(tmp_path, number):
    import h5py

    path = tmp_path / "weights.h5"
    save(network(), path)
    with h5py.File(path, "r+") as file:
        names = []
        file.visititems(lambda name, found: names.append(name) if isinstance(found, h5py.Dataset) else None)
        name = next(one for one in names if len(file[one].shape) == 2)
        shape = file[name].shape
        del file[name]
        hostile_arrays(path)[number](file, name, shape)
    with pytest.raises(WeightsMismatch, match=r"weights\.h5"):
        assign_weights(blank(), source(path))


def test_a_list_of_a_billion_names_is_not_read(tmp_path):
    import h5py

    path = tmp_path / "weights.h5"
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = np.zeros(500, "S1500")[:40]
    with pytest.raises(WeightsMismatch, match="names that are too long"):
        assign_weights(blank(), source(path))


def test_names_of_a_fixed_length_are_read_in_this_process(tmp_path, monkeypatch):
    import h5py

    path = save(network(), tmp_path / "weights.h5")
    with h5py.File(path, "r+") as file:
        for group in (file, *(file[name] for name in file)):
            for attribute in {"layer_names", "weight_names"} & set(group.attrs):
                if not len(group.attrs[attribute]):  # of a layer without weights
                    continue
                assert group.attrs.get_id(attribute).dtype.hasobject  # as the other tests have them
                texts = [one if isinstance(one, bytes) else one.encode() for one in group.attrs[attribute]]
                del group.attrs[attribute]
                group.attrs[attribute] = np.array(texts, "S60")
    monkeypatch.setattr(subprocess, "run", None)
    graph = blank()
    assign_weights(graph, source(path))
    for found, wanted in zip(graph.get_weights(), network().get_weights(), strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_names_that_hdf5_never_gets_through_are_given_up(tmp_path, monkeypatch):
    import h5py

    path = tmp_path / "weights.h5"
    with h5py.File(path, "w") as file:
        file.attrs.create("layer_names", ["conv"], (1,), h5py.string_dtype())
    data = bytearray(path.read_bytes())
    # In the heap of the names the free space, its last object, says that it has no size: HDF5 steps over it
    # by that size, for ever.
    free_space = data.index(b"GCOL") + 16 + 24
    assert data[free_space : free_space + 2] == b"\0\0"
    data[free_space + 8 : free_space + 16] = bytes(8)
    path.write_bytes(data)
    monkeypatch.setattr(subprocess, "run", with_limit_of_a_second(subprocess.run))
    with pytest.raises(WeightsMismatch, match=r"weights\.h5 .* HDF5 does not get through its names"):
        assign_weights(blank(), source(path))


def with_limit_of_a_second(run):
    def limited(command, **options):
        python, flag, code, *arguments = command
        code = code.replace("print_names;", "print_names; import stylesearch.extractors.hdf5_names as names;")
        code = code.replace("print_names(", "names.MAX_SECONDS = 2; print_names(")
        return run([python, flag, code, *arguments], **options)

    return limited


def test_an_array_that_cannot_be_unpacked_is_a_mismatch(tmp_path):
    import h5py

    path = tmp_path / "weights.h5"
    save(network(), path)
    with h5py.File(path, "r+") as file:
        names = []
        file.visititems(lambda name, found: names.append(name) if isinstance(found, h5py.Dataset) else None)
        name = next(one for one in names if len(file[one].shape) == 2)
        shape = file[name].shape
        del file[name]
        array = file.create_dataset(name, shape, "f4", chunks=shape, compression="gzip")
        array.id.write_direct_chunk((0,) * len(shape), b"no zlib")
    with pytest.raises(WeightsMismatch, match=r"weights\.h5 cannot be read"):
        assign_weights(blank(), source(path))


def test_a_keras_file_that_would_unpack_to_far_more_is_refused(tmp_path):
    path = tmp_path / "weights.keras"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("model.weights.h5", "w") as file,
    ):
        for _ in range(300):
            file.write(bytes(1 << 20))
    with pytest.raises(WeightsMismatch, match="would unpack to 300 MiB"):
        assign_weights(blank(), source(path))
