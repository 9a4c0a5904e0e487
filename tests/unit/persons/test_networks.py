"""The real files in both libraries: they answer alike, and the finder works with either."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from stylesearch.errors import ExtractorError, MissingDependency
from stylesearch.persons import networks
from stylesearch.persons.networks import OpenVinoNetwork, TensorFlowNetwork, load_network
from stylesearch.persons.weights import DETECTOR, LANDMARKS, PersonFile, find_person_file

pytestmark = pytest.mark.slow

SHAPES = {
    DETECTOR.name: (224, [(1, 2254, 12), (1, 2254, 1)]),
    LANDMARKS.name: (256, [(1, 195), (1, 1), (1, 256, 256, 1), (1, 64, 64, 39), (1, 117)]),
}


@pytest.mark.parametrize("file", [DETECTOR, LANDMARKS], ids=lambda file: file.name)
@pytest.mark.usefixtures("person_files")
def test_both_libraries_answer_alike(file: PersonFile) -> None:
    size, shapes = SHAPES[file.name]
    square = np.random.default_rng(0).random((1, size, size, 3), np.float32)
    path = find_person_file(file)
    one, other = OpenVinoNetwork(path).run(square), TensorFlowNetwork(path).run(square)
    assert [output.shape for output in one] == [output.shape for output in other] == shapes
    for first, second in zip(one, other, strict=True):
        assert first.dtype == second.dtype == np.float32
        assert np.abs(first - second).max() < 0.02 * max(1, np.abs(first).max())


@pytest.mark.parametrize("kind", [OpenVinoNetwork, TensorFlowNetwork])
@pytest.mark.usefixtures("person_files")
def test_threads_get_their_own_answers(kind: type[OpenVinoNetwork] | type[TensorFlowNetwork]) -> None:
    network = kind(find_person_file(DETECTOR))
    squares = np.random.default_rng(1).random((4, 1, 224, 224, 3), np.float32)
    alone = [network.run(square)[0] for square in squares]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda square: network.run(square)[0], [*squares] * 3))
    for number, answer in enumerate(together):
        assert answer == pytest.approx(alone[number % 4], abs=1e-5)


def test_what_neither_can_read_is_said(tmp_path: Path) -> None:
    path = tmp_path / "wrong.tflite"
    path.write_bytes(b"no network")
    with pytest.raises(ExtractorError):
        load_network(path)


@pytest.mark.usefixtures("person_files")
def test_without_openvino_tensorflow_runs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_openvino() -> None:
        raise MissingDependency("the OpenVINO engine needs the library 'openvino', which is not installed")

    monkeypatch.setattr(networks, "import_openvino", no_openvino)
    assert isinstance(load_network(find_person_file(DETECTOR)), TensorFlowNetwork)
