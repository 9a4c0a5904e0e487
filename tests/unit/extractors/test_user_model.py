"""A user's own model: what is said about it, what it may be, and that nothing in it ever runs."""

import json
import zipfile

import keras
import numpy as np
import pytest

from stylesearch.errors import ConfigError, ExtractorError, WeightsNotFound
from stylesearch.extractors import load_extractor
from stylesearch.extractors.user_model import user_model_recipe
from stylesearch.files import sha256_file

# Keras itself, when it saves a model.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def small(*, pooled=True, size=16):
    inputs = keras.Input((size, size, 3))
    x = keras.layers.Conv2D(6, 3, activation="relu", name="conv")(inputs)
    if pooled:
        x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, x)


@pytest.fixture
def save(tmp_path):
    def save(model, card=None, name="own"):
        path = tmp_path / f"{name}.keras"
        model.save(path)
        if card is not None:
            path.with_suffix(".json").write_text(json.dumps(card))
        return path

    return save


CARD = {"input_size": 16, "preprocessing": "0-1"}


def test_the_card_says_it_all(save):
    path = save(small(), CARD | {"layer": "conv", "name": "mine"})
    recipe = user_model_recipe(str(path))
    assert (recipe.name, recipe.input_size, recipe.preprocessing, recipe.layer) == ("mine", 16, "0-1", "conv")
    assert recipe.weights_digest == sha256_file(path)


def test_arguments_go_before_the_card(save):
    recipe = user_model_recipe(str(save(small(), CARD)), input_size=20, preprocessing="tf", layer="conv")
    assert (recipe.input_size, recipe.preprocessing, recipe.layer) == (20, "tf", "conv")


def test_arguments_do_without_a_card(save):
    recipe = user_model_recipe(str(save(small())), input_size=16, preprocessing="caffe")
    assert recipe.name == "own"
    assert dict(recipe.parameters) == {"input_size": 16, "layer": "output", "preprocessing": "caffe"}


def test_what_decides_the_vectors_is_in_the_fingerprint(save):
    path = str(save(small()))
    recipes = [
        user_model_recipe(path, input_size=16, preprocessing="tf"),
        user_model_recipe(path, input_size=17, preprocessing="tf"),
        user_model_recipe(path, input_size=16, preprocessing="caffe"),
        user_model_recipe(path, input_size=16, preprocessing="tf", layer="conv"),
        user_model_recipe(str(save(small(), name="own2")), input_size=16, preprocessing="tf"),
    ]
    assert len({recipe.fingerprint for recipe in recipes}) == len(recipes)


@pytest.mark.parametrize(
    ("card", "reason"),
    [
        (None, "input size"),
        ({"input_size": 16}, "preprocessing"),
        ({"preprocessing": "tf"}, "input size"),
        (CARD | {"input_size": "16"}, "'16'"),
        (CARD | {"input_size": 0}, "0"),
        (CARD | {"input_size": True}, "True"),
        (CARD | {"preprocessing": "imagenet"}, "'imagenet'"),
        (CARD | {"sise": 3}, "'sise'"),
        ([1], "no object"),
    ],
)
def test_a_card_that_makes_no_sense(save, card, reason):
    with pytest.raises(ConfigError, match=reason):
        user_model_recipe(str(save(small(), card)))


def test_a_card_that_is_not_json(save):
    path = save(small())
    path.with_suffix(".json").write_text("{input_size: 16")
    with pytest.raises(ConfigError, match="not JSON"):
        user_model_recipe(str(path))


def test_only_the_safe_format(tmp_path):
    with pytest.raises(ConfigError, match="running code"):
        user_model_recipe(str(tmp_path / "model.h5"))


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(WeightsNotFound, match="nowhere"):
        user_model_recipe(str(tmp_path / "nowhere.keras"))


@pytest.mark.parametrize("pooled", [True, False])
def test_features_are_the_models_own(save, pooled):
    model = small(pooled=pooled)
    extractor = load_extractor(str(save(model, CARD)), precision="f32")
    images = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), dtype=np.uint8)
    expected = np.asarray(model(images.astype(np.float32) / 255))
    if not pooled:
        expected = expected.mean(axis=(1, 2))
    assert extractor.dim == 6
    np.testing.assert_allclose(extractor.extract(images), expected, rtol=1e-4, atol=1e-5)


def test_an_inner_layer_and_a_free_input_size(save):
    inputs = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(6, 3, name="conv")(inputs)
    model = keras.Model(inputs, keras.layers.Conv2D(2, 1)(x))
    recipe = user_model_recipe(str(save(model)), input_size=24, preprocessing="tf", layer="conv")
    assert recipe.build().output_shape == (None, 6)
    assert recipe.build().input_shape == (None, 24, 24, 3)


def build(path, **options):
    return user_model_recipe(str(path), **({"input_size": 16, "preprocessing": "tf"} | options)).build()


def test_mixed_precision_is_the_models_own_affair(save):
    recipe = user_model_recipe(str(save(small(), CARD)))
    with pytest.raises(ConfigError, match="mixed_float16"):
        recipe.build("mixed_float16")


def test_an_unknown_layer(save):
    with pytest.raises(ExtractorError, match="'fc9'") as error:
        build(save(small()), layer="fc9")
    assert "conv" in error.value.hint


def test_another_input_size(save):
    with pytest.raises(ExtractorError, match=r"\(None, 16, 16, 3\)"):
        build(save(small()), input_size=32)


def test_an_input_that_is_no_image(save):
    inputs = keras.Input((5,))
    with pytest.raises(ExtractorError, match=r"\(None, 5\)"):
        build(save(keras.Model(inputs, keras.layers.Dense(2)(inputs))))


def test_an_output_that_is_no_vector(save):
    inputs = keras.Input((16, 16, 3))
    model = keras.Model(inputs, keras.layers.Reshape((16, 48))(inputs))
    with pytest.raises(ExtractorError, match=r"\(None, 16, 48\)"):
        build(save(model))


def test_several_outputs(save):
    inputs = keras.Input((16, 16, 3))
    x = keras.layers.Flatten()(inputs)
    model = keras.Model(inputs, [keras.layers.Dense(2)(x), keras.layers.Dense(3)(x)])
    with pytest.raises(ExtractorError, match="2 outputs"):
        build(save(model))


def test_a_lambda_is_refused(save, tmp_path):
    trace = tmp_path / "ran"
    name = str(trace)
    inputs = keras.Input((16, 16, 3))
    x = keras.layers.Lambda(lambda x: (open(name, "w").close(), x)[1])(inputs)  # noqa: PTH123
    path = save(keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(x)))
    trace.unlink()
    with pytest.raises(ExtractorError, match="Lambda"):
        build(path)
    assert not trace.exists()


def test_a_lambda_inside_a_model_inside_is_refused(save):
    inner = keras.Sequential([keras.Input((16, 16, 3)), keras.layers.Lambda(lambda x: x)])
    outer = keras.Sequential(
        [keras.Input((16, 16, 3)), keras.layers.TimeDistributed(inner) if False else inner]
    )
    with pytest.raises(ExtractorError, match="Lambda"):
        build(save(outer))


def test_a_custom_layer_is_refused_even_if_this_process_knows_it(save):
    @keras.saving.register_keras_serializable(package="shop")
    class Double(keras.layers.Layer):
        def call(self, inputs):
            return inputs * 2

    inputs = keras.Input((16, 16, 3))
    model = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(Double()(inputs)))
    with pytest.raises(ExtractorError, match="Double"):
        build(save(model))


@pytest.mark.parametrize(
    "node",
    [
        {"module": "os", "class_name": "system", "config": "true"},
        {"module": "builtins", "class_name": "function", "config": "eval"},
        {"module": "keras.utils", "class_name": "get_file", "config": {}},
        {"module": "keras.src.saving.saving_lib", "class_name": "load_model", "config": {}},
        {"module": "keras.layers", "class_name": "TorchModuleWrapper", "config": {}},
        {"module": "keras.layers", "class_name": "StringLookup", "config": {"vocabulary": "/etc/passwd"}},
        {"class_name": "__lambda__", "config": {}},
        {"module": "kerasx.layers", "class_name": "Dense", "config": {}},
    ],
)
def test_prepared_files_are_refused_before_keras_sees_them(save, node, monkeypatch):
    path = save(small())
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(parts["config.json"])
    config["config"]["layers"][1]["config"]["kernel_initializer"] = node
    parts["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)

    def never(*arguments, **options):
        raise AssertionError("Keras was asked to load it")

    monkeypatch.setattr(keras.saving, "load_model", never)
    with pytest.raises(ExtractorError, match=node["class_name"]):
        build(path)


def test_what_it_was_compiled_with_does_not_matter(save):
    def own_loss(truth, predicted):
        raise AssertionError("never called")

    model = small()
    model.compile(loss=own_loss)
    assert build(save(model)).output_shape == (None, 6)


@pytest.mark.parametrize("content", [b"", b"junk" * 100])
def test_a_file_of_something_else(tmp_path, content):
    path = tmp_path / "own.keras"
    path.write_bytes(content)
    with pytest.raises(ExtractorError, match="not a model in Keras's format"):
        build(path)


@pytest.mark.parametrize("part", ["config.json", "model.weights.h5"])
def test_a_part_that_would_unpack_to_far_more_than_it_is(tmp_path, part):
    path = tmp_path / "own.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open(part, "w") as file:
        for _ in range(65):
            file.write(bytes(1 << 20))
    assert path.stat().st_size < 100_000
    with pytest.raises(ExtractorError, match=f"{part} would unpack to 65 MiB"):
        build(path)


def test_a_part_that_cannot_be_unpacked(tmp_path):
    path = tmp_path / "own.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", "{}" * 1000)
    data = bytearray(path.read_bytes())
    start = data.index(b"config.json") + len(b"config.json")
    data[start] = 0xFF
    path.write_bytes(data)
    with pytest.raises(ExtractorError, match="not a model in Keras's format"):
        build(path)


def test_a_truncated_file(save):
    path = save(small())
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(ExtractorError, match=r"own\.keras"):
        build(path)
