import time
import urllib.error
import urllib.request

import pytest

from stylesearch.errors import ConfigError, WeightsNotFound
from stylesearch.extractors import weights as digests
from stylesearch.extractors import weights as keras_download
from stylesearch.extractors.backbones import BACKBONES
from stylesearch.extractors.weights import find_weights, imagenet_path, keras_models_folder, sha256_remembered
from stylesearch.files import sha256_bytes, sha256_file

RESNET50_FILE = "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5"


@pytest.fixture
def keras_home(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    return tmp_path / "keras" / "models"


@pytest.fixture
def no_network(monkeypatch):
    def urlopen(*arguments, **options):
        raise urllib.error.URLError("no network")

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)


@pytest.mark.parametrize("name", ["efficientnet-lite0", "efficientnet-lite2"])
def test_the_weights_of_wheels_are_installed_and_are_what_they_should_be(name):
    row = BACKBONES[name]
    source = find_weights(row)
    assert source.path == imagenet_path(row)
    assert sha256_file(source.path) == source.digest


def test_imagenet_weights_are_taken_from_where_keras_keeps_them(keras_home, no_network):
    keras_home.mkdir(parents=True)
    (keras_home / RESNET50_FILE).write_bytes(b"weights")
    source = find_weights(BACKBONES["resnet50"], "imagenet")
    assert source.path == keras_home / RESNET50_FILE
    assert source.digest == sha256_bytes(b"weights")


def test_keras_agrees_where_that_is(monkeypatch):
    import keras.src.backend.config as config

    monkeypatch.delenv("KERAS_HOME", raising=False)
    assert str(keras_models_folder().parent) == config.keras_home()


def test_no_weights_and_no_network_is_said_soon_and_says_what_to_do(keras_home, no_network):
    start = time.monotonic()
    with pytest.raises(WeightsNotFound, match=RESNET50_FILE) as error:
        find_weights(BACKBONES["resnet50"])
    assert time.monotonic() - start < 5
    assert RESNET50_FILE in error.value.hint
    assert str(keras_home) in error.value.hint


def test_a_server_that_never_answers_is_not_waited_for(keras_home, monkeypatch):
    monkeypatch.setattr(keras_download, "_SECONDS", 0.2)

    def urlopen(*arguments, **options):
        time.sleep(2)
        raise urllib.error.URLError("too late")

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    start = time.monotonic()
    with pytest.raises(WeightsNotFound, match="no network"):
        find_weights(BACKBONES["vgg16"])
    assert time.monotonic() - start < 1.5


def test_a_failed_download_says_why(keras_home, monkeypatch):
    monkeypatch.setattr(keras_download, "_reachable", lambda: True)
    import keras.applications.resnet50 as module

    def download(**options):
        raise Exception("URL fetch failure on https://...: 403 -- Forbidden")

    monkeypatch.setattr(module, "ResNet50", download)
    with pytest.raises(WeightsNotFound, match="403 -- Forbidden"):
        find_weights(BACKBONES["resnet50"])


def test_a_download_is_used(keras_home, monkeypatch, capsys):
    monkeypatch.setattr(keras_download, "_reachable", lambda: True)
    import keras.applications.resnet50 as module

    def download(**options):
        assert options == {"weights": "imagenet", "include_top": False}
        print("Downloading data from ...")
        keras_home.mkdir(parents=True)
        (keras_home / RESNET50_FILE).write_bytes(b"downloaded")

    monkeypatch.setattr(module, "ResNet50", download)
    assert find_weights(BACKBONES["resnet50"]).digest == sha256_bytes(b"downloaded")
    assert capsys.readouterr().out == "", "standard output is for data"


def test_a_file(tmp_path):
    path = tmp_path / "mine.weights.h5"
    path.write_bytes(b"weights")
    source = find_weights(BACKBONES["resnet50"], str(path))
    assert source.path == path
    assert source.digest == sha256_bytes(b"weights")


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(WeightsNotFound, match=r"nowhere\.h5"):
        find_weights(BACKBONES["resnet50"], str(tmp_path / "nowhere.h5"))


def test_a_file_of_another_kind(tmp_path):
    path = tmp_path / "weights.onnx"
    path.write_bytes(b"")
    with pytest.raises(ConfigError, match="onnx"):
        find_weights(BACKBONES["resnet50"], str(path))


@pytest.mark.parametrize(("weights", "seed"), [("random", 0), ("random:7", 7)])
def test_random_weights_show_in_the_digest(weights, seed):
    source = find_weights(BACKBONES["vgg16"], weights)
    assert source.path is None
    assert source.seed == seed
    assert source.digest == f"random:{seed}"


@pytest.mark.parametrize("weights", ["random:x", "random:-1"])
def test_a_seed_is_a_number(weights):
    with pytest.raises(ConfigError, match=weights):
        find_weights(BACKBONES["vgg16"], weights)


@pytest.fixture
def large_file(tmp_path, monkeypatch):
    monkeypatch.setenv("STYLESEARCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(digests, "_SMALL", 10)
    path = tmp_path / "large.h5"
    path.write_bytes(b"0123456789" * 5)
    return path


def test_the_digest_of_a_large_file_is_remembered(large_file, monkeypatch):
    digest = sha256_remembered(large_file)
    assert digest == sha256_file(large_file)

    def never(path):
        raise AssertionError("hashed again")

    monkeypatch.setattr(digests, "sha256_file", never)
    assert sha256_remembered(large_file) == digest


def test_a_changed_file_is_hashed_again(large_file):
    before = sha256_remembered(large_file)
    large_file.write_bytes(b"9876543210" * 5)
    assert sha256_remembered(large_file) == sha256_file(large_file) != before


def test_a_damaged_note_is_replaced(large_file, tmp_path, caplog):
    digest = sha256_remembered(large_file)
    (note,) = (tmp_path / "cache" / "digests").iterdir()
    note.write_bytes(b"{")
    assert sha256_remembered(large_file) == digest
    assert "cannot be read" in caplog.text
    assert b"sha256" in note.read_bytes()


def test_a_cache_that_cannot_be_written_only_costs_time(large_file, tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("STYLESEARCH_CACHE", str(tmp_path / "file"))
    assert sha256_remembered(large_file) == sha256_file(large_file)
