import collections
import io
import pickle
import sys
import types

import numpy as np
import pytest

from stylesearch.errors import WeightsMismatch
from stylesearch.extractors.weight_files import read_legacy_state_dict

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001


class Storage:
    def __init__(self, array):
        self.array = np.ascontiguousarray(array).ravel()


class Tensor:
    """Pickles as PyTorch's tensors do."""

    def __init__(self, storage, offset, shape, stride):
        self.parts = (storage, offset, shape, stride, False, collections.OrderedDict())

    def __reduce__(self):
        return sys.modules["torch._utils"]._rebuild_tensor_v2, self.parts


@pytest.fixture
def torch(monkeypatch):
    """Modules with PyTorch's names, so that pickles carry them."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")

    def rebuild(*parts):
        raise AssertionError("the reader must not look names up")

    rebuild.__module__, rebuild.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = rebuild
    for name in ("FloatStorage", "LongStorage", "BoolStorage"):
        setattr(torch, name, type(name, (), {"__module__": "torch"}))
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)
    return torch


@pytest.fixture
def write(torch, tmp_path):
    def write(content, *, header=(MAGIC, PROTOCOL, {"little_endian": True}), kind="FloatStorage", cut=0):
        storages = {}

        class Pickler(pickle.Pickler):
            def persistent_id(self, value):
                if not isinstance(value, Storage):
                    return None
                storages[str(id(value))] = value
                return ("storage", getattr(torch, kind), str(id(value)), "cpu", value.array.size, None)

        file = io.BytesIO()
        for part in header:
            pickle.dump(part, file, protocol=2)
        Pickler(file, protocol=2).dump(content)
        pickle.dump(sorted(storages), file, protocol=2)
        for key in sorted(storages):
            file.write(np.int64(storages[key].array.size).tobytes() + storages[key].array.tobytes())
        path = tmp_path / "weights.pth"
        path.write_bytes(file.getvalue()[: len(file.getvalue()) - cut])
        return path

    return write


def test_reads_tensors_with_their_names_shapes_and_dtype(write):
    values = np.arange(24, dtype=np.float32)
    path = write({"a.weight": Tensor(Storage(values), 0, (2, 3, 4), (12, 4, 1))})
    tensors = read_legacy_state_dict(path)
    assert list(tensors) == ["a.weight"]
    assert tensors["a.weight"].dtype == np.float32
    np.testing.assert_array_equal(tensors["a.weight"], values.reshape(2, 3, 4))


def test_strides_and_offsets_are_followed(write):
    storage = Storage(np.arange(10, dtype=np.float32))
    path = write({"t": Tensor(storage, 1, (3, 2), (1, 4)), "u": Tensor(storage, 7, (), ())})
    tensors = read_legacy_state_dict(path)
    np.testing.assert_array_equal(tensors["t"], [[1, 5], [2, 6], [3, 7]])
    assert tensors["u"].shape == ()
    assert tensors["u"] == 7


def test_integers(write):
    path = write({"n": Tensor(Storage(np.array([5], np.int64)), 0, (1,), (1,))}, kind="LongStorage")
    assert read_legacy_state_dict(path)["n"].tolist() == [5]


@pytest.mark.parametrize(
    ("offset", "shape", "stride"),
    [
        (0, (5,), (1,)),
        (3, (2,), (1,)),
        (0, (2, 2), (3, 1)),
        (-1, (2,), (1,)),
        (0, (2,), (-1,)),
        (0, (9,), (0,)),
    ],
)
def test_a_tensor_stays_within_its_storage(write, offset, shape, stride):
    path = write({"t": Tensor(Storage(np.zeros(4, np.float32)), offset, shape, stride)})
    with pytest.raises(WeightsMismatch, match="'t'"):
        read_legacy_state_dict(path)


class Evil:
    def __init__(self, function, *arguments):
        self.parts = (function, arguments)

    def __reduce__(self):
        return self.parts


@pytest.mark.parametrize("where", ["content", "header"])
def test_no_code_is_run(write, tmp_path, where):
    trace = tmp_path / "ran"
    evil = Evil(__import__("os").mkdir, str(trace))
    path = (
        write({"t": evil})
        if where == "content"
        else write({}, header=(MAGIC, PROTOCOL, {"little_endian": evil}))
    )
    with pytest.raises(WeightsMismatch, match="not allowed"):
        read_legacy_state_dict(path)
    assert not trace.exists()


def test_even_builtins_are_refused(write):
    with pytest.raises(WeightsMismatch, match="getattr is not allowed"):
        read_legacy_state_dict(write({"t": Evil(getattr, "text", "upper")}))


def test_an_unknown_storage_is_refused(write):
    path = write({"t": Tensor(Storage(np.zeros(1, np.float32)), 0, (1,), (1,))}, kind="BoolStorage")
    with pytest.raises(WeightsMismatch, match="BoolStorage"):
        read_legacy_state_dict(path)


@pytest.mark.parametrize("cut", [1, 16, 20, 60, 150])
def test_a_truncated_file_is_refused(write, cut):
    path = write({"t": Tensor(Storage(np.zeros(4, np.float32)), 0, (4,), (1,))}, cut=cut)
    with pytest.raises(WeightsMismatch, match=r"weights\.pth"):
        read_legacy_state_dict(path)


@pytest.mark.parametrize(
    "header",
    [(1, PROTOCOL, {"little_endian": True}), (MAGIC, 1002, {"little_endian": True}), (MAGIC, PROTOCOL, {})],
)
def test_another_format_is_refused(write, header):
    with pytest.raises(WeightsMismatch):
        read_legacy_state_dict(write({}, header=header))


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04 a zip of a newer PyTorch", b"\x80\x02.", b"junk" * 100]
)
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(WeightsMismatch):
        read_legacy_state_dict(path)


def test_values_that_are_no_tensors_are_refused(write):
    with pytest.raises(WeightsMismatch, match="'epoch' is not a tensor"):
        read_legacy_state_dict(write({"epoch": 3}))
