import pytest

from stylesearch.errors import ConfigError
from stylesearch.extractors.engines import choose
from stylesearch.extractors.engines.choose import EngineChoice, choose_engine, gpu_is_likely


@pytest.fixture
def gpu(monkeypatch):
    monkeypatch.setenv("STYLESEARCH_DEVICE", "gpu")


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setenv("STYLESEARCH_DEVICE", "cpu")


def test_without_a_gpu_openvino_runs_everything(no_gpu):
    assert choose_engine(throughput=True) == EngineChoice("openvino", "CPU")
    assert choose_engine(throughput=False) == EngineChoice("openvino", "CPU")
    assert choose_engine("tensorflow") == EngineChoice("tensorflow", "CPU")


def test_with_a_gpu_tensorflow_takes_the_many_images(gpu):
    assert choose_engine(throughput=True) == EngineChoice("tensorflow", "GPU", certain=False)
    assert choose_engine(throughput=False) == EngineChoice("openvino", "CPU")
    assert choose_engine("openvino") == EngineChoice("openvino", "CPU")
    assert choose_engine("tensorflow", throughput=False) == EngineChoice("tensorflow", "GPU")


def test_the_precision_may_decide(no_gpu):
    assert choose_engine(precision="mixed_float16").engine == "tensorflow"
    assert choose_engine(precision="bf16").engine == "openvino"


@pytest.mark.parametrize(("engine", "precision"), [("openvino", "mixed_float16"), ("tensorflow", "bf16")])
def test_engine_and_precision_that_do_not_go_together(engine, precision):
    with pytest.raises(ConfigError, match=precision):
        choose_engine(engine, precision)


def test_an_unknown_engine():
    with pytest.raises(ConfigError, match="torch"):
        choose_engine("torch")


def test_without_openvino_tensorflow_runs(no_gpu, monkeypatch):
    monkeypatch.setattr(choose.importlib.util, "find_spec", lambda name: None)
    assert choose_engine() == EngineChoice("tensorflow", "CPU")


@pytest.mark.parametrize("hidden", ["", "-1"])
def test_a_hidden_gpu_is_none(monkeypatch, hidden):
    monkeypatch.setattr(choose, "_has_card", lambda root: True)
    monkeypatch.setattr(choose, "_has_cuda_libraries", lambda: True)
    monkeypatch.delenv("STYLESEARCH_DEVICE", raising=False)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert gpu_is_likely()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    assert not gpu_is_likely()


@pytest.mark.parametrize(("card", "libraries"), [(True, False), (False, True)])
def test_a_gpu_takes_card_and_libraries(monkeypatch, card, libraries):
    monkeypatch.delenv("STYLESEARCH_DEVICE", raising=False)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(choose, "_has_card", lambda root: card)
    monkeypatch.setattr(choose, "_has_cuda_libraries", lambda: libraries)
    assert not gpu_is_likely()


def test_cards_are_seen(tmp_path):
    assert not choose._has_card(tmp_path)
    (tmp_path / "proc/driver/nvidia/gpus").mkdir(parents=True)
    assert not choose._has_card(tmp_path)
    (tmp_path / "proc/driver/nvidia/gpus/0000:01:00.0").mkdir()
    assert choose._has_card(tmp_path)


def test_a_device_that_does_not_exist(monkeypatch):
    monkeypatch.setenv("STYLESEARCH_DEVICE", "tpu")
    with pytest.raises(ConfigError, match="tpu"):
        gpu_is_likely()
